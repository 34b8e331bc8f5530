//! The rundbrief binary: parse, open, dispatch. All else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rundbrief::cli::main()
}

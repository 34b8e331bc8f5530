//! The rundbrief binary. All is in the library, also the runtime: what is awaited
//! here would be compiled here, a second time.

use std::process::ExitCode;

fn main() -> ExitCode {
    rundbrief::cli::main()
}

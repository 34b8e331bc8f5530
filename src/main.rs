//! The rundbrief binary: parse, open, dispatch. All else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(rundbrief::cli::main());
            // What still reads a document in the background is not waited for.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("rundbrief: the system gives no threads: {error}");
            ExitCode::from(71)
        }
    }
}

//! The program `thorbis`. Everything is in the library, so that tests start it in their own process.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::cli::run()
}

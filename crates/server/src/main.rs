//! The program `thorbis`. Everything is in the library, so that tests start it in their own process.

use std::process::ExitCode;

// A request is some hundred small allocations on whichever thread it happens to be: the system's own takes a quarter of the server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::cli::run()
}

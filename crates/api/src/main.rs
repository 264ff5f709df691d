//! The `worklete` binary; see [`api::cli`].

use std::process::ExitCode;

use clap::Parser;

/// Answers are made of many small pieces of memory, passed from the threads of the database to those of HTTP; for that the
/// system's allocator takes a tenth of the server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    api::cli::Cli::parse().run()
}

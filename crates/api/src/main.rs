//! The `worklete` binary; see [`api::cli`].

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    api::cli::Cli::parse().run()
}

//! `nightingale`: the service and everything that a custodian does by hand. Exit codes: 0 done, 1 refused, 2 unreadable
//! or wrong use.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}

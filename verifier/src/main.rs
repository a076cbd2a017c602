//! `nightingale-verify`: says whether a proof holds and what it proves. Exit codes: 0 valid or done, 1 invalid, 2
//! unreadable or wrong use.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::as_conversions)]

mod command;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(command::Arguments::parse())
}

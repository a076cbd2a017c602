//! `nightingale-poster`: deploys the contracts, settles proven claims, and sees both through. Exit codes: 0 done, 1 refused
//! or failed, 2 unreadable or wrong use.

mod command;

use clap::Parser;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    command::run(command::Arguments::parse()).await
}

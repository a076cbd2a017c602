//! `nightingale-poster`: deploys the contracts, settles proven claims, and sees both through. Exit codes: 0 done, 1 refused
//! or failed, 2 unreadable or wrong use.

mod command;
mod memory;

use clap::Parser;
use std::{
    io::{self, Write},
    process::ExitCode,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    if let Err(problem) = memory::keep() {
        let _ = writeln!(io::stderr(), "nightingale-poster: {problem}");
        return ExitCode::from(2);
    }
    command::run(arguments).await
}

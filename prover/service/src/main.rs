//! `nightingale`: the service and everything that a custodian does by hand. Exit codes: 0 done, 1 refused, 2 unreadable
//! or wrong use.

mod cli;

use clap::Parser;
use std::{alloc::System, process::ExitCode};
use zeroizing_alloc::ZeroAlloc;

/// What is given back is zeroed first, whoever had it: messages of the transport, parsed claims, what a growing buffer leaves behind.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}

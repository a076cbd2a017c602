//! `nightingale demo`.

use super::{Outcome, Trouble, say, wait};
use clap::Args;
use nightingale::demo::{Options, run};
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Demo {
    /// The folder for keys, proofs, chain receipts and summary.json and report.html; made when absent.
    #[arg(long, default_value = "demo")]
    dir: PathBuf,
    /// A node to settle on, such as http://127.0.0.1:8545, with a funded key in `NIGHTINGALE_POSTER_KEY`; without it an EVM in
    /// this process.
    #[arg(long, value_name = "URL")]
    chain: Option<String>,
    /// The same seed gives the same people.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Demo {
    pub(super) fn run(&self) -> Outcome {
        let options = Options { dir: self.dir.clone(), chain: self.chain.clone(), seed: self.seed };
        wait(async { run(options, &mut |line| say(line)).await.map(drop).map_err(Trouble::unusable) })
    }
}

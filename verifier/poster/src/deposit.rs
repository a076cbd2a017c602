//! A deposit into a payer's escrow: the token lets the contract take the amount, and the contract takes it, once.

use crate::{Again, Posted, Poster, PosterError, administration};
use alloy_primitives::U256;
use nightingale_contracts::{PayerId, deploy::Deployment};

mod token {
    alloy_sol_types::sol! {
        function allowance(address holder, address spender) external view returns (uint256);
    }
}

/// Steps, as the outbox numbers them. Some are left out where they are not needed.
const MINT: u32 = 0;
const ALLOW_NOTHING: u32 = 1;
const ALLOW: u32 = 2;
const DEPOSIT: u32 = 3;

impl Poster {
    /// Adds to a payer's escrow from this account's tokens, once: the same deposit again is found done, and nothing is sent,
    /// unless `again` asks for another one, or names the transaction that came to nothing. What the contract may take already is used; a token that does not change one
    /// allowance into another is told nothing first. `mint` makes that much of the test token before.
    ///
    /// # Errors
    /// The account has too little, the payer is unknown, or something is not mined in time; then the same call goes on.
    pub async fn deposit(
        &self,
        deployment: &Deployment,
        payer: PayerId,
        cents: u64,
        mint: bool,
        again: impl Into<Again>,
    ) -> Result<Vec<Posted>, PosterError> {
        let requests = administration::deposit(deployment, payer, cents);
        self.reopen_vanished().await?;
        if self.is_open(&requests).await? {
            return self.send_all(&requests).await;
        }
        let [allow, deposit] = requests;
        let errand =
            self.begin_counted(std::slice::from_ref(&deposit), (DEPOSIT, DEPOSIT), again.into()).await?;
        if errand.is_finished() {
            return self.recount(&errand, |_| true).await;
        }
        let mut posted = Vec::new();
        if mint {
            let mint = administration::mint(deployment, self.address(), cents);
            posted.push(self.step(&errand, MINT, &mint).await?);
        }
        posted.extend(self.recount(&errand, |step| [ALLOW_NOTHING, ALLOW].contains(&step)).await?);
        if !errand.knows(DEPOSIT) {
            let (holder, spender) = (self.address(), deployment.settlement);
            let call = token::allowanceCall { holder, spender };
            let allowed: U256 = self.node().ask(deployment.token, &call).await?;
            if allowed < administration::units(deployment, cents) {
                // Some tokens refuse to change an allowance into another, lest both be used.
                if !allowed.is_zero() && self.node.dry_run(holder, &allow).await?.is_err() {
                    let nothing = administration::allow_nothing(deployment);
                    posted.push(self.step_anew(&errand, ALLOW_NOTHING, &nothing).await?);
                }
                posted.push(self.step_anew(&errand, ALLOW, &allow).await?);
            }
        }
        posted.push(self.step(&errand, DEPOSIT, &deposit).await?);
        Ok(posted)
    }
}

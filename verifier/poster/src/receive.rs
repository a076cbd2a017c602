//! Has a claim's receipt recorded, once. Each witness, the chain and the payer, speaks once for a claim: where it has done so
//! for the same day, there is nothing left to send, whoever had it said.

use crate::{Posted, Poster, PosterError, administration, payer};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use nightingale_circuits::claim::Date;
use nightingale_contracts::{
    PayerId,
    bindings::ClaimSettlement::{ClaimReceived, receiptOfCall},
    deploy::{Deployment, Request},
};

/// 1970-01-01 in days since 1900-01-01.
const UNIX_EPOCH_DAY: u64 = 25_567;
const SECONDS_OF_A_DAY: u64 = 86_400;

/// What became of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// This outbox had it recorded.
    Posted(Posted),
    /// Somebody else did, for the same day, as deep as wanted.
    Elsewhere {
        /// What it was.
        purpose: String,
        /// The transaction and its block, where the node finds them.
        by: Option<(B256, u64)>,
    },
}

/// Which receipt.
struct Wanted<'a> {
    deployment: &'a Deployment,
    payer: PayerId,
    claim: B256,
    /// The payer's word for this day; none is the chain's for today.
    day: Option<Date>,
}

impl Poster {
    /// Records that a claim was received: on a day, as its payer says, or today, as the chain does.
    ///
    /// # Errors
    /// It is recorded for another day, this account may not say so, or it is not mined in time.
    pub async fn receive(
        &self,
        deployment: &Deployment,
        payer: PayerId,
        claim: B256,
        day: Option<Date>,
    ) -> Result<Received, PosterError> {
        let request = match day {
            Some(day) => administration::record_receipt(deployment, payer, claim, day.days()),
            None => administration::receive_claim(deployment, payer, claim),
        };
        let wanted = Wanted { deployment, payer, claim, day };
        let errand = self.begin(std::slice::from_ref(&request), 0, false).await?;
        if !errand.knows(0)
            && let Some(elsewhere) = self.received_elsewhere(&wanted, &request).await?
        {
            return Ok(elsewhere);
        }
        match self.step(&errand, 0, &request).await {
            Ok(posted) => Ok(Received::Posted(posted)),
            // Somebody else may have been faster.
            Err(error @ PosterError::Reverted { .. }) => {
                self.received_elsewhere(&wanted, &request).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The receipt that this witness has given already, waited for until it is as deep as wanted.
    async fn received_elsewhere(
        &self,
        wanted: &Wanted<'_>,
        request: &Request,
    ) -> Result<Option<Received>, PosterError> {
        let mut patience = self.patience();
        loop {
            let recorded = self.recorded_day(wanted, BlockNumberOrTag::Latest).await?;
            if recorded == 0 {
                return Ok(None);
            }
            let head = self.node.head().await?;
            let today = head.timestamp / SECONDS_OF_A_DAY + UNIX_EPOCH_DAY;
            let day = wanted.day.map_or(today, |day| day.days().into());
            if u64::from(recorded) != day {
                return Err(PosterError::ReceiptDiffers {
                    claim: wanted.claim,
                    recorded: calendar(recorded.into()),
                    wanted: calendar(day),
                });
            }
            let deep = self.deep_block(head.number);
            if self.recorded_day(wanted, deep.into()).await? == recorded {
                let Wanted { deployment, payer, claim, .. } = *wanted;
                let (contract, topics) = (deployment.settlement, (payer::topic(payer), Some(claim)));
                let events = self.events_of::<ClaimReceived>(deployment, contract, topics, deep).await?;
                let own = events.iter().find(|found| found.event.byPayer == wanted.day.is_some());
                let by = own.map(|found| (found.transaction, found.block));
                return Ok(Some(Received::Elsewhere { purpose: request.purpose.clone(), by }));
            }
            if !patience.pause().await {
                return Err(self.elsewhere_unconfirmed(&request.purpose));
            }
        }
    }

    /// The day that the wanted witness has given, as of a block; zero when it has not.
    async fn recorded_day(&self, wanted: &Wanted<'_>, block: BlockNumberOrTag) -> Result<u32, PosterError> {
        let call = receiptOfCall { payer: wanted.payer, claimCommitment: wanted.claim };
        match self.node.ask_at(wanted.deployment.settlement, &call, block).await {
            Ok(receipt) => Ok(if wanted.day.is_some() { receipt.payerDay } else { receipt.chainDay }),
            // The contract is younger than that block.
            Err(PosterError::NothingDeployed(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn calendar(days: u64) -> String {
    match u32::try_from(days).ok().and_then(|days| Date::from_days(days).ok()) {
        Some(date) => {
            let (year, month, day) = date.calendar();
            format!("{year:04}-{month:02}-{day:02}")
        }
        None => format!("day {days}"),
    }
}

//! Has a claim's receipt recorded, once. Each witness, the chain and the payer, speaks once for a claim: where it has done so
//! for the same day, there is nothing left to send, whoever had it said.

use crate::{Posted, Poster, PosterError, administration, payer, poster::behind};
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
    Posted {
        /// How.
        posted: Posted,
        /// The day that the chain has.
        day: Date,
    },
    /// Somebody else did, for the same day, as deep as wanted.
    Elsewhere {
        /// What it was.
        purpose: String,
        /// The transaction and its block, where the node finds them.
        by: Option<(B256, u64)>,
        /// The day that the chain has.
        day: Date,
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
    /// It is recorded for another day, as where it was asked for on one day and mined on a later; this account may not say so, or it is not mined in
    /// time.
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
            Ok(posted) => self.received_here(&wanted, posted).await,
            // Somebody else may have been faster.
            Err(error @ PosterError::Reverted { .. }) => {
                self.received_elsewhere(&wanted, &request).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The day that this outbox had recorded: the one that was asked for, be it mined at once or later.
    async fn received_here(&self, wanted: &Wanted<'_>, posted: Posted) -> Result<Received, PosterError> {
        let row = self.outbox.of_attempt(self.address(), posted.mined.transaction).await?;
        let asked = match wanted.day {
            Some(day) => Some(u64::from(day.days())),
            None => row.and_then(|row| row.asked_at).map(day_of),
        };
        let mut patience = self.patience();
        loop {
            let deep = self.deep_block(self.node.head().await?.number);
            let recorded = self.recorded_day(wanted, deep.into()).await?;
            if recorded > 0 {
                // A clock that is ahead asks for a day that is still to come.
                if let Some(asked) = asked.filter(|asked| *asked < recorded.into()) {
                    return Err(differs(wanted, recorded, asked));
                }
                return Ok(Received::Posted { posted, day: date(recorded)? });
            }
            if !patience.pause().await {
                return Err(behind(&posted.purpose, posted.mined.place(), self.node.head().await?.number));
            }
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
            let day = wanted.day.map_or_else(|| day_of(head.timestamp), |day| day.days().into());
            if u64::from(recorded) != day {
                return Err(differs(wanted, recorded, day));
            }
            let deep = self.deep_block(head.number);
            if self.recorded_day(wanted, deep.into()).await? == recorded {
                let Wanted { deployment, payer, claim, .. } = *wanted;
                let (contract, topics) = (deployment.settlement, (payer::topic(payer), Some(claim)));
                let events = self.events_of::<ClaimReceived>(deployment, contract, topics, deep).await?;
                let own = events.iter().find(|found| found.event.byPayer == wanted.day.is_some());
                let by = own.map(|found| (found.transaction, found.block));
                let (purpose, day) = (request.purpose.clone(), date(recorded)?);
                return Ok(Some(Received::Elsewhere { purpose, by, day }));
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

/// The day of a time in seconds since 1970, in days since 1900-01-01.
const fn day_of(time: u64) -> u64 {
    time / SECONDS_OF_A_DAY + UNIX_EPOCH_DAY
}

fn date(days: u32) -> Result<Date, PosterError> {
    Date::from_days(days).map_err(|error| PosterError::malformed("the recorded day", error.to_string()))
}

fn differs(wanted: &Wanted<'_>, recorded: u32, asked: u64) -> PosterError {
    PosterError::ReceiptDiffers {
        claim: wanted.claim,
        recorded: calendar(recorded.into()),
        wanted: calendar(asked),
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

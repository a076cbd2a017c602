//! Into the outbox: try it, choose nonce, gas and fees, sign, write down. Nothing is sent here.

use super::{Poster, gas};
use crate::{
    PosterError,
    account::Signed,
    clock,
    node::{Fees, Head},
    notice::Notice,
    outbox::{ClaimRow, Draft, Transaction},
};
use alloy_consensus::TxEip1559;
use alloy_eips::{BlockNumberOrTag, eip2930::AccessList};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use nightingale_contracts::{chain::TRANSACTION_GAS_CAP, deploy::Request};
use nightingale_trace::Value;

/// Offers for a nonce, after which no other gas limit is tried: the raises from the least price to the limits are fewer.
const MOST_OFFERS: usize = 100;

impl Poster {
    /// Writes a new transaction of this account into the outbox.
    ///
    /// # Errors
    /// It would revert, or the account cannot pay for it.
    pub(crate) async fn write(
        &self,
        request: &Request,
        plan: Option<(B256, u32)>,
        claims: &[ClaimRow],
    ) -> Result<i64, PosterError> {
        let sender = self.address();
        let mined = self.node.nonce(sender, BlockNumberOrTag::Latest).await?;
        let nonce = self.outbox.next_nonce(sender).await?.map_or(mined, |next| next.max(mined));
        self.write_under(nonce, request, plan, claims).await
    }

    /// The same under a nonce that no row has.
    pub(super) async fn write_under(
        &self,
        nonce: u64,
        request: &Request,
        plan: Option<(B256, u32)>,
        claims: &[ClaimRow],
    ) -> Result<i64, PosterError> {
        let mut step = self.span("sign");
        let sender = self.address();
        let gas_limit = self.tried(request).await?;
        let fees = self.node.fees().await?.at_most(self.terms.limits());
        self.check_funds(gas_limit, fees, &request.purpose).await?;
        let signed = self.sign(nonce, request.to, request.data.clone(), gas_limit, fees)?;
        step.set("chain.transaction", Value::Hash(signed.hash.0));
        let asked_at = self.time().await?;
        let draft = Draft { sender, nonce, request, gas_limit, plan, claims, asked_at };
        self.outbox.insert(&draft, fees, &signed).await
    }

    /// Writes another offer for the same nonce and bytes into the outbox. Where a limit leaves no room for one, that is told.
    pub(super) async fn raise(&self, row: &Transaction) -> Result<(), PosterError> {
        let Some(fees) = self.higher(row).await? else { return Ok(()) };
        self.write_offer(row, row.gas_limit, fees).await
    }

    /// Writes another offer for the same nonce and bytes into the outbox, with another gas limit: a higher one where the limits have room for it. Where
    /// they have none it is as high as it was, since what no node takes has to be outbid nowhere.
    pub(super) async fn offer_gas(&self, row: &Transaction, gas_limit: u64) -> Result<(), PosterError> {
        let Some(fees) = self.higher_or_same(row).await? else { return Ok(()) };
        let fees = self.payable(row, gas_limit, fees).await?;
        self.write_offer(row, gas_limit, fees).await
    }

    /// The fees of an offer that no node has, or what is asked now, where the account cannot pay the former: what they were signed for may be a lie.
    pub(super) async fn payable(
        &self,
        row: &Transaction,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<Fees, PosterError> {
        match self.check_funds(gas_limit, fees, &row.purpose).await {
            Err(PosterError::FundsTooSmall { .. }) => {
                let asked = self.node.fees().await?.at_most(self.terms.limits());
                self.check_funds(gas_limit, asked, &row.purpose).await?;
                Ok(asked)
            }
            checked => checked.map(|()| fees),
        }
    }

    pub(super) async fn write_offer(
        &self,
        row: &Transaction,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<(), PosterError> {
        let mut step = self.span("sign");
        let signed = self.sign(row.nonce, row.to, row.data.clone(), gas_limit, fees)?;
        step.set("chain.transaction", Value::Hash(signed.hash.0));
        self.outbox.add_attempt(row, gas_limit, fees, &signed).await
    }

    /// What an open row's gas limit should be by this node, where that explains why it is not taken: the row's own is too little for what it does, more
    /// than a transaction may have, or far more than it needs. None where the row's own will do, and where so many offers say that it is not the gas.
    pub(super) async fn other_gas(&self, row: &Transaction, head: Head) -> Result<Option<u64>, PosterError> {
        if row.attempts.len() >= MOST_OFFERS {
            return Ok(None);
        }
        let request = Request { purpose: row.purpose.clone(), to: row.to, data: row.data.clone() };
        // What would revert now is mined all the same, once its limit is one that a transaction may have.
        let estimate = self.node.dry_run(row.sender, &request).await?.map_or(row.gas_limit, |(_, gas)| gas);
        let estimate = estimate.max(gas::least(row.to, &row.data)).min(TRANSACTION_GAS_CAP);
        let limit = gas::limit(&request, estimate, head.gas_limit);
        let is_off = |limit: &u64| {
            row.gas_limit < estimate.min(*limit)
                || row.gas_limit > TRANSACTION_GAS_CAP.min(head.gas_limit).max(*limit)
                || row.gas_limit / 2 > *limit
        };
        Ok(limit.filter(is_off))
    }

    /// Gives the nonce of an open row to another request, by a higher offer. Only where nothing that was signed for the row can do anything any
    /// more, whatever block it comes into. Whether there was room for such an offer; where a limit leaves none, that is told.
    ///
    /// # Errors
    /// It would revert, or the account cannot pay for it.
    pub(crate) async fn replace(
        &self,
        row: &Transaction,
        request: &Request,
        plan: (B256, u32),
    ) -> Result<bool, PosterError> {
        let Some(fees) = self.higher(row).await? else { return Ok(false) };
        self.give(row, request, Some(plan), fees).await?;
        Ok(true)
    }

    /// Gives a row's nonce to a request, for this price.
    pub(super) async fn give(
        &self,
        row: &Transaction,
        request: &Request,
        plan: Option<(B256, u32)>,
        fees: Fees,
    ) -> Result<(), PosterError> {
        let mut step = self.span("sign");
        let gas_limit = self.tried(request).await?;
        self.check_funds(gas_limit, fees, &request.purpose).await?;
        let signed = self.sign(row.nonce, request.to, request.data.clone(), gas_limit, fees)?;
        step.set("chain.transaction", Value::Hash(signed.hash.0));
        let (sender, nonce, asked_at) = (row.sender, row.nonce, self.time().await?);
        let draft = Draft { sender, nonce, request, gas_limit, plan, claims: &[], asked_at };
        self.outbox.replace(row, &draft, fees, &signed).await
    }

    /// What an offer for a row's nonce must be now, or as much as was offered, where a limit leaves no room for more.
    pub(super) async fn higher_or_same(&self, row: &Transaction) -> Result<Option<Fees>, PosterError> {
        let (Some(newest), limits) = (row.newest(), self.terms.limits()) else { return Ok(None) };
        let raised = newest.fees.raised(self.node.fees().await?, limits);
        Ok(Some(raised.unwrap_or_else(|_| newest.fees.at_most(limits))))
    }

    /// What an offer for a row's nonce must be now; none where a limit leaves no room for it.
    async fn higher(&self, row: &Transaction) -> Result<Option<Fees>, PosterError> {
        let Some(newest) = row.newest().filter(|_| !self.capped(row)) else { return Ok(None) };
        Ok(newest.fees.raised(self.node.fees().await?, self.terms.limits()).ok())
    }

    /// The chain's time, in seconds since 1970-01-01 UTC, or this machine's: a chain on which nothing happens has an old head.
    async fn time(&self) -> Result<u64, PosterError> {
        Ok(self.node.head().await?.timestamp.max(clock::now()))
    }

    /// The gas limit of a request that would not revert now.
    async fn tried(&self, request: &Request) -> Result<u64, PosterError> {
        let purpose = || request.purpose.clone();
        match self.node.dry_run(self.address(), request).await? {
            Ok((_, estimate)) => gas::limit(request, estimate, self.node.head().await?.gas_limit)
                .ok_or_else(|| PosterError::GasOverCap { purpose: purpose(), estimate }),
            // It uses its nonce whether or not the account's own code (EIP-7702) takes it.
            Err(_) if self.is_nothing(request.to, &request.data) => Ok(gas::least(request.to, &request.data)),
            Err(revert) => Err(PosterError::Reverted { purpose: purpose(), reason: revert.reason }),
        }
    }

    /// Whether a limit leaves no room for a raise, which is told.
    pub(super) fn capped(&self, row: &Transaction) -> bool {
        let Some(newest) = row.newest() else { return false };
        let Err(cap) = newest.fees.raised(newest.fees, self.terms.limits()) else { return false };
        let (purpose, transaction) = (row.purpose.clone(), newest.hash);
        self.notices.tell(&Notice::OfferAtLimit { purpose, transaction, cap });
        true
    }

    pub(super) async fn check_funds(&self, gas: u64, fees: Fees, purpose: &str) -> Result<(), PosterError> {
        let (have, need) =
            (self.node.balance(self.address()).await?, U256::from(gas) * U256::from(fees.max_fee));
        if have < need {
            return Err(PosterError::FundsTooSmall {
                account: self.address(),
                have,
                need,
                purpose: purpose.to_owned(),
            });
        }
        Ok(())
    }

    fn sign(
        &self,
        nonce: u64,
        to: Option<Address>,
        input: Bytes,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<Signed, PosterError> {
        self.account.sign_transaction(TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
            to: to.map_or(TxKind::Create, TxKind::Call),
            value: U256::ZERO,
            access_list: AccessList::default(),
            input,
        })
    }
}

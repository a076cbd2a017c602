//! Nonces that are to be used by something that does nothing: a transfer of nothing from the account to itself.
//!
//! What was signed for a nonce that is too high, by the word of a node that lied, waits until every nonce below it is used, and whoever has it can send
//! it then. So it is not forgotten and signed anew: what is missing below it is filled, where whoever runs the poster asks for that.

use super::Poster;
use crate::{PosterError, notice::Notice, outbox::Transaction};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, Bytes};
use nightingale_contracts::deploy::Request;

impl Poster {
    /// Signs an empty transfer for each unused nonce that this outbox has nothing for, up to the highest open one that `most` such transfers lead to, and sees
    /// all that is open through; gives what came to its end. Where the account's next nonce is a lie, such a transfer is lost.
    ///
    /// # Errors
    /// Not even the lowest open one is reached: then nothing is signed. As [`Poster::resume`].
    pub async fn fill_gap(&self, most: u64) -> Result<Vec<Transaction>, PosterError> {
        self.reopen_vanished().await?;
        let sender = self.address();
        let unused = self.node.nonce(sender, BlockNumberOrTag::Latest).await?;
        let mut below = unused;
        for row in self.outbox.open_of(sender).await? {
            let missing = self.outbox.gaps(sender, unused, row.nonce).await?;
            if missing <= most {
                below = row.nonce;
            } else if below == unused {
                return Err(PosterError::GapTooWide { account: sender, missing, unused, lowest: row.nonce });
            } else {
                break;
            }
        }
        for nonce in unused..below {
            if !self.outbox.has_nonce(sender, nonce).await? {
                self.write_under(nonce, &self.nothing(nonce), None, &[]).await?;
            }
        }
        self.resume().await
    }

    /// Tells of nonces that a row waits for, and that nothing in this outbox has.
    pub(super) async fn tell_gap(&self, row: &Transaction, unused: u64) -> Result<(), PosterError> {
        let missing = self.outbox.gaps(row.sender, unused, row.nonce).await?;
        if missing > 0 {
            let (purpose, nonce, account) = (row.purpose.clone(), row.nonce, row.sender);
            self.notices.tell(&Notice::NonceGap { purpose, nonce, account, unused, missing });
        }
        Ok(())
    }

    /// Has an empty transfer use the nonce of a row that has ended, whose block is gone and whose bytes are not to be sent any more.
    pub(super) async fn vacate(&self, row: &Transaction) -> Result<(), PosterError> {
        let Some(fees) = self.higher_or_same(row).await? else { return Ok(()) };
        self.give(row, &self.nothing(row.nonce), None, fees).await
    }

    /// Whether a request is such a transfer.
    pub(super) fn is_nothing(&self, to: Option<Address>, data: &Bytes) -> bool {
        to == Some(self.address()) && data.is_empty()
    }

    fn nothing(&self, nonce: u64) -> Request {
        Request {
            purpose: format!("use nonce {nonce} for nothing"),
            to: Some(self.address()),
            data: Bytes::new(),
        }
    }
}

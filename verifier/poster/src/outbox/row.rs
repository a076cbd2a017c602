//! From database rows to types. A row that does not parse is damage, never a default.

use crate::{PosterError, node::Fees};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes};
use nightingale_contracts::{PayerId, bindings::Verdict};
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Signed; perhaps sent, perhaps mined, not yet deep enough.
    Open,
    /// Mined at the wanted depth, and what it was for has happened.
    Done,
    /// Mined at the wanted depth, and reverted, or did something else than it was for.
    Failed,
    /// Another transaction of the account used its nonce in a block as deep as wanted, so that it can never be mined there.
    Lost,
}

impl State {
    const ALL: [Self; 4] = [Self::Open, Self::Done, Self::Failed, Self::Lost];

    /// Its name in the database and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// One nonce of one sender.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Its number in the outbox.
    pub id: i64,
    /// Who signed.
    pub sender: Address,
    /// The nonce.
    pub nonce: u64,
    /// What it is for, in words.
    pub purpose: String,
    /// The receiver; none creates a contract.
    pub to: Option<Address>,
    /// Calldata or creation code.
    pub data: Bytes,
    /// The gas limit.
    pub gas_limit: u64,
    /// Its place in a deployment.
    pub step: Option<u32>,
    /// Where it stands.
    pub state: State,
    /// Where it was mined, once it is done or failed.
    pub mined: Option<Mined>,
    /// What it did instead of what it was for, where it failed without being reverted.
    pub problem: Option<String>,
    /// What used its nonce, and in which block, where it was lost; none where a release wrote it that did not keep that.
    pub taken: Option<(B256, u64)>,
    /// When it was first signed, by this machine's clock or the newest block, whichever is later; in seconds since 1970. None as above.
    pub asked_at: Option<u64>,
    /// Everything that was signed for it, oldest first; at least one.
    pub attempts: Vec<Attempt>,
    /// The claims that it settles.
    pub claims: Vec<ClaimRow>,
}

/// Where a transaction was mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
    /// The attempt that was.
    pub transaction: B256,
    /// The block.
    pub block: u64,
    /// Gas used.
    pub gas_used: u64,
}

impl Mined {
    /// Transaction and block.
    pub(crate) const fn place(self) -> (B256, u64) {
        (self.transaction, self.block)
    }
}

/// Something signed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The transaction hash.
    pub hash: B256,
    /// The bytes that are sent.
    pub raw: Bytes,
    /// What it offers.
    pub fees: Fees,
    /// When it was signed, in seconds since 1970.
    pub signed_at: u64,
}

/// A claim of a settlement.
#[derive(Clone, Debug)]
pub struct ClaimRow {
    /// Who pays.
    pub payer: PayerId,
    /// The claim.
    pub commitment: B256,
    /// What it uses up.
    pub tags: Vec<B256>,
    /// What the contract said of it, once the transaction is done.
    pub verdict: Option<Verdict>,
}

impl Transaction {
    /// What was signed last: what is sent again.
    #[must_use]
    pub fn newest(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Whether what was signed with this hash is for what the row is for: a nonce may have been given to another request (`Poster::replace`).
    pub(crate) fn is_by(&self, hash: B256) -> bool {
        let attempt = self.attempts.iter().find(|attempt| attempt.hash == hash);
        let signed = attempt.and_then(|attempt| TxEnvelope::decode_2718(&mut attempt.raw.as_ref()).ok());
        signed.is_some_and(|signed| signed.to() == self.to && *signed.input() == self.data)
    }

    /// The contract that it creates, whose address follows from sender and nonce; none where it calls one.
    #[must_use]
    pub fn creates(&self) -> Option<Address> {
        self.to.is_none().then(|| self.sender.create(self.nonce))
    }
}

pub(super) fn damaged(column: &str) -> PosterError {
    PosterError::Outbox(format!(
        "it is damaged: {column} holds what no release wrote; restore it from a copy"
    ))
}

fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, PosterError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(name).map_err(|_| damaged(name))
}

pub(super) fn whole(row: &SqliteRow, name: &str) -> Result<u64, PosterError> {
    column::<i64>(row, name)?.try_into().map_err(|_| damaged(name))
}

fn fixed<T: for<'a> TryFrom<&'a [u8]>>(row: &SqliteRow, name: &str) -> Result<T, PosterError> {
    T::try_from(column::<&[u8]>(row, name)?).map_err(|_| damaged(name))
}

fn perhaps<T: for<'a> TryFrom<&'a [u8]>>(row: &SqliteRow, name: &str) -> Result<Option<T>, PosterError> {
    let bytes: Option<&[u8]> = column(row, name)?;
    bytes.map(|bytes| T::try_from(bytes).map_err(|_| damaged(name))).transpose()
}

/// A column that came with a later release: none in an outbox of an earlier one that is only looked at.
fn later<'r, T>(row: &'r SqliteRow, name: &str) -> Result<Option<T>, PosterError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    match row.try_get(name) {
        Ok(value) => Ok(value),
        Err(sqlx::Error::ColumnNotFound(_)) => Ok(None),
        Err(_) => Err(damaged(name)),
    }
}

/// A row with everything that belongs to it.
pub(super) async fn transaction(pool: &SqlitePool, row: &SqliteRow) -> Result<Transaction, PosterError> {
    let id: i64 = column(row, "id")?;
    let attempts = sqlx::query("SELECT * FROM attempts WHERE transaction_id = ? ORDER BY number");
    let attempts = attempts.bind(id).fetch_all(pool).await?;
    let claims = sqlx::query("SELECT * FROM claims WHERE transaction_id = ? ORDER BY position");
    let claims = claims.bind(id).fetch_all(pool).await?;
    let state: &str = column(row, "state")?;
    let mined = match perhaps(row, "mined_hash")? {
        None => None,
        Some(transaction) => {
            Some(Mined { transaction, block: whole(row, "mined_block")?, gas_used: whole(row, "mined_gas")? })
        }
    };
    let step: Option<i64> = column(row, "step")?;
    let taken: Option<&[u8]> = later(row, "taken_hash")?;
    let taken = match taken {
        None => None,
        Some(hash) => {
            Some((B256::try_from(hash).map_err(|_| damaged("taken_hash"))?, whole(row, "taken_block")?))
        }
    };
    let asked_at: Option<i64> = later(row, "asked_at")?;
    Ok(Transaction {
        id,
        sender: fixed(row, "sender")?,
        nonce: whole(row, "nonce")?,
        purpose: column(row, "purpose")?,
        to: perhaps(row, "receiver")?,
        data: Bytes::copy_from_slice(column(row, "data")?),
        gas_limit: whole(row, "gas_limit")?,
        step: step.map(|step| step.try_into().map_err(|_| damaged("step"))).transpose()?,
        state: State::ALL.into_iter().find(|known| known.name() == state).ok_or_else(|| damaged("state"))?,
        mined,
        problem: later(row, "problem")?,
        taken,
        asked_at: asked_at.map(|time| time.try_into().map_err(|_| damaged("asked_at"))).transpose()?,
        attempts: attempts.iter().map(attempt).collect::<Result<_, _>>()?,
        claims: claims.iter().map(claim).collect::<Result<_, _>>()?,
    })
}

fn attempt(row: &SqliteRow) -> Result<Attempt, PosterError> {
    Ok(Attempt {
        hash: fixed(row, "hash")?,
        raw: Bytes::copy_from_slice(column(row, "raw")?),
        fees: Fees { max_fee: whole(row, "max_fee")?.into(), tip: whole(row, "tip")?.into() },
        signed_at: whole(row, "signed_at")?,
    })
}

fn claim(row: &SqliteRow) -> Result<ClaimRow, PosterError> {
    let payer: [u8; 12] = fixed(row, "payer")?;
    let verdict: Option<i64> = column(row, "verdict")?;
    let named = |number: i64| u8::try_from(number).ok().and_then(Verdict::from_number);
    Ok(ClaimRow {
        payer: PayerId::from_be_bytes(payer),
        commitment: fixed(row, "commitment")?,
        tags: column::<&[u8]>(row, "tags")?.chunks_exact(32).map(B256::from_slice).collect(),
        verdict: verdict.map(|number| named(number).ok_or_else(|| damaged("verdict"))).transpose()?,
    })
}

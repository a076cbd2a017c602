//! The ledger of consents: what members permit and forbid, sealed; only added to; the newest statement of a subject counts.
//!
//! A statement, the request that made it and what it does to open jobs are one transaction, alone among those of its tenant, as the end of
//! a claim is: whichever of the two commits first is first, and the other sees it.

pub mod epochs;
mod reliance;
mod request;
pub mod versions;

pub use reliance::{ConsentRules, Reliance};
pub use request::{Answer, Asked, Naming};

use super::{Store, audit, jobs::leave_room, rows, seal::Kind, sql::Connection, sql::Row, sql::sql};
use crate::{
    audit::{Draft, Event},
    error::StoreError,
    jobs::{Failure, FailureCode, Instant, JobId, Tenant},
};
use nightingale_circuits::claim::{Consent, Date, Id};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It permits.
    Permit,
    /// It forbids.
    Deny,
    /// It takes back what was stated.
    Revoke,
}

impl Effect {
    const ALL: [Self; 3] = [Self::Permit, Self::Deny, Self::Revoke];

    const fn name(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
            Self::Revoke => "revoke",
        }
    }

    fn parse(name: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|effect| effect.name() == name).ok_or_else(|| rows::damaged("effect"))
    }
}

/// What is to be stated. No `Debug`: it names a patient.
#[derive(Clone)]
pub struct Proposal {
    /// Member, payer, purpose, data class and period; `permit` only where the effect is that.
    pub consent: Consent,
    /// What it does.
    pub effect: Effect,
    /// What it was read from; empty where nobody said.
    pub source: String,
    /// Whether it was read from a file, which may be older than the ledger: then it is left out where the ledger says the same, and where it
    /// would permit or take back what it may not know of.
    pub is_import: bool,
    /// When what it was read from was changed last, where that is known.
    pub updated: Option<Instant>,
}

/// What became of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stated {
    /// It is this line of the table, counted for all tenants; what is shown is its [number](Statement::number).
    Line(i64),
    /// The ledger says so already.
    Unchanged,
    /// It would take back what was read from another consent.
    OfAnother,
    /// It would permit what the ledger refuses, by hand or without that anything says that it is the newer of the two.
    Refused,
    /// It would permit, and was changed later than now by its own account: nothing is newer than that, ever.
    FromTheFuture,
}

/// A line of the ledger. No `Debug`.
#[derive(Clone)]
pub struct Statement {
    /// Its number in its tenant's ledger, from 1: what is shown. Its place among all tenants' lines is nobody's to see.
    pub number: i64,
    /// When it was stated.
    pub stated: Instant,
    /// Member, payer, purpose, data class and period.
    pub consent: Consent,
    /// What it does.
    pub effect: Effect,
    /// What it was read from, by its own account: whoever states by hand may name a source.
    pub source: String,
    /// Whether it was stated by hand, and not read from a file.
    pub by_hand: bool,
    /// The latest change of any file that was read about it since it was stated by hand, by the files' own account.
    pub updated: Option<Instant>,
}

/// A statement as it is sealed.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct StatementFile {
    member: String,
    payer: String,
    purpose: u8,
    data_class: u8,
    from: u32,
    to: u32,
    source: String,
    /// None in what an earlier release sealed.
    #[serde(default)]
    by_hand: Option<bool>,
    #[serde(default)]
    updated: Option<i64>,
}

impl StatementFile {
    /// Whether it was stated by hand. Of what does not say so, a source as only an import names one was read from a file.
    fn is_by_hand(&self) -> bool {
        let is_resource = self.source.starts_with("Consent/")
            || (self.source.starts_with("entry[") && self.source.ends_with("].Consent"));
        self.by_hand.unwrap_or(!is_resource)
    }
}

/// What the statements of a request became, and the jobs that failed because of them.
pub struct Ledgered {
    /// In the order of the proposals.
    pub stated: Vec<Stated>,
    /// Jobs that failed now; none where the request was known.
    pub failed: Vec<JobId>,
    /// How many failed then.
    pub failures: u32,
}

/// A request's outcome as it is sealed.
#[derive(Serialize, Deserialize)]
struct OutcomeFile {
    stated: Vec<Stated>,
    failures: u32,
}

/// Which statements to list.
pub struct Listing {
    /// Only of this member.
    pub member: Option<Id>,
    /// All, and not only those in force.
    pub history: bool,
    /// Before the line with this number.
    pub before: i64,
    /// At most so many.
    pub most: u32,
}

/// How much later than now a file may have been changed: clocks differ.
const SKEW: Duration = Duration::from_secs(300);
/// How much later than now the change of a file may be that later ones have to outdo: a wrong date is not to keep all of them out.
const AHEAD: Duration = Duration::from_secs(86_400);
const COLUMNS: &str = "s.number, s.id, s.effect, s.stated, s.statement";
/// No later line says otherwise.
const NEWEST: &str = "NOT EXISTS (SELECT 1 FROM consent_statements n \
    WHERE n.tenant = s.tenant AND n.subject = s.subject AND n.sequence > s.sequence";

impl Store {
    /// Adds statements to the ledger, in order, and fails the open jobs that rely on what is not permitted any more.
    ///
    /// # Errors
    /// The database refuses; nothing was changed.
    pub async fn state_consents(
        &self,
        tenant: &Tenant,
        naming: &Naming<'_>,
        proposals: &[Proposal],
        now: Instant,
    ) -> Result<Asked<Ledgered>, StoreError> {
        // Opened before the transaction, in which it is only used.
        let seal = self.seal(tenant).await?;
        let mut tx = self.begin_for(tenant).await?;
        match self.answered(&mut tx, tenant, naming).await? {
            Some(Answer::Reused) => return Ok(Asked::KeyReused),
            Some(Answer::Given(plain)) => {
                let file: OutcomeFile =
                    serde_json::from_slice(&plain).map_err(|_| rows::damaged("outcome"))?;
                let known = Ledgered { stated: file.stated, failed: Vec::new(), failures: file.failures };
                return Ok(Asked::Known(known));
            }
            None => {}
        }
        let (mut stated, mut failed) = (Vec::with_capacity(proposals.len()), Vec::new());
        let mut entries = Vec::new();
        for proposal in proposals {
            let subject = self.consent_subject(tenant, &proposal.consent)?;
            let held = self.newest_statement(&mut tx, tenant, &subject).await?;
            let outcome = match left_out(proposal, held.as_ref(), now) {
                Some(outcome) => outcome,
                None if self.is_withheld(&mut tx, tenant, &subject, proposal, held.as_ref()).await? => {
                    Stated::Refused
                }
                None => Stated::Line({
                    // By hand it is stated anew, whatever date a file had.
                    let read = proposal.is_import.then_some(held).flatten();
                    let noted = proposal.updated.map(|updated| updated.min(now.plus(AHEAD)));
                    let updated = noted.max(read.and_then(|held| held.updated));
                    self.add_statement(&mut tx, tenant, &subject, proposal, updated, now).await?
                }),
            };
            if matches!(outcome, Stated::Line(_)) && proposal.effect != Effect::Permit {
                failed.extend(fail_reliant(&mut tx, tenant, &subject, now).await?);
            }
            if matches!(outcome, Stated::Line(_)) {
                let event = if proposal.effect == Effect::Permit { Event::Granted } else { Event::Revoked };
                let entry = naming.entry(event).member(&seal.member(proposal.consent.member));
                entries.push(entry.word("effect", proposal.effect.name()));
            }
            stated.push(outcome);
        }
        let reason = FailureCode::ConsentRevoked.name();
        entries.extend(failed.iter().map(|id| Draft::by_service(Event::Failed).job(id).reason(reason)));
        audit::append(&mut tx, tenant, entries, now).await?;
        let failures = u32::try_from(failed.len()).unwrap_or(u32::MAX);
        let file = serde_json::to_vec(&OutcomeFile { stated: stated.clone(), failures })
            .map_err(|_| rows::damaged("outcome"))?;
        self.remember(&mut tx, tenant, naming, &file, now).await?;
        // What is taken back is taken back, however little room there is.
        if proposals.iter().any(|proposal| proposal.effect == Effect::Permit) {
            leave_room(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(Asked::Done(Ledgered { stated, failed, failures }))
    }

    async fn add_statement(
        &self,
        tx: &mut Connection,
        tenant: &Tenant,
        subject: &[u8; 32],
        proposal: &Proposal,
        updated: Option<Instant>,
        now: Instant,
    ) -> Result<i64, StoreError> {
        let Proposal { consent, effect, source, is_import, .. } = proposal;
        let (seal, id) = (self.held_seal(tenant)?, JobId::random());
        let file = StatementFile {
            member: number_text(consent.member),
            payer: number_text(consent.payer),
            purpose: consent.purpose,
            data_class: consent.data_class,
            from: consent.from.days(),
            to: consent.to.days(),
            source: source.clone(),
            by_hand: Some(!is_import),
            updated: updated.map(|updated| updated.0),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&file).map_err(|_| rows::damaged("statement"))?);
        let sealed = seal.seal(Kind::Consent, &id, &plain)?;
        let insert = "INSERT INTO consent_statements (tenant, id, subject, member, effect, stated, statement, number) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, \
                      (SELECT 1 + COALESCE(MAX(number), 0) FROM consent_statements WHERE tenant = $1)) RETURNING sequence";
        let added = sql(insert)
            .bind(tenant.as_str())
            .bind(id.0.as_slice())
            .bind(subject.as_slice())
            .bind(self.consent_member(tenant, consent.member)?.as_slice())
            .bind(effect.name())
            .bind(now.0)
            .bind(sealed);
        rows::column(&tx.one(added).await?, "sequence")
    }

    /// What counts of a subject, in this transaction.
    async fn newest_statement(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        subject: &[u8],
    ) -> Result<Option<Statement>, StoreError> {
        let select = format!(
            "SELECT {COLUMNS} FROM consent_statements s WHERE s.tenant = $1 AND s.subject = $2 \
             ORDER BY s.sequence DESC LIMIT 1"
        );
        let row = connection.optional(sql(select).bind(tenant.as_str()).bind(subject)).await?;
        row.as_ref().map(|row| self.statement(tenant, row)).transpose()
    }

    /// Whether a file would permit more than the newest statement and than was last said by hand. What was read since then makes no
    /// difference: a denial that was read is no way around a revocation by hand.
    async fn is_withheld(
        &self,
        connection: &mut Connection,
        tenant: &Tenant,
        subject: &[u8],
        proposal: &Proposal,
        held: Option<&Statement>,
    ) -> Result<bool, StoreError> {
        if !proposal.is_import || proposal.effect != Effect::Permit {
            return Ok(false);
        }
        // As nearly always: the files of every night say what the ledger does.
        if held.is_none_or(|held| permits_all_of(held, &proposal.consent)) {
            return Ok(false);
        }
        let select = format!(
            "SELECT {COLUMNS} FROM consent_statements s WHERE s.tenant = $1 AND s.subject = $2 \
             ORDER BY s.sequence DESC"
        );
        for row in connection.all(sql(select).bind(tenant.as_str()).bind(subject)).await? {
            let statement = self.statement(tenant, &row)?;
            if statement.by_hand {
                return Ok(!permits_all_of(&statement, &proposal.consent));
            }
        }
        Ok(false)
    }

    fn statement(&self, tenant: &Tenant, row: &Row) -> Result<Statement, StoreError> {
        let damaged = || rows::damaged("statement");
        let id = rows::id(row)?;
        let plain = self.held_seal(tenant)?.open(Kind::Consent, &id, rows::column(row, "statement")?)?;
        let file: StatementFile = serde_json::from_slice(&plain).map_err(|_| damaged())?;
        let number = |text: &str| u128::from_str_radix(text, 16).ok().and_then(|number| Id::new(number).ok());
        let day = |days: u32| Date::from_days(days).ok();
        let effect = Effect::parse(rows::column(row, "effect")?)?;
        Ok(Statement {
            number: rows::column(row, "number")?,
            stated: Instant(rows::column(row, "stated")?),
            consent: Consent {
                member: number(&file.member).ok_or_else(damaged)?,
                payer: number(&file.payer).ok_or_else(damaged)?,
                purpose: file.purpose,
                data_class: file.data_class,
                from: day(file.from).ok_or_else(damaged)?,
                to: day(file.to).ok_or_else(damaged)?,
                permit: effect == Effect::Permit,
            },
            effect,
            source: file.source.clone(),
            by_hand: file.is_by_hand(),
            updated: file.updated.map(Instant),
        })
    }

    /// One line of a tenant's ledger, by its place among all.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn consent_line(
        &self,
        tenant: &Tenant,
        sequence: i64,
    ) -> Result<Option<Statement>, StoreError> {
        let select =
            format!("SELECT {COLUMNS} FROM consent_statements s WHERE s.tenant = $1 AND s.sequence = $2");
        let row = self.optional(sql(select).bind(tenant.as_str()).bind(sequence)).await?;
        Ok(self.statements(tenant, row.as_slice()).await?.pop())
    }

    /// Opens rows that were read outside of a transaction, with the keys as they are by now: a row may be sealed under one that came while it was
    /// waited for.
    async fn statements(&self, tenant: &Tenant, rows: &[Row]) -> Result<Vec<Statement>, StoreError> {
        self.seal(tenant).await?;
        rows.iter().map(|row| self.statement(tenant, row)).collect()
    }

    /// A page of a tenant's ledger, the newest line first.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn list_consents(
        &self,
        tenant: &Tenant,
        listing: &Listing,
    ) -> Result<Vec<Statement>, StoreError> {
        self.seal(tenant).await?;
        let member = listing.member.map(|member| self.consent_member(tenant, member)).transpose()?;
        let member = member.map(|member| member.to_vec());
        let of_member = if member.is_some() { " AND s.member = $4" } else { "" };
        let in_force =
            if listing.history { String::new() } else { format!(" AND s.effect <> 'revoke' AND {NEWEST})") };
        let select = format!(
            "SELECT {COLUMNS} FROM consent_statements s WHERE s.tenant = $1 AND s.number < $2{of_member}{in_force} \
             ORDER BY s.number DESC LIMIT $3"
        );
        let mut page = sql(select).bind(tenant.as_str()).bind(listing.before).bind(listing.most);
        if let Some(member) = member {
            page = page.bind(member);
        }
        self.statements(tenant, &self.all_in_turn(tenant, page).await?).await
    }

    /// Names member, payer, purpose and data class to whoever has the tenant's key.
    fn consent_subject(&self, tenant: &Tenant, consent: &Consent) -> Result<[u8; 32], StoreError> {
        let (member, payer) = (consent.member.number().to_be_bytes(), consent.payer.number().to_be_bytes());
        let kind = [consent.purpose, consent.data_class];
        Ok(self.held_seal(tenant)?.digest("consent", &[&member, &payer, &kind]))
    }

    fn consent_member(&self, tenant: &Tenant, member: Id) -> Result<[u8; 32], StoreError> {
        Ok(self.held_seal(tenant)?.digest("consent member", &[&member.number().to_be_bytes()]))
    }
}

fn number_text(number: Id) -> String {
    format!("{:x}", number.number())
}

/// What becomes of an import that adds nothing, that would take back more than it says, or that may be older than what it would replace.
fn left_out(proposal: &Proposal, held: Option<&Statement>, now: Instant) -> Option<Stated> {
    if !proposal.is_import {
        return None;
    }
    if proposal.effect == Effect::Revoke {
        let held = held?;
        return match held.effect {
            Effect::Revoke if adds_a_date(proposal, held, now) => None,
            Effect::Revoke => Some(Stated::Unchanged),
            _ if !held.by_hand && held.source != proposal.source => Some(Stated::OfAnother),
            _ => None,
        };
    }
    let period = |consent: &Consent| (consent.from, consent.to);
    let says_so = |held: &&Statement| {
        held.effect == proposal.effect
            && period(&held.consent) == period(&proposal.consent)
            && held.source == proposal.source
            && !adds_a_date(proposal, held, now)
    };
    if held.filter(says_so).is_some() {
        return Some(Stated::Unchanged);
    }
    if proposal.effect == Effect::Deny || held.is_some_and(|held| permits_all_of(held, &proposal.consent)) {
        return None;
    }
    if proposal.updated.is_some_and(|updated| updated > now.plus(SKEW)) {
        return Some(Stated::FromTheFuture);
    }
    let held = held?;
    // Than what was read before as well, whose clock may be ahead.
    let is_newer =
        proposal.updated.is_some_and(|updated| updated > held.stated) && proposal.updated > held.updated;
    (!is_newer).then_some(Stated::Refused)
}

/// Whether a file's date is ahead of now, and of those that were read before: it is noted, though the file says nothing else that is new. One of far
/// ahead is noted once a day.
fn adds_a_date(proposal: &Proposal, held: &Statement, now: Instant) -> bool {
    let Some(updated) = proposal.updated.filter(|updated| *updated > now) else { return false };
    match held.updated {
        None => true,
        Some(_) if held.updated > Some(now) && updated > now.plus(AHEAD) => false,
        Some(noted) => noted < updated.min(now.plus(AHEAD)),
    }
}

/// Whether a statement permits each day of a period.
fn permits_all_of(statement: &Statement, consent: &Consent) -> bool {
    statement.effect == Effect::Permit
        && statement.consent.from <= consent.from
        && consent.to <= statement.consent.to
}

/// Fails a tenant's open jobs that rely on a consent. Whoever has one of them in hand finds its lease gone.
async fn fail_reliant(
    tx: &mut Connection,
    tenant: &Tenant,
    subject: &[u8],
    now: Instant,
) -> Result<Vec<JobId>, StoreError> {
    let failure = Failure::new(FailureCode::ConsentRevoked);
    let update = "UPDATE jobs SET state = 'failed', failure_code = $1, failure_message = $2, ended = $3, lease_until = NULL, \
                  waiting = NULL, witness = NULL WHERE tenant = $4 AND consent = $5 AND ended IS NULL RETURNING id";
    let failed = sql(update)
        .bind(failure.code.name())
        .bind(&failure.message)
        .bind(now.0)
        .bind(tenant.as_str())
        .bind(subject);
    tx.all(failed).await?.iter().map(rows::id).collect()
}

//! `nightingale consent`: state, take back, list and import consents, publish their register, revoke subjects of datasets.

use super::{Outcome, Remote, Trouble, files, say, wait, warn};
use clap::{Args, Subcommand};
use nightingale_circuits::{
    claim::{Consent as Leaf, Date, Id},
    field::from_be_bytes,
};
use nightingale_proto::v1;
use nightingale_records::consent::{build_register, day, identifier, identifier_text, to_registers_json};
use nightingale_verifier::{
    ConsentEpoch, ConsentEpochs,
    consent::{AHEAD, time_text},
};
use sha2::{Digest, Sha256};
use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Subcommand)]
pub(super) enum Consent {
    /// State that a member permits, or forbids, that a payer learns of its claims.
    Grant(Grant),
    /// Take back what was stated. Open jobs that rely on it fail.
    Revoke(Revoke),
    /// Revoke the consent of subjects of a registered dataset: later answers do not count them.
    RevokeSubjects(RevokeSubjects),
    /// Show the consents in force, or all statements, the newest first.
    List(List),
    /// Take up the consents of FHIR files; each is taken, passed over or refused by itself.
    Import(Import),
    /// Publish the register of the consents in force as the next epoch.
    Publish(Publish),
    /// Write the epochs that were published: for the chain and for verifiers.
    Epochs(Epochs),
    /// Write an epoch's register, for making requests: the `consents.json` of a registers folder.
    Export(Export),
}

/// Who, to whom, and for what.
#[derive(Args)]
struct Subject {
    /// The member, as claims and registers name it.
    #[arg(long)]
    member: String,
    /// The payer, as its registers name it.
    #[arg(long)]
    payer: String,
    /// The purpose: 1 is payment.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    purpose: u32,
    /// The data class: 1 is claims.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    data_class: u32,
    /// What it is read from.
    #[arg(long, default_value = "")]
    source: String,
}

#[derive(Args)]
pub(super) struct Grant {
    #[command(flatten)]
    subject: Subject,
    /// First day; without it there is no bound.
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "")]
    from: String,
    /// Last day; without it there is no bound.
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "")]
    to: String,
    /// Forbid, and do not permit.
    #[arg(long)]
    deny: bool,
    #[command(flatten)]
    call: Call,
}

#[derive(Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    call: Call,
}

#[derive(Args)]
pub(super) struct RevokeSubjects {
    /// The dataset's digest, as `dataset commit` shows it.
    #[arg(long, value_name = "0xDIGEST")]
    dataset: String,
    /// Keys of subjects, as the data files write them.
    #[arg(required = true)]
    subjects: Vec<String>,
    #[command(flatten)]
    call: Call,
}

#[derive(Args)]
pub(super) struct List {
    /// Only of this member.
    #[arg(long)]
    member: Option<String>,
    /// All statements that were made, and not only those in force.
    #[arg(long)]
    history: bool,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    most: usize,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Import {
    /// FHIR files: bundles or single consents.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The payer for which they are read, as its registers name it.
    #[arg(long)]
    payer: String,
    /// How the files' actors name that payer, such as Organization/12; may be given more than once.
    #[arg(long = "payer-name")]
    payer_names: Vec<String>,
    /// Names the request once and for all; when absent, the digest of each file: a file that was imported is not imported again.
    #[arg(long)]
    idempotency_key: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Publish {
    /// Write all epochs here, as `consent epochs` does.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    call: Call,
}

#[derive(Args)]
pub(super) struct Epochs {
    /// Where to write them.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(super) struct Export {
    /// Where to write the register.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The epoch's number; without it, the newest.
    #[arg(long, default_value_t = 0)]
    epoch: u64,
    #[command(flatten)]
    remote: Remote,
}

/// Which server, and under which name.
#[derive(Args)]
struct Call {
    /// Names the request once and for all; when absent, this call is a request of its own.
    #[arg(long)]
    idempotency_key: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Call {
    fn key(&self) -> String {
        self.idempotency_key.clone().unwrap_or_else(|| hex::encode(rand::random::<[u8; 16]>()))
    }
}

impl Consent {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Grant(command) => command.run(),
            Self::Revoke(command) => command.run(),
            Self::RevokeSubjects(command) => command.run(),
            Self::List(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Publish(command) => command.run(),
            Self::Epochs(command) => command.run(),
            Self::Export(command) => command.run(),
        }
    }
}

pub(super) fn number(text: &str, what: &str) -> Result<Vec<u8>, Trouble> {
    let id = identifier(text).ok_or_else(|| {
        Trouble::Unusable(format!("{what}: expected a text that is not empty, or id:0x and 24 hex digits"))
    })?;
    Ok(id.number().to_be_bytes().get(4..).unwrap_or_default().to_vec())
}

fn incomplete() -> Trouble {
    Trouble::Unusable("the server's answer is incomplete".to_owned())
}

impl Grant {
    fn run(&self) -> Outcome {
        let subject = &self.subject;
        let consent = v1::Consent {
            member: number(&subject.member, "--member")?,
            payer: number(&subject.payer, "--payer")?,
            purpose: subject.purpose,
            data_class: subject.data_class,
            from: self.from.clone(),
            to: self.to.clone(),
            permit: !self.deny,
        };
        let request = v1::GrantConsentRequest {
            idempotency_key: self.call.key(),
            consent: Some(consent),
            source: subject.source.clone(),
            ..v1::GrantConsentRequest::default()
        };
        wait(async {
            let answer = self.call.remote.connect().await?.grant(request).await?;
            show_stated(&answer)
        })
    }
}

impl Revoke {
    fn run(&self) -> Outcome {
        let subject = &self.subject;
        let request = v1::RevokeConsentRequest {
            idempotency_key: self.call.key(),
            member: number(&subject.member, "--member")?,
            payer: number(&subject.payer, "--payer")?,
            purpose: subject.purpose,
            data_class: subject.data_class,
            source: subject.source.clone(),
            ..v1::RevokeConsentRequest::default()
        };
        wait(async {
            let answer = self.call.remote.connect().await?.revoke(request).await?;
            show_stated(&answer)
        })
    }
}

fn show_stated(answer: &v1::StatementResponse) -> Outcome {
    let statement = answer.statement.as_ref().ok_or_else(incomplete)?;
    say(line(statement)?);
    if answer.known {
        say("known: nothing was done now");
    }
    if answer.failed_jobs > 0 {
        say(format_args!("{} open jobs relied on it and failed: CONSENT_REVOKED", answer.failed_jobs));
    }
    if !answer.known {
        say(
            "proofs made elsewhere are refused once the next epoch is published: `nightingale consent publish`",
        );
    }
    Ok(())
}

/// One statement, by numbers: names are not kept.
fn line(statement: &v1::ConsentStatement) -> Result<String, Trouble> {
    let consent = statement.consent.as_ref().ok_or_else(incomplete)?;
    let id = |bytes: &[u8]| {
        let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        Id::new(number).map(identifier_text).map_err(|_| incomplete())
    };
    let what = match (statement.revokes, consent.permit) {
        (true, _) => "revokes",
        (false, true) => "permits",
        (false, false) => "forbids",
    };
    let bound = |text: &str| if text.is_empty() { "..".to_owned() } else { text.to_owned() };
    let period = match statement.revokes {
        true => String::new(),
        false => format!(" {} to {}", bound(&consent.from), bound(&consent.to)),
    };
    let source = match statement.source.as_str() {
        "" => String::new(),
        source => format!(" ({source})"),
    };
    let (member, payer) = (id(&consent.member)?, id(&consent.payer)?);
    let kind = format!("purpose {} class {}", consent.purpose, consent.data_class);
    Ok(format!("{} {member} {what} {payer} {kind}{period}{source}", statement.sequence))
}

impl RevokeSubjects {
    fn run(&self) -> Outcome {
        let digest = hex::decode(self.dataset.trim_start_matches("0x"));
        let digest = digest.map_err(|_| Trouble::Unusable("--dataset: expected 64 hex digits".to_owned()))?;
        wait(async {
            let mut client = self.call.remote.connect().await?;
            let answer = client.revoke_subjects(&self.call.key(), digest, self.subjects.clone()).await?;
            for table in answer.tables {
                say(format_args!(
                    "{}: consent version {}; no answer under an earlier one ends from now on",
                    table.table, table.version
                ));
            }
            Ok(())
        })
    }
}

impl List {
    fn run(&self) -> Outcome {
        let member = self.member.as_deref().map(|text| number(text, "--member")).transpose()?;
        wait(async {
            let mut client = self.remote.connect().await?;
            for statement in client.consents(member.unwrap_or_default(), self.history, self.most).await? {
                say(line(&statement)?);
            }
            Ok(())
        })
    }
}

impl Import {
    fn run(&self) -> Outcome {
        let payer = number(&self.payer, "--payer")?;
        wait(async {
            let mut client = self.remote.connect().await?;
            let mut refused = 0;
            for file in &self.files {
                let fhir = files::read(file)?;
                let key = self.idempotency_key.as_ref().map_or_else(
                    || hex::encode(Sha256::digest(&fhir)),
                    |key| format!("{key}/{}", file.display()),
                );
                let answer = client
                    .import_consents(v1::ImportConsentsRequest {
                        idempotency_key: key,
                        fhir: fhir.to_vec(),
                        payer: payer.clone(),
                        payer_names: self.payer_names.clone(),
                        ..v1::ImportConsentsRequest::default()
                    })
                    .await?;
                let known = if answer.known { ", known: nothing was done now" } else { "" };
                say(format_args!("{}: {} consents{known}", file.display(), answer.consents.len()));
                for consent in &answer.consents {
                    let outcome = consent.outcome();
                    refused += usize::from(outcome == v1::ImportOutcome::Refused);
                    let word = outcome.as_str_name().trim_start_matches("IMPORT_OUTCOME_").to_lowercase();
                    let reason = match consent.reason.as_str() {
                        "" => String::new(),
                        reason => format!(": {reason}"),
                    };
                    say(format_args!("{} {word}{reason}", consent.source));
                }
                if answer.failed_jobs > 0 {
                    say(format_args!("{} open jobs failed: CONSENT_REVOKED", answer.failed_jobs));
                }
            }
            match refused {
                0 => Ok(()),
                refused => {
                    Err(Trouble::Refused(format!("{refused} consents were refused; the others are taken")))
                }
            }
        })
    }
}

impl Publish {
    fn run(&self) -> Outcome {
        wait(async {
            let mut client = self.call.remote.connect().await?;
            let epoch = client.publish_consents(&self.call.key()).await?.epoch.ok_or_else(incomplete)?;
            say(format_args!(
                "consent epoch {} of {} consents 0x{}",
                epoch.number,
                epoch.consents,
                hex::encode(&epoch.root)
            ));
            warn_of_date(&epoch);
            match &self.out {
                Some(out) => write_epochs(out, client.consent_epochs().await?),
                None => Ok(()),
            }
        })
    }
}

/// A date that is ahead stays with every later epoch until it has come: somebody should know while there is only one.
fn warn_of_date(epoch: &v1::ConsentEpoch) {
    let published = epoch.published.map_or(0, |time| time.seconds);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if published.unsigned_abs() > now.saturating_add(AHEAD) {
        let at = time_text(published.unsigned_abs());
        warn(format_args!(
            "epoch {} is dated {at}, which has not come yet: the service's clock is ahead of this machine's, or was; docs/consent.md says what that stops",
            epoch.number
        ));
    }
}

impl Epochs {
    fn run(&self) -> Outcome {
        wait(async {
            let epochs = self.remote.connect().await?.consent_epochs().await?;
            write_epochs(&self.out, epochs)
        })
    }
}

fn write_epochs(out: &std::path::Path, newest_first: Vec<v1::ConsentEpoch>) -> Outcome {
    let epochs = newest_first.into_iter().rev().map(|epoch| {
        let root: [u8; 32] = epoch.root.as_slice().try_into().map_err(|_| incomplete())?;
        Ok(ConsentEpoch {
            number: epoch.number,
            root: from_be_bytes(&root).ok_or_else(incomplete)?,
            published: epoch.published.map_or(0, |time| time.seconds.unsigned_abs()),
        })
    });
    let epochs = ConsentEpochs::new(epochs.collect::<Result<_, Trouble>>()?).map_err(Trouble::unusable)?;
    files::publish(out, epochs.to_json().as_bytes())?;
    say(format_args!("{} epochs written to {}", epochs.epochs().len(), out.display()));
    Ok(())
}

impl Export {
    fn run(&self) -> Outcome {
        wait(async {
            let (epoch, leaves) = self.remote.connect().await?.consent_register(self.epoch).await?;
            let leaves = leaves.iter().map(leaf).collect::<Result<Vec<_>, _>>()?;
            let root = build_register(leaves.clone())?.root();
            if epoch.root != nightingale_circuits::field::to_be_bytes(&root) {
                let text = "the register that the server gave has not the epoch's root; do not use it";
                return Err(Trouble::Refused(text.to_owned()));
            }
            files::write(&self.out, to_registers_json(&leaves).as_bytes())?;
            say(format_args!(
                "consent epoch {}: {} consents written to {}",
                epoch.number,
                leaves.len(),
                self.out.display()
            ));
            Ok(())
        })
    }
}

fn leaf(message: &v1::Consent) -> Result<Leaf, Trouble> {
    let id = |bytes: &[u8]| {
        let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        Id::new(number).map_err(|_| incomplete())
    };
    let small = |number: u32| u8::try_from(number).map_err(|_| incomplete());
    let bound = |text: &str, open: Date| match text {
        "" => Ok(open),
        text => day(text).ok_or_else(incomplete),
    };
    Ok(Leaf {
        member: id(&message.member)?,
        payer: id(&message.payer)?,
        purpose: small(message.purpose)?,
        data_class: small(message.data_class)?,
        from: bound(&message.from, Date::MIN)?,
        to: bound(&message.to, Date::MAX)?,
        permit: message.permit,
    })
}

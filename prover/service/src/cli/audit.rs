//! `nightingale audit`: the audit log of a server, for an auditor and a SIEM; and break-glass access.

use super::{Outcome, Remote, Trouble, files, say, wait};
use clap::{Args, Subcommand, ValueEnum};
use nightingale::{
    Config,
    audit::{Draft, Event, ecs},
    cohort::timestamp,
    jobs::{Instant, Tenant},
    store::Store,
};
use nightingale_proto::v1::{self, export_audit_response::Part};
use nightingale_verifier::audit::{Closing, Entry, Hash, Opening, entry_line, line};
use serde_json::json;
use std::{
    fs::File,
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[derive(Subcommand)]
pub(super) enum Audit {
    /// Write the log, or a part of it, to a file that `nightingale-verify audit` checks.
    Export(Export),
    /// Show the newest entry's number and hash: what is anchored.
    Head(Head),
    /// Print entries as they are made, for a SIEM.
    Tail(Tail),
    /// Account for the disclosures about one member (45 CFR 164.528).
    Disclosures(Disclosures),
    /// Read a job of the tenant with its result in an emergency. It is on record, and somebody is told.
    BreakGlass(BreakGlass),
}

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    remote: Remote,
    /// Read the database of this configuration instead of asking a server, which may run. With it, `--tenant .operator` is the log of what the
    /// operator did to all tenants.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The first entry.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
}

#[derive(Args)]
pub(super) struct Head {
    #[command(flatten)]
    remote: Remote,
    /// Print JSON, as `nightingale-poster audit-anchor --head` reads it.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Tail {
    #[command(flatten)]
    remote: Remote,
    /// The first entry.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// How each entry is printed.
    #[arg(long, value_enum, default_value_t = Format::Ecs)]
    format: Format,
    /// End with the newest entry instead of waiting for more.
    #[arg(long)]
    once: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Elastic Common Schema.
    Ecs,
    /// As in an export.
    Json,
}

#[derive(Args)]
pub(super) struct Disclosures {
    #[command(flatten)]
    remote: Remote,
    /// The member, as claims name the patient.
    #[arg(long, value_name = "NAME", required_unless_present = "subject")]
    member: Option<String>,
    /// The subject's key, as datasets name it.
    #[arg(long, value_name = "KEY")]
    subject: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct BreakGlass {
    /// The job's identifier.
    job: String,
    #[command(flatten)]
    remote: Remote,
    /// Why, in 10 to 500 characters. It is kept for good: no name and no finding of anybody.
    #[arg(long)]
    reason: String,
    /// Where to write the proof of a done job.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Audit {
    pub(super) fn run(&self) -> Outcome {
        match self {
            Self::Export(command) => wait(command.run()),
            Self::Head(command) => wait(command.run()),
            Self::Tail(command) => wait(command.run()),
            Self::Disclosures(command) => wait(command.run()),
            Self::BreakGlass(command) => wait(command.run()),
        }
    }
}

/// A file of lines that is named only once it is whole.
struct Lines {
    file: BufWriter<File>,
    draft: PathBuf,
    path: PathBuf,
}

fn unwritable(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::Unusable(format!("{}: cannot be written: {error}", path.display()))
}

impl Lines {
    fn create(path: &Path) -> Result<Self, Trouble> {
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{:016x}.draft", rand::random::<u64>()));
        let draft = PathBuf::from(draft);
        // Questions are in it, and who asks: its owner's.
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let file = BufWriter::new(file.map_err(|error| unwritable(path, &error))?);
        Ok(Self { file, draft, path: path.to_owned() })
    }

    fn write(&mut self, line: &str) -> Outcome {
        writeln!(self.file, "{line}").map_err(|error| unwritable(&self.path, &error))
    }

    fn finish(mut self) -> Outcome {
        let mut name = || {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            std::fs::rename(&self.draft, &self.path)
        };
        name().map_err(|error| unwritable(&self.path, &error))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Renamed where it is whole; whatever is left is of no use.
        let _ = std::fs::remove_file(&self.draft);
    }
}

fn hash(bytes: &[u8]) -> Result<Hash, Trouble> {
    bytes.try_into().map_err(|_| Trouble::Unusable("the server's answer holds no hash".to_owned()))
}

fn read(entry: v1::AuditEntry) -> Result<(Entry, Hash), Trouble> {
    let hash = hash(&entry.hash)?;
    let entry = Entry {
        sequence: entry.sequence,
        at: entry.at,
        event: entry.event,
        subject: entry.subject,
        roles: entry.roles,
        method: entry.method,
        facts: entry.facts.into_iter().collect(),
    };
    Ok((entry, hash))
}

impl Export {
    async fn run(&self) -> Outcome {
        let mut lines = Lines::create(&self.out)?;
        let last = match &self.config {
            Some(config) => self.offline(&Config::read(config)?, &mut lines).await?,
            None => self.online(&mut lines).await?,
        };
        lines.finish()?;
        say(format_args!(
            "entries {} to {last} written to {}; check them with nightingale-verify audit",
            self.from,
            self.out.display()
        ));
        Ok(())
    }

    async fn online(&self, lines: &mut Lines) -> Result<u64, Trouble> {
        let mut client = self.remote.connect().await?;
        let mut parts = client.audit_export(self.from, false).await?;
        let broken = |status: tonic::Status| Trouble::from(nightingale::client::ClientError::from(status));
        while let Some(part) = parts.message().await.map_err(broken)? {
            match part.part {
                Some(Part::Opening(opening)) => {
                    let (log, previous) = (hash(&opening.log)?, hash(&opening.previous)?);
                    lines.write(&line(&Opening::new(&opening.tenant, &log, opening.first, &previous)))?;
                }
                Some(Part::Entry(entry)) => {
                    let (entry, hash) = read(entry)?;
                    lines.write(&entry_line(&entry, &hash))?;
                }
                Some(Part::Closing(closing)) => {
                    let head = hex::encode(hash(&closing.head)?);
                    lines.write(&line(&Closing { last: closing.last, head }))?;
                    return Ok(closing.last);
                }
                None => {}
            }
        }
        Err(Trouble::Unusable("the server ended the export before its end; try again".to_owned()))
    }

    async fn offline(&self, config: &Config, lines: &mut Lines) -> Result<u64, Trouble> {
        let (named, operator) = (self.remote.tenant_name(), Tenant::operator());
        // Whoever has the configuration and the database is the operator.
        let tenant = if named == operator.as_str() { Some(operator) } else { Tenant::new(named) };
        let tenant =
            tenant.ok_or_else(|| Trouble::Unusable("--tenant: is no name of a tenant".to_owned()))?;
        let store = Store::attach(config).await?;
        let none = || Trouble::Refused("nothing was put on record for this tenant yet".to_owned());
        let unusable = |error: nightingale::error::StoreError| Trouble::unusable(error);
        store.audit_head(&tenant).await.map_err(unusable)?.ok_or_else(none)?;
        let draft = Draft::by_service(Event::Exported).word("mode", "offline").number("first", self.from);
        store.audit(&tenant, vec![draft], Instant::now()).await.map_err(unusable)?;
        let head = store.audit_head(&tenant).await.map_err(unusable)?.ok_or_else(none)?;
        let before = self.from.max(1) - 1;
        let beyond = || Trouble::Refused(format!("--from {}: is beyond the newest entry", self.from));
        let previous = store.audit_hash(&tenant, before).await.map_err(unusable)?.ok_or_else(beyond)?;
        lines.write(&line(&Opening::new(tenant.as_str(), &head.log, before + 1, &previous)))?;
        let (mut next, mut newest) = (before + 1, previous);
        while next <= head.sequence {
            let page = store.audit_entries(&tenant, next, 500).await.map_err(unusable)?;
            if page.is_empty() {
                return Err(Trouble::Unusable(format!("entry {next} is missing in the database")));
            }
            for (entry, hash) in page.into_iter().filter(|(entry, _)| entry.sequence <= head.sequence) {
                lines.write(&entry_line(&entry, &hash))?;
                (next, newest) = (entry.sequence + 1, hash);
            }
        }
        lines.write(&line(&Closing { last: next - 1, head: hex::encode(newest) }))?;
        store.close().await;
        Ok(next - 1)
    }
}

impl Head {
    async fn run(&self) -> Outcome {
        let head = self.remote.connect().await?.audit_head().await?;
        if self.json {
            say(json!({
                "tenant": head.tenant,
                "log": format!("0x{}", hex::encode(&head.log)),
                "sequence": head.sequence,
                "head": format!("0x{}", hex::encode(&head.head)),
                "break_glass": head.break_glass,
            }));
            return Ok(());
        }
        say(format_args!(
            "entry {} 0x{} of log 0x{}",
            head.sequence,
            hex::encode(&head.head),
            hex::encode(&head.log)
        ));
        if let (1.., Some(last)) = (head.break_glass, &head.last_break_glass) {
            let last = timestamp(last.seconds.saturating_mul(1000));
            say(format_args!("BREAK-GLASS access: {} times, last at {last}", head.break_glass));
        }
        Ok(())
    }
}

impl Tail {
    async fn run(&self) -> Outcome {
        let mut client = self.remote.connect().await?;
        let mut parts = client.audit_export(self.from, !self.once).await?;
        let broken = |status: tonic::Status| Trouble::from(nightingale::client::ClientError::from(status));
        while let Some(part) = parts.message().await.map_err(broken)? {
            let Some(Part::Entry(entry)) = part.part else { continue };
            let (entry, hash) = read(entry)?;
            let line = match self.format {
                Format::Ecs => ecs::line(self.remote.tenant_name(), &entry, &hash),
                Format::Json => entry_line(&entry, &hash),
            };
            if writeln!(std::io::stdout(), "{line}").is_err() {
                // Whoever read it has gone.
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Disclosures {
    async fn run(&self) -> Outcome {
        let about = v1::DisclosuresRequest {
            member: self.member.clone().unwrap_or_default(),
            subject: self.subject.clone().unwrap_or_default(),
            ..v1::DisclosuresRequest::default()
        };
        let answer = self.remote.connect().await?.disclosures(about).await?;
        for one in &answer.disclosures {
            let at = one.at.as_ref().map_or(0, |at| at.seconds.saturating_mul(1000));
            let at = timestamp(at);
            if self.json {
                say(json!({
                    "at": at,
                    "recipient": one.recipient,
                    "roles": one.roles,
                    "description": one.description,
                    "purpose": one.purpose,
                    "basis": one.basis,
                    "job": one.job,
                    "payer": one.payer,
                    "dataset": hex::encode(&one.dataset),
                    "released": hex::encode(&one.released),
                    "break_glass": one.break_glass,
                    "entry": one.sequence,
                }));
                continue;
            }
            let alarm = if one.break_glass { " BREAK-GLASS" } else { "" };
            let (whom, roles) = (&one.recipient, one.roles.join(","));
            say(format_args!(
                "{at}{alarm} to {whom} ({roles}): {}; {} ({}), entry {}",
                one.description, one.purpose, one.basis, one.sequence
            ));
        }
        for dataset in &answer.unreadable {
            let dataset = hex::encode(dataset);
            super::warn(format_args!(
                "dataset {dataset} cannot be read: whether the subject is in it is not known"
            ));
        }
        if answer.disclosures.is_empty() {
            super::warn("no disclosure is on record; check the name's spelling");
        }
        Ok(())
    }
}

impl BreakGlass {
    async fn run(&self) -> Outcome {
        let job = self.remote.connect().await?.break_glass(&self.job, &self.reason).await?;
        let proof = match &job.outcome {
            Some(v1::job::Outcome::Result(result)) => Some(&result.proof_json),
            Some(v1::job::Outcome::Answer(answer)) => Some(&answer.proof_json),
            Some(v1::job::Outcome::Failure(_)) | None => None,
        };
        if let (Some(out), Some(proof)) = (&self.out, proof) {
            files::write(out, proof)?;
        }
        super::job::show(&job, true);
        super::warn("this access is on record, and whoever the operator named was told");
        Ok(())
    }
}

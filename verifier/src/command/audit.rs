//! `nightingale-verify audit`: whether an export is one unbroken part of a service's audit log, and the anchored one.

use super::{one_line, print, read};
use anyhow::{Result, bail};
use clap::Args;
use nightingale_verifier::{
    VerifyError,
    audit::{Anchors, Hash, Reader, Verified},
};
use serde_json::{Value, json};
use std::{fs::File, io::BufReader, path::PathBuf, process::ExitCode};

/// Verifies an export of a service's audit log, or a part of one.
///
/// Every entry's hash covers the entry before it: what was altered, removed, inserted or moved is named with its number. That nothing was cut off at the
/// end, or written anew as a whole, only a head shows that somebody else kept: give `--head` with `--sequence`, or `--anchors`.
#[derive(Args)]
pub(super) struct Audit {
    /// The export, as `nightingale audit export` writes it.
    export: PathBuf,
    /// The hash that an entry of the log must have: what you wrote down, or the service told you earlier.
    #[arg(long, value_name = "HASH", value_parser = hash, requires = "sequence")]
    head: Option<Hash>,
    /// Which entry that is.
    #[arg(long, value_name = "NUMBER", requires = "head")]
    sequence: Option<u64>,
    /// Anchors of the log on a chain, as `nightingale-poster audit-anchors` writes them. At least one must be of an entry that the export holds, or of
    /// the one before its first.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Expect the log of this tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
}

fn hash(text: &str) -> Result<Hash, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| "expected 64 hexadecimal digits".to_owned())?;
    Ok(bytes)
}

/// What is to be said of anchors of entries that an export from entry `first` on does not hold.
fn not_compared(number: usize, first: u64) -> String {
    let (anchors, were) = if number == 1 { ("anchor lies", "was") } else { ("anchors lie", "were") };
    format!("{number} {anchors} before the export's first entry {first} and {were} not compared")
}

impl Audit {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut anchors = Vec::new();
        if let (Some(head), Some(sequence)) = (self.head, self.sequence) {
            anchors.push(Anchors::of_head(sequence, head));
        }
        if let Some(path) = &self.anchors {
            anchors.push(Anchors::from_json(&read(path)?)?);
        }
        let file = File::open(&self.export)
            .map_err(|source| VerifyError::Io { path: self.export.clone(), source })?;
        match self.verified(file, &anchors) {
            Ok(verified) => {
                self.covered(&verified, &anchors)?;
                self.say(&verified, &anchors)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) if error.is_unreadable() => Err(error.into()),
            Err(error) => {
                let text = error.to_string();
                let entry = match error {
                    VerifyError::Audit { sequence, .. } => Value::from(sequence),
                    _ => Value::Null,
                };
                match self.json {
                    true => print(&json!({ "valid": false, "error": text, "entry": entry }).to_string())?,
                    false => print(&format!("invalid: {}", one_line(&text)))?,
                }
                Ok(ExitCode::from(1))
            }
        }
    }

    fn verified(&self, file: File, anchors: &[Anchors]) -> Result<Verified, VerifyError> {
        let verified = Reader::new(anchors).read(BufReader::new(file), |_, _| {})?;
        match &self.tenant {
            Some(tenant) if *tenant != verified.tenant => {
                Err(VerifyError::Context { what: "tenant", expected: tenant.clone(), found: verified.tenant })
            }
            _ => Ok(verified),
        }
    }

    /// A head or anchors that were given to be compared with, and none was.
    fn covered(&self, verified: &Verified, anchors: &[Anchors]) -> Result<()> {
        let first = verified.first;
        if let Some(sequence) = self.sequence.filter(|sequence| sequence.saturating_add(1) < first) {
            bail!(
                "--sequence {sequence}: the export begins with entry {first}; export from entry {sequence} on, or give the hash of a later entry"
            );
        }
        // The file's come last.
        let (Some(path), Some(kept)) = (&self.anchors, anchors.last()) else { return Ok(()) };
        let path = path.display();
        match kept.newest() {
            None => bail!(
                "--anchors {path}: it holds no anchor of {}, so nothing was compared; check that this is the custodian's account, and the log's name",
                one_line(&kept.keeper)
            ),
            Some(newest) if kept.before(first) == kept.all.len() => bail!(
                "--anchors {path}: {}, so nothing was compared; export from entry {} on",
                not_compared(kept.all.len(), first),
                newest.sequence
            ),
            Some(_) => Ok(()),
        }
    }

    fn say(&self, verified: &Verified, anchors: &[Anchors]) -> Result<()> {
        let anchored = verified.anchored.as_ref();
        let before = anchors.iter().map(|one| one.before(verified.first)).sum();
        if self.json {
            let report = json!({
                "valid": true,
                "error": null,
                "tenant": verified.tenant,
                "first": verified.first,
                "last": verified.last,
                "head": hex::encode(verified.head),
                "log": hex::encode(verified.log),
                "events": verified.events,
                "break_glass": verified.break_glass,
                "anchored": anchored.map(|anchor| json!({
                    "sequence": anchor.sequence,
                    "head": hex::encode(anchor.head),
                    "place": anchor.place,
                    "at": anchor.at,
                })),
                "not_compared": before,
                "keepers": anchors.iter().map(|one| &one.keeper).collect::<Vec<_>>(),
            });
            return print(&report.to_string());
        }
        let (first, last) = (verified.first, verified.last);
        let head = hex::encode(verified.head);
        let mut lines =
            vec![format!("valid: entries {first} to {last} of {}, head {head}", one_line(&verified.tenant))];
        lines.push(match anchored {
            Some(anchor) if anchor.sequence == last => format!("anchored whole: {}", one_line(&anchor.place)),
            Some(anchor) => format!(
                "anchored up to entry {}: {}; what comes after it may still be written anew",
                anchor.sequence,
                one_line(&anchor.place)
            ),
            None => "not anchored: whoever can write the database may have cut off its end, or written all of it anew".to_owned(),
        });
        lines.extend(anchors.iter().map(|one| format!("kept by {}", one_line(&one.keeper))));
        if before > 0 {
            lines.push(not_compared(before, first));
        }
        if !verified.break_glass.is_empty() {
            let entries: Vec<String> = verified.break_glass.iter().map(u64::to_string).collect();
            lines.push(format!("BREAK-GLASS access: entries {}", entries.join(", ")));
        }
        print(&lines.join("\n"))
    }
}

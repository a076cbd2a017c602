//! What was said by hand bounds what files permit, whatever it names as its source and whatever was read since; and no file is from the future.

use crate::{
    clinic::names,
    consent_ledger::{bytes, fhir, granting, importing, revoking, seconds_from_now},
    running::{Running, config},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use nightingale_proto::v1::{self, ImportOutcome};
use serde_json::{Value, json};

/// A ledger, and files that are read into it one after another.
struct Desk {
    client: Client,
    files: u32,
}

impl Desk {
    async fn of(server: &Running) -> Result<Self> {
        Ok(Self { client: server.client().await?, files: 0 })
    }

    /// Reads one consent of member `i`; `provision` has its period.
    async fn read(&mut self, i: usize, id: &str, status: &str, provision: Value) -> Result<ImportOutcome> {
        // Each is newer than the one before.
        let resource = dated(i, id, status, provision, 60 + i64::from(self.files));
        Ok(self.told(resource).await?.outcome())
    }

    async fn told(&mut self, resource: Value) -> Result<v1::ImportedConsent> {
        self.files += 1;
        let told = importing(&mut self.client, &format!("file-{}", self.files), &[resource]).await?;
        told.into_iter().next().context("nothing was told")
    }

    /// Whether the payer may learn of member `i`'s claims on some day.
    async fn is_permitted(&mut self, i: usize) -> Result<bool> {
        let held = self.client.consents(bytes(&names(i).1), false, 10).await?;
        Ok(held.iter().any(|held| held.consent.as_ref().is_some_and(|consent| consent.permit)))
    }
}

/// A withdrawal of member `i` that does not say when it was changed.
fn undated_withdrawal(i: usize) -> Value {
    of_member(i, "one", "inactive", permit())
}

/// A consent that was changed so many seconds from now.
fn dated(i: usize, id: &str, status: &str, provision: Value, seconds: i64) -> Value {
    let mut resource = of_member(i, id, status, provision);
    resource["meta"] = json!({"lastUpdated": seconds_from_now(seconds)});
    resource
}

fn of_member(i: usize, id: &str, status: &str, provision: Value) -> Value {
    let mut resource = fhir(id, status, provision);
    resource["patient"] = json!({"display": names(i).1});
    resource
}

fn permit() -> Value {
    json!({"type": "permit", "period": {"start": "2024-01-01"}})
}

fn until(day: &str) -> Value {
    json!({"type": "permit", "period": {"start": "2024-01-01", "end": day}})
}

fn deny() -> Value {
    json!({"type": "deny"})
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_brings_back_what_was_taken_back_by_hand_whatever_it_named_as_its_source() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut desk = Desk::of(&server).await?;
    for (i, source) in ["", "form 12", "Consent/one", "entry[0].Consent"].into_iter().enumerate() {
        ensure!(desk.read(i, "one", "active", permit()).await? == ImportOutcome::Permitted);
        let source = source.to_owned();
        // By a revocation, and by a denial.
        let revoking = v1::RevokeConsentRequest { source: source.clone(), ..revoking(&format!("r{i}"), i) };
        desk.client.revoke(revoking).await?;
        let read = desk.read(i, "one", "active", permit()).await?;
        ensure!(read == ImportOutcome::Refused, "{source:?}: {read:?} after a revocation");
        let denying = granting(&format!("d{i}"), i, "", "", false);
        desk.client.grant(v1::GrantConsentRequest { source: source.clone(), ..denying }).await?;
        let read = desk.read(i, "one", "active", permit()).await?;
        ensure!(read == ImportOutcome::Refused, "{source:?}: {read:?} after a denial");
        ensure!(!desk.is_permitted(i).await?);
        // What is granted by hand is; the file, which says less, is taken then.
        desk.client.grant(granting(&format!("g{i}"), i, "", "", true)).await?;
        ensure!(desk.read(i, "one", "active", permit()).await? == ImportOutcome::Permitted);
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_by_hand_stays_so_after_a_denial_that_was_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut desk = Desk::of(&server).await?;
    ensure!(desk.read(0, "one", "active", permit()).await? == ImportOutcome::Permitted);
    desk.client.revoke(revoking("r", 0)).await?;
    for _ in 0..2 {
        ensure!(desk.read(0, "one", "active", deny()).await? == ImportOutcome::Forbidden);
        ensure!(
            desk.read(0, "one", "active", permit()).await? == ImportOutcome::Refused,
            "by way of a denial"
        );
        ensure!(desk.read(0, "one", "inactive", permit()).await? == ImportOutcome::Revoked);
        ensure!(desk.read(0, "one", "active", permit()).await? == ImportOutcome::Refused, "of a withdrawal");
    }
    ensure!(!desk.is_permitted(0).await?);
    // Granted by hand for half a year: files permit within it, and no day more, by whatever way.
    desk.client.grant(granting("g", 0, "2024-01-01", "2024-06-30", true)).await?;
    ensure!(desk.read(0, "one", "active", permit()).await? == ImportOutcome::Refused);
    ensure!(desk.read(0, "one", "active", deny()).await? == ImportOutcome::Forbidden);
    ensure!(desk.read(0, "one", "active", permit()).await? == ImportOutcome::Refused);
    ensure!(desk.read(0, "one", "active", until("2024-03-31")).await? == ImportOutcome::Permitted);
    ensure!(desk.read(0, "one", "active", until("2024-06-30")).await? == ImportOutcome::Permitted);
    ensure!(desk.read(0, "one", "active", until("2024-07-01")).await? == ImportOutcome::Refused);
    // Where nothing was said by hand, the newer of two files counts.
    ensure!(desk.read(1, "one", "active", deny()).await? == ImportOutcome::Forbidden);
    ensure!(desk.read(1, "one", "active", permit()).await? == ImportOutcome::Permitted);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_from_the_future_is_refused_with_its_reason() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut desk = Desk::of(&server).await?;
    for seconds in [360, 3_600, 64 * 31_536_000] {
        let told = desk.told(dated(0, "one", "active", permit(), seconds)).await?;
        ensure!(told.outcome() == ImportOutcome::Refused, "{seconds} s from now: {told:?}");
        ensure!(
            told.reason.contains("meta.lastUpdated") && told.reason.contains("later than now"),
            "{told:?}"
        );
    }
    ensure!(!desk.is_permitted(0).await?);
    // Clocks differ a little.
    let soon = dated(0, "one", "active", permit(), 200);
    ensure!(desk.told(soon).await?.outcome() == ImportOutcome::Permitted);
    // What permits nothing is not lost for a wrong clock; the permission that it took back is not believed anew.
    let withdrawn = dated(0, "one", "inactive", permit(), 3_600);
    ensure!(desk.told(withdrawn).await?.outcome() == ImportOutcome::Revoked);
    let denied = dated(0, "one", "active", deny(), 3_600);
    ensure!(desk.told(denied).await?.outcome() == ImportOutcome::Forbidden);
    let outdoing = dated(0, "one", "active", permit(), 3_600);
    ensure!(desk.told(outdoing).await?.outcome() == ImportOutcome::Refused);
    ensure!(!desk.is_permitted(0).await?);
    server.stop().await
}

/// The clock of the files' system is ahead.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_read_before_does_not_outdo_the_withdrawal_after_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut desk = Desk::of(&server).await?;
    let given = dated(0, "one", "active", permit(), 200);
    ensure!(desk.told(given.clone()).await?.outcome() == ImportOutcome::Permitted);
    ensure!(desk.told(undated_withdrawal(0)).await?.outcome() == ImportOutcome::Revoked);
    ensure!(desk.told(given).await?.outcome() == ImportOutcome::Refused, "brought back by the same file");
    let anew = dated(0, "one", "active", permit(), 240);
    ensure!(desk.told(anew).await?.outcome() == ImportOutcome::Permitted);
    // Whose date is all that was new in it.
    ensure!(desk.told(dated(1, "one", "active", permit(), 100)).await?.outcome() == ImportOutcome::Permitted);
    let again = dated(1, "one", "active", permit(), 200);
    ensure!(desk.told(again.clone()).await?.outcome() == ImportOutcome::Permitted);
    ensure!(desk.told(again.clone()).await?.outcome() == ImportOutcome::Unchanged, "noted twice");
    ensure!(desk.told(undated_withdrawal(1)).await?.outcome() == ImportOutcome::Revoked);
    ensure!(
        desk.told(again).await?.outcome() == ImportOutcome::Refused,
        "brought back by a file that said nothing new"
    );
    let withdrawn = dated(1, "one", "inactive", permit(), 250);
    ensure!(desk.told(withdrawn).await?.outcome() == ImportOutcome::Revoked);
    let between = dated(1, "one", "active", permit(), 240);
    ensure!(
        desk.told(between).await?.outcome() == ImportOutcome::Refused,
        "older than the second withdrawal"
    );
    // A date that is far off keeps files out until somebody states by hand.
    let far = dated(2, "one", "inactive", permit(), 64 * 31_536_000);
    ensure!(desk.told(dated(2, "one", "active", permit(), 0)).await?.outcome() == ImportOutcome::Permitted);
    ensure!(desk.told(far.clone()).await?.outcome() == ImportOutcome::Revoked);
    ensure!(desk.told(far).await?.outcome() == ImportOutcome::Unchanged, "a line for each reading");
    ensure!(desk.told(dated(2, "one", "active", permit(), 100)).await?.outcome() == ImportOutcome::Refused);
    desk.client.grant(granting("g2", 2, "", "", true)).await?;
    ensure!(
        desk.told(dated(2, "one", "active", until("2024-03-31"), 0)).await?.outcome()
            == ImportOutcome::Permitted
    );
    ensure!(
        desk.told(dated(2, "one", "active", permit(), 100)).await?.outcome() == ImportOutcome::Permitted,
        "kept out for ever"
    );
    // What takes days away is taken whatever its date.
    let narrow = dated(0, "one", "active", until("2024-03-31"), 3_600);
    ensure!(desk.told(narrow).await?.outcome() == ImportOutcome::Permitted);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_takes_back_what_was_stated_by_hand_whatever_it_named_as_its_source() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut desk = Desk::of(&server).await?;
    for (i, source) in ["", "form 12", "Consent/other"].into_iter().enumerate() {
        let granting = granting(&format!("g{i}"), i, "", "", true);
        desk.client.grant(v1::GrantConsentRequest { source: source.to_owned(), ..granting }).await?;
        let read = desk.read(i, "one", "inactive", permit()).await?;
        ensure!(read == ImportOutcome::Revoked, "{source:?}: {read:?}");
        ensure!(!desk.is_permitted(i).await?);
    }
    // What was read from another resource is that resource's to take back.
    ensure!(desk.read(4, "other", "active", permit()).await? == ImportOutcome::Permitted);
    ensure!(desk.read(4, "one", "inactive", permit()).await? == ImportOutcome::Refused);
    ensure!(desk.is_permitted(4).await?);
    server.stop().await
}

//! What the service writes beside jobs: consents, the audit log with its exports and alarms, epochs, backups, and another process's work.

use super::{
    LONG,
    cage::Cage,
    records::{Aviary, KEY, MEMBER, NAME, NOTE, PAYER, leaves},
    search::Planted,
};
use crate::running::keyed;
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use nightingale_circuits::claim::Id;
use nightingale_proto::v1::{self, JobState};

fn number(text: &str) -> Vec<u8> {
    Id::from_text(text).number().to_be_bytes()[4..].to_vec()
}

/// A FHIR consent with a patient's name in it. The answer names it by its id, which is the resource's and no person's.
fn fhir(status: &str) -> Vec<u8> {
    format!(
        r#"{{"resourceType":"Consent","id":"c1","status":"{status}","scope":{{"coding":[{{"code":"patient-privacy"}}]}},
        "category":[{{"text":"{NOTE}"}}],"patient":{{"reference":"{MEMBER}-1","display":"{NAME}"}},
        "provision":{{"type":"permit","period":{{"start":"2013-01-01","end":"2013-12-31"}}}}}}"#
    )
    .into_bytes()
}

/// Consents are given, imported, refused, published and taken back.
async fn consents(cage: &mut Cage, client: &mut Client) -> Result<()> {
    let consent = v1::Consent {
        member: number(&format!("{MEMBER}-0")),
        payer: number(PAYER),
        purpose: 1,
        data_class: 1,
        from: "2013-01-01".into(),
        to: "2013-12-31".into(),
        permit: true,
    };
    let grant = v1::GrantConsentRequest {
        idempotency_key: format!("{KEY}-20"),
        consent: Some(consent.clone()),
        ..v1::GrantConsentRequest::default()
    };
    client.grant(grant.clone()).await?;
    cage.refused("a key of another request", {
        let consent = v1::Consent { to: "2013-12-30".into(), ..consent.clone() };
        client.grant(v1::GrantConsentRequest { consent: Some(consent), ..grant.clone() }).await
    })?;
    cage.refused("a consent with a name for a day", {
        let (consent, idempotency_key) =
            (v1::Consent { from: NAME.into(), ..consent.clone() }, format!("{KEY}-21"));
        client.grant(v1::GrantConsentRequest { consent: Some(consent), idempotency_key, ..grant }).await
    })?;
    for (number, status) in ["active", "inactive", NAME].into_iter().enumerate() {
        let import = v1::ImportConsentsRequest {
            idempotency_key: format!("{KEY}-import-{number}"),
            fhir: fhir(status),
            payer: self::number(PAYER),
            ..v1::ImportConsentsRequest::default()
        };
        let answer = client.import_consents(import).await;
        cage.note("an import of consents", format!("{answer:?}"));
        ensure!(answer.is_ok() || status == NAME, "{answer:?}");
    }
    client.publish_consents(&format!("{KEY}-22")).await?;
    let revoke = v1::RevokeConsentRequest {
        idempotency_key: format!("{KEY}-23"),
        member: consent.member,
        payer: consent.payer,
        ..v1::RevokeConsentRequest::default()
    };
    client.revoke(revoke).await?;
    Ok(())
}

/// The log is read in each way that there is, and glass is broken. What the emergency shows is for who asked, and is not searched.
async fn audit(cage: &mut Cage, client: &mut Client, address: &str, job: &str) -> Result<()> {
    let shown = client.break_glass(job, "ticket 4711: the payer disputes the decision").await?;
    ensure!(shown.state() == JobState::Done);
    ensure!(cage.folder.path().join("run/alarm.jsonl").exists(), "nobody was told");
    cage.refused(
        "broken glass without a reason",
        client.break_glass(job, NAME.get(..9).unwrap_or("x")).await,
    )?;
    let export = cage.folder.path().join("export.jsonl").display().to_string();
    let member = format!("{MEMBER}-0");
    for arguments in [
        &["audit", "export", "--out", &export][..],
        &["audit", "head", "--json"],
        &["audit", "tail", "--once"],
        &["audit", "disclosures", "--member", &member],
    ] {
        let asked = [arguments, &["--tenant", "north", "--server", address]].concat();
        ensure!(cage.command(&asked)? == Some(0), "{arguments:?}");
    }
    Ok(())
}

/// All of it, on a server that leaves all work to another process; `job` is one that is done.
pub(super) async fn run(
    cage: &mut Cage,
    address: &str,
    job: &str,
    aviary: &mut Aviary,
    planted: &mut Vec<Planted>,
) -> Result<()> {
    let mut client = Client::connect(address, "north").await?;
    audit(cage, &mut client, address, job).await?;
    // With registers that are the custodian's, on the command line of who publishes.
    let outside = tempfile::tempdir()?;
    let registers = outside.path().join("registers.json");
    std::fs::write(&registers, &aviary.json)?;
    let registers = registers.display().to_string();
    let publish = ["epoch", "publish", "--registers", &registers, "--server", address, "--tenant", "north"];
    ensure!(cage.command(&publish)? == Some(0), "no epoch was published");
    // Another process works on a claim of its own.
    let worker = cage.work()?;
    let file = aviary.file(5, 18)?;
    planted.extend(leaves(&file)?);
    let id = client.adjudicate(file, keyed(&format!("{KEY}-24")), false).await?.id;
    let ended = tokio::time::timeout(LONG, client.watch(&id, LONG, |_| {})).await.context("no proof")??;
    ensure!(ended.state() == JobState::Done, "{:?}", ended.state());
    cage.crash(worker, "-TERM")?;
    consents(cage, &mut client).await?;
    Ok(())
}

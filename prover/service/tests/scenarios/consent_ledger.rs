//! The ledger of consents over gRPC: what is stated, taken back, listed, imported and published; sealed, each request once, each tenant its own.

use crate::{
    clinic::{Clinic, names},
    running::{Running, config},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    client::{Client, ClientError},
    jobs::Instant,
};
use nightingale_circuits::{claim::Id, field::to_be_bytes};
use nightingale_proto::v1::{self, ImportOutcome};
use nightingale_records::consent::{build_register, to_registers_json};
use nightingale_verifier::consent::time_text;
use serde_json::json;

/// A number as messages have it.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    Id::from_text(text).number().to_be_bytes()[4..].to_vec()
}

/// The clinic's payer.
pub(crate) const PAYER: &str = "Acme Health";

/// What permits, or forbids, that the clinic's payer learns of member `i`'s claims.
pub(crate) fn granting(key: &str, i: usize, from: &str, to: &str, permit: bool) -> v1::GrantConsentRequest {
    v1::GrantConsentRequest {
        idempotency_key: key.to_owned(),
        consent: Some(v1::Consent {
            member: bytes(&names(i).1),
            payer: bytes(PAYER),
            purpose: 1,
            data_class: 1,
            from: from.to_owned(),
            to: to.to_owned(),
            permit,
        }),
        ..v1::GrantConsentRequest::default()
    }
}

/// What takes member `i`'s consent back.
pub(crate) fn revoking(key: &str, i: usize) -> v1::RevokeConsentRequest {
    v1::RevokeConsentRequest {
        idempotency_key: key.to_owned(),
        member: bytes(&names(i).1),
        payer: bytes(PAYER),
        ..v1::RevokeConsentRequest::default()
    }
}

fn reason<T>(answer: Result<T, ClientError>) -> Result<String> {
    match answer.err().context("accepted")? {
        ClientError::Refused { reason, .. } | ClientError::Unavailable { reason, .. } => Ok(reason),
        other => Err(other.into()),
    }
}

fn line(answer: &v1::StatementResponse) -> Result<&v1::ConsentStatement> {
    answer.statement.as_ref().context("no statement")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_made_once_replaces_the_one_before_and_stays_on_record() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let first = client.grant(granting("a", 0, "2024-01-01", "2024-12-31", true)).await?;
    assert!(!first.known && line(&first)?.consent.as_ref().is_some_and(|consent| consent.permit));
    let again = client.grant(granting("a", 0, "2024-01-01", "2024-12-31", true)).await?;
    assert!(again.known);
    assert_eq!(line(&again)?, line(&first)?, "a second line");
    let other = client.grant(granting("a", 0, "2024-01-01", "2024-12-30", true)).await;
    assert_eq!(reason(other)?, "IDEMPOTENCY_KEY_REUSED");
    client.grant(granting("b", 0, "", "2024-06-30", false)).await?;
    client.grant(granting("c", 1, "", "", true)).await?;
    let in_force = client.consents(Vec::new(), false, 100).await?;
    let told = |statement: &v1::ConsentStatement| {
        let consent = statement.consent.clone().unwrap_or_default();
        (consent.member, consent.from, consent.to, consent.permit, statement.revokes)
    };
    let (ada, bea) = (bytes(&names(0).1), bytes(&names(1).1));
    let (open, june) = (String::new(), "2024-06-30".to_owned());
    let expected = [
        (bea.clone(), open.clone(), open.clone(), true, false),
        (ada.clone(), open.clone(), june, false, false),
    ];
    assert_eq!(in_force.iter().map(told).collect::<Vec<_>>(), expected);
    let revoked = client.revoke(revoking("d", 0)).await?;
    assert!(line(&revoked)?.revokes);
    assert_eq!(client.consents(ada.clone(), false, 100).await?.len(), 0, "in force after its revocation");
    let history = client.consents(ada, true, 100).await?;
    assert_eq!(history.iter().map(|statement| statement.revokes).collect::<Vec<_>>(), [true, false, false]);
    // A page at a time, the newest first.
    let all = client.consents(Vec::new(), true, 100).await?;
    let first_two = client.consents(Vec::new(), true, 2).await?;
    assert!(all.len() == 4 && first_two[..] == all[..2]);
    // Another tenant's ledger is another ledger; its keys are its own.
    let mut south = server.client_of("south").await?;
    assert!(south.consents(Vec::new(), true, 100).await?.is_empty());
    assert!(!south.grant(granting("a", 1, "", "", true)).await?.known);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_consent_is_refused_by_element() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let good = granting("k", 0, "2024-01-01", "2024-12-31", true);
    type Edit = fn(&mut v1::Consent);
    let edits: [(&str, Edit); 7] = [
        ("consent.member", |consent| consent.member.truncate(11)),
        ("consent.member", |consent| consent.member = vec![0; 12]),
        ("consent.payer", |consent| consent.payer.clear()),
        ("consent.purpose", |consent| consent.purpose = 256),
        ("consent.data_class", |consent| consent.data_class = 1000),
        ("consent.from", |consent| consent.from = "2024-02-30".to_owned()),
        ("consent.to", |consent| consent.to = "2023-12-31".to_owned()),
    ];
    for (element, edit) in edits {
        let mut request = good.clone();
        request.consent.as_mut().map(edit);
        match client.grant(request).await {
            Err(ClientError::Refused { elements, .. }) => {
                assert_eq!(elements.first().map(|found| found.0.as_str()), Some(element));
            }
            other => anyhow::bail!("{element}: {other:?}"),
        }
    }
    let keyless = v1::GrantConsentRequest { idempotency_key: String::new(), ..good.clone() };
    assert_eq!(reason(client.grant(keyless).await)?, "INVALID");
    let shouted = v1::GrantConsentRequest { source: "a\nb".to_owned(), ..good };
    assert_eq!(reason(client.grant(shouted).await)?, "INVALID");
    assert!(client.consents(Vec::new(), true, 10).await?.is_empty());
    server.stop().await
}

/// The register that is published is the one that requests are made under, and later statements change it only when it is published again.
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_the_register_of_what_is_in_force() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    assert_eq!(reason(client.consent_register(0).await)?, "CONSENT_EPOCH_UNKNOWN");
    for i in 0..4 {
        client.grant(granting(&format!("g{i}"), i, "2024-01-01", "", i != 3)).await?;
    }
    client.revoke(revoking("r", 2)).await?;
    let first = client.publish_consents("p1").await?.epoch.context("no epoch")?;
    assert_eq!((first.number, first.consents), (1, 3));
    let known = client.publish_consents("p1").await?;
    assert!(known.known && known.epoch.as_ref() == Some(&first), "published twice");
    // Nothing has changed: the root is the same, and its age starts anew.
    let renewed = client.publish_consents("p2").await?.epoch.context("no epoch")?;
    assert!(
        renewed.number == 2
            && renewed.root == first.root
            && renewed.published.map(|t| (t.seconds, t.nanos))
                >= first.published.map(|t| (t.seconds, t.nanos))
    );
    client.revoke(revoking("r0", 0)).await?;
    let third = client.publish_consents("p3").await?.epoch.context("no epoch")?;
    assert!(third.number == 3 && third.root != first.root && third.consents == 2);
    let numbers: Vec<u64> = client.consent_epochs().await?.iter().map(|epoch| epoch.number).collect();
    assert_eq!(numbers, [3, 2, 1]);
    // What is stated afterwards is in no register before it is published; an older epoch's register stays what it was.
    client.grant(granting("late", 5, "", "", true)).await?;
    for (number, epoch) in [(1, &first), (0, &third)] {
        let (found, leaves) = client.consent_register(number).await?;
        assert_eq!(&found, epoch);
        let leaves = leaves.iter().map(leaf).collect::<Result<Vec<_>>>()?;
        let root = to_be_bytes(&build_register(leaves.clone())?.root());
        assert_eq!(epoch.root, root, "epoch {number}");
        // Registers with these consents give requests under the published root.
        let mut clinic = Clinic::with_consents(&to_registers_json(&leaves))?;
        let request = clinic.request(1, vec![crate::clinic::visit(1)?])?;
        assert_eq!(to_be_bytes(&request.consent_root).to_vec(), epoch.root);
        assert!(request.check().is_ok(), "member 1 consents");
        let revoked = clinic.request(2, vec![crate::clinic::visit(1)?])?;
        assert!(revoked.check().is_err(), "member 2 revoked");
    }
    server.stop().await
}

/// A consent as registers have it.
pub(crate) fn leaf(message: &v1::Consent) -> Result<nightingale_circuits::claim::Consent> {
    use nightingale_circuits::claim::{Consent, Date};
    use nightingale_records::consent::day;
    let id = |bytes: &[u8]| {
        let number = bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        Ok::<_, anyhow::Error>(Id::new(number)?)
    };
    let bound = |text: &str, open: Date| if text.is_empty() { Some(open) } else { day(text) };
    Ok(Consent {
        member: id(&message.member)?,
        payer: id(&message.payer)?,
        purpose: message.purpose.try_into()?,
        data_class: message.data_class.try_into()?,
        from: bound(&message.from, Date::MIN).context("from")?,
        to: bound(&message.to, Date::MAX).context("to")?,
        permit: message.permit,
    })
}

pub(crate) fn fhir(id: &str, status: &str, provision: serde_json::Value) -> serde_json::Value {
    json!({
        "resourceType": "Consent", "id": id, "status": status, "patient": {"display": names(0).1},
        "scope": {"coding": [{"code": "patient-privacy"}]}, "provision": provision,
    })
}

/// Imports resources for the clinic's payer.
pub(crate) async fn importing(
    client: &mut Client,
    key: &str,
    resources: &[serde_json::Value],
) -> Result<Vec<v1::ImportedConsent>> {
    let entries: Vec<_> = resources.iter().map(|resource| json!({"resource": resource})).collect();
    let bundle = json!({"resourceType": "Bundle", "entry": entries});
    let request = v1::ImportConsentsRequest {
        idempotency_key: key.to_owned(),
        fhir: bundle.to_string().into_bytes(),
        payer: bytes(PAYER),
        payer_names: vec!["Organization/acme".to_owned()],
        ..v1::ImportConsentsRequest::default()
    };
    Ok(client.import_consents(request).await?.consents)
}

async fn import(
    client: &mut Client,
    key: &str,
    resources: &[serde_json::Value],
) -> Result<Vec<(String, ImportOutcome)>> {
    let consents = importing(client, key, resources).await?;
    Ok(consents.iter().map(|consent| (consent.source.clone(), consent.outcome())).collect())
}

/// So many seconds from now, as files write times.
pub(crate) fn seconds_from_now(seconds: i64) -> String {
    time_text((Instant::now().0 / 1000 + seconds).unsigned_abs())
}

#[tokio::test(flavor = "multi_thread")]
async fn fhir_consents_are_taken_up_each_on_its_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let permit = json!({"type": "permit", "period": {"start": "2024-01-01"}});
    let found = import(
        &mut client,
        "a",
        &[
            fhir("one", "active", permit.clone()),
            fhir("odd", "active", json!({"type": "permit", "code": [{}]})),
        ],
    )
    .await?;
    let refused = ("Consent/odd.provision.code".to_owned(), ImportOutcome::Refused);
    assert_eq!(found, [("Consent/one".to_owned(), ImportOutcome::Permitted), refused]);
    let held = client.consents(Vec::new(), false, 10).await?;
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].source.as_str(), held[0].revokes), ("Consent/one", false));
    let one = |outcome| [("Consent/one".to_owned(), outcome)];
    // The same again changes nothing, under whatever key.
    assert_eq!(
        import(&mut client, "b", &[fhir("one", "active", permit.clone())]).await?,
        one(ImportOutcome::Unchanged)
    );
    // Another resource that is withdrawn does not take back what it did not give.
    let other = import(&mut client, "c", &[fhir("two", "inactive", permit.clone())]).await?;
    assert_eq!(other, [("Consent/two".to_owned(), ImportOutcome::Refused)]);
    assert_eq!(client.consents(Vec::new(), false, 10).await?.len(), 1);
    let withdrawn = import(&mut client, "d", &[fhir("one", "entered-in-error", permit.clone())]).await?;
    assert_eq!(withdrawn, one(ImportOutcome::Revoked));
    assert!(client.consents(Vec::new(), false, 10).await?.is_empty());
    assert_eq!(
        import(&mut client, "e", &[fhir("one", "inactive", permit.clone())]).await?,
        one(ImportOutcome::Unchanged)
    );
    // A file may be older than the ledger: it permits nothing that was taken back, unless it was changed after that was recorded.
    let changed = |at: &str| {
        let mut resource = fhir("one", "active", permit.clone());
        resource["meta"] = json!({"lastUpdated": at});
        resource
    };
    assert_eq!(
        import(&mut client, "f", &[fhir("one", "active", permit.clone())]).await?,
        one(ImportOutcome::Refused)
    );
    assert_eq!(
        import(&mut client, "g", &[changed("2020-01-01T00:00:00Z")]).await?,
        one(ImportOutcome::Refused)
    );
    assert!(client.consents(Vec::new(), false, 10).await?.is_empty());
    assert_eq!(
        import(&mut client, "h", &[changed(&seconds_from_now(60))]).await?,
        one(ImportOutcome::Permitted)
    );
    // A longer permission is one, too; a shorter one is not.
    let shorter = json!({"type": "permit", "period": {"start": "2024-01-01", "end": "2024-03-31"}});
    assert_eq!(
        import(&mut client, "i", &[fhir("one", "active", shorter)]).await?,
        one(ImportOutcome::Permitted)
    );
    assert_eq!(
        import(&mut client, "j", &[fhir("one", "active", permit.clone())]).await?,
        one(ImportOutcome::Refused)
    );
    // What was taken back by hand is granted by hand, whatever a file says.
    client.revoke(revoking("hand", 0)).await?;
    assert_eq!(
        import(&mut client, "k", &[changed(&seconds_from_now(120))]).await?,
        one(ImportOutcome::Refused)
    );
    // What was granted by hand has no source: a withdrawal is not lost for that, nor where the ledger knew nothing.
    client.grant(granting("again", 0, "", "", true)).await?;
    assert_eq!(
        import(&mut client, "l", &[fhir("one", "inactive", permit.clone())]).await?,
        one(ImportOutcome::Revoked)
    );
    let mut unknown = fhir("three", "inactive", permit.clone());
    unknown["patient"] = json!({"display": names(4).1});
    let found = import(&mut client, "m", &[unknown]).await?;
    assert_eq!(found, [("Consent/three".to_owned(), ImportOutcome::Revoked)]);
    let deny = import(&mut client, "n", &[fhir("one", "active", json!({"type": "deny"}))]).await?;
    assert_eq!(deny, one(ImportOutcome::Forbidden));
    let elsewhere = json!({"type": "permit", "actor": [{"reference": {"reference": "Organization/other"}}]});
    assert_eq!(
        import(&mut client, "o", &[fhir("one", "active", elsewhere)]).await?,
        one(ImportOutcome::Silent)
    );
    assert_eq!(
        import(&mut client, "a", &[fhir("x", "active", permit)])
            .await
            .err()
            .map(|e| e.to_string().contains("KEY_REUSED")),
        Some(true)
    );
    server.stop().await
}

/// Lists of names that would look the same written down one after another are not two requests under one key: what could is no name.
#[tokio::test(flavor = "multi_thread")]
async fn names_of_a_payer_are_told_apart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let permit = json!({"type": "permit", "actor": [{"reference": {"reference": "a"}}]});
    let bundle =
        json!({"resourceType": "Bundle", "entry": [{"resource": fhir("one", "active", permit.clone())}]});
    let request = |key: &str, names: &[&str]| v1::ImportConsentsRequest {
        idempotency_key: key.to_owned(),
        fhir: bundle.to_string().into_bytes(),
        payer: bytes(PAYER),
        payer_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..v1::ImportConsentsRequest::default()
    };
    for names in [&["a\nb"][..], &["a", ""], &[""], &["a\rb"]] {
        assert_eq!(reason(client.import_consents(request("k", names)).await)?, "INVALID", "{names:?}");
    }
    assert_eq!(client.import_consents(request("k", &["a", "b"])).await?.consents.len(), 1);
    assert!(client.import_consents(request("k", &["a", "b"])).await?.known);
    for names in [&["a"][..], &[], &["b", "a"], &["a b"]] {
        assert_eq!(reason(client.import_consents(request("k", names)).await)?, "IDEMPOTENCY_KEY_REUSED");
    }
    server.stop().await
}

/// Of whom a consent is stands nowhere in clear, nor what it was read from.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_shows_neither_members_nor_sources() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    let source = "MARKER-SOURCE-17".to_owned();
    client.grant(v1::GrantConsentRequest { source, ..granting("MARKER-KEY", 0, "", "", true) }).await?;
    client.revoke(revoking("r", 1)).await?;
    client.publish_consents("p").await?;
    server.stop().await?;
    let number = bytes(&names(0).1);
    let secrets = [
        number.clone(),
        hex::encode(&number).trim_start_matches('0').as_bytes().to_vec(),
        b"MARKER-SOURCE".to_vec(),
        b"MARKER-KEY".to_vec(),
        b"MARKER-PATIENT".to_vec(),
    ];
    let mut read = 0;
    for entry in std::fs::read_dir(folder.path().join("data"))? {
        let path = entry?.path();
        if !path.is_file() {
            continue;
        }
        let held = std::fs::read(&path)?;
        read += held.len();
        for secret in &secrets {
            let shown = held.windows(secret.len()).any(|window| window == secret);
            assert!(!shown, "{} holds {:?}", path.display(), String::from_utf8_lossy(secret));
        }
    }
    assert!(read > 10_000, "nothing was looked at");
    Ok(())
}

/// Statements, epochs and versions are added to, whoever has the file.
#[tokio::test]
async fn the_ledger_is_not_changed_by_whoever_opens_the_database() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    client.grant(granting("a", 0, "", "", true)).await?;
    client.publish_consents("p").await?;
    server.stop().await?;
    let database = format!("sqlite://{}", folder.path().join("data/jobs.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&database).await?;
    for statement in [
        "UPDATE consent_statements SET effect = 'permit'",
        "DELETE FROM consent_statements",
        "UPDATE consent_epochs SET published = 0",
        "DELETE FROM consent_epochs",
        "DELETE FROM consent_requests",
    ] {
        let error = sqlx::query(statement).execute(&pool).await.err().context(statement)?;
        assert!(error.to_string().contains("append-only"), "{statement}: {error}");
    }
    Ok(())
}

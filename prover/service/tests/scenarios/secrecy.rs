//! Nothing of a record is found in logs, files or metrics.

use crate::{
    clinic::{Clinic, MARKERS, failure, result},
    running::{Running, config, keyed},
    server_kill::{start, write_config},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::client::Client;
use nightingale_circuits::field::to_be_bytes;
use std::path::Path;

/// Every file under `folder`.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(found)
}

fn contains(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_and_no_log_line_holds_a_record() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, log) = (write_config(folder.path())?, folder.path().join("log"));
    let mut clinic = Clinic::new()?;
    let request = nightingale_records::request::from_json(&clinic.file(0, &[1])?)?;
    let account = request.member.as_ref().context("no account")?;
    let elements = [
        account.nk.expose(),
        request.claim_salt.expose(),
        request.outcome_salt.expose(),
        request.next_salt.expose(),
    ];
    let mut secrets: Vec<Vec<u8>> = MARKERS.iter().map(|m| m.as_bytes().to_vec()).collect();
    for element in elements {
        secrets.push(to_be_bytes(&element).to_vec());
        secrets.push(hex::encode(to_be_bytes(&element)).trim_start_matches('0').as_bytes().to_vec());
    }
    secrets.push(b"MARKER-KEY".to_vec());
    let bytes = nightingale_records::request::to_json(&request).as_bytes().to_vec();
    for secret in [&secrets[2], &secrets[4]] {
        assert!(contains(&bytes, secret), "the test looks for what is nowhere");
    }
    {
        let mut server = start(&config, &log).await?;
        let mut client = Client::connect(&server.address, "north").await?;
        let approved = client.adjudicate(bytes.clone(), keyed("MARKER-KEY-1"), true).await?;
        assert!(result(&approved)?.approved);
        let duplicate = client.adjudicate(bytes.clone(), keyed("MARKER-KEY-2"), true).await?;
        assert_eq!(failure(&duplicate)?.code, "DUPLICATE");
        let broken = String::from_utf8(bytes)?.replace("7777713", "\"7777713x\"").into_bytes();
        let refused = client.adjudicate(broken, keyed("MARKER-KEY-3"), true).await;
        assert!(!MARKERS.iter().any(|m| refused.as_ref().is_err_and(|e| e.to_string().contains(m))));
        // One more in the queue or in hand, and then the end, so that every kind of row is on the disk.
        client.adjudicate(clinic.file(1, &[1])?, keyed("MARKER-KEY-4"), false).await?;
        server.child.kill().await?;
    }
    let held = files(folder.path())?;
    assert!(
        held.iter().any(|(name, bytes)| name.ends_with("log") && contains(bytes, b"job ended")),
        "no log"
    );
    assert!(
        held.iter().any(|(name, bytes)| name.contains("jobs.sqlite") && !bytes.is_empty()),
        "no database"
    );
    for (name, bytes) in &held {
        for secret in &secrets {
            assert!(!contains(bytes, secret), "{name} holds {:?}", String::from_utf8_lossy(secret));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_foreign_master_key_is_said_at_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let mut client = server.client().await?;
    client.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("a"), true).await?;
    server.stop().await?;
    let key = folder.path().join("data/master.key");
    let kept = std::fs::read(&key)?;
    std::fs::remove_file(&key)?;
    let lost = Running::start(config(folder.path()), StandIn::default()).await.err().context("started")?;
    assert!(lost.to_string().contains("restore it from a backup"), "{lost}");
    std::fs::write(&key, [3; 32])?;
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let foreign = Running::start(config(folder.path()), StandIn::default()).await.err().context("started")?;
    assert!(foreign.to_string().contains("is another key than the database's"), "{foreign}");
    std::fs::write(&key, kept)?;
    Running::start(config(folder.path()), StandIn::default()).await?.stop().await
}

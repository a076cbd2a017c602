//! Requests that are not accepted: each says which element, what was expected, and never what it held.

use crate::{
    clinic::{Clinic, MARKERS, visit},
    running::{Running, config, keyed},
    stand_in::StandIn,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    client::{ClientError, Options},
};
use nightingale_records::request::to_json;

struct Refused {
    reason: String,
    element: String,
}

async fn refusal(server: &Running, request: Vec<u8>, options: Options) -> Result<Refused> {
    let answer = server.client().await?.adjudicate(request, options, true).await;
    match answer.err().context("accepted")? {
        ClientError::Refused { reason, elements, message, .. } => {
            assert!(!MARKERS.iter().any(|marker| message.contains(marker)), "{message}");
            Ok(Refused { reason, element: elements.into_iter().next().map(|e| e.0).unwrap_or_default() })
        }
        other => anyhow::bail!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_names_its_element() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config { request_bytes: 100_000, ..config(folder.path()) };
    let server = Running::start(config, StandIn::default()).await?;
    let mut clinic = Clinic::new()?;
    let good = clinic.file(0, &[1])?;
    let text = String::from_utf8(good.clone())?;
    let nine = (0..9).map(|i| visit(1 + i)).collect::<Result<Vec<_>>>()?;
    let nine = to_json(&clinic.request(0, nine)?).as_bytes().to_vec();
    let cases: Vec<(&str, Vec<u8>, Options, &str, &str)> = vec![
        ("not JSON", b"{".to_vec(), keyed("a"), "INVALID", ""),
        ("empty", Vec::new(), keyed("b"), "INVALID", ""),
        (
            "a negative amount",
            text.replace("7777713", "-7777713").into_bytes(),
            keyed("c"),
            "INVALID",
            "claim.lines[0].charge_cents",
        ),
        ("nine lines", nine, keyed("d"), "INVALID", "lines"),
        ("no consent", clinic.file(9, &[1])?, keyed("e"), "NO_CONSENT", ""),
        ("no key", good.clone(), keyed(""), "INVALID", "idempotency_key"),
        ("a long key", good.clone(), keyed(&"k".repeat(129)), "INVALID", "idempotency_key"),
        ("a priority", good.clone(), Options { priority: 101, ..keyed("f") }, "INVALID", "priority"),
        ("too large", [good.clone(), vec![b' '; 100_000]].concat(), keyed("g"), "REQUEST_TOO_LARGE", ""),
    ];
    for (name, request, options, reason, element) in cases {
        let refused = refusal(&server, request, options).await.with_context(|| name.to_owned())?;
        assert_eq!(refused.reason, reason, "{name}");
        if !element.is_empty() {
            assert_eq!(refused.element, element, "{name}");
        }
    }
    // A path that leads elsewhere.
    let root =
        text.split("\"policy_root\":").nth(1).and_then(|t| t.split('"').nth(1)).context("no policy root")?;
    let moved = text.replacen(root, &format!("0x{:064x}", 5), 1).into_bytes();
    assert_eq!(refusal(&server, moved, keyed("h")).await?.element, "rows[0]");
    assert!(server.client().await?.jobs(&[], 10).await?.is_empty(), "something was accepted");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_and_passes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = Config { queued_jobs: 1, ..config(folder.path()) };
    let server = Running::start(config, StandIn::held()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await?;
    assert_eq!(refusal(&server, clinic.file(1, &[1])?, keyed("b")).await?.reason, "QUEUE_FULL");
    server.prover.let_go();
    let mut other = server.client_of("south").await?;
    other.adjudicate(clinic.file(1, &[1])?, keyed("b"), true).await?;
    client.adjudicate(clinic.file(2, &[1])?, keyed("c"), true).await?;
    server.stop().await
}

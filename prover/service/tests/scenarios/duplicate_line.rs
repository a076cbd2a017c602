//! A service is billed twice.

use crate::{
    clinic::{Clinic, failure, result, visit},
    running::{Running, config, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::client::ClientError;
use nightingale_records::request::to_json;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_was_billed_before_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    client.adjudicate(clinic.file(0, &[1])?, keyed("a"), true).await?;
    // Regrouped with another visit, and repriced.
    let mut lines = vec![visit(2)?, visit(1)?];
    lines[1].charge_cents = 99;
    let request = clinic.request(0, lines)?;
    let again = client.adjudicate(to_json(&request).as_bytes().to_vec(), keyed("b"), true).await?;
    let why = failure(&again)?;
    assert_eq!(
        (why.code.as_str(), why.carc.as_str(), why.lines.as_slice()),
        ("DUPLICATE", "18", [2].as_slice())
    );
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_service_needs_its_repeat_index() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let mut lines = vec![visit(1)?, visit(1)?];
    let request = clinic.request(0, lines.clone())?;
    let twice = client.adjudicate(to_json(&request).as_bytes().to_vec(), keyed("a"), true).await;
    assert!(
        matches!(twice, Err(ClientError::Refused { ref elements, .. }) if elements[0].0 == "lines[1].repeat")
    );
    lines[1].repeat = 1;
    let request = clinic.request(0, lines)?;
    let repeat = client.adjudicate(to_json(&request).as_bytes().to_vec(), keyed("b"), true).await?;
    assert!(result(&repeat)?.approved);
    server.stop().await
}

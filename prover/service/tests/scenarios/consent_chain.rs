//! From the ledger to the chain and the verifier: the command line writes what the poster publishes and the verifier reads.

use crate::{
    anvil::{Anvil, RICH},
    clinic::{Clinic, names, visit},
    cohort_command::done,
    consent_ledger::PAYER,
    running::{Running, config},
    stand_in::StandIn,
};
use alloy_primitives::{B256, U256};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::field::to_be_bytes;
use nightingale_contracts::{
    bindings::Registry::{consentStampCall, newestConsentRootCall},
    deploy::{Config as Deploying, Grace, TokenChoice},
};
use nightingale_poster::{Account, Node, Poster, administration};
use nightingale_verifier::{ConsentEpochs, ConsentRule};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_reaches_the_chain_and_the_verifier_by_one_file() -> Result<()> {
    let Some(anvil) = Anvil::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let at = server.address.to_string();
    let there = ["--server", &at, "--tenant", "north"];
    let consent = |arguments: &[&str]| done(folder.path(), &[&["consent"], arguments, &there[..]].concat());
    let (ada, bea) = (names(0).1, names(1).1);
    for member in [&ada, &bea] {
        let told = consent(&["grant", "--member", member, "--payer", PAYER, "--from", "2024-01-01"])?;
        ensure!(told.contains("permits") && told.contains("consent publish"), "{told}");
    }
    consent(&["publish", "--out", "epochs.json"])?;

    let poster = Poster::open(
        Node::new(anvil.url())?,
        &folder.path().join("outbox.sqlite"),
        Account::from_hex(RICH)?,
        |t| t,
    )
    .await?;
    let authority = poster.address();
    let deployment = Deploying {
        chain_id: 31337,
        admin: authority,
        token: TokenChoice::Test,
        units_per_cent: U256::ONE,
        grace: Grace::default(),
        keys: Vec::new(),
        cohort: None,
    };
    let deployment = poster.deploy(deployment, "consents").await?;
    poster.send(&administration::set_authority(&deployment, authority, true)).await?;
    let published = || -> Result<ConsentEpochs> {
        Ok(ConsentEpochs::from_json(&fs::read(folder.path().join("epochs.json"))?)?)
    };
    let newest = async || -> Result<B256> {
        Ok(poster.node().ask(deployment.registry, &newestConsentRootCall { authority }).await?)
    };
    let granted = published()?;
    ensure!(poster.publish_consents(&deployment, &granted, false).await?.is_some());
    // Requests are made under the register that the service gives, and show the root that the chain has.
    consent(&["export", "--out", "consents.json"])?;
    let registers = || -> Result<Clinic> {
        Clinic::with_consents(&fs::read_to_string(folder.path().join("consents.json"))?)
    };
    let request = registers()?.request(0, vec![visit(1)?])?;
    ensure!(request.check().is_ok());
    let old = B256::from(to_be_bytes(&request.consent_root));
    ensure!(newest().await? == old);

    let told = consent(&["revoke", "--member", &ada, "--payer", PAYER])?;
    ensure!(told.contains("revokes"), "{told}");
    consent(&["publish", "--out", "epochs.json"])?;
    let revoked = published()?;
    ensure!(revoked.epochs().len() == 2 && revoked.epochs()[0] == granted.epochs()[0]);
    ensure!(poster.publish_consents(&deployment, &revoked, false).await?.is_some());
    let stamp = consentStampCall { authority, consentRoot: old };
    ensure!(poster.node().ask(deployment.registry, &stamp).await?.supersededAt > 0, "the old root stands");
    consent(&["export", "--out", "consents.json"])?;
    let mut after = registers()?;
    ensure!(after.request(0, vec![visit(1)?])?.check().is_err(), "who revoked consents still");
    let other = after.request(1, vec![visit(1)?])?;
    ensure!(other.check().is_ok() && newest().await? == B256::from(to_be_bytes(&other.consent_root)));

    // The verifier has the same file, and the same rule.
    let at = revoked.newest().context("no epoch")?.published;
    let rule = |grace, now| ConsentRule {
        epochs: revoked.clone(),
        greatest_age: 7 * 86_400,
        grace,
        now,
        in_hindsight: true,
    };
    ensure!(rule(3_600, at + 3_600).check(&request.consent_root).is_ok(), "in its grace");
    ensure!(rule(3_600, at + 3_601).check(&request.consent_root).is_err());
    ensure!(rule(0, at + 7 * 86_400).check(&other.consent_root).is_ok());
    ensure!(rule(0, at + 7 * 86_400 + 1).check(&other.consent_root).is_err(), "the newest grows old, too");
    // The list from before the revocation would bring the old root back.
    ensure!(poster.publish_consents(&deployment, &granted, true).await.is_err());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_imports_lists_and_refuses() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::default()).await?;
    let at = server.address.to_string();
    let there = ["--server", &at, "--tenant", "north"];
    let consent = |arguments: &[&str]| {
        crate::cohort_command::nightingale(folder.path(), &[&["consent"], arguments, &there[..]].concat())
    };
    let resource = |id: &str, member: &str, more: &str| {
        format!(
            r#"{{"resource": {{"resourceType": "Consent", "id": "{id}", "status": "active",
              "scope": {{"coding": [{{"code": "patient-privacy"}}]}}, "patient": {{"display": "{member}"}},
              "provision": {{"type": "permit"{more}}}}}}}"#
        )
    };
    let (ada, bea) = (names(0).1, names(1).1);
    let bundle =
        |entries: &[String]| format!(r#"{{"resourceType": "Bundle", "entry": [{}]}}"#, entries.join(","));
    let part = r#", "securityLabel": [{"code": "N"}]"#;
    fs::write(folder.path().join("f.json"), bundle(&[resource("a", &ada, ""), resource("b", &bea, part)]))?;
    let import = ["import", "f.json", "--payer", PAYER];
    let ran = consent(&import)?;
    ensure!(ran.code == Some(1) && ran.out.contains("Consent/a permitted"), "{} {}", ran.out, ran.err);
    ensure!(
        ran.out.contains("Consent/b.provision.securityLabel refused: not supported: a part of the claims"),
        "{}",
        ran.out
    );
    let again = consent(&import)?;
    ensure!(again.out.contains("known: nothing was done now"), "{}", again.out);
    let listed = consent(&["list", "--member", &ada])?;
    ensure!(listed.code == Some(0) && listed.out.contains("(Consent/a)"), "{}", listed.out);
    ensure!(consent(&["list", "--member", &bea])?.out.is_empty());
    let ran = consent(&["grant", "--member", &ada, "--payer", PAYER, "--from", "soon"])?;
    ensure!(ran.code == Some(1) && ran.err.contains("consent.from"), "{}", ran.err);
    ensure!(consent(&["epochs", "--out", "e.json"])?.code == Some(2), "no epoch yet");
    ensure!(!ran.err.contains(&ada) && !listed.out.contains(&ada), "a name came back");
    server.stop().await
}

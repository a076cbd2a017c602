//! The demonstration: what its table says is what its claims are for, and its proofs hold by themselves.

use crate::end_to_end::keys;
use anyhow::{Context as _, Result};
use nightingale::demo::{CohortSummary, Options, Summary, run};
use nightingale_circuits::claim::Address;
use nightingale_contracts::deploy::Deployment;
use nightingale_verifier::{
    ClaimProof, Context, KeyDirectory,
    cohort::{
        CohortKeys, Dataset, Expectation, QueryProof, Venue, verify_query, verify_registration,
        verify_sponsor,
    },
    verify_claim,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

fn with_keys(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("keys"))?;
    for file in fs::read_dir(keys()?)? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), folder.join("keys").join(file.file_name()))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_every_story_and_settles_what_is_approved() -> Result<()> {
    let folder = tempfile::tempdir()?;
    with_keys(folder.path())?;
    let options = Options { dir: folder.path().to_owned(), chain: None, seed: 7 };
    let mut said = Vec::new();
    let summary = run(options, &mut |line| said.push(line.to_owned())).await?;
    let Summary { claims, totals, gas, cohort, steps } = &summary;
    assert_eq!((claims.len(), totals.claims), (20, 20));

    let of = |decision: &'static str| claims.iter().filter(move |claim| claim.decision == decision);
    let reasons: BTreeSet<_> = of("deny").flat_map(|claim| &claim.reasons).collect();
    assert!(reasons.len() >= 6, "{reasons:?}");
    assert!(of("approve").all(|claim| claim.settled && claim.gas > 0));
    assert!(of("deny").all(|claim| !claim.settled && claim.payable_cents == 0));
    assert!(of("refused").any(|claim| claim.reasons == ["18"]), "a line that was billed before");
    assert!(of("refused").any(|claim| claim.note.starts_with("consent:")), "a patient without consent");
    assert_eq!(gas.settlements.len(), 2, "the claim that lost the race settles in a second batch");
    assert_eq!(totals.credited_cents, of("approve").map(|claim| claim.payable_cents).sum::<u64>());

    let directory = KeyDirectory::new(folder.path().join("keys"));
    for claim in of("approve").chain(of("deny")) {
        let proof =
            ClaimProof::from_file(&fs::read(folder.path().join(format!("proofs/{}.json", claim.id)))?)?;
        let key = directory.key(proof.class, proof.key)?;
        let said = verify_claim(&key, &proof, &Context::default())?;
        assert_eq!(
            (said.decision.name(), said.payable_cents),
            (claim.decision.as_str(), claim.payable_cents)
        );
    }
    let seconds: f64 = steps.iter().map(|step| step.seconds).sum();
    assert!(steps.len() >= 5 && seconds <= totals.seconds && seconds > 0.9 * totals.seconds, "{steps:?}");

    answers_are_proven_and_one_is_logged(folder.path(), cohort, &said)?;
    let summary: Value = serde_json::from_slice(&fs::read(folder.path().join("summary.json"))?)?;
    let first = summary["claims"].get(0).context("a claim")?;
    for member in
        ["id", "decision", "reasons", "payable_cents", "proof_bytes", "prove_ms", "verify_ms", "gas"]
    {
        assert!(first.get(member).is_some(), "{member}");
    }
    let logged = summary["cohort"]
        .as_array()
        .context("questions")?
        .iter()
        .filter(|question| !question["logged"].is_null());
    let gas: Vec<u64> = logged.filter_map(|question| question["logged"]["gas"].as_u64()).collect();
    assert_eq!(gas.len(), 1, "{summary}");
    Ok(())
}

/// What the trial's part leaves behind, read as a third party would.
fn answers_are_proven_and_one_is_logged(
    folder: &Path,
    cohort: &[CohortSummary],
    said: &[String],
) -> Result<()> {
    let dataset = Dataset::from_json(&fs::read(folder.join("trial/public/dataset.json"))?)?;
    let keys = CohortKeys::development();
    verify_registration(&dataset, &keys, false)?;
    let sponsor = dataset.sponsor().context("nobody signed the dataset")?.address;
    verify_sponsor(&dataset, Some(sponsor))?;
    let deployment: Deployment = serde_json::from_slice(&fs::read(folder.join("chain/deployment.json"))?)?;
    let contracts = deployment.cohort.context("no log of answers is deployed")?;
    assert_eq!(deployment.deployer.into_array(), sponsor.0, "the operator plays the sponsor");
    let log = Venue { chain_id: deployment.chain_id, contract: Address(contracts.log.into_array()) };

    let (answered, refused): (Vec<_>, Vec<_>) =
        cohort.iter().partition(|question| question.verdict == "valid");
    assert_eq!((answered.len(), refused.len()), (9, 1));
    assert!(answered.iter().any(|question| question.suppressed > 0), "no cell was hidden");
    let page = fs::read_to_string(folder.join("report.html"))?;
    let mut answers = Vec::new();
    for question in answered {
        let file = question.proof.as_ref().context("no proof file")?;
        let proof = QueryProof::from_json(&fs::read(folder.join(file))?, &dataset)?;
        let venue = question.logged.is_some().then_some(log);
        let expectation = Expectation { venue, sponsor: Some(sponsor), ..Expectation::default() };
        let verified = verify_query(&dataset, &proof, &expectation, &keys).with_context(|| file.clone())?;
        let elsewhere = Expectation { venue: venue.is_none().then_some(log), ..expectation };
        assert!(verify_query(&dataset, &proof, &elsewhere, &keys).is_err(), "{file} holds for two venues");
        assert!(page.contains(&format!("<code>{file}</code>")), "{file} is not in the report");
        let check = question.check.as_ref().context("no command")?;
        assert!(page.contains(check.as_str()), "the report does not say: {check}");
        answers.push((file.clone(), verified));
    }
    let logged = cohort.iter().find(|question| question.logged.is_some()).context("nothing is logged")?;
    assert_eq!(logged.proof.as_deref(), Some("proofs/trial-age-on-chain.json"));
    let check = logged.check.as_ref().context("no command")?;
    assert!(
        check.contains(&format!("--chain-id {} --contract {:#x}", deployment.chain_id, contracts.log)),
        "{check}"
    );
    let of = |file: &str| answers.iter().find(|(name, _)| name == file).context("an answer is missing");
    let (_, on_chain) = of("proofs/trial-age-on-chain.json")?;
    assert_eq!(on_chain.answer, of("proofs/trial-age.json")?.1.answer, "the same question has two answers");

    let event = logged.logged.as_ref().context("nothing is logged")?;
    assert_eq!(event.contract, format!("{:#x}", contracts.log));
    assert_eq!(event.query, format!("0x{}", hex::encode(on_chain.query.digest(&on_chain.table))));
    assert_eq!(event.cells, on_chain.answer.cells.len());
    assert!((400_000..1_000_000).contains(&event.gas), "{} gas", event.gas);
    let receipts: Value = serde_json::from_slice(&fs::read(folder.join("chain/receipts.json"))?)?;
    let receipt = &receipts[event.receipt];
    assert_eq!(receipt["gas_used"].as_u64(), Some(event.gas), "{receipt}");
    assert_eq!(receipt["to"].as_str().map(str::to_lowercase), Some(event.contract.clone()), "{receipt}");
    assert!(said.iter().any(|line| line.contains("logged on-chain, ")), "{said:?}");
    assert!(page.contains("Verified and logged on-chain"));

    assert_eq!(page.matches("<svg").count(), 2, "survival curves and a histogram");
    assert!(page.contains("subjects at risk") && page.contains("age at start, years"));
    assert!(!page.contains("<script") && !page.contains("http"), "the page loads something from elsewhere");
    Ok(())
}

//! The demonstration: what its table says is what its claims are for, and its proofs hold by themselves.

use crate::end_to_end::keys;
use anyhow::{Context as _, Result};
use nightingale::demo::{Options, Summary, run};
use nightingale_verifier::{
    ClaimProof, Context, KeyDirectory,
    cohort::{CohortKeys, Dataset, Expectation, QueryProof, verify_query},
    verify_claim,
};
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
    let Summary { claims, totals, gas, cohort } = run(options, &mut |_| ()).await?;
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
    let dataset = Dataset::from_json(&fs::read(folder.path().join("trial/public/dataset.json"))?)?;
    let (answered, refused): (Vec<_>, Vec<_>) =
        cohort.iter().partition(|question| question.verdict == "valid");
    assert_eq!((answered.len(), refused.len()), (7, 1));
    assert!(answered.iter().any(|question| question.suppressed > 0), "no cell was hidden");
    let page = fs::read_to_string(folder.path().join("report.html"))?;
    for question in answered {
        let file = question.proof.as_ref().context("no proof file")?;
        let proof = QueryProof::from_json(&fs::read(folder.path().join(file))?, &dataset)?;
        verify_query(&dataset, &proof, &Expectation::default(), &CohortKeys::development())?;
        assert!(page.contains(file), "{file} is not in the report");
    }
    assert_eq!(page.matches("<svg").count(), 2, "survival curves and a histogram");
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("summary.json"))?)?;
    let first = summary["claims"].get(0).context("a claim")?;
    for member in
        ["id", "decision", "reasons", "payable_cents", "proof_bytes", "prove_ms", "verify_ms", "gas"]
    {
        assert!(first.get(member).is_some(), "{member}");
    }
    Ok(())
}

//! What the poster writes when it has a claim of canaries paid: its outbox, what it says, its spans.
//!
//! The request and the proof are others' files, beside its folder. A transaction carries the proof's public inputs, which
//! [`public`] lists: they are no canaries, and the search must find them.

use super::{
    found,
    records::{Aviary, PAYER, interchange, leaves},
    search::{Leak, Planted, Searcher, What},
};
use crate::{
    collector::Collector,
    desk::{Desk, OPERATOR, PROVIDER},
    end_to_end::keys,
    running::SOON,
};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::{Fr, field::to_be_bytes};
use nightingale_poster::Outbox;
use nightingale_verifier::ClaimProof;
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Stands in the request, and in the public inputs, too: the filing limit is judged by it, and the payer puts it on the chain.
const RECEIVED: &str = "request.received";

/// What is public by design, by what it is for, as the words of the transaction.
fn public(proof: &ClaimProof) -> Vec<Planted> {
    let public = &proof.public;
    let words: [(&str, &Fr); 7] = [
        (
            "the claim's commitment, which the payee endorses and the receipt is about",
            &public.claim_commitment,
        ),
        ("the payee, who is paid", &public.payee),
        ("what is paid, and the day of the receipt", &public.packed),
        ("the outcome's commitment, which hides why", &public.outcome_commitment),
        ("the spend tag, which uses the account's version up", &public.spend_tag),
        ("the next note, which the payer's next account register holds", &public.next_note),
        ("a nullifier, which keeps a line from being paid twice", &public.nullifiers[0]),
    ];
    words.map(|(name, word)| Planted::bytes(name, &to_be_bytes(word))).to_vec()
}

/// The end of a register, its last row's next key: one bit and zeros, the same in every register, and offsets of every call.
fn ends_a_register(planted: &Planted) -> bool {
    matches!(&planted.what, What::Bytes(bytes) if bytes.iter().filter(|byte| **byte != 0).count() == 1)
}

/// Files that a careless person gives in the place of a proof, an endorsement or a deployment.
fn mistaken(folder: &Path, aviary: &Aviary, request: &[u8]) -> Result<Vec<PathBuf>> {
    let mut files = vec![
        ("request.json".to_owned(), request.to_vec()),
        ("registers.json".to_owned(), aviary.json.clone().into_bytes()),
        ("half.json".to_owned(), request[..request.len() / 2].to_vec()),
    ];
    files.extend(interchange().into_iter().map(|(_, name, text)| (name.to_owned(), text.into_bytes())));
    let write = |(name, bytes): (String, Vec<u8>)| {
        let path = folder.join(format!("mistaken-{name}"));
        fs::write(&path, bytes)?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}

/// Everything that is refused, on the way to a payment.
fn refusals(desk: &mut Desk, proof: &Path, mistaken: &[PathBuf]) -> Result<()> {
    let proof_name = proof.display().to_string();
    for path in mistaken {
        let path = path.display().to_string();
        let attempts = [
            desk.settle(&[&path])?,
            desk.settle(&["--endorsement", &path, &proof_name])?,
            desk.run(OPERATOR, "settle", &["--deployment", &path, &proof_name])?,
        ];
        for said in attempts {
            ensure!(said.code == Some(2), "{path}: {:?} {}", said.code, said.err);
        }
    }
    let unendorsed = desk.settle(&[&proof_name])?;
    ensure!(unendorsed.code == Some(1), "{} {}", unendorsed.json, unendorsed.err);
    desk.endorse(PAYER, proof, Some("P.endorsement.json"))?;
    let unreceived = desk.settle(&["--endorsement", "P.endorsement.json", &proof_name])?;
    ensure!(unreceived.code == Some(1), "{} {}", unreceived.json, unreceived.err);
    let mut other = ClaimProof::from_file(&fs::read(proof)?)?;
    other.public.next_note = other.public.spend_tag;
    let spoiled = proof.with_file_name("spoiled.json");
    fs::write(&spoiled, other.to_json())?;
    let spoiled = desk.settle(&["--endorsement", "P.endorsement.json", &spoiled.display().to_string()])?;
    ensure!(spoiled.code == Some(1), "{} {}", spoiled.json, spoiled.err);
    Ok(())
}

/// Settles, is ended while it waits, as one that is to leave a core dump, and goes on.
async fn settle(desk: &mut Desk, proof: &Path) -> Result<()> {
    let proof_name = proof.display().to_string();
    let settlement =
        ["--deployment", "deployment.json", "--endorsement", "P.endorsement.json", proof_name.as_str()];
    desk.anvil.ask("evm_setAutomine", json!([false])).await?;
    let patient = [&settlement[..], &["--raise-after", "1"]].concat();
    let child = desk.command(OPERATOR, "settle", &patient).spawn()?;
    let (outbox, begun) = (desk.folder.path().join(".local/state/nightingale/poster.sqlite"), Instant::now());
    while !Outbox::list(&outbox).await?.iter().any(|(_, row)| row.attempts.len() > 1) {
        ensure!(begun.elapsed() < SOON, "the offer is not raised");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(Command::new("kill").args(["-ABRT", &child.id().to_string()]).status()?.success());
    desk.hear("a settlement that was ended", child.wait_with_output()?);
    desk.anvil.ask("evm_setAutomine", json!([true])).await?;
    desk.anvil.ask("evm_mine", json!([])).await?;
    let said = desk.settle(&settlement[2..])?;
    ensure!(said.code == Some(0) && said.json["entries"][0]["settled"] == true, "{} {}", said.json, said.err);
    // In lines, and of the binary file.
    let binary = proof.with_file_name("proof.bin");
    fs::write(&binary, ClaimProof::from_file(&fs::read(proof)?)?.to_bytes())?;
    let binary = binary.display().to_string();
    for (key, name, arguments) in [
        (OPERATOR, "settle", [&settlement[..4], &[binary.as_str()]].concat()),
        (OPERATOR, "resume", Vec::new()),
        (OPERATOR, "status", Vec::new()),
        (PROVIDER, "balance", vec!["--deployment", "deployment.json", "--payer", "name:Aviary Mutual"]),
    ] {
        let output = desk.command(key, name, &arguments).output()?;
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        desk.hear(name, output);
    }
    Ok(())
}

/// All that the poster wrote and said, and what came to the collector.
fn search(desk: &Desk, collector: &Collector, searcher: &Searcher) -> Result<(Vec<Leak>, u64)> {
    let (mut leaks, traces) = (Vec::new(), collector.bodies().concat());
    let mut read = searcher.folder(desk.folder.path(), &mut leaks)?;
    for (place, bytes) in
        desk.told.iter().map(|(place, bytes)| (place.as_str(), bytes)).chain([("traces", &traces)])
    {
        leaks.extend(searcher.find(place, bytes));
        read += bytes.len() as u64;
    }
    leaks.sort_unstable();
    Ok((leaks, read))
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_it_found_in_what_the_poster_writes() -> Result<()> {
    let Some(mut desk) = Desk::open()? else { return Ok(()) };
    let (collector, theirs) = (Collector::start().await?, tempfile::tempdir()?);
    desk.surroundings = vec![("NIGHTINGALE_OTLP", collector.url())];
    let mut aviary = Aviary::paid(desk.venue()?, Desk::payee()?)?;
    let request = aviary.request(0, 11)?;
    desk.publish(PAYER, &request)?;
    let request = nightingale_records::request::to_json(&request);
    let (file, proof) = (theirs.path().join("request.json"), theirs.path().join("proof.json"));
    fs::write(&file, request.as_bytes())?;
    let proved = Command::new(env!("CARGO_BIN_EXE_nightingale"))
        .args(["claim", "prove", "--device", "cpu", "--keys"])
        .arg(keys()?)
        .arg("--out")
        .args([&proof, &file])
        .output()?;
    ensure!(proved.status.success(), "{}", String::from_utf8_lossy(&proved.stderr));
    let proven = ClaimProof::from_file(&fs::read(&proof)?)?;
    let opening = proven.opening.as_ref().context("nobody can open the outcome")?;

    let mut planted = aviary.words();
    planted.extend(leaves(request.as_bytes())?);
    planted.retain(|planted| planted.name != RECEIVED && !ends_a_register(planted));
    planted.push(Planted::bytes("the outcome's salt", &to_be_bytes(&opening.salt.expose())));
    for (name, key) in [("the operator's key", OPERATOR), ("the provider's key", PROVIDER)] {
        planted.push(Planted::bytes(name, &hex::decode(key)?));
    }
    let searcher = Searcher::new(planted);
    ensure!(searcher.planted().len() > 60, "only {} values were planted", searcher.planted().len());

    let mistaken = mistaken(theirs.path(), &aviary, request.as_bytes())?;
    refusals(&mut desk, &proof, &mistaken)?;
    desk.receive(PAYER, &proven)?;
    settle(&mut desk, &proof).await?;

    ensure!(!desk.folder.path().join("run/core").exists(), "a core dump was left");
    let (leaks, read) = search(&desk, &collector, &searcher)?;
    ensure!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), found(&leaks));
    ensure!(read > 1 << 17, "only {read} bytes were searched");
    // It can find: what is public is there, and so is a proof with its opening, and a request, where they are written down.
    let public = public(&proven);
    let (seen, _) = search(&desk, &collector, &Searcher::new(public.clone()))?;
    let outbox = seen.iter().filter(|leak| leak.place.contains("poster.sqlite"));
    let seen: BTreeSet<&str> = outbox.map(|leak| leak.name.as_str()).collect();
    for public in &public {
        ensure!(seen.contains(public.name.as_str()), "the outbox does not hold {}", public.name);
    }
    for (from, least) in [(&proof, 1), (&file, 20)] {
        let copy = desk.folder.path().join("written-down");
        fs::copy(from, &copy)?;
        let (leaks, _) = search(&desk, &collector, &searcher)?;
        let there = leaks.iter().filter(|leak| leak.place.contains("written-down")).count();
        ensure!(there >= least && there == leaks.len(), "{}", found(&leaks));
    }
    Ok(())
}

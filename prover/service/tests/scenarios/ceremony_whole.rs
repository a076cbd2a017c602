//! A whole ceremony for claims of two lines as docs/ceremony.md has it, each step a command: from the circuit to a payment on a chain
//! under a key that nobody knows the secrets of, and every way in which its import must be refused. Minutes of snarkjs, so only when it
//! is asked for; with prepared powers of 2^16 or more at hand, `NIGHTINGALE_PTAU=FILE` saves most of them:
//!
//!     NIGHTINGALE_REQUIRE_TOOLS=1 cargo test --release --workspace --test scenarios -- --ignored --nocapture a_key_from_a_whole_ceremony

use crate::{
    ceremony_command::snarkjs,
    clinic::{Clinic, visit},
    desk::Desk,
};
use alloy_primitives::U256;
use anyhow::{Context, Result, ensure};
use nightingale_contracts::bindings::ClaimSettlement::creditOfCall;
use nightingale_poster::Node;
use nightingale_prover::ceremony::FileDigest;
use nightingale_verifier::ClaimProof;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const PAYER: &str = "Acme Health";
const BEACON: &str = "0102030405060708090a0b0c0d0e0f10";
const NAMES: [&str; 2] = ["A Hospital", "An Insurer"];

/// Where the ceremony is held, by whoever has a part in it.
struct Place(PathBuf);

impl Place {
    fn at(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// One of our programs: its exit code, and what it said on both streams.
    fn ours(&self, program: &str, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let program = Path::new(env!("CARGO_BIN_EXE_nightingale")).with_file_name(program);
        let begun = Instant::now();
        let output =
            Command::new(&program).args(arguments).current_dir(&self.0).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{} is not built", program.display()))?;
        tell(&format!("{} {}", arguments[0], arguments[1]), begun);
        Ok((output.status.code(), String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?))
    }

    fn done(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let (code, said) = self.ours(program, arguments)?;
        ensure!(code == Some(0), "{program} {arguments:?}: {code:?} {said}");
        Ok(said)
    }

    /// A command that must refuse with one line, which has these words.
    fn refused(&self, program: &str, arguments: &[&str], words: &str) -> Result<()> {
        let (code, said) = self.ours(program, arguments)?;
        ensure!(code == Some(1) && said.lines().count() == 1 && said.contains(words), "{code:?} {said}");
        Ok(())
    }

    fn snarkjs(&self, command: &str, more: &[&str]) -> Result<String> {
        let arguments: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
        let begun = Instant::now();
        let said = snarkjs(&self.0, &arguments)?.context("snarkjs is not installed")?;
        tell(&format!("snarkjs {} {}", arguments[0], arguments[1]), begun);
        ensure!(!said.contains("ERROR"), "{said}");
        Ok(said)
    }
}

#[expect(clippy::print_stderr, reason = "shows where the minutes go")]
fn tell(what: &str, begun: Instant) {
    eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
}

/// A hash of sixteen groups on four lines, as whoever copies it from a terminal has it.
fn hash(said: &str, title: &str) -> Result<String> {
    let (_, after) = said.split_once(title).with_context(|| format!("no `{title}` in {said}"))?;
    let groups = after.split_whitespace().filter(|word| word.len() == 8);
    let digits: String = groups.filter(|word| hex::decode(word).is_ok()).take(16).collect();
    ensure!(digits.len() == 128, "{digits} of {said}");
    Ok(digits)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes of snarkjs"]
async fn a_key_from_a_whole_ceremony_pays_a_claim() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place(folder.path().to_owned());
    let (ours, verify) = ("nightingale", "nightingale-verify");

    // The powers, which a large public ceremony gives in earnest.
    match std::env::var_os("NIGHTINGALE_PTAU") {
        Some(file) => drop(fs::copy(file, folder.path().join("powers.ptau"))?),
        None => {
            place.snarkjs("powersoftau new bn128 16 0.ptau", &[])?;
            place.snarkjs("powersoftau contribute 0.ptau 1.ptau -e=one", &["--name=first"])?;
            place.snarkjs("powersoftau prepare phase2 1.ptau powers.ptau", &[])?;
        }
    }
    let ptau = FileDigest::of(&fs::read(folder.path().join("powers.ptau"))?).to_string();

    // Coordinator, contributors, coordinator.
    let said = place.done(ours, &["keys", "export", "--class", "claim-2", "--r1cs", "claim-2.r1cs"])?;
    let circuit =
        hex::encode(nightingale_prover::keys::system_digest(nightingale_circuits::claim::SizeClass::Two));
    ensure!(said.contains(&circuit), "{said}");
    let said = place.snarkjs("groth16 setup claim-2.r1cs powers.ptau claim-2_0000.zkey", &[])?;
    let circuit_hash = hash(&said, "Circuit hash")?;
    let mut published = Vec::new();
    for (number, name) in (0..).zip(NAMES) {
        let (from, to) = (format!("claim-2_000{number}.zkey"), format!("claim-2_000{}.zkey", number + 1));
        let contribute = format!("zkey contribute {from} {to}");
        let (named, entropy) = (format!("--name={name}"), format!("-e=what {name} typed"));
        let said = place.snarkjs(&contribute, &[&named, &entropy])?;
        published.push(format!("{} {name}\n", hash(&said, "Contribution Hash")?));
    }
    fs::write(folder.path().join("contributions.txt"), published.concat())?;
    // What the second contributor does before contributing.
    let powers = ["--ptau", "powers.ptau", "--ptau-digest", &ptau];
    let handed = ["keys", "check", "--class", "claim-2", "--zkey", "claim-2_0001.zkey"];
    let said = place.done(ours, &[&handed[..], &powers].concat())?;
    ensure!(said.contains(&circuit_hash) && said.contains(published[0].trim_end()), "{said}");
    let finish = format!("zkey beacon claim-2_0002.zkey claim-2_final.zkey {BEACON} 10");
    place.snarkjs(&finish, &["-n=drand round 1"])?;
    let said = place.snarkjs("zkey verify claim-2.r1cs powers.ptau claim-2_final.zkey", &[])?;
    ensure!(said.contains("ZKey Ok!") && hash(&said, "Circuit Hash")? == circuit_hash, "{said}");

    // What must not be imported, each for one reason.
    let import = |zkey: &str, listed: &str, minimum: &str, beacon: &str, words: Option<&str>| {
        let key = ["keys", "import", "--keys", "keys", "--class", "claim-2", "--zkey", zkey];
        let powers = ["--ptau", "powers.ptau", "--ptau-digest", &ptau, "--published", listed];
        let rules = ["--minimum-contributors", minimum, "--beacon", beacon, "--beacon-iterations", "10"];
        let arguments = [&key[..], &powers, &rules].concat();
        match words {
            Some(words) => place.refused(ours, &arguments, words).map(|()| String::new()),
            None => place.done(ours, &arguments),
        }
    };
    let (all, last) = ("contributions.txt", "claim-2_final.zkey");
    let list = |name: &str, parts: &[&str]| fs::write(folder.path().join(name), parts.concat());
    list("turned.txt", &[&published[1], &published[0]])?;
    let stranger = format!("{} A Stranger\n", "ab".repeat(64));
    list("stranger.txt", &[&published[0], &stranger, &published[1]])?;
    let renamed = published[1].replace("An Insurer", "Another");
    list("renamed.txt", &[&published[0], &renamed])?;
    import(last, all, "3", BEACON, Some("3"))?;
    import(last, all, "2", "0102", Some("beacon"))?;
    import(last, "turned.txt", "2", BEACON, Some("contribution"))?;
    import(last, "stranger.txt", "2", BEACON, Some("contribution"))?;
    import(last, "renamed.txt", "2", BEACON, Some("contribution"))?;
    import("claim-2_0002.zkey", all, "2", BEACON, Some("beacon"))?;
    ensure!(!folder.path().join("keys").exists(), "a refused import wrote something");

    let said = import(last, all, "2", BEACON, None)?;
    let digest = said.lines().find_map(|line| line.strip_prefix("claim-2 ")?.strip_suffix(" production"));
    let digest = digest.with_context(|| format!("no key in {said}"))?.to_owned();
    for known in [&circuit, &circuit_hash, &ptau, &published[0][..128], NAMES[1], BEACON] {
        ensure!(said.contains(known), "{known} is not said: {said}");
    }
    ensure!(place.done(ours, &["keys", "list", "--keys", "keys"])? == said);

    // A claim for a chain, under that key.
    let keys = place.at("keys");
    let arguments = ["--keys", &keys, "--key", &digest, "--no-cohort", "--out", "deployment.json"];
    let mut desk = Desk::deployed(&arguments)?.context("anvil or the poster is missing")?;
    let mut clinic = Clinic::paid(desk.venue()?, Desk::payee()?)?;
    let request = clinic.request(0, vec![visit(1)?])?;
    desk.publish(PAYER, &request)?;
    let file = folder.path().join("request.json");
    fs::write(&file, nightingale_records::request::to_json(&request).as_bytes())?;
    place.done(ours, &["claim", "prove", "request.json", "--keys", "keys", "--out", "P.json"])?;
    let pinned = ["claim", "P.json", "--keys", "keys", "--production", "--key-digest"];
    place.done(verify, &[&pinned[..], &[&digest]].concat())?;
    let other = "00".repeat(32);
    place.refused(verify, &[&pinned[..], &[&other]].concat(), "key")?;
    place.done(verify, &["export", "P.json", "--keys", "keys", "--snarkjs", "exported"])?;
    let files = ["verification_key.json", "public.json", "proof.json"].map(|name| format!("exported/{name}"));
    let said = place.snarkjs("groth16 verify", &[&files[0], &files[1], &files[2]])?;
    ensure!(said.contains("OK!"), "{said}");

    let proof = folder.path().join("P.json");
    let proven = ClaimProof::from_file(&fs::read(&proof)?)?;
    desk.receive(PAYER, &proven)?;
    desk.endorse(PAYER, &proof, None)?;
    let settled = desk.settle(&[&proof.display().to_string()])?;
    ensure!(settled.code == Some(0), "{}{}", settled.json, settled.err);
    let credit = creditOfCall { payee: Desk::payee()?.0.into() };
    let credit = Node::new(desk.anvil.url())?.ask(desk.deployment()?.settlement, &credit).await?;
    let (payable, ..) = proven.public.unpack_amount().context("malformed")?;
    ensure!(payable > 0 && credit == U256::from(payable), "{credit} credited, {payable} payable");

    // The same powers make the smallest setup for cohort statistics, after which the folder lists both.
    let powers = ["keys", "import-ptau", "--keys", "keys", "--ptau", "powers.ptau", "--ptau-digest", &ptau];
    let said = place.done(ours, &[&powers[..], &["--size", "14"]].concat())?;
    ensure!(said.contains("setup digest"), "{said}");
    let listed = place.done(ours, &["keys", "list", "--keys", "keys"])?;
    ensure!(listed.contains(&digest) && listed.contains(&said), "{listed}");
    Ok(())
}

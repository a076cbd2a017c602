//! What is left of a record in a server's memory when its job has ended: its secrets are looked for in all of it.

#![expect(clippy::print_stderr, reason = "a skipped story says so")]

use crate::{
    clinic::Clinic,
    end_to_end::keys,
    process::real_server,
    running::{ended, keyed},
    site::Site,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;
use nightingale_circuits::{Fr, field::to_be_bytes};
use std::{
    collections::BTreeSet,
    fs, io,
    io::{Read, Seek, SeekFrom},
    time::{Duration, Instant},
};

/// How long threads may take to come to rest.
const REST: Duration = Duration::from_secs(20);

/// A value's name, and bytes that it may be found as.
type Form = (String, Vec<u8>);

/// A field element as text, as the bytes of a message, and as the prover holds it.
fn forms(name: &str, element: Fr) -> [Form; 4] {
    let big = to_be_bytes(&element).to_vec();
    let little = big.iter().rev().copied().collect();
    let text = hex::encode(&big).into_bytes();
    // In Montgomery's form.
    let held = element.0.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    [("text", text), ("big-endian", big), ("little-endian", little), ("as it is computed with", held)]
        .map(|(form, bytes)| (format!("{name}, {form}"), bytes))
}

/// The names of those forms that are in a process's memory.
fn found(process: u32, forms: &[Form]) -> io::Result<BTreeSet<&str>> {
    let mut memory = fs::File::open(format!("/proc/{process}/mem"))?;
    let mut begins = vec![false; 1 << 16];
    for (_, bytes) in forms {
        if let [one, other, ..] = bytes[..] {
            begins[usize::from(u16::from_le_bytes([one, other]))] = true;
        }
    }
    let mut names = BTreeSet::new();
    for map in fs::read_to_string(format!("/proc/{process}/maps"))?.lines() {
        // What cannot be written holds nothing that came later: programs, and keys that are mapped from files.
        let Some((range, rights)) = map.split_once(' ').filter(|(_, rights)| rights.starts_with("rw")) else {
            continue;
        };
        let ends = range
            .split_once('-')
            .map(|(from, to)| (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)));
        let Some((Ok(from), Ok(to))) = ends else { return Err(io::Error::other(rights.to_owned())) };
        let mut bytes = Vec::new();
        memory.seek(SeekFrom::Start(from))?;
        // It may have gone meanwhile.
        let _ = (&mut memory).take(to - from).read_to_end(&mut bytes);
        for (place, two) in bytes.windows(2).enumerate() {
            if let [one, other] = two
                && begins[usize::from(u16::from_le_bytes([*one, *other]))]
            {
                let here = &bytes[place..];
                names.extend(
                    forms.iter().filter(|(_, form)| here.starts_with(form)).map(|(name, _)| name.as_str()),
                );
            }
        }
    }
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_memory_holds_no_secret_of_a_claim_that_was_proven() -> Result<()> {
    let site = Site::sqlite()?;
    let server = real_server(&site.file_with_keys(&keys()?)?, &site.log()).await?;
    let process = server.child.id().context("it has ended")?;
    let bytes = Clinic::new()?.file(0, &[1])?;
    let request = nightingale_records::request::from_json(&bytes)?;
    let member = request.member.as_ref().context("no member")?;
    let mut secrets = Vec::new();
    secrets.extend(forms("the account's key", member.nk.expose()));
    secrets.extend(forms("the account's salt", member.account.salt.expose()));
    secrets.extend(forms("the claim's salt", request.claim_salt.expose()));
    secrets.extend(forms("the next account's salt", request.next_salt.expose()));
    secrets.extend(forms("the outcome's salt", request.outcome_salt.expose()));
    // Not a secret, and kept: that it is found says that looking finds.
    let kept = [("the data folder".to_owned(), site.path().join("data").display().to_string().into_bytes())];
    match found(process, &kept) {
        Ok(names) => ensure!(!names.is_empty(), "looking finds nothing"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: only root may read another process's memory");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    let mut client = Client::connect(&server.address, "north").await?;
    let job = client.adjudicate(bytes, keyed("one"), false).await?.id;
    ended(&mut client, &job).await?;
    // An open connection has buffers.
    drop(client);
    let begun = Instant::now();
    loop {
        let left = found(process, &secrets)?;
        if left.is_empty() {
            return Ok(());
        }
        ensure!(begun.elapsed() < REST, "left in memory: {left:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

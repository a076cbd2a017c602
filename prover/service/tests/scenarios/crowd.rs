//! Many claims at once, each of a member of its own, and the reckoning at the end: every accepted job ended exactly once, and
//! each proof is of its own claim.

use crate::{
    clinic::{Clinic, result},
    running::keyed,
    site::Oracle,
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    adjudicator::Adjudicator,
    client::{Client, ClientError, Options},
};
use nightingale_circuits::{claim::adjudicate, field::to_be_bytes};
use nightingale_proto::v1::{self, JobState};
use nightingale_records::request::from_json;
use nightingale_verifier::{ClaimProof, Context as Expected, KeyDirectory, verify_claim};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

/// Claims, and what was accepted of them.
pub(crate) struct Crowd {
    requests: Vec<Vec<u8>>,
    /// Identifier of each accepted job, and the number of its claim.
    accepted: BTreeMap<String, usize>,
    by_claim: HashMap<usize, String>,
}

impl Crowd {
    /// So many claims, all to be approved, each of another member.
    pub(crate) fn of(claims: usize) -> Result<Self> {
        let mut clinic = Clinic::of(1, claims)?;
        let requests = (0..claims).map(|member| clinic.file(member, &[1])).collect::<Result<_>>()?;
        Ok(Self { requests, accepted: BTreeMap::new(), by_claim: HashMap::new() })
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// How many were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// A claim's job.
    pub(crate) fn job(&self, claim: usize) -> Result<String> {
        self.by_claim.get(&claim).cloned().context("it was not accepted")
    }

    /// The commitment of a claim, as a prover is told it.
    pub(crate) fn commitment(&self, claim: usize) -> Result<String> {
        let request = from_json(&self.requests[claim])?;
        Ok(hex::encode(to_be_bytes(&request.claim.commitment(&request.claim_salt))))
    }

    /// Submits one claim; its job.
    pub(crate) async fn submit(&mut self, client: &mut Client, claim: usize) -> Result<String> {
        self.submit_with(client, claim, Options::default()).await
    }

    /// The same with options; the key is the claim's own.
    pub(crate) async fn submit_with(
        &mut self,
        client: &mut Client,
        claim: usize,
        options: Options,
    ) -> Result<String> {
        let options = Options { idempotency_key: key(claim), ..options };
        let job = client.adjudicate(self.requests[claim].clone(), options, false).await?;
        self.note(claim, &job.id)?;
        Ok(job.id)
    }

    fn note(&mut self, claim: usize, id: &str) -> Result<()> {
        let held = self.by_claim.entry(claim).or_insert_with(|| id.to_owned());
        ensure!(held == id, "claim {claim} was accepted twice");
        self.accepted.insert(id.to_owned(), claim);
        Ok(())
    }

    /// Submits all claims, many at a time, through whatever happens to the server; the reasons of those that it refused.
    pub(crate) async fn submit_all(&mut self, client: &Client) -> Result<BTreeMap<String, usize>> {
        let mut left: BTreeSet<usize> = (0..self.len()).collect();
        for claim in self.accepted.values() {
            left.remove(claim);
        }
        let mut refused = BTreeMap::new();
        let claims: Vec<usize> = left.into_iter().collect();
        for chunk in claims.chunks(32) {
            let mut asked = tokio::task::JoinSet::new();
            for claim in chunk {
                let (mut client, request, claim) = (client.clone(), self.requests[*claim].clone(), *claim);
                asked.spawn(
                    async move { (claim, client.adjudicate(request, keyed(&key(claim)), false).await) },
                );
            }
            while let Some(answer) = asked.join_next().await {
                self.answered(answer?, &mut refused)?;
            }
        }
        Ok(refused)
    }

    /// The bytes of a claim's request.
    pub(crate) fn request(&self, claim: usize) -> &[u8] {
        &self.requests[claim]
    }

    /// The first claim that is not accepted yet.
    pub(crate) fn first_refused(&self) -> Option<usize> {
        let taken: BTreeSet<usize> = self.accepted.values().copied().collect();
        (0..self.len()).find(|claim| !taken.contains(claim))
    }

    /// Offers claims at so many a second until `end`, whether the server can keep up or not; the reasons of those that it refused.
    pub(crate) async fn offer(
        &mut self,
        server: &str,
        a_second: u32,
        end: Instant,
    ) -> Result<BTreeMap<String, usize>> {
        let client = Client::connect(server, "north").await?;
        let mut beat = tokio::time::interval(Duration::from_secs(1) / a_second);
        let (mut asked, mut refused) = (tokio::task::JoinSet::new(), BTreeMap::new());
        // What is refused comes again.
        for claim in (0..self.len()).cycle() {
            if self.by_claim.contains_key(&claim) {
                ensure!(self.accepted() < self.len(), "all were accepted");
                continue;
            }
            beat.tick().await;
            if Instant::now() >= end {
                break;
            }
            let (mut client, request) = (client.clone(), self.requests[claim].clone());
            asked.spawn(async move { (claim, client.adjudicate(request, keyed(&key(claim)), false).await) });
            while let Some(answer) = asked.try_join_next() {
                self.answered(answer?, &mut refused)?;
            }
        }
        while let Some(answer) = asked.join_next().await {
            self.answered(answer?, &mut refused)?;
        }
        Ok(refused)
    }

    fn answered(
        &mut self,
        (claim, answer): (usize, Result<v1::Job, ClientError>),
        refused: &mut BTreeMap<String, usize>,
    ) -> Result<()> {
        match answer {
            Ok(job) => self.note(claim, &job.id)?,
            Err(ClientError::Refused { reason, .. } | ClientError::Unavailable { reason, .. }) => {
                *refused.entry(reason).or_default() += 1;
            }
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    /// Waits until nothing that was accepted is left open.
    pub(crate) async fn settled(&self, oracle: &Oracle, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let open = oracle.number("SELECT COUNT(*) FROM jobs WHERE ended IS NULL").await;
            match open {
                Ok(0) => return Ok(()),
                Ok(open) => ensure!(begun.elapsed() < patience, "{open} jobs do not end"),
                // The story may have the database down.
                Err(error) => ensure!(begun.elapsed() < patience, "the database does not answer: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The reckoning. `others` are the claims that are to end otherwise than with an approval, and as what. With `keys` every
    /// proof is verified with them; the proofs of a steered prover are compared with what the rules say of their claims.
    pub(crate) async fn reckon(
        &self,
        client: &mut Client,
        oracle: &Oracle,
        others: &[(usize, JobState)],
        keys: Option<&Path>,
    ) -> Result<()> {
        // None lost, none that nobody was told of.
        let jobs = client.jobs(&[], self.len() + 1).await?;
        let listed: BTreeSet<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
        let told: BTreeSet<&str> = self.accepted.keys().map(String::as_str).collect();
        ensure!(listed == told, "{} jobs are there, {} were accepted", listed.len(), told.len());
        // Each ended once, as the oracle saw it.
        let mut ends: HashMap<String, Vec<String>> = HashMap::new();
        for (job, state) in oracle.ends().await? {
            ends.entry(job).or_default().push(state);
        }
        let others: HashMap<usize, JobState> = others.iter().copied().collect();
        let (mut proofs, mut approved) = (BTreeSet::new(), 0);
        for (id, claim) in &self.accepted {
            let job = client.job(id).await?;
            let expected = others.get(claim).copied().unwrap_or(JobState::Done);
            ensure!(job.state() == expected, "claim {claim} is {:?}: {:?}", job.state(), job.outcome);
            let seen = ends.remove(id).unwrap_or_default();
            ensure!(seen == [stored(expected)], "claim {claim} ended as {seen:?}");
            if expected != JobState::Done {
                continue;
            }
            let proof = self.right(&job, *claim, keys).with_context(|| format!("claim {claim}"))?;
            ensure!(proofs.insert(proof), "one proof for two claims");
            approved += 1;
        }
        ensure!(ends.is_empty(), "{} jobs ended that nobody submitted", ends.len());
        // What approvals used up was used up once.
        for table in ["spends", "nullifiers"] {
            let used = oracle.number(format!("SELECT COUNT(DISTINCT job) FROM {table}")).await?;
            let rows = oracle.number(format!("SELECT COUNT(*) FROM {table}")).await?;
            ensure!(
                (used, rows) == (approved, approved),
                "{table}: {rows} of {used} jobs, {approved} approvals"
            );
        }
        Ok(())
    }

    /// A job's proof, when it is of its own claim and right.
    fn right(&self, job: &v1::Job, claim: usize, keys: Option<&Path>) -> Result<Vec<u8>> {
        let said = result(job)?;
        ensure!(said.approved, "not approved");
        let request = from_json(&self.requests[claim])?;
        match keys {
            Some(folder) => {
                let proof = ClaimProof::from_file(&said.proof_json)?;
                let rules = adjudicate(&request).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
                ensure!(rules.approved && proof.public == rules.public, "the proof is of another claim");
                let key = KeyDirectory::new(folder).key(proof.class, proof.key)?;
                verify_claim(&key, &proof, &Expected::default())?;
            }
            // It verifies nowhere, but it says what the rules say of this claim, and of no other.
            None => {
                let own = StandIn::default().prove(&request, &mut |_, _| ControlFlow::Continue(()));
                let own = own.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
                ensure!(own.to_json().into_bytes() == said.proof_json, "the proof is of another claim");
            }
        }
        Ok(said.proof_json.clone())
    }
}

fn key(claim: usize) -> String {
    format!("claim-{claim}")
}

/// A state as the database names it.
const fn stored(state: JobState) -> &'static str {
    match state {
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        _ => "open",
    }
}

//! What the rules explain is what the verifier takes: each explanation is held against what a proof of its request would show.

use anyhow::{Result, ensure};
use nightingale_circuits::{
    Fr,
    claim::{Address, Adjudication, Date, Reason, adjudicate},
};
use nightingale_records::{explain, synth};
use nightingale_verifier::{Decision, Explanation, KeyDigest, KeyKind, Verified};

/// What a proof of this outcome says, as far as an explanation is held against it.
fn shown(outcome: &Adjudication, received: Date) -> Verified {
    Verified {
        class: outcome.class,
        decision: if outcome.approved { Decision::Approve } else { Decision::Deny },
        reasons: Some(outcome.reasons),
        allowed: outcome.public.nullifiers.iter().map(|nullifier| *nullifier != Fr::from(0u64)).collect(),
        payable_cents: outcome.payable,
        payee: Address::default(),
        received,
        key: KeyDigest([0; 32]),
        kind: KeyKind::Development,
    }
}

#[test]
fn every_explanation_is_borne_out_by_what_its_proof_shows() -> Result<()> {
    let (mut cut, mut used_up, mut free) = (0, 0, [0, 0]);
    for (i, mut request) in synth::requests(1, 400)?.into_iter().enumerate() {
        // A charge of nothing is allowed or denied as any other.
        if i % 4 == 0 {
            request.claim.lines.iter_mut().for_each(|line| line.charge_cents = 0);
        }
        let outcome = adjudicate(&request)?;
        let verified = shown(&outcome, request.received);
        let explanation = Explanation::from_json(explain::to_json(&outcome).as_bytes(), &verified)?;
        ensure!(explanation.lines().len() == outcome.lines.len());
        for (line, judged) in explanation.lines().iter().zip(&outcome.lines) {
            ensure!(line.reasons == judged.reasons && line.allowed_cents == judged.allowed);
            let has_maximum = judged.reasons.contains(Reason::Maximum);
            cut += usize::from(judged.is_allowed && has_maximum);
            used_up += usize::from(!judged.is_allowed && has_maximum);
            free[usize::from(judged.is_allowed)] += usize::from(judged.charge == 0);
        }
    }
    ensure!(cut > 0 && used_up > 0 && free.iter().all(|lines| *lines > 0), "{cut}, {used_up}, {free:?}");
    Ok(())
}

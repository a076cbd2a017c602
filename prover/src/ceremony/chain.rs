//! The contributions of a key and what ties them together, as snarkjs has it (`zkey_verify_frominit.js` of version 0.7).
//!
//! Contribution i multiplies delta by a secret s_i. It shows a pair (P, s P) in G1 with P of its choosing; the transcript is
//! the hash of the circuit, of all contributions before and of that pair; Q in G2 is drawn from the transcript, so nobody
//! knows its logarithm; and s Q proves that the contributor knew s (the knowledge of exponent assumption, as in Bowe, Gabizon
//! and Miers, eprint 2017/1050). Delta after it must be s times delta before it, by the same Q and s Q.

use super::{
    container::Cursor,
    digest::{ContributionHash, LENGTH},
    encoding::{Group, point},
    error::CeremonyError,
    random::{Source, hash_to_g2},
};
use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, pairing::Pairing};
use ark_ff::Zero;
use blake2::{Blake2b512, Digest};
use nightingale_circuits::unseen::is_no_part_of_a_name;
use sha2::Sha256;

/// At most 2^30 hashes are recomputed for all beacons of a file: about a minute.
const MOST_ITERATIONS: u8 = 30;

/// A public random value, hashed so often that nobody could try many while choosing when to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// The value.
    pub value: Vec<u8>,
    /// The logarithm of the number of hashes.
    pub iterations: u8,
}

/// One contribution to a key's delta.
#[derive(Clone, Debug)]
pub struct Contribution {
    delta_after: G1Affine,
    base: G1Affine,
    multiple: G1Affine,
    proof: G2Affine,
    transcript: [u8; LENGTH],
    name: Option<String>,
    beacon: Option<Beacon>,
}

impl Contribution {
    /// What its maker called itself. Nothing binds it: it is in no hash.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The beacon that it was made from, if it was.
    #[must_use]
    pub const fn beacon(&self) -> Option<&Beacon> {
        self.beacon.as_ref()
    }

    /// What snarkjs prints as its hash.
    #[must_use]
    pub fn hash(&self) -> ContributionHash {
        ContributionHash(Blake2b512::digest(self.hashed()).into())
    }

    fn hashed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        [self.delta_after, self.base, self.multiple].iter().for_each(|point| point.hashed(&mut bytes));
        self.proof.hashed(&mut bytes);
        bytes.extend(self.transcript);
        bytes
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, CeremonyError> {
        let delta_after = point(cursor, "delta")?;
        let base = point(cursor, "the base of its secret")?;
        let multiple = point(cursor, "its secret in G1")?;
        let proof = point(cursor, "its proof")?;
        let transcript = cursor.take()?;
        let kind = cursor.u32()?;
        let (name, beacon) = parameters(cursor, kind, is_no_part_of_a_name)?;
        Ok(Self { delta_after, base, multiple, proof, transcript, name, beacon })
    }
}

/// The name and the beacon of a contribution of this kind (0, or 1 for a beacon).
pub(super) fn parameters(
    cursor: &mut Cursor<'_>,
    kind: u32,
    is_refused: fn(char) -> bool,
) -> Result<(Option<String>, Option<Beacon>), CeremonyError> {
    let length = cursor.u32()?;
    let length = usize::try_from(length).map_err(|_| cursor.truncated())?;
    let mut inner = Cursor::new(cursor.bytes(length)?, cursor.kind, &cursor.place);
    let (mut name, mut iterations, mut value) = (None, None, None);
    let mut last = 0;
    while !inner.rest.is_empty() {
        let tag = inner.byte()?;
        if tag <= last {
            return Err(inner.format("its parameters are not sorted"));
        }
        last = tag;
        match tag {
            1 => {
                let length = inner.byte()?;
                let text = std::str::from_utf8(inner.bytes(length.into())?);
                let text = text.ok().filter(|text| !text.chars().any(is_refused));
                let problem = "its name is no text, or has characters that do not show";
                name = Some(text.ok_or_else(|| inner.format(problem))?.to_owned());
            }
            2 => iterations = Some(inner.byte()?),
            3 => {
                let length = inner.byte()?;
                value = Some(inner.bytes(length.into())?.to_vec());
            }
            _ => return Err(inner.format("it has an unknown parameter")),
        }
    }
    let beacon = match (kind, iterations, value) {
        (0, None, None) => None,
        (1, Some(iterations), Some(value)) if !value.is_empty() => Some(Beacon { value, iterations }),
        _ => return Err(cursor.format("it is neither a contribution nor a whole beacon")),
    };
    Ok((name, beacon))
}

/// Whether two points of G1 have the ratio that two points of G2 have: all finite, and e(a, d) = e(b, c).
pub(super) fn same_ratio((a, b): (G1Affine, G1Affine), (c, d): (G2Affine, G2Affine)) -> bool {
    let finite = !(a.is_zero() || b.is_zero() || c.is_zero() || d.is_zero());
    finite && Bn254::multi_pairing([a, -b], [d, c]).is_zero()
}

/// Checks every contribution against those before it, from the circuit hash on, and the key's delta against the last.
pub(super) fn check(
    circuit_hash: &[u8; LENGTH],
    contributions: &[Contribution],
    delta: (G1Affine, G2Affine),
) -> Result<(), CeremonyError> {
    check_cost(contributions)?;
    let mut transcript = Blake2b512::new().chain_update(circuit_hash);
    let mut before = G1Affine::generator();
    for (number, contribution) in (1..).zip(contributions) {
        let mut pair = Vec::new();
        contribution.base.hashed(&mut pair);
        contribution.multiple.hashed(&mut pair);
        let expected: [u8; LENGTH] = transcript.clone().chain_update(pair).finalize().into();
        if expected != contribution.transcript {
            return Err(CeremonyError::Transcript(number));
        }
        let secret = (hash_to_g2(&contribution.transcript), contribution.proof);
        if !same_ratio((contribution.base, contribution.multiple), secret) {
            return Err(CeremonyError::ProofOfKnowledge(number));
        }
        if !same_ratio((before, contribution.delta_after), secret) {
            return Err(CeremonyError::Chain(number));
        }
        if let Some(beacon) = &contribution.beacon {
            check_beacon(number, contribution, beacon)?;
        }
        transcript.update(contribution.hashed());
        before = contribution.delta_after;
    }
    let generators = (G1Affine::generator(), G2Affine::generator());
    if delta.0 != before || !same_ratio((generators.0, delta.0), (generators.1, delta.1)) {
        return Err(CeremonyError::Delta);
    }
    Ok(())
}

/// Refuses beacons that together take longer than one may.
fn check_cost(contributions: &[Contribution]) -> Result<(), CeremonyError> {
    let mut spent = 0_u64;
    for (number, made) in (1..).zip(contributions) {
        let Some(Beacon { iterations, .. }) = made.beacon() else { continue };
        spent = spent.saturating_add(1_u64.checked_shl((*iterations).into()).unwrap_or(u64::MAX));
        if spent > 1 << MOST_ITERATIONS {
            let (iterations, most) = (*iterations, MOST_ITERATIONS);
            return Err(CeremonyError::BeaconCost { number, iterations, most });
        }
    }
    Ok(())
}

/// Recomputes a beacon's contribution from its value. Its proof follows, for it has been checked.
fn check_beacon(number: usize, contribution: &Contribution, beacon: &Beacon) -> Result<(), CeremonyError> {
    let mut hash = Sha256::digest(&beacon.value);
    for _ in 1..1_u64 << beacon.iterations {
        hash = Sha256::digest(hash);
    }
    let mut source = Source::new(&hash);
    let secret = source.scalar();
    let base = source.g1();
    if contribution.base != base || contribution.multiple != (base * secret).into_affine() {
        return Err(CeremonyError::Beacon(number));
    }
    Ok(())
}

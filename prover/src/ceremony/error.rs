//! Why a ceremony's file is refused. Each check has its variant, so that whoever acts on one never reads its text.

use super::digest::{ContributionHash, FileDigest};
use nightingale_verifier::VerifyError;
use std::fmt;
use thiserror::Error;

/// A file of a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Powers of tau.
    Ptau,
    /// A Groth16 key.
    Zkey,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ptau => "the .ptau file",
            Self::Zkey => "the .zkey file",
        })
    }
}

/// Which check failed, and what to do.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// The file ends before its content.
    #[error("{file} is cut off in {place}; fetch it again and compare its digest with the published one")]
    Truncated {
        /// Which.
        file: FileKind,
        /// Where.
        place: String,
    },
    /// The file goes on after its content.
    #[error("{file} has bytes after {place}; fetch it again and compare its digest with the published one")]
    Trailing {
        /// Which.
        file: FileKind,
        /// After what.
        place: String,
    },
    /// The file is not of its format, or of a kind of it that is not used here.
    #[error("{file}: {problem}")]
    Format {
        /// Which.
        file: FileKind,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A field element is not below its modulus.
    #[error("{file}: {place} is not below its field's modulus; somebody altered the file: do not use it")]
    NotReduced {
        /// Which.
        file: FileKind,
        /// Where.
        place: String,
    },
    /// A point is not on its curve.
    #[error("{file}: {place} is not on the curve; somebody altered the file: do not use it")]
    OffCurve {
        /// Which.
        file: FileKind,
        /// Where.
        place: String,
    },
    /// A point is on the curve and not in the group of order r.
    #[error("{file}: {place} is outside the group of order r; somebody altered the file: do not use it")]
    OutsideSubgroup {
        /// Which.
        file: FileKind,
        /// Where.
        place: String,
    },
    /// A point that must be finite is not.
    #[error("{file}: {place} is the point at infinity; somebody altered the file: do not use it")]
    Infinite {
        /// Which.
        file: FileKind,
        /// Where.
        place: String,
    },
    /// The powers are those of another file than was asked for.
    #[error(
        "the .ptau file has the BLAKE2b digest {found}, not {expected}; fetch the file that was announced, or correct the digest"
    )]
    OtherPtau {
        /// Asked for.
        expected: Box<FileDigest>,
        /// Found.
        found: Box<FileDigest>,
    },
    /// The powers have no Lagrange points.
    #[error("the .ptau file is not prepared; run `snarkjs powersoftau prepare phase2` on it first")]
    NotPrepared,
    /// The powers do not reach.
    #[error("the .ptau file has 2^{power} powers and 2^{needed} are needed; take a larger one")]
    TooSmall {
        /// Present.
        power: u32,
        /// Needed.
        needed: u32,
    },
    /// The powers are not powers of one number, or not of that of the other sections.
    #[error("the .ptau file: {0}; it is not what a ceremony yields: do not use it")]
    Powers(&'static str),
    /// The last contribution before the beacon is nobody's that published it.
    #[error(
        "contribution {0}, the last before the beacon, was not published: its maker could choose it after the beacon was known; do not use the key"
    )]
    Unvouched(usize),
    /// A constraint without factors, about which snarkjs and others differ.
    #[error(
        "constraint {0} of the circuit has neither left nor right factors; this is a mistake in the circuit"
    )]
    EmptyRow(usize),
    /// The key is for another circuit.
    #[error(
        "the .zkey file is for another circuit ({0}); export the circuit of this version and repeat the ceremony with it"
    )]
    OtherCircuit(&'static str),
    /// The key is for this circuit and its ceremony began with another.
    #[error(
        "the circuit hash that the ceremony's transcript began with is not that of this circuit and these powers; its \
         contributions were made for something else: do not use the key"
    )]
    CircuitHash,
    /// Gamma and delta are equal or opposite.
    #[error(
        "gamma and delta are equal or opposite, so anybody can forge proofs: nobody contributed to this key, or it was altered; \
         do not use it"
    )]
    GammaIsDelta,
    /// Gamma is not the generator, as it is in keys that snarkjs makes.
    #[error("gamma is not the generator of G2; the key was altered: do not use it")]
    Gamma,
    /// Alpha or beta are not those of the powers.
    #[error(
        "{0} of the key is not that of the .ptau file; give the file that the key was set up with, or do not use the key"
    )]
    OtherSetup(&'static str),
    /// A contribution's transcript is not the hash of what came before.
    #[error(
        "contribution {0}: its transcript is not the hash of the contributions before it; the chain was altered: do not use the key"
    )]
    Transcript(usize),
    /// A contributor did not know the secret that it contributed.
    #[error("contribution {0}: its proof of knowledge does not hold; do not use the key")]
    ProofOfKnowledge(usize),
    /// Delta after a contribution does not follow from delta before it.
    #[error("contribution {0}: delta after it is not delta before it times its secret; do not use the key")]
    Chain(usize),
    /// The key's delta is not the chain's last, or not the same in both groups.
    #[error("the key's delta is not that of its last contribution; do not use the key")]
    Delta,
    /// The last contribution is not a beacon.
    #[error("the last contribution is not a beacon; finish the ceremony with `snarkjs zkey beacon`")]
    NoBeacon,
    /// A beacon that would take too long to recompute.
    #[error(
        "contribution {number}: its beacon hashes 2^{iterations} times; at most 2^{most} are recomputed here"
    )]
    BeaconCost {
        /// Which.
        number: usize,
        /// Its logarithm.
        iterations: u8,
        /// The bound.
        most: u8,
    },
    /// A beacon's contribution does not follow from its value.
    #[error(
        "contribution {0}: it does not follow from the beacon's value; somebody chose it: do not use the key"
    )]
    Beacon(usize),
    /// The beacon's value is not the one that was announced.
    #[error("the beacon's value or its number of iterations is not the announced one; do not use the key")]
    OtherBeacon,
    /// A contribution that was published is not in the chain.
    #[error(
        "the contribution {hash} is not in the key's chain where it was published to be; it was dropped or replaced: do not use the key"
    )]
    Dropped {
        /// Its hash.
        hash: Box<ContributionHash>,
    },
    /// A contribution has another name than was published.
    #[error(
        "contribution {number} calls itself `{found}`, and was published as `{published}`; ask who made it"
    )]
    Renamed {
        /// Which.
        number: usize,
        /// In the file.
        found: String,
        /// Published.
        published: String,
    },
    /// An earlier file of the ceremony has contributions that the key's chain does not begin with.
    #[error(
        "the chain of contributions does not begin with that of earlier file {0}; contributions were dropped or replaced: do not use the key"
    )]
    NotContinued(usize),
    /// Fewer contributors than were asked for are known to be in the key.
    #[error(
        "{kept} contributors are known to be in the key and {minimum} are needed; collect more, or name those that are missing in the \
         list: contributions of one name are one contributor's"
    )]
    TooFew {
        /// Whose contributions were published and kept, without beacons.
        kept: usize,
        /// Asked for.
        minimum: usize,
    },
    /// A part of the key is not what the circuit and the powers yield.
    #[error("the key's {0} are not those of the circuit and the powers; the key was altered: do not use it")]
    Query(&'static str),
    /// What a verifier refuses in a key.
    #[error(transparent)]
    UnsafeKey(#[from] VerifyError),
}

//! Verifying keys of the cohort circuits, with what a verifier needs of the setup.
//!
//! A key file is `NGHK`, a version byte (1), the kind (1 development, 2 production), the circuit's number, k, two bytes for the
//! number of fixed columns, and then 32-byte words as in EIP-197: tau in G2, the commitment of the identity column, the eight
//! Lagrange points of the salt rows, the commitments of the fixed columns, and halo2's digest of the circuit, which must be
//! that of the circuit in this program. The key's digest is the Keccak-256 of the whole file.

use super::{
    CircuitName,
    circuit_name::size_from_k,
    link::SALT,
    point::{Words, point_to_words, scalar_to_word},
    transcript::ProofReader,
};
use crate::{KeyDigest, KeyKind, VerifyError, development, encoding};
use halo2_proofs::{
    halo2curves::{
        CurveAffine,
        bn256::{Bn256, Fq, Fq2, Fr, G1Affine, G2Affine},
        ff::PrimeField,
        group::prime::PrimeCurveAffine,
    },
    plonk::{self, Circuit, ConstraintSystem, permutation, verify_proof},
    poly::{
        EvaluationDomain,
        commitment::ParamsProver,
        kzg::{
            commitment::{KZGCommitmentScheme, ParamsKZG},
            multiopen::VerifierSHPLONK,
            strategy::SingleStrategy,
        },
    },
    transcript::TranscriptReadBuffer,
};
use nightingale_circuits::cohort::{Keccak, Layout, digest::keccak};
use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

const MAGIC: [u8; 5] = *b"NGHK\x01";

/// What a verifier needs of the setup of one size.
#[derive(Clone, PartialEq, Eq)]
pub struct SetupPoints {
    /// tau in G2.
    pub tau: G2Affine,
    /// The commitment of [`nightingale_circuits::cohort::Committed::Identity`].
    pub identity: G1Affine,
    /// The Lagrange points of the salt rows.
    pub span: [G1Affine; SALT],
}

/// A checked verifying key of one circuit and size.
pub struct CohortKey {
    circuit: CircuitName,
    k: u32,
    kind: KeyKind,
    digest: KeyDigest,
    bytes: Vec<u8>,
    setup: SetupPoints,
    params: ParamsKZG<Bn256>,
    halo2: plonk::VerifyingKey<G1Affine>,
    proof_length: usize,
}

impl fmt::Debug for CohortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CohortKey({}, k {}, {}, {})", self.circuit, self.k, self.kind, self.digest)
    }
}

impl CohortKey {
    /// The key of circuit `C` from the commitments of its fixed columns.
    ///
    /// # Errors
    /// A circuit that this verifier cannot judge soundly, or a setup of the secret 1: see [`VerifyError::UnsafeKey`]; a production key of the
    /// development setup.
    pub fn new<C: Circuit<Fr>>(
        circuit: CircuitName,
        kind: KeyKind,
        k: u32,
        setup: SetupPoints,
        fixed: Vec<G1Affine>,
        params: C::Params,
    ) -> Result<Self, VerifyError> {
        let mut cs = ConstraintSystem::default();
        C::configure_with_params(&mut cs, params);
        check(&cs, &fixed)?;
        if setup.tau == G2Affine::generator() {
            return Err(VerifyError::UnsafeKey("its setup's secret is 1, so that anybody forges its proofs"));
        }
        if kind == KeyKind::Production {
            development::refuse_setup(&tau_to_words(&setup.tau))?;
        }
        let quotient = cs.degree().saturating_sub(1);
        let points = cs.num_advice_columns() + 1 + quotient + 2;
        let scalars = cs.advice_queries().len() + cs.fixed_queries().len() + 1;
        let halo2 = plonk::VerifyingKey::from_parts(
            domain(k, cs.degree())?,
            fixed,
            permutation::VerifyingKey::from_commitments(Vec::new()),
            cs,
            Vec::new(),
            false,
        );
        let generator = G1Affine::generator();
        // halo2 has no other constructor; a verifier needs one point of each basis at most.
        let params = ParamsKZG::<Bn256>::new(1).from_parts(
            k,
            vec![generator],
            Some(Vec::new()),
            G2Affine::generator(),
            setup.tau,
        );
        let bytes = encode(circuit, kind, k, &setup, &halo2);
        let digest = KeyDigest(keccak(&bytes));
        Ok(Self {
            circuit,
            k,
            kind,
            digest,
            bytes,
            setup,
            params,
            halo2,
            proof_length: 64 * points + 32 * scalars,
        })
    }

    /// Reads a key file, to its last byte.
    ///
    /// # Errors
    /// Whatever is not exactly a key file of a circuit of this program.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VerifyError> {
        let unreadable =
            |problem: &str| VerifyError::Unreadable { what: "cohort key file", problem: problem.to_owned() };
        let header = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk::<5>());
        let Some(([kind, circuit, k, high, low], rest)) = header else {
            return Err(unreadable("it does not start with NGHK and version 1, or is cut off"));
        };
        let kind = KeyKind::from_byte(*kind)
            .ok_or_else(|| VerifyError::malformed("kind", "must be 1 (development) or 2 (production)"))?;
        let circuit = CircuitName::from_number(*circuit)
            .ok_or_else(|| VerifyError::malformed("circuit", "is unknown; update this program"))?;
        let size = size_from_k(u32::from(*k))?;
        let fixed = usize::from(u16::from_be_bytes([*high, *low]));
        if rest.len() != 32 * (4 + 2 + 2 * SALT + 2 * fixed + 1) {
            return Err(unreadable("its length is not what its header says"));
        }
        let mut words = Words::new(rest);
        let tau = tau(&mut words)?;
        let identity = words.point("identity")?;
        let mut span = [G1Affine::identity(); SALT];
        for point in &mut span {
            *point = words.point("salt")?;
        }
        let fixed = (0..fixed).map(|_| words_or_infinity(&mut words)).collect::<Result<Vec<_>, _>>()?;
        let setup = SetupPoints { tau, identity, span };
        let key = super::keys::of_circuit(circuit, kind, size, setup, fixed)?;
        if key.bytes != bytes {
            let problem =
                "is for another version of the circuit; get the key and this program from one release";
            return Err(VerifyError::malformed("circuit digest", problem));
        }
        Ok(key)
    }

    /// The key file.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it proves.
    #[must_use]
    pub const fn circuit(&self) -> CircuitName {
        self.circuit
    }

    /// The logarithm of the number of rows.
    #[must_use]
    pub const fn k(&self) -> u32 {
        self.k
    }

    /// Where it comes from.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its address.
    #[must_use]
    pub const fn digest(&self) -> KeyDigest {
        self.digest
    }

    /// What it holds of the setup.
    #[must_use]
    pub const fn setup(&self) -> &SetupPoints {
        &self.setup
    }

    /// halo2's verifying key.
    #[must_use]
    pub const fn halo2(&self) -> &plonk::VerifyingKey<G1Affine> {
        &self.halo2
    }

    /// Bytes of a proof.
    #[must_use]
    pub const fn proof_length(&self) -> usize {
        self.proof_length
    }

    /// Verifies a proof for these instance columns.
    ///
    /// # Errors
    /// A proof of another length, with an element that is not canonical, or that does not hold.
    pub fn verify(&self, instances: &[Vec<Fr>], proof: &[u8]) -> Result<(), VerifyError> {
        if proof.len() != self.proof_length {
            return Err(VerifyError::malformed("proof", "does not have the length of its circuit's proofs"));
        }
        if instances.len() != self.halo2.cs().num_instance_columns() {
            return Err(VerifyError::Invalid);
        }
        let columns: Vec<&[Fr]> = instances.iter().map(Vec::as_slice).collect();
        let verify = || {
            let mut transcript = ProofReader::init(proof);
            verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
                &self.params,
                &self.halo2,
                SingleStrategy::new(&self.params),
                &[&columns],
                &mut transcript,
            )
        };
        // Nothing is known to make halo2 panic on a proof of the right length; if something does, the proof is refused.
        match catch_unwind(AssertUnwindSafe(verify)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(VerifyError::Invalid),
        }
    }

    /// The first `number` points of a proof: its slots.
    ///
    /// # Errors
    /// The proof is shorter, or one of them is no point.
    pub fn slots(proof: &[u8], number: usize) -> Result<Vec<G1Affine>, VerifyError> {
        let mut words = Words::new(proof);
        (0..number).map(|slot| words.point(&format!("proof, slot {slot}"))).collect()
    }
}

/// What the link and the length of proofs rest on.
fn check(cs: &ConstraintSystem<Fr>, fixed: &[G1Affine]) -> Result<(), VerifyError> {
    let unsafe_key = |problem| Err(VerifyError::UnsafeKey(problem));
    if cs.blinding_factors() + 1 > Layout::SALT {
        return unsafe_key("its circuit blinds more rows than columns have salt");
    }
    if !cs.permutation().get_columns().is_empty() || !cs.lookups().is_empty() || cs.num_selectors() != 0 {
        return unsafe_key("its circuit uses arguments that cohort circuits do not use");
    }
    if cs.num_fixed_columns() != fixed.len() {
        return unsafe_key("its number of fixed columns is not its circuit's");
    }
    Ok(())
}

/// halo2's domain without the tables of its transforms, which a verifier does not use and which grow with the table.
fn domain(k: u32, degree: usize) -> Result<EvaluationDomain<Fr>, VerifyError> {
    let bad = || VerifyError::UnsafeKey("its circuit's degree or size is out of range");
    let degree = u32::try_from(degree).map_err(|_| bad())?;
    let small = EvaluationDomain::<Fr>::new(degree, 1);
    let extended_k = k + small.extended_k.saturating_sub(small.k);
    if extended_k > Fr::S {
        return Err(bad());
    }
    let inverse = |x: Fr| Option::<Fr>::from(x.invert()).ok_or_else(bad);
    let (omega, extended_omega) = (root(k), root(extended_k));
    Ok(EvaluationDomain {
        n: 1 << k,
        k,
        extended_k,
        omega,
        omega_inv: inverse(omega)?,
        extended_omega,
        extended_omega_inv: inverse(extended_omega)?,
        barycentric_weight: inverse(Fr::from(1 << k))?,
        fft_data: HashMap::new(),
        ..small
    })
}

fn encode(
    circuit: CircuitName,
    kind: KeyKind,
    k: u32,
    setup: &SetupPoints,
    halo2: &plonk::VerifyingKey<G1Affine>,
) -> Vec<u8> {
    let fixed = halo2.fixed_commitments();
    let mut bytes = MAGIC.to_vec();
    bytes.extend([kind.byte(), circuit.number(), u8::try_from(k).unwrap_or(u8::MAX)]);
    bytes.extend(u16::try_from(fixed.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(tau_to_words(&setup.tau).as_flattened());
    for point in [setup.identity].iter().chain(&setup.span).chain(fixed) {
        bytes.extend(point_to_words(point).as_flattened());
    }
    bytes.extend(scalar_to_word(&halo2.transcript_repr()));
    bytes
}

fn tau_to_words(tau: &G2Affine) -> [Keccak; 4] {
    let word = |coordinate: Fq| {
        let mut word = coordinate.to_repr();
        word.reverse();
        word
    };
    [tau.x.c1, tau.x.c0, tau.y.c1, tau.y.c0].map(word)
}

/// Checks curve and group with arkworks, which halo2's curves leave to the caller.
fn tau(words: &mut Words<'_>) -> Result<G2Affine, VerifyError> {
    let [a, b, c, d] = [words.word("tau")?, words.word("tau")?, words.word("tau")?, words.word("tau")?];
    // Only whether it is one: the coordinates are read again below.
    let _ = encoding::g2(&[[a, b], [c, d]], "tau")?;
    let coordinate = |mut word: Keccak| {
        word.reverse();
        Option::<Fq>::from(Fq::from_repr(word))
            .ok_or_else(|| VerifyError::malformed("tau", "is not canonical"))
    };
    let x = Fq2 { c0: coordinate(b)?, c1: coordinate(a)? };
    let y = Fq2 { c0: coordinate(d)?, c1: coordinate(c)? };
    Option::from(G2Affine::from_xy(x, y)).ok_or_else(|| VerifyError::malformed("tau", "is not on the curve"))
}

/// A fixed column may be all zero, so its commitment may be infinite: two zero words.
fn words_or_infinity(words: &mut Words<'_>) -> Result<G1Affine, VerifyError> {
    let pair = [words.word("fixed column")?, words.word("fixed column")?];
    if pair == [[0; 32]; 2] {
        return Ok(G1Affine::identity());
    }
    Words::new(pair.as_flattened()).point("fixed column")
}

/// The generator of the domain of `2^k` rows.
#[must_use]
pub fn root(k: u32) -> Fr {
    (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square())
}

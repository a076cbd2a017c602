//! A claim proof and its binary file; `proof/json.rs` has the JSON one.
//!
//! The binary file is `NGCP`, a version byte (1), the class's lines, 1 when the outcome is opened (else 0), the key's
//! digest, the public inputs, A, B and C as in EIP-197, and the opening: decision, reasons (two bytes) and salt. No
//! byte is free: each one changed, missing or added makes another file that is refused or does not verify.

mod json;

use crate::{
    KeyDigest, VerifyError,
    encoding::{Reader, g1_to_words, g2_to_words},
    key::public_inputs,
};
use ark_bn254::Bn254;
use ark_groth16::Proof;
use nightingale_circuits::{
    claim::{PublicInputs, Reasons, SizeClass, account::Secret},
    field::to_be_bytes,
};
use std::fmt;

const MAGIC: [u8; 4] = *b"NGCP";
const VERSION: u8 = 1;

/// A proof of one claim's adjudication, as it is handed out.
#[derive(Clone)]
pub struct ClaimProof {
    /// The circuit.
    pub class: SizeClass,
    /// The key that it verifies under.
    pub key: KeyDigest,
    /// What it says to everybody.
    pub public: PublicInputs,
    /// A, B and C.
    pub proof: Proof<Bn254>,
    /// What it says to payer and provider alone; without it the reasons stay hidden.
    pub opening: Option<OutcomeOpening>,
}

impl fmt::Debug for ClaimProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClaimProof({}, key {})", self.class.name(), self.key)
    }
}

/// Opens the outcome commitment. No `Debug`: the salt is what hides the reasons.
#[derive(Clone)]
pub struct OutcomeOpening {
    /// The decision.
    pub approved: bool,
    /// Its reasons.
    pub reasons: Reasons,
    /// The commitment's salt.
    pub salt: Secret,
}

impl ClaimProof {
    /// Reads either file format.
    ///
    /// # Errors
    /// Bytes that are neither, or are either with any deviation.
    pub fn from_file(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.starts_with(&MAGIC) { Self::from_bytes(bytes) } else { Self::from_json(bytes) }
    }

    /// The binary file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        // A class has at most eight lines.
        let lines = u8::try_from(self.class.lines()).unwrap_or(u8::MAX);
        out.extend([VERSION, lines, u8::from(self.opening.is_some())]);
        out.extend(self.key.0);
        for input in self.public.to_vec() {
            out.extend(to_be_bytes(&input));
        }
        out.extend(g1_to_words(&self.proof.a).iter().flatten());
        out.extend(g2_to_words(&self.proof.b).iter().flatten().flatten());
        out.extend(g1_to_words(&self.proof.c).iter().flatten());
        if let Some(opening) = &self.opening {
            out.push(u8::from(opening.approved));
            out.extend(opening.reasons.bits().to_be_bytes());
            out.extend(to_be_bytes(&opening.salt.expose()));
        }
        out
    }

    /// Reads the binary file, to its last byte.
    ///
    /// # Errors
    /// Names the first element that is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VerifyError> {
        let mut reader = Reader::new(bytes);
        let unreadable =
            |problem: &str| VerifyError::Unreadable { what: "claim proof", problem: problem.to_owned() };
        if reader.take("magic").ok() != Some(MAGIC) {
            return Err(unreadable("it does not start with NGCP"));
        }
        if reader.byte("version")? != VERSION {
            return Err(unreadable("its version is unknown; update this program"));
        }
        let lines = usize::from(reader.byte("class")?);
        let class = SizeClass::ALL
            .into_iter()
            .find(|class| class.lines() == lines)
            .ok_or_else(|| VerifyError::malformed("class", "must be 2 or 8 lines"))?;
        let opened = flag(reader.byte("opening")?, "opening")?;
        let key = KeyDigest(reader.take("key")?);
        let inputs = (0..public_inputs(class))
            .map(|i| reader.scalar(&format!("public input {i}")))
            .collect::<Result<Vec<_>, _>>()?;
        let public = PublicInputs::from_slice(&inputs)
            .ok_or_else(|| VerifyError::malformed("public inputs", "are too few"))?;
        let proof = Proof { a: reader.g1("proof.a")?, b: reader.g2("proof.b")?, c: reader.g1("proof.c")? };
        let opening = if opened {
            let approved = flag(reader.byte("opening.approved")?, "opening.approved")?;
            let reasons = Reasons::from_bits(u16::from_be_bytes(reader.take("opening.reasons")?))
                .ok_or_else(|| {
                    VerifyError::malformed("opening.reasons", "has a bit that stands for no reason")
                })?;
            Some(OutcomeOpening { approved, reasons, salt: Secret::new(reader.scalar("opening.salt")?) })
        } else {
            None
        };
        reader.end()?;
        Ok(Self { class, key, public, proof, opening })
    }
}

fn flag(byte: u8, element: &str) -> Result<bool, VerifyError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(VerifyError::malformed(element, "must be 0 or 1")),
    }
}

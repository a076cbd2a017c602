//! The JSON proof file; `schemas/proof.schema.json` describes it. White space is free, everything else is exact.

use super::{ClaimProof, OutcomeOpening};
use crate::{
    VerifyError,
    encoding::{
        from_hex, g1, g1_to_words, g2, g2_to_words, reasons_from_codes, scalar_from_hex, scalar_to_hex,
        to_hex,
    },
    json::{self, Object},
    key::{class_from_name, public_inputs},
};
use ark_groth16::Proof;
use nightingale_circuits::{
    Fr,
    claim::{PublicInputs, account::Secret},
};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "nightingale claim proof 1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofFile {
    format: String,
    class: String,
    key: String,
    public: Object<PublicFile>,
    proof: Object<PointsFile>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    opening: Option<Object<OpeningFile>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicFile {
    epoch_root: String,
    consent_root: String,
    account_root: String,
    claim_commitment: String,
    payee: String,
    packed: String,
    outcome_commitment: String,
    spend_tag: String,
    next_note: String,
    authorisation_tag: String,
    nullifiers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointsFile {
    a: [String; 2],
    b: [[String; 2]; 2],
    c: [String; 2],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningFile {
    approved: bool,
    reasons: Vec<String>,
    salt: String,
}

impl ClaimProof {
    /// The JSON file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = ProofFile {
            format: FORMAT.to_owned(),
            class: self.class.name().to_owned(),
            key: self.key.to_string(),
            public: Object(public_to_file(&self.public)),
            proof: Object(PointsFile {
                a: g1_to_words(&self.proof.a).map(|w| to_hex(&w)),
                b: g2_to_words(&self.proof.b).map(|part| part.map(|w| to_hex(&w))),
                c: g1_to_words(&self.proof.c).map(|w| to_hex(&w)),
            }),
            opening: self.opening.as_ref().map(|opening| Object(opening_to_file(opening))),
        };
        // Strings, lists and objects with text keys: there is nothing that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the JSON file.
    ///
    /// # Errors
    /// Names the first element that is wrong: an unknown, missing or repeated field, a number that is not canonical
    /// or not below its modulus, a point off its curve or group, trailing text.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        let file: ProofFile = json::read(bytes)
            .map_err(|e| VerifyError::Unreadable { what: "claim proof", problem: e.to_string() })?;
        if file.format != FORMAT {
            return Err(VerifyError::Unreadable {
                what: "claim proof",
                problem: format!("its format is not `{FORMAT}`"),
            });
        }
        let class = class_from_name(&file.class)?;
        let public = public_from_file(&file.public.0)?;
        if public.to_vec().len() != public_inputs(class) {
            let problem = "must hold one nullifier for each line of the class";
            return Err(VerifyError::malformed("public.nullifiers", problem));
        }
        let Object(points) = &file.proof;
        let proof = Proof {
            a: g1(&pair(&points.a, "proof.a")?, "proof.a")?,
            b: {
                let [x, y] = &points.b;
                g2(&[pair(x, "proof.b")?, pair(y, "proof.b")?], "proof.b")?
            },
            c: g1(&pair(&points.c, "proof.c")?, "proof.c")?,
        };
        let opening = file.opening.as_ref().map(|Object(file)| opening_from_file(file)).transpose()?;
        Ok(Self { class, key: file.key.parse()?, public, proof, opening })
    }
}

fn pair([first, second]: &[String; 2], element: &str) -> Result<[[u8; 32]; 2], VerifyError> {
    Ok([from_hex(first, element)?, from_hex(second, element)?])
}

fn public_to_file(public: &PublicInputs) -> PublicFile {
    PublicFile {
        epoch_root: scalar_to_hex(&public.epoch_root),
        consent_root: scalar_to_hex(&public.consent_root),
        account_root: scalar_to_hex(&public.account_root),
        claim_commitment: scalar_to_hex(&public.claim_commitment),
        payee: scalar_to_hex(&public.payee),
        packed: scalar_to_hex(&public.packed),
        outcome_commitment: scalar_to_hex(&public.outcome_commitment),
        spend_tag: scalar_to_hex(&public.spend_tag),
        next_note: scalar_to_hex(&public.next_note),
        authorisation_tag: scalar_to_hex(&public.authorisation_tag),
        nullifiers: public.nullifiers.iter().map(scalar_to_hex).collect(),
    }
}

fn public_from_file(file: &PublicFile) -> Result<PublicInputs, VerifyError> {
    let read = |text: &str, name: &str| scalar_from_hex(text, &format!("public.{name}"));
    Ok(PublicInputs {
        epoch_root: read(&file.epoch_root, "epoch_root")?,
        consent_root: read(&file.consent_root, "consent_root")?,
        account_root: read(&file.account_root, "account_root")?,
        claim_commitment: read(&file.claim_commitment, "claim_commitment")?,
        payee: read(&file.payee, "payee")?,
        packed: read(&file.packed, "packed")?,
        outcome_commitment: read(&file.outcome_commitment, "outcome_commitment")?,
        spend_tag: read(&file.spend_tag, "spend_tag")?,
        next_note: read(&file.next_note, "next_note")?,
        authorisation_tag: read(&file.authorisation_tag, "authorisation_tag")?,
        nullifiers: (file.nullifiers.iter().enumerate())
            .map(|(i, text)| read(text, &format!("nullifiers[{i}]")))
            .collect::<Result<Vec<Fr>, _>>()?,
    })
}

fn opening_to_file(opening: &OutcomeOpening) -> OpeningFile {
    OpeningFile {
        approved: opening.approved,
        reasons: opening.reasons.iter().map(|reason| reason.carc().to_owned()).collect(),
        salt: scalar_to_hex(&opening.salt.expose()),
    }
}

fn opening_from_file(file: &OpeningFile) -> Result<OutcomeOpening, VerifyError> {
    let reasons = reasons_from_codes(&file.reasons).ok_or_else(|| {
        VerifyError::malformed("opening.reasons", "must be known codes, each once, in their order")
    })?;
    let salt = Secret::new(scalar_from_hex(&file.salt, "opening.salt")?);
    Ok(OutcomeOpening { approved: file.approved, reasons, salt })
}

//! `dataset.json`: `schemas/cohort-dataset.schema.json`.

use super::{
    ConsentVersion, Dataset, LinkedProof, PlannedQuery, Sponsor, TableRecord, by_name, check_plan_length,
    planned_table,
};
use crate::{
    VerifyError,
    cohort::{
        Commitment, Link,
        circuit_name::size_from_k,
        schema_file::{QueryFile, SchemaFile, mode_from_name},
        signature::Signature,
    },
    encoding::{from_hex, to_hex},
    expectation::parse_address,
    json,
};
use nightingale_circuits::claim::Address;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "nightingale cohort dataset 1";

impl Dataset {
    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = DatasetFile {
            format: FORMAT.to_owned(),
            digest: to_hex(&self.digest),
            modes: self.modes.iter().map(|mode| mode.name().to_owned()).collect(),
            plan: self.planned_files(),
            tables: self.tables.iter().map(TableFile::new).collect(),
            sponsor: self.sponsor.as_ref().map(SponsorFile::new),
        };
        // Strings, lists and objects with text keys: there is nothing that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    fn planned_files(&self) -> Vec<PlannedFile> {
        let tables = by_name(&self.tables);
        let file = |planned: &PlannedQuery| {
            let query = QueryFile::new(planned_table(&tables, &planned.table).ok()?.schema(), &planned.query);
            Some(PlannedFile { table: planned.table.clone(), query, digest: to_hex(&planned.digest) })
        };
        self.plan.iter().filter_map(file).collect()
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Names the first element that is wrong, a digest that is not that of its content among them.
    pub fn from_json(bytes: &[u8]) -> Result<Self, VerifyError> {
        let unreadable = |problem: String| VerifyError::Unreadable { what: "dataset file", problem };
        let file: DatasetFile = json::read(bytes).map_err(|error| unreadable(error.to_string()))?;
        if file.format != FORMAT {
            return Err(unreadable(format!("its format is not `{FORMAT}`")));
        }
        let sponsor = file.sponsor.as_ref().map(SponsorFile::sponsor).transpose()?;
        let address = sponsor.map(|sponsor| sponsor.address);
        check_plan_length(file.plan.len())?;
        let tables = file.tables.iter().map(|table| table.record(address)).collect::<Result<Vec<_>, _>>()?;
        let by_name = by_name(&tables);
        let plan = file.plan.iter().map(|planned| {
            let table = planned_table(&by_name, &planned.table)?;
            Ok::<_, VerifyError>((planned.table.clone(), planned.query.query(table.schema())?))
        });
        let plan = plan.collect::<Result<Vec<_>, _>>()?;
        let modes = file.modes.iter().map(|mode| mode_from_name(mode)).collect::<Result<Vec<_>, _>>()?;
        let mut dataset = Self::new(tables, plan, modes)?;
        let digests = file.plan.iter().map(|planned| planned.digest.clone());
        if !digests.eq(dataset.plan.iter().map(|planned| to_hex(&planned.digest))) {
            return Err(VerifyError::malformed("plan", "has a digest that is not its query's"));
        }
        if file.digest != to_hex(&dataset.digest) {
            return Err(VerifyError::malformed("digest", "is not that of the dataset's content"));
        }
        if dataset.sponsor.map(|sponsor| sponsor.address) != address {
            return Err(VerifyError::malformed(
                "sponsor.address",
                "must be somebody's; leave the sponsor out",
            ));
        }
        dataset.sponsor = sponsor;
        Ok(dataset)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetFile {
    format: String,
    digest: String,
    modes: Vec<String>,
    plan: Vec<PlannedFile>,
    tables: Vec<TableFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sponsor: Option<SponsorFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SponsorFile {
    address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl SponsorFile {
    fn new(sponsor: &Sponsor) -> Self {
        Self {
            address: bytes_to_hex(&sponsor.address.0),
            signature: sponsor.signature.as_ref().map(Signature::to_hex),
        }
    }

    fn sponsor(&self) -> Result<Sponsor, VerifyError> {
        Ok(Sponsor {
            address: parse_address(&self.address, "sponsor.address")?,
            signature: signature(self.signature.as_deref(), "sponsor.signature")?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedFile {
    table: String,
    query: QueryFile,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    digest: String,
    k: u32,
    rows: usize,
    schema: SchemaFile,
    commitments: Vec<String>,
    proofs: Vec<LinkedProofFile>,
    consents: Vec<ConsentFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentFile {
    commitment: String,
    frame: LinkedProofFile,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// A [`LinkedProof`] in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkedProofFile {
    key_digest: String,
    proof: String,
    link: String,
}

impl LinkedProofFile {
    fn new(proof: &LinkedProof) -> Self {
        Self {
            key_digest: proof.key.to_string(),
            proof: bytes_to_hex(&proof.proof),
            link: bytes_to_hex(&proof.link.to_bytes()),
        }
    }

    fn proof(&self) -> Result<LinkedProof, VerifyError> {
        Ok(LinkedProof {
            key: self.key_digest.parse()?,
            proof: bytes_from_hex(&self.proof, "proof")?,
            link: Link::from_bytes(&bytes_from_hex(&self.link, "link")?)?,
        })
    }
}

fn signature(text: Option<&str>, element: &str) -> Result<Option<Signature>, VerifyError> {
    text.map(|text| Signature::from_hex(text, element)).transpose()
}

/// `0x` and lower-case hexadecimal digits.
pub(crate) fn bytes_to_hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

pub(crate) fn bytes_from_hex(text: &str, element: &str) -> Result<Vec<u8>, VerifyError> {
    let bad = || VerifyError::malformed(element, "must be 0x and lower-case hexadecimal digits");
    let digits = text.strip_prefix("0x").ok_or_else(bad)?;
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(bad());
    }
    hex::decode(digits).map_err(|_| bad())
}

impl TableFile {
    fn new(table: &TableRecord) -> Self {
        let consent = |consent: &ConsentVersion| ConsentFile {
            commitment: consent.commitment.to_hex(),
            frame: LinkedProofFile::new(&consent.frame),
            signature: consent.signature.as_ref().map(Signature::to_hex),
        };
        Self {
            digest: to_hex(&table.digest),
            k: table.size.k(),
            rows: table.rows,
            schema: SchemaFile::new(&table.schema),
            commitments: table.commitments.iter().map(Commitment::to_hex).collect(),
            proofs: table.proofs.iter().map(LinkedProofFile::new).collect(),
            consents: table.consents.iter().map(consent).collect(),
        }
    }

    fn record(&self, sponsor: Option<Address>) -> Result<TableRecord, VerifyError> {
        let commitments = self.commitments.iter().map(|text| Commitment::from_hex(text, "commitment"));
        let mut table = TableRecord::new(
            self.schema.schema()?,
            size_from_k(self.k)?,
            self.rows,
            commitments.collect::<Result<_, _>>()?,
            sponsor,
        )?;
        if from_hex::<32>(&self.digest, "table.digest")? != table.digest {
            return Err(VerifyError::malformed(
                "table.digest",
                "is not that of the table's schema, commitments and sponsor",
            ));
        }
        table.proofs = self.proofs.iter().map(LinkedProofFile::proof).collect::<Result<_, _>>()?;
        let consent = |file: &ConsentFile| {
            let commitment = Commitment::from_hex(&file.commitment, "consent")?;
            let signature = signature(file.signature.as_deref(), "consent.signature")?;
            Ok::<_, VerifyError>(ConsentVersion { commitment, frame: file.frame.proof()?, signature })
        };
        table.consents = self.consents.iter().map(consent).collect::<Result<_, _>>()?;
        if table.consents.is_empty() {
            return Err(VerifyError::malformed("table.consents", "must hold at least the first version"));
        }
        Ok(table)
    }
}

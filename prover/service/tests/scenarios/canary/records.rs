//! Records whose every value is a canary: registers, claims, trial files, FHIR and X12, and what a careless caller sends instead of a request.

use super::search::Planted;
use anyhow::{Context, Result};
use nightingale_circuits::claim::{
    Address, ClaimType, Code, CodeSystem, Date, Line, Pointers, Request, Units, Venue,
};
use nightingale_records::{ClaimFile, RegisterSet, Registers, request};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::Value;

/// The payer, whose name is public.
pub(super) const PAYER: &str = "Aviary Mutual";
pub(super) const NAME: &str = "Zoë Quillfeather-Brønn";
pub(super) const MEMBER: &str = "CANARY-MEMBER-7Q1Z";
pub(super) const COVERAGE: &str = "CANARY-COVERAGE-4X9K";
pub(super) const NOTE: &str = "confided to Dr Xanthopoulou-Wyrmwood on the phone";
pub(super) const KEY: &str = "CANARY-IDEMPOTENCY-KEY";
const BIRTH: &str = "1947-03-19";
const DIAGNOSIS: &str = "Z98.890";
const PROCEDURE: &str = "0763T";
const CHARGE: u32 = 3_141_592_653;
const FEE: u32 = 2_718_281_829;
const MASTER: u128 = 0x6c61_7267_655f_6361_6e61_7279_5f31_3131;

/// A provider's number with its check digit, which stands over 80840 before it.
fn npi(nine: &str) -> String {
    let digits: Vec<u32> = format!("80840{nine}").bytes().map(|byte| u32::from(byte - b'0')).collect();
    let doubled = |(place, digit): (usize, &u32)| match place % 2 {
        0 => [2 * digit / 10, 2 * digit % 10].iter().sum(),
        _ => *digit,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    format!("{nine}{}", (10 - sum % 10) % 10)
}

/// The insurer of the canaries.
pub(super) struct Aviary {
    /// The registers as a file.
    pub(super) json: String,
    registers: RegisterSet,
    npi: String,
    rng: ChaCha20Rng,
}

/// Members with a consent; those above have none.
const CONSENTING: usize = 6;

impl Aviary {
    pub(super) fn new() -> Result<Self> {
        Self::with(|_| {})
    }

    /// With claims that are settled there, and paid to this address.
    pub(super) fn paid(venue: Venue, payee: Address) -> Result<Self> {
        Self::with(|registers| {
            registers.set_venue(venue);
            registers.set_settlement(payee);
        })
    }

    fn with(change: impl FnOnce(&mut Registers)) -> Result<Self> {
        let npi = npi("173952846");
        let numbered = |text: &str, member: usize| format!("{text}-{member}");
        let enrolment: Vec<Value> = (0..8)
            .map(|member| {
                serde_json::json!({
                    "coverage": numbered(COVERAGE, member), "member": numbered(MEMBER, member), "plan": "Canary",
                    "birth": BIRTH, "sex": "female",
                })
            })
            .collect();
        let consents: Vec<Value> =
            (0..CONSENTING).map(|member| serde_json::json!({"member": numbered(MEMBER, member)})).collect();
        let registers = serde_json::json!({
            "payer": PAYER, "epoch": 1,
            "venue": {"chain_id": 31337, "contract": "0x00000000000000000000000000000000000000aa"},
            "plans": [{"number": 1, "name": "Canary",
                "opening": {"deductible_cents": 5000, "out_of_pocket_cents": 2_345_678_901u64, "maximum_cents": 3_987_654_321u64}}],
            "policy": [{"plan": "Canary", "code": format!("cpt:{PROCEDURE}"), "fee_cents": FEE, "copay_cents": 2000,
                "coinsurance_bp": 2000, "max_repeat": 3}],
            "providers": [{"npi": npi, "settlement": "0x00000000000000000000000000000000000000bb"}],
            "enrolment": enrolment, "consents": consents,
            "custodian": {"master_key": format!("0x{MASTER:064x}")},
        });
        let json = registers.to_string();
        let mut registers = Registers::from_json(json.as_bytes())?;
        change(&mut registers);
        Ok(Self { json, registers: registers.build()?, npi, rng: ChaCha20Rng::seed_from_u64(7) })
    }

    /// A request of a member with a service on this day of July 2013.
    pub(super) fn request(&mut self, member: usize, day: u32) -> Result<Request> {
        let date = Date::from_calendar(2013, 7, day)?;
        let line = Line {
            code: Code::new(CodeSystem::Cpt, PROCEDURE)?,
            from: date,
            through: date,
            modifiers: Vec::new(),
            pointers: Pointers::new(&[1])?,
            units: Units::from_thousandths(1000)?,
            charge_cents: CHARGE,
            repeat: 0,
        };
        let claim = ClaimFile {
            id: "CANARY-CLAIM-1".into(),
            kind: ClaimType::Professional,
            insurer: None,
            plan: None,
            coverage: format!("{COVERAGE}-{member}"),
            patient: format!("{MEMBER}-{member}"),
            authorisation: None,
            billing: self.npi.clone(),
            rendering: self.npi.clone(),
            diagnoses: vec![Code::new(CodeSystem::Icd10Cm, DIAGNOSIS)?],
            lines: vec![line],
            received: None,
            salt: None,
        };
        Ok(self.registers.request(&claim, Date::from_calendar(2013, 9, 5)?, &mut self.rng)?)
    }

    pub(super) fn file(&mut self, member: usize, day: u32) -> Result<Vec<u8>> {
        let request = self.request(member, day)?;
        Ok(request::to_json(&request).as_bytes().to_vec())
    }

    /// What is planted beside the leaves of requests.
    pub(super) fn words(&self) -> Vec<Planted> {
        let mut planted: Vec<Planted> = [
            ("a patient's name", NAME),
            ("a family name", "Quillfeather"),
            ("a member", MEMBER),
            ("a coverage", COVERAGE),
            ("a note", NOTE),
            ("a doctor", "Xanthopoulou-Wyrmwood"),
            ("a birthday", BIRTH),
            ("a birthday in X12", "19470319"),
            ("a service date", "2013-07-1"),
            ("a service date in X12", "2013071"),
            ("a diagnosis", "Z98890"),
            ("a diagnosis with its point", DIAGNOSIS),
            ("a procedure", "cpt:0763T"),
            ("a claim", "CANARY-CLAIM-1"),
            ("an idempotency key", KEY),
            ("a provider", &self.npi),
            ("a subject of the trial", "NGT-00000"),
        ]
        .map(|(name, text)| Planted::text(name, text))
        .to_vec();
        let numbers = [
            ("a charge", u64::from(CHARGE)),
            ("a fee", u64::from(FEE)),
            ("a maximum", 3_987_654_321),
            ("a limit", 2_345_678_901),
        ];
        planted.extend(numbers.map(|(name, number)| Planted::number(name, number)));
        planted
    }
}

/// Every leaf of a request that is the custodian's or the patient's, and long enough not to be met by chance. What the payer publishes is not.
pub(super) fn leaves(request: &[u8]) -> Result<Vec<Planted>> {
    const PUBLISHED: [&str; 8] =
        ["format", "payer", "insurer", "epoch", "consent_root", "account_root", "settlement", "type"];
    fn walk(path: &str, value: &Value, found: &mut Vec<Planted>) -> Result<()> {
        match value {
            Value::Object(members) => {
                for (name, value) in members.iter().filter(|(name, _)| !PUBLISHED.contains(&name.as_str())) {
                    walk(&format!("{path}.{name}"), value, found)?;
                }
            }
            Value::Array(items) => {
                for item in items {
                    walk(path, item, found)?;
                }
            }
            Value::Number(number) => {
                let number = number.as_u64().context("not a whole number")?;
                if number > u64::from(u32::MAX / 2) {
                    found.push(Planted::number(path, number));
                }
            }
            Value::String(text) => {
                let digits = text.strip_prefix("id:").unwrap_or(text).strip_prefix("0x");
                let digits = digits.map(|digits| digits.trim_start_matches("00"));
                match digits.and_then(|digits| hex::decode(digits).ok()) {
                    // Keys of registers are packed codes with zeros at their ends.
                    Some(bytes) if bytes.len() >= 12 => found.push(Planted::bytes(path, &bytes)),
                    Some(_) => {}
                    None if text.len() >= 8 && !text.starts_with("2099") && !text.starts_with("1901") => {
                        found.push(Planted::text(path, text));
                    }
                    None => {}
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk("request", &serde_json::from_slice(request)?, &mut found)?;
    Ok(found)
}

/// What a careless or hostile caller sends in the place of this request, each with a canary where the reader will trip over it.
pub(super) fn spoiled(request: &[u8]) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let text = std::str::from_utf8(request)?;
    let changed = |from: &str, to: &str| -> Result<Vec<u8>> {
        anyhow::ensure!(text.contains(from), "the request has no {from}");
        Ok(text.replacen(from, to, 1).into_bytes())
    };
    let charge = format!("\"charge_cents\": {CHARGE}");
    let mut spoiled = vec![
        ("an unknown element", changed("\"claim\":", &format!("\"{NAME}\": \"{NOTE}\",\n\"claim\":"))?),
        (
            "an unknown element of a line",
            changed("\"charge_cents\":", &format!("\"{MEMBER}\": 1, \"charge_cents\":"))?,
        ),
        ("words for a number", changed(&charge, &format!("\"charge_cents\": \"{NOTE}\""))?),
        ("a number for words", changed("\"type\": \"professional\"", &format!("\"type\": {CHARGE}"))?),
        ("a number that is too large", changed(&charge, &format!("\"charge_cents\": {CHARGE}0"))?),
        ("a fraction", changed(&charge, &format!("\"charge_cents\": {CHARGE}.5"))?),
        ("an unknown kind", changed("professional", NAME)?),
        ("a code that is none", changed("cpt:0763T", &format!("cpt:{MEMBER}"))?),
        ("a code of no system", changed("cpt:0763T", &format!("{NAME}:0763T"))?),
        ("a day that is none", changed("2013-07-1", &format!("{BIRTH}-1"))?),
        ("another format", changed("nightingale.claim.request/1", NOTE)?),
        ("an element twice", changed("\"claim\":", &format!("\"received\": \"{BIRTH}\",\n\"claim\":"))?),
        ("cut off", request[..request.len() / 2].to_vec()),
        ("nothing but words", format!("{NAME}, {MEMBER}, born {BIRTH}: {NOTE}").into_bytes()),
        ("a text", format!("\"{NAME} {NOTE}\"").into_bytes()),
        ("more behind the end", [request, NAME.as_bytes()].concat()),
        ("no text", [b"{\"".as_slice(), NAME.as_bytes(), &[0xff, 0xfe], MEMBER.as_bytes()].concat()),
        ("too large", [request, NOTE.repeat(60_000).as_bytes()].concat()),
    ];
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    spoiled.push(("UTF-16", utf16));
    Ok(spoiled)
}

/// Claims keep their names: where one is refused, the custodian is told which. A FHIR bundle and an X12 file of the samples with canaries in the place of their people, and spoiled ones.
pub(super) fn interchange() -> Vec<(&'static str, &'static str, String)> {
    let fhir = include_str!("../../../../records/samples/visit.fhir.json")
        .replace("\"ada\"", &format!("\"{MEMBER}\""))
        .replace("ada-2026", COVERAGE)
        .replace("1979-05-17", BIRTH)
        .replace("\"gender\"", &format!("\"name\": [{{\"text\": \"{NAME}\"}}],\n\"gender\""))
        .replace("\"use\": \"claim\"", &format!("\"use\": \"claim\", \"supportingInfo\": [{{\"sequence\": 1, \"category\": {{\"text\": \"{NOTE}\"}}}}]"))
        .replace("E11.9", DIAGNOSIS);
    let x12 = include_str!("../../../../records/samples/scan.837")
        .replace("EXAMPLE*BEN", "QUILLFEATHER*ZOE")
        .replace("HM1002", MEMBER)
        .replace("19661102", "19470319")
        .replace("M5416", "Z98890");
    vec![
        ("fhir", "good.json", fhir.clone()),
        ("fhir", "date.json", fhir.replace("2026-03-09", &format!("{BIRTH}T{NOTE}"))),
        ("fhir", "code.json", fhir.replace("99213", NAME)),
        ("fhir", "money.json", fhir.replace("120.00", &format!("\"{NOTE}\""))),
        (
            "fhir",
            "reference.json",
            fhir.replace("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0\"}", &format!("{NAME}\"}}")),
        ),
        ("fhir", "cut.json", fhir[..fhir.len() / 2].to_owned()),
        ("fhir", "words.json", format!("{NAME} {NOTE}")),
        ("x12", "good.837", x12.clone()),
        ("x12", "code.837", x12.replace("HC:72148", &format!("HC:{MEMBER}"))),
        ("x12", "money.837", x12.replace("*520*", &format!("*{NOTE}*"))),
        ("x12", "date.837", x12.replace("20260318", NAME)),
        ("x12", "cut.837", x12[..x12.len() / 2].to_owned()),
    ]
}

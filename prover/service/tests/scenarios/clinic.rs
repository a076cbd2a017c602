//! A small insurer and clinic: registers, members and claims to adjudicate.

use anyhow::{Context, Result};
use nightingale_circuits::{
    Fr,
    claim::{
        Address, ClaimType, Code, CodeSystem, Date, Epoch, Line, NoteLeaf, Pointers, Request, Units, Venue,
        adjudicate,
    },
    field::{from_be_bytes, to_be_bytes},
    merkle::Register,
};
use nightingale_proto::v1;
use nightingale_records::{ClaimFile, RegisterSet, Registers, request};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// Words that stand in the claims and must be found nowhere else.
pub(crate) const MARKERS: [&str; 3] = ["MARKER-COVERAGE", "MARKER-PATIENT", "7777713"];

/// The insurer's registers and a source of salts.
pub(crate) struct Clinic {
    registers: RegisterSet,
    rng: ChaCha20Rng,
}

fn registers(epoch: u64, members: usize) -> String {
    let member = |i: usize| {
        let (coverage, patient) = names(i);
        format!(
            r#"{{"coverage":"{coverage}","member":"{patient}","plan":"Basic","birth":"1980-02-29","sex":"female"}}"#
        )
    };
    let consent = |i: usize| format!(r#"{{"member":"{}"}}"#, names(i).1);
    let all = |f: &dyn Fn(usize) -> String| (0..members).map(f).collect::<Vec<_>>().join(",");
    format!(
        r#"{{
          "payer": "Acme Health", "epoch": {epoch},
          "venue": {{"chain_id": 31337, "contract": "0x00000000000000000000000000000000000000aa"}},
          "plans": [{{"number": 1, "name": "Basic",
            "opening": {{"deductible_cents": 5000, "out_of_pocket_cents": 300000, "maximum_cents": 1000000}}}}],
          "policy": [{{"plan": "Basic", "code": "cpt:99213", "fee_cents": 12000, "copay_cents": 2000,
            "coinsurance_bp": 2000, "max_repeat": 3}}],
          "providers": [{{"npi": "1234567893", "settlement": "0x00000000000000000000000000000000000000bb"}}],
          "enrolment": [{}], "consents": [{}],
          "custodian": {{"master_key": "0x{:064x}"}}
        }}"#,
        all(&member),
        all(&consent),
        7
    )
}

/// Coverage and patient of member `i`.
pub(crate) fn names(i: usize) -> (String, String) {
    (format!("MARKER-COVERAGE-{i}"), format!("MARKER-PATIENT-{i}"))
}

/// One line of CPT 99213 on a day of March 2024.
pub(crate) fn visit(day: u32) -> Result<Line> {
    let date = Date::from_calendar(2024, 3, day)?;
    Ok(Line {
        code: Code::new(CodeSystem::Cpt, "99213")?,
        from: date,
        through: date,
        modifiers: Vec::new(),
        pointers: Pointers::new(&[1])?,
        units: Units::from_thousandths(1000)?,
        charge_cents: 7_777_713,
        repeat: 0,
    })
}

impl Clinic {
    /// At an epoch.
    pub(crate) fn at(epoch: u64) -> Result<Self> {
        Self::of(epoch, 8)
    }

    /// At an epoch, with so many members.
    pub(crate) fn of(epoch: u64, members: usize) -> Result<Self> {
        let registers = Registers::from_json(registers(epoch, members).as_bytes())?.build()?;
        Ok(Self { registers, rng: ChaCha20Rng::seed_from_u64(epoch) })
    }

    /// At the first epoch.
    pub(crate) fn new() -> Result<Self> {
        Self::at(1)
    }

    /// With claims that are settled there, and paid to this address.
    pub(crate) fn paid(venue: Venue, payee: Address) -> Result<Self> {
        let mut registers = Registers::from_json(registers(1, 8).as_bytes())?;
        registers.set_venue(venue);
        registers.set_settlement(payee);
        Ok(Self { registers: registers.build()?, rng: ChaCha20Rng::seed_from_u64(1) })
    }

    /// The same registers with other consents, as `consents.json` has them.
    pub(crate) fn with_consents(consents: &str) -> Result<Self> {
        let mut document: serde_json::Value = serde_json::from_str(&registers(1, 8))?;
        document["consents"] = serde_json::from_str(consents)?;
        let registers = Registers::from_json(document.to_string().as_bytes())?.build()?;
        Ok(Self { registers, rng: ChaCha20Rng::seed_from_u64(1) })
    }

    /// The payer's epoch.
    pub(crate) fn epoch(&self) -> &Epoch {
        self.registers.epoch()
    }

    /// A request for member `i`; 0 to 7 are enrolled.
    pub(crate) fn request(&mut self, i: usize, lines: Vec<Line>) -> Result<Request> {
        let (coverage, patient) = names(i);
        let claim = ClaimFile {
            id: "claim".into(),
            kind: ClaimType::Professional,
            insurer: None,
            plan: None,
            coverage,
            patient,
            authorisation: None,
            billing: "1234567893".into(),
            rendering: "1234567893".into(),
            diagnoses: vec![Code::new(CodeSystem::Icd10Cm, "E11.9")?],
            lines,
            received: None,
            salt: None,
        };
        Ok(self.registers.request(&claim, Date::from_calendar(2024, 6, 1)?, &mut self.rng)?)
    }

    /// A request file for member `i` with a visit on each of these days.
    pub(crate) fn file(&mut self, i: usize, days: &[u32]) -> Result<Vec<u8>> {
        let lines = days.iter().map(|day| visit(*day)).collect::<Result<_>>()?;
        let request = self.request(i, lines)?;
        Ok(request::to_json(&request).as_bytes().to_vec())
    }

    /// A request file for member `i` that is denied: no plan covers its service. It neither spends nor waits.
    pub(crate) fn denied(&mut self, i: usize) -> Result<Vec<u8>> {
        let mut line = visit(1)?;
        line.code = Code::new(CodeSystem::Cpt, "99999")?;
        let request = self.request(i, vec![line])?;
        Ok(request::to_json(&request).as_bytes().to_vec())
    }
}

/// The account register that holds these notes, as its payer publishes it.
pub(crate) fn published(epoch: &Epoch, revision: u64, notes: &[Fr]) -> Result<v1::AccountRegister> {
    published_by(epoch.payer.number().to_be_bytes()[4..].to_vec(), revision, notes)
}

/// The same of a payer that is known by its number only.
pub(crate) fn published_by(payer: Vec<u8>, revision: u64, notes: &[Fr]) -> Result<v1::AccountRegister> {
    let register = Register::build(notes.iter().copied().map(NoteLeaf).collect())?;
    Ok(v1::AccountRegister {
        payer,
        revision,
        root: to_be_bytes(&register.root()).to_vec(),
        notes: notes.iter().map(|note| to_be_bytes(note).to_vec()).collect(),
    })
}

/// The note that an approval made.
pub(crate) fn next_note(job: &v1::Job) -> Result<Fr> {
    let public = result(job)?.public_inputs.as_ref().context("no public inputs")?;
    let bytes: [u8; 32] = public.next_note.as_slice().try_into()?;
    from_be_bytes(&bytes).context("not an element")
}

/// A done job's result.
pub(crate) fn result(job: &v1::Job) -> Result<&v1::ClaimResult> {
    match &job.outcome {
        Some(v1::job::Outcome::Result(result)) => Ok(result),
        _ => anyhow::bail!("the job has no result: {:?}", job.state()),
    }
}

/// A failed job's failure.
pub(crate) fn failure(job: &v1::Job) -> Result<&v1::Failure> {
    match &job.outcome {
        Some(v1::job::Outcome::Failure(failure)) => Ok(failure),
        _ => anyhow::bail!("the job has no failure: {:?}", job.state()),
    }
}

#[test]
fn the_clinic_has_an_approved_claim_and_a_denied_one() -> Result<()> {
    let mut clinic = Clinic::new()?;
    assert!(adjudicate(&clinic.request(0, vec![visit(1)?])?)?.approved);
    assert!(!adjudicate(&clinic.request(9, vec![visit(1)?])?).is_ok_and(|outcome| outcome.approved));
    Ok(())
}

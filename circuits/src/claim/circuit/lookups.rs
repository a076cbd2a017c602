//! Every register that the claim touches: its leaf, its root, and what it says.

use super::{
    super::{
        account::{VERSION_BITS, YEAR_BITS},
        gadgets::{
            calendar::{Year, YearDay, split, year},
            hashing::{LeafWires, answers, leaf, tagged},
            numbers::{at_most, bits, is_equal, not, number, unpack},
        },
        records::{
            AGE_BITS, Authorisation, BASIS_POINTS_BITS, Consent, DiagnosisGroups, Enrolment, FILING_BITS,
            GROUPS, NETWORK_BITS, NoteLeaf, PolicyRow, Provider,
        },
        types::{
            CODE_BITS, DATE_BITS, Date, ID_BITS, LINE_MONEY_BITS, MODIFIER_CLASS_BITS, PLAN_BITS,
            REPEAT_BITS, TOTAL_MONEY_BITS, UNITS_BITS,
        },
    },
    Inputs, LeafInput,
    header::{Header, LineWires, NpiWires},
    money::BalanceWires,
    publish::Public,
};
use crate::{
    merkle::Record,
    r1cs::{Builder, Wire},
    tag::Tag,
};

/// The enrolment of the claim's coverage.
pub(super) struct EnrolmentWires {
    /// Whether the coverage is enrolled, as a bit.
    pub(super) present: Wire,
    pub(super) plan: Wire,
    pub(super) from: Wire,
    pub(super) to: Wire,
    pub(super) active: Wire,
    pub(super) network: Wire,
    pub(super) birth: YearDay,
    pub(super) sex: Wire,
    pub(super) member: Wire,
    nullifier_key_hash: Wire,
    opening: Wire,
}

/// A provider of the claim.
pub(super) struct ProviderWires {
    /// Whether it is enrolled and its NPI is valid, as a bit.
    pub(super) usable: Wire,
    /// Whether it is in the register, as a bit.
    pub(super) present: Wire,
    pub(super) from: Wire,
    pub(super) to: Wire,
    pub(super) network: Wire,
    settlement: Wire,
}

/// The authorisation that the claim names.
pub(super) struct AuthorisationWires {
    /// Whether one is named and present, as a bit.
    pub(super) present: Wire,
    /// Whether it is for the claim's coverage, as a bit.
    pub(super) covers: Wire,
    pub(super) code: Wire,
    pub(super) from: Wire,
    pub(super) to: Wire,
    pub(super) units: Wire,
}

/// The policy row of a line.
pub(super) struct RowWires {
    /// Whether a row is in force for an enrolled member's present line, as a bit.
    pub(super) present: Wire,
    pub(super) fee: Wire,
    pub(super) copay: Wire,
    pub(super) basis_points: Wire,
    pub(super) max_units: Wire,
    pub(super) max_repeat: Wire,
    pub(super) min_age: Wire,
    pub(super) max_age: Wire,
    pub(super) sex: Wire,
    pub(super) needs_authorisation: Wire,
    pub(super) deductible_applies: Wire,
    pub(super) deductible_first: Wire,
    pub(super) network_only: Wire,
    pub(super) filing_years: Wire,
    pub(super) filing_days: Wire,
    pub(super) filing_from_through: Wire,
    /// One bit per group.
    pub(super) groups: Vec<Wire>,
}

/// The member's account version.
pub(super) struct AccountWires {
    pub(super) nk: Wire,
    pub(super) version: Wire,
    /// Version, year and coverage, as notes and spend tags hash them.
    pub(super) place: Wire,
    /// The benefit year.
    pub(super) year: Year,
    pub(super) balances: BalanceWires,
}

/// All of them.
pub(super) struct Lookups {
    pub(super) payer: Wire,
    pub(super) enrolment: EnrolmentWires,
    pub(super) billing: ProviderWires,
    pub(super) rendering: ProviderWires,
    pub(super) authorisation: AuthorisationWires,
    /// For each diagnosis, one bit per group, 0 where it has none.
    pub(super) groups: Vec<Vec<Wire>>,
    pub(super) rows: Vec<RowWires>,
    pub(super) account: AccountWires,
}

/// Looks everything up.
pub(super) fn all(b: &mut Builder, inputs: &Inputs, header: &Header, public: &Public) -> Lookups {
    b.section("epoch");
    let epoch = inputs.epoch.map(|x| b.input(x));
    let root = tagged(b, Tag::Epoch, &epoch);
    b.equal(&root, &public.epoch_root);
    let [
        payer,
        _venue,
        policy_root,
        diagnosis_root,
        enrolment_root,
        provider_root,
        authorisation_root,
        _number,
    ] = epoch;

    b.section("enrolment");
    let enrolment = enrolment(b, inputs, header, &enrolment_root);
    b.section("providers");
    let billing = provider(b, &inputs.billing, &header.billing, &provider_root);
    let rendering = provider(b, &inputs.rendering, &header.rendering, &provider_root);
    let payee = b.multiply(&billing.present, &billing.settlement);
    b.equal(&payee, &public.payee);
    b.section("authorisation");
    let authorisation = authorisation(b, inputs, header, &authorisation_root);
    b.section("consent");
    consent(b, inputs, header, &payer, public);
    b.section("account");
    let account = account(b, inputs, header, &enrolment, public);
    b.section("diagnoses");
    let groups = (inputs.groups.iter().zip(&header.diagnoses).enumerate())
        .map(|(i, (input, code))| {
            let pointers = header.lines.iter().map(|line| &line.pointers[i]);
            let pointers = pointers.fold(b.constant(0u64), |sum, pointer| &sum + pointer);
            groups(b, input, code, &pointers, &diagnosis_root)
        })
        .collect();
    b.section("policy rows");
    let plan = b.multiply(&enrolment.present, &enrolment.plan);
    let rows = inputs
        .lines
        .iter()
        .zip(&header.lines)
        .map(|(input, line)| row(b, &input.row, line, &plan, &enrolment.present, &policy_root))
        .collect();
    Lookups { payer, enrolment, billing, rendering, authorisation, groups, rows, account }
}

fn open<T: Record>(b: &mut Builder, input: &LeafInput) -> LeafWires {
    leaf(b, T::TAG, input.key, input.next, &input.value, &input.path)
}

fn enrolment(b: &mut Builder, inputs: &Inputs, header: &Header, root: &Wire) -> EnrolmentWires {
    let leaf = open::<Enrolment>(b, &inputs.enrolment);
    b.equal(&leaf.root, root);
    answers(b, &leaf, &header.coverage, ID_BITS);
    let present = is_equal(b, &header.coverage, &leaf.key);
    let [packed, member, nullifier_key_hash, opening] = std::array::from_fn(|i| leaf.value[i].clone());
    let widths = [PLAN_BITS, DATE_BITS, DATE_BITS, 1, NETWORK_BITS, DATE_BITS, 2];
    let [plan, from, to, active, network, birth, sex] =
        unpack(b, &packed, widths).map(|bits| number(b, &bits));
    // Where there is no enrolment, the birth date is the first of all dates, so that it can be split.
    let first = b.constant(Date::MIN.days());
    let known = b.multiply(&present, &(&birth - &first));
    let birth = split(b, &(&known + &first));
    EnrolmentWires {
        present,
        plan,
        from,
        to,
        active,
        network,
        birth,
        sex,
        member,
        nullifier_key_hash,
        opening,
    }
}

fn provider(b: &mut Builder, input: &LeafInput, npi: &NpiWires, root: &Wire) -> ProviderWires {
    let leaf = open::<Provider>(b, input);
    b.equal(&leaf.root, root);
    answers(b, &leaf, &npi.number, Provider::KEY_BITS);
    let present = is_equal(b, &npi.number, &leaf.key);
    let usable = b.multiply(&present, &npi.valid);
    let [from, to, network] =
        unpack(b, &leaf.value[0], [DATE_BITS, DATE_BITS, NETWORK_BITS]).map(|bits| number(b, &bits));
    ProviderWires { usable, present, from, to, network, settlement: leaf.value[1].clone() }
}

fn authorisation(b: &mut Builder, inputs: &Inputs, header: &Header, root: &Wire) -> AuthorisationWires {
    let reference = &header.authorisation;
    let none = b.is_zero(reference);
    let named = not(b, &none);
    let leaf = open::<Authorisation>(b, &inputs.authorisation);
    b.equal_when(&named, &leaf.root, root);
    answers(b, &leaf, reference, ID_BITS);
    let same = is_equal(b, reference, &leaf.key);
    let present = b.multiply(&named, &same);
    let covers = is_equal(b, &leaf.value[1], &header.coverage);
    let widths = [CODE_BITS, DATE_BITS, DATE_BITS, UNITS_BITS];
    let [code, from, to, units] = unpack(b, &leaf.value[0], widths).map(|bits| number(b, &bits));
    AuthorisationWires { present, covers, code, from, to, units }
}

/// A consent is only ever shown present: without it nothing is proven.
fn consent(b: &mut Builder, inputs: &Inputs, header: &Header, payer: &Wire, public: &Public) {
    let leaf = open::<Consent>(b, &inputs.consent);
    b.equal(&leaf.root, &public.consent_root);
    b.equal(&leaf.value[0], &header.patient);
    b.equal(&leaf.value[1], payer);
    let [purpose, data_class, from, to, permit] =
        unpack(b, &leaf.value[2], [8, 8, DATE_BITS, DATE_BITS, 1]).map(|bits| number(b, &bits));
    let needed = [(purpose, Consent::PAYMENT), (data_class, Consent::CLAIMS), (permit, 1)];
    for (field, value) in needed {
        let value = b.constant(value);
        b.equal(&field, &value);
    }
    bits(b, &(&header.received - &from), DATE_BITS);
    bits(b, &(&to - &header.received), DATE_BITS);
}

fn account(
    b: &mut Builder,
    inputs: &Inputs,
    header: &Header,
    enrolment: &EnrolmentWires,
    public: &Public,
) -> AccountWires {
    let nk = b.input(inputs.nk);
    let hash = tagged(b, Tag::NullifierKey, std::slice::from_ref(&nk));
    b.equal_when(&enrolment.present, &hash, &enrolment.nullifier_key_hash);
    let year_and_version = b.input(inputs.year_and_version);
    let [version, distance] =
        unpack(b, &year_and_version, [VERSION_BITS, YEAR_BITS]).map(|bits| number(b, &bits));
    let year = year(b, &distance, YEAR_BITS);
    let packed = b.input(inputs.balances);
    let [deductible, out_of_pocket, maximum] =
        unpack(b, &packed, [TOTAL_MONEY_BITS; 3]).map(|bits| number(b, &bits));
    let salt = b.input(inputs.note_salt);
    let place = &year_and_version + &header.coverage.shift(VERSION_BITS + YEAR_BITS);
    let note = tagged(b, Tag::Note, &[nk.clone(), place.clone(), packed.clone(), salt]);
    let leaf = open::<NoteLeaf>(b, &inputs.note);
    // Version 0 holds the enrolment's opening balances; every other one stands in the register.
    let is_first = b.is_zero(&version);
    let opens = b.multiply(&enrolment.present, &is_first);
    let registered = &enrolment.present - &opens;
    b.equal_when(&opens, &packed, &enrolment.opening);
    b.equal_when(&registered, &leaf.value[0], &note);
    b.equal_when(&registered, &leaf.root, &public.account_root);
    let balances = BalanceWires { deductible, out_of_pocket, maximum };
    AccountWires { nk, version, place, year, balances }
}

/// The diagnosis' groups; where there is none, no line may point to it.
fn groups(b: &mut Builder, input: &LeafInput, code: &Wire, pointers: &Wire, root: &Wire) -> Vec<Wire> {
    let leaf = open::<DiagnosisGroups>(b, input);
    let absent = b.is_zero(code);
    b.enforce(&absent, pointers, &b.constant(0u64));
    let named = not(b, &absent);
    b.equal_when(&named, &leaf.root, root);
    answers(b, &leaf, code, CODE_BITS);
    let same = is_equal(b, code, &leaf.key);
    let known = b.multiply(&named, &same);
    let own = b.multiply(&known, &leaf.value[0]);
    bits(b, &own, GROUPS as u32)
}

/// The row with `(plan, code, class, first day) <= (plan, code, class, day)`: it is this line's when `day - first day`
/// is all that is left, and no more than the day.
fn row(
    b: &mut Builder,
    input: &LeafInput,
    line: &LineWires,
    plan: &Wire,
    enrolled: &Wire,
    root: &Wire,
) -> RowWires {
    let leaf = open::<PolicyRow>(b, input);
    b.equal_when(&line.present, &leaf.root, root);
    let code_shift = DATE_BITS + MODIFIER_CLASS_BITS;
    let q = &(&plan.shift(code_shift + CODE_BITS) + &line.code.shift(code_shift))
        + &(&line.class.shift(DATE_BITS) + &line.from);
    let since = answers(b, &leaf, &q, PolicyRow::KEY_BITS);
    let (days, above) = since.split_at(DATE_BITS as usize);
    let (days, above) = (number(b, days), number(b, above));
    let is_near = b.is_zero(&above);
    let is_same = at_most(b, &days, &line.from, DATE_BITS);
    let begun = b.multiply(&is_near, &is_same);

    let (age, money) = (AGE_BITS, LINE_MONEY_BITS);
    let widths = [
        DATE_BITS,
        money,
        money,
        BASIS_POINTS_BITS,
        UNITS_BITS,
        REPEAT_BITS,
        age,
        age,
        2,
        1,
        1,
        1,
        1,
        FILING_BITS.0,
        FILING_BITS.1,
        1,
        GROUPS as u32,
    ];
    let fields = unpack(b, &leaf.value[0], widths);
    let groups = fields[16].clone();
    let [to, fee, copay, basis_points, max_units, max_repeat, min_age, max_age, sex, flags @ .., _] =
        fields.map(|bits| number(b, &bits));
    let [
        needs_authorisation,
        deductible_applies,
        deductible_first,
        network_only,
        filing_years,
        filing_days,
        anchor,
    ] = flags;
    let lasts = at_most(b, &line.from, &to, DATE_BITS);
    let in_force = b.multiply(&begun, &lasts);
    let judged = b.multiply(enrolled, &line.present);
    let present = b.multiply(&judged, &in_force);
    RowWires {
        present,
        fee,
        copay,
        basis_points,
        max_units,
        max_repeat,
        min_age,
        max_age,
        sex,
        needs_authorisation,
        deductible_applies,
        deductible_first,
        network_only,
        filing_years,
        filing_days,
        filing_from_through: anchor,
        groups,
    }
}

/// The width of the register keys is part of the statement.
const _: () = assert!(PolicyRow::KEY_BITS == 101);

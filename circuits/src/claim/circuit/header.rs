//! The claim's own content, tied to its commitment.

use super::{
    super::{
        commitments::DIAGNOSES_PER_ELEMENT,
        gadgets::{
            hashing::tagged,
            numbers::{at_most, bits, divide, is_equal, not, number, select, unpack},
        },
        types::{
            CODE_BITS, DATE_BITS, ID_BITS, LINE_MONEY_BITS, MAX_DIAGNOSES, MAX_LINES, MAX_POINTERS,
            MODIFIER_BITS, MODIFIERS, Modifier, NPI_BITS, PLAN_BITS, PRICING_MODIFIERS, REPEAT_BITS,
            UNITS_BITS,
        },
    },
    Inputs,
    publish::Public,
};
use crate::{
    Fr,
    r1cs::{Builder, Wire},
    tag::Tag,
};

/// An NPI and whether it passes Luhn.
pub(super) struct NpiWires {
    pub(super) number: Wire,
    pub(super) valid: Wire,
}

/// One line of the claim.
pub(super) struct LineWires {
    /// Whether there is a line, as a bit.
    pub(super) present: Wire,
    pub(super) code: Wire,
    pub(super) from: Wire,
    pub(super) through: Wire,
    /// Modifier class.
    pub(super) class: Wire,
    /// One bit per diagnosis of the size class.
    pub(super) pointers: Vec<Wire>,
    pub(super) units: Wire,
    pub(super) charge: Wire,
    pub(super) repeat: Wire,
    /// What the nullifier hashes.
    pub(super) service: Wire,
}

/// The claim.
pub(super) struct Header {
    pub(super) coverage: Wire,
    /// 0 where the claim names none.
    pub(super) authorisation: Wire,
    /// 0 where the claim names none.
    pub(super) plan: Wire,
    pub(super) patient: Wire,
    pub(super) insurer: Wire,
    pub(super) billing: NpiWires,
    pub(super) rendering: NpiWires,
    /// Codes, 0 where there is none.
    pub(super) diagnoses: Vec<Wire>,
    pub(super) lines: Vec<LineWires>,
    /// The day of receipt.
    pub(super) received: Wire,
}

/// Unpacks the claim and ties it to its commitment.
pub(super) fn claim(b: &mut Builder, inputs: &Inputs, public: &Public) -> Header {
    b.section("claim");
    let references = b.input(inputs.references);
    let [coverage, authorisation, plan, _kind] = unpack(b, &references, [ID_BITS, ID_BITS, PLAN_BITS, 4]);
    let (coverage, authorisation, plan) = (number(b, &coverage), number(b, &authorisation), number(b, &plan));
    let patient = b.input(inputs.patient);
    let insurer = b.input(inputs.insurer);
    let billing = npi(b, inputs.billing_digits);
    let rendering = npi(b, inputs.rendering_digits);
    let (elements, diagnoses) = diagnoses(b, inputs);
    let received = b.input(inputs.received);
    bits(b, &received, DATE_BITS);
    let packed: Vec<Wire> = inputs.lines.iter().map(|line| b.input(line.packed)).collect();
    let lines: Vec<LineWires> =
        packed.iter().map(|packed| line(b, packed, diagnoses.len(), &rendering.number)).collect();
    let one = b.constant(1u64);
    b.equal(&lines[0].present, &one);

    let zero = b.constant(0u64);
    let mut all_lines = packed;
    all_lines.resize(MAX_LINES, zero.clone());
    let lines_hash = tagged(b, Tag::Lines, &all_lines);
    let npis = &billing.number + &rendering.number.shift(NPI_BITS);
    let mut hashed = vec![references, patient.clone(), insurer.clone(), npis];
    hashed.extend(elements);
    hashed.resize(4 + MAX_DIAGNOSES / DIAGNOSES_PER_ELEMENT, zero);
    hashed.push(lines_hash);
    hashed.push(b.input(inputs.claim_salt));
    let commitment = tagged(b, Tag::Claim, &hashed);
    b.equal(&commitment, &public.claim_commitment);
    Header { coverage, authorisation, plan, patient, insurer, billing, rendering, diagnoses, lines, received }
}

/// Ten decimal digits (so below 2^34) and the Luhn check over `80840` and them, whose prefix adds 24.
fn npi(b: &mut Builder, digits: [u8; 10]) -> NpiWires {
    let (mut value, mut sum) = (b.constant(0u64), b.constant(24u64));
    let mut power = Fr::from(1u64);
    for (place, digit) in digits.into_iter().enumerate() {
        let digit = b.input(Fr::from(digit));
        let digit_bits = bits(b, &digit, 4);
        // At most 9: bit 3 excludes bits 1 and 2.
        let zero = b.constant(0u64);
        b.enforce(&digit_bits[3], &(&digit_bits[1] + &digit_bits[2]), &zero);
        value = &value + &digit.scale(power);
        power *= Fr::from(10u64);
        if place % 2 == 1 {
            let five = b.constant(5u64);
            let carries = at_most(b, &five, &digit, 4);
            sum = &(&sum + &digit.scale(Fr::from(2u64))) - &carries.scale(Fr::from(9u64));
        } else {
            sum = &sum + &digit;
        }
    }
    // The sum is at most 24 + 90: valid when it equals ten times its tens.
    let tens = divide(b, &sum, 10, 4);
    let valid = is_equal(b, &sum, &tens.scale(Fr::from(10u64)));
    NpiWires { number: value, valid }
}

/// The packed elements and the codes.
fn diagnoses(b: &mut Builder, inputs: &Inputs) -> (Vec<Wire>, Vec<Wire>) {
    let count = inputs.class.diagnoses();
    let mut codes = Vec::with_capacity(count);
    let elements: Vec<Wire> = inputs.diagnoses.iter().map(|packed| b.input(*packed)).collect();
    for element in &elements {
        let here = DIAGNOSES_PER_ELEMENT.min(count - codes.len());
        let all = bits(b, element, CODE_BITS * here as u32);
        codes.extend(all.chunks(CODE_BITS as usize).map(|code| number(b, code)));
    }
    (elements, codes)
}

fn line(b: &mut Builder, packed: &Wire, diagnoses: usize, rendering: &Wire) -> LineWires {
    const M: u32 = MODIFIER_BITS;
    let pointer_bits = MAX_DIAGNOSES as u32;
    let widths =
        [CODE_BITS, DATE_BITS, DATE_BITS, M, M, M, M, pointer_bits, UNITS_BITS, LINE_MONEY_BITS, REPEAT_BITS];
    let [code, from, through, m0, m1, m2, m3, mut pointers, units, charge, repeat] =
        unpack(b, packed, widths);
    let [code, from, through, units, charge, repeat] =
        [code, from, through, units, charge, repeat].map(|bits| number(b, &bits));
    let modifiers = [m0, m1, m2, m3].map(|bits| number(b, &bits));
    let absent = b.is_zero(&code);
    let zero = b.constant(0u64);
    b.enforce(&absent, packed, &zero);
    // At most four pointers, none beyond the class's diagnoses.
    let pointed = pointers.iter().fold(zero.clone(), |sum, bit| &sum + bit);
    let spare = &b.constant(MAX_POINTERS as u64) - &pointed;
    bits(b, &spare, 3);
    for beyond in pointers.split_off(diagnoses) {
        b.equal(&beyond, &zero);
    }
    let class = modifier_class(b, &modifiers);
    let sorted = sort(b, modifiers);
    // Real modifiers, and none twice: a service has one spelling.
    bits(b, &(&b.constant(Modifier::MAX.bits()) - &sorted[MODIFIERS - 1]), MODIFIER_BITS);
    for (x, y) in sorted.iter().zip(&sorted[1..]) {
        let same = is_equal(b, x, y);
        b.enforce(&same, y, &zero);
    }
    let mut service = rendering.clone();
    let mut place = NPI_BITS;
    let fields = [(&code, CODE_BITS), (&from, DATE_BITS), (&through, DATE_BITS)];
    let fields = fields.into_iter().chain(sorted.iter().map(|m| (m, M))).chain([(&repeat, REPEAT_BITS)]);
    for (field, width) in fields {
        service = &service + &field.shift(place);
        place += width;
    }
    LineWires {
        present: not(b, &absent),
        code,
        from,
        through,
        class,
        pointers,
        units,
        charge,
        repeat,
        service,
    }
}

/// The class of the first pricing modifier.
fn modifier_class(b: &mut Builder, modifiers: &[Wire; MODIFIERS]) -> Wire {
    let mut class = b.constant(0u64);
    // From the last to the first, so that the first one wins.
    for modifier in modifiers.iter().rev() {
        let (mut own, mut is_pricing) = (b.constant(0u64), b.constant(0u64));
        for (i, text) in PRICING_MODIFIERS.iter().enumerate() {
            let pricing = b.constant(Modifier::new(text).map_or(0, Modifier::bits));
            let same = is_equal(b, modifier, &pricing);
            own = &own + &same.scale(Fr::from(i as u64 + 1));
            is_pricing = &is_pricing + &same;
        }
        let kept = not(b, &is_pricing);
        let earlier = b.multiply(&kept, &class);
        class = &own + &earlier;
    }
    class
}

/// A sorting network for four values of 11 bits: ascending.
fn sort(b: &mut Builder, mut values: [Wire; MODIFIERS]) -> [Wire; MODIFIERS] {
    for (i, j) in [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)] {
        let (x, y) = (values[i].clone(), values[j].clone());
        let ordered = at_most(b, &x, &y, MODIFIER_BITS);
        let low = select(b, &ordered, &x, &y);
        values[j] = &(&x + &y) - &low;
        values[i] = low;
    }
    values
}

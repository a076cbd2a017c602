//! `Claim.item` to service lines.

use super::resource::{Coded, Money, Period, date};
use crate::{
    claim_file::Services,
    ingest::{Defect, Fault},
    notation::{Notation, thousandths},
};
use nightingale_circuits::claim::{
    Date, Line, Modifier, Pointers, Units,
    types::{MAX_LINES, MAX_POINTERS, MODIFIERS},
};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    #[serde(default)]
    pub(super) care_team_sequence: Vec<u32>,
    #[serde(default)]
    diagnosis_sequence: Vec<u32>,
    product_or_service: Option<Coded>,
    #[serde(default)]
    modifier: Vec<Coded>,
    serviced_date: Option<String>,
    serviced_period: Option<Period>,
    #[serde(borrow)]
    quantity: Option<Quantity<'a>>,
    #[serde(borrow)]
    unit_price: Option<Money<'a>>,
    #[serde(borrow)]
    net: Option<Money<'a>>,
}

#[derive(Deserialize)]
struct Quantity<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// What lines take from their claim.
pub(super) struct Surroundings<'a> {
    /// When the claim says that it was served.
    pub(super) billable: Option<(Date, Date)>,
    /// `Claim.diagnosis.sequence`, in order.
    pub(super) diagnoses: Vec<u32>,
    /// `Claim.total`.
    pub(super) total: Option<Money<'a>>,
}

pub(super) fn lines(items: &[Item<'_>], around: &Surroundings<'_>) -> Result<Vec<Line>, Fault> {
    if items.is_empty() {
        return Err(Fault::new("item", Defect::Missing { needed: "at least one service" }));
    }
    if items.len() > MAX_LINES {
        return Err(Fault::new("item", Defect::TooManyLines));
    }
    let charges = charges(items, around)?;
    let (mut lines, mut services) = (Vec::with_capacity(items.len()), Services::default());
    for (i, (item, charge_cents)) in items.iter().zip(charges).enumerate() {
        let mut line =
            line(item, around, charge_cents).map_err(|fault| fault.within(&format!("item[{i}]"), '.'))?;
        line.repeat = services.number(&line).ok_or_else(|| Fault::new("item", Defect::TooManyLines))?;
        lines.push(line);
    }
    Ok(lines)
}

/// Each line's charge is `item.net`.
///
/// Where a claim has a total, the first item without an amount is charged what the others leave of it and further
/// ones nothing: so Synthea bills the visit itself and lists what it was for. Without a total every item needs its
/// amount. Where all items have theirs, they must add up to the total.
fn charges(items: &[Item<'_>], around: &Surroundings<'_>) -> Result<Vec<u32>, Fault> {
    let limit = u64::from(u32::MAX);
    let given = items.iter().enumerate().map(|(i, item)| {
        let net = item.net.as_ref().map(|net| net.cents(&format!("item[{i}].net"), limit)).transpose()?;
        if net.is_none() && item.unit_price.is_some() {
            let needed = "the line's amount, unit price times quantity and factor";
            return Err(Fault::new(format!("item[{i}].net"), Defect::Missing { needed }));
        }
        Ok(net)
    });
    let mut charges = given.collect::<Result<Vec<Option<u64>>, Fault>>()?;
    one_currency(items, around)?;
    let sum: u64 = charges.iter().flatten().sum();
    let open = charges.iter().position(Option::is_none);
    if let Some(total) = &around.total {
        let total = total.cents("total", limit * MAX_LINES as u64)?;
        match open {
            Some(first) if total >= sum => charges[first] = Some(total - sum),
            None if total == sum => {}
            _ => return Err(Fault::new("total.value", Defect::OutOfBalance)),
        }
    } else if let Some(open) = open {
        let needed = "the line's amount; the claim has no total to take it from";
        return Err(Fault::new(format!("item[{open}].net"), Defect::Missing { needed }));
    }
    let narrow = |charge: Option<u64>| u32::try_from(charge.unwrap_or(0));
    let narrow = charges.into_iter().map(narrow).collect::<Result<Vec<u32>, _>>();
    narrow.map_err(|_| Fault::new("total.value", Defect::AmountTooLarge))
}

fn one_currency(items: &[Item<'_>], around: &Surroundings<'_>) -> Result<(), Fault> {
    let named =
        items.iter().enumerate().filter_map(|(i, item)| Some((format!("item[{i}].net"), item.net.as_ref()?)));
    let total = around.total.iter().map(|total| ("total".to_owned(), total));
    let mut first = None;
    for (element, money) in named.chain(total) {
        let Some(currency) = &money.currency else { continue };
        if *first.get_or_insert(currency) != currency {
            return Err(Fault::new(format!("{element}.currency"), Defect::Ambiguous { what: "currency" }));
        }
    }
    Ok(())
}

fn line(item: &Item<'_>, around: &Surroundings<'_>, charge_cents: u32) -> Result<Line, Fault> {
    let product = item.product_or_service.as_ref();
    let product =
        product.ok_or_else(|| Fault::new("productOrService", Defect::Missing { needed: "what was done" }))?;
    let (from, through) = served(item, around)?;
    Ok(Line {
        code: product.code().map_err(|fault| fault.within("productOrService", '.'))?,
        from,
        through,
        modifiers: modifiers(&item.modifier)?,
        pointers: pointers(&item.diagnosis_sequence, &around.diagnoses)?,
        units: units(item.quantity.as_ref())?,
        charge_cents,
        repeat: 0,
    })
}

fn served(item: &Item<'_>, around: &Surroundings<'_>) -> Result<(Date, Date), Fault> {
    if let Some(text) = &item.serviced_date {
        let day = date(text, "servicedDate")?;
        return Ok((day, day));
    }
    if let Some(period) = &item.serviced_period {
        return period.days("servicedPeriod");
    }
    let needed = "when it was served, here or in the claim's billablePeriod";
    around.billable.ok_or_else(|| Fault::new("servicedDate", Defect::Missing { needed }))
}

fn modifiers(all: &[Coded]) -> Result<Vec<Modifier>, Fault> {
    if all.len() > MODIFIERS {
        return Err(Fault::new("modifier", Defect::TooManyModifiers));
    }
    let each = all.iter().enumerate().map(|(i, modifier)| {
        let read = modifier.first().and_then(Modifier::read);
        read.ok_or_else(|| Fault::new(format!("modifier[{i}]"), Defect::malformed(Modifier::EXPECTED)))
    });
    each.collect()
}

fn pointers(sequences: &[u32], diagnoses: &[u32]) -> Result<Pointers, Fault> {
    let mut numbers = Vec::new();
    for (i, sequence) in sequences.iter().enumerate() {
        let place =
            diagnoses.iter().position(|own| own == sequence).and_then(|place| u8::try_from(place + 1).ok());
        let unknown = || {
            Fault::new(format!("diagnosisSequence[{i}]"), Defect::malformed("one of the claim's diagnoses"))
        };
        numbers.push(place.ok_or_else(unknown)?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.len() > MAX_POINTERS {
        return Err(Fault::new("diagnosisSequence", Defect::TooManyPointers));
    }
    Pointers::new(&numbers).map_err(|e| Fault::new("diagnosisSequence", Defect::malformed(e.expected)))
}

/// `item.quantity`, one where there is none.
fn units(quantity: Option<&Quantity<'_>>) -> Result<Units, Fault> {
    let thousandths = match quantity.and_then(|quantity| quantity.value) {
        Some(value) => thousandths(value.get()).ok(),
        None => Some(1000),
    };
    thousandths.and_then(|thousandths| Units::from_thousandths(thousandths).ok()).ok_or_else(|| {
        Fault::new("quantity.value", Defect::malformed("a quantity from 0.001 to 16777.215 in thousandths"))
    })
}

//! Interchanges, groups and transaction sets: what is complete, and what is cut off.

use super::segment::{Delimiters, Segment};
use crate::ingest::{Defect, Fault};

/// One ST..SE, without its two ends.
pub(super) struct Transaction<'a> {
    /// ST01, such as `837`.
    pub(super) set: &'a str,
    /// ST03, or the group's GS08.
    pub(super) version: &'a str,
    /// ST02.
    control: &'a str,
    pub(super) segments: Vec<Segment<'a>>,
}

impl Transaction<'_> {
    /// How refusals call it.
    pub(super) fn name(&self) -> String {
        format!("ST {}", self.control)
    }
}

/// The transaction sets that are complete, and a fault for each that is not.
///
/// A set counts once its SE is there and agrees with it; an interchange that misses its own end, or declares another
/// number of segments, is reported without taking its complete sets away.
pub(super) fn read(bytes: &[u8]) -> (Vec<Transaction<'_>>, Vec<Fault>) {
    let (mut transactions, mut faults) = (Vec::new(), Vec::new());
    let Ok(text) = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) else {
        return (transactions, vec![Fault::new("document", Defect::malformed("text in ASCII or UTF-8"))]);
    };
    let mut rest = text.trim_start();
    if rest.is_empty() {
        faults.push(Fault::new("ISA", Defect::Missing { needed: "an interchange" }));
    }
    while !rest.is_empty() {
        match interchange(rest) {
            Ok((delimiters, body)) => {
                rest = body_of(body, delimiters, &mut transactions, &mut faults).trim_start()
            }
            Err(fault) => {
                faults.push(fault);
                return (transactions, faults);
            }
        }
    }
    (transactions, faults)
}

/// The delimiters of the ISA that `text` starts with, and what follows it.
fn interchange(text: &str) -> Result<(Delimiters, &str), Fault> {
    let malformed = || Fault::new("ISA", Defect::malformed("an interchange header: ISA and 16 elements"));
    let element = text.strip_prefix("ISA").and_then(|rest| rest.chars().next()).ok_or_else(malformed)?;
    let (before_last, _) = text.match_indices(element).nth(15).ok_or_else(malformed)?;
    let mut ends = text[before_last + element.len_utf8()..].char_indices();
    let (Some((_, component)), Some((at, terminator))) = (ends.next(), ends.next()) else {
        return Err(Fault::new("ISA", Defect::Truncated));
    };
    let distinct = element != component && component != terminator && element != terminator;
    let structural = |c: char| !c.is_alphanumeric();
    if !distinct || ![element, component, terminator].into_iter().all(structural) {
        return Err(Fault::new(
            "ISA-16",
            Defect::malformed("three different delimiters, none a letter or digit"),
        ));
    }
    let body = before_last + element.len_utf8() + at + terminator.len_utf8();
    Ok((Delimiters { element, component, terminator }, &text[body..]))
}

/// Reads up to and including IEA; gives what follows.
fn body_of<'a>(
    text: &'a str,
    delimiters: Delimiters,
    transactions: &mut Vec<Transaction<'a>>,
    faults: &mut Vec<Fault>,
) -> &'a str {
    let mut version = "";
    let mut open: Option<Transaction<'a>> = None;
    let mut rest = text;
    while let Some((segment, after)) = next_segment(rest, delimiters) {
        rest = after;
        match segment.id() {
            "" => {}
            "GS" => version = segment.element(8),
            "ST" => {
                if let Some(cut) = open.replace(start(&segment, version)) {
                    faults.push(Fault::new(cut.name(), Defect::Truncated));
                }
            }
            "SE" => match open.take().map(|transaction| close(transaction, &segment)) {
                Some(Ok(transaction)) => transactions.push(transaction),
                Some(Err(fault)) => faults.push(fault),
                None => faults.push(Fault::new("SE", Defect::malformed("an ST before it"))),
            },
            "GE" | "IEA" => {
                if let Some(cut) = open.take() {
                    faults.push(Fault::new(cut.name(), Defect::Truncated));
                }
                if segment.id() == "IEA" {
                    return rest;
                }
            }
            _ => {
                if let Some(transaction) = &mut open {
                    transaction.segments.push(segment);
                }
            }
        }
    }
    faults.extend(open.map(|cut| Fault::new(cut.name(), Defect::Truncated)));
    faults.push(Fault::new("IEA", Defect::Truncated));
    ""
}

/// The next complete segment. What stands after the last terminator is not one.
fn next_segment<'a>(text: &'a str, delimiters: Delimiters) -> Option<(Segment<'a>, &'a str)> {
    let (segment, rest) = text.split_once(delimiters.terminator)?;
    Some((Segment::new(segment.trim_start(), delimiters), rest))
}

fn start<'a>(header: &Segment<'a>, group_version: &'a str) -> Transaction<'a> {
    let own = header.element(3);
    Transaction {
        set: header.element(1),
        version: if own.is_empty() { group_version } else { own },
        control: header.element(2),
        segments: Vec::new(),
    }
}

/// The trailer counts the segments, itself and the header included, and repeats the control number.
fn close<'a>(transaction: Transaction<'a>, trailer: &Segment<'a>) -> Result<Transaction<'a>, Fault> {
    let at = |n: usize| format!("{} {}", transaction.name(), trailer.at(n));
    if trailer.element(2) != transaction.control {
        return Err(Fault::new(at(2), Defect::malformed("the control number of its ST")));
    }
    if trailer.element(1).parse() != Ok(transaction.segments.len() + 2) {
        return Err(Fault::new(at(1), Defect::malformed("the number of segments from ST to SE")));
    }
    Ok(transaction)
}

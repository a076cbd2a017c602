//! Exports of audit logs, the anchors that they are held against, and a registry's consent epochs.

use nightingale_verifier::{
    audit::{Anchors, BEFORE_FIRST, Closing, Entry, Opening, Reader, entry_line, line},
    consent::ConsentEpochs,
};

/// A whole export, or one whose hashes are made right first: a reader that accepts has seen one unbroken chain, and an anchor of another head
/// is refused.
pub fn audit_log(bytes: &[u8]) {
    let _ = Anchors::from_json(bytes);
    if let Ok(epochs) = ConsentEpochs::from_json(bytes) {
        let written = epochs.to_json();
        let again = ConsentEpochs::from_json(written.as_bytes()).map(|again| again.to_json());
        assert!(again.is_ok_and(|again| again == written), "consent epochs change when they are written");
    }
    judge(bytes);
    if let Some(mended) = mend(bytes) {
        judge(&mended);
    }
}

fn judge(bytes: &[u8]) {
    let mut heads = Vec::new();
    let read = Reader::new(&[]).read(bytes, |entry, hash| heads.push((entry.sequence, *hash)));
    let Ok(verified) = read else { return };
    assert!(heads.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "sequences have a gap");
    assert!(heads.last().is_none_or(|last| *last == (verified.last, verified.head)));
    let honest = [Anchors::of_head(verified.last, verified.head)];
    assert!(Reader::new(&honest).read(bytes, |_, _| ()).is_ok(), "an export contradicts its own head");
    let mut other = verified.head;
    other[0] ^= 1;
    let forged = [Anchors::of_head(verified.last, other)];
    let held = Reader::new(&forged).read(bytes, |_, _| ());
    assert!(held.is_err(), "an export agrees with a head that it has not");
}

/// The same entries with the hashes that belong to them: what fuzzing cannot find by itself.
fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let opening: Opening = serde_json::from_str(lines.next()?).ok()?;
    let digest = |text: &str| {
        let digits: Vec<u8> =
            (0..32).map_while(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()).collect();
        <[u8; 32]>::try_from(digits).ok()
    };
    let (log, mut head) = (digest(&opening.log)?, digest(&opening.previous).unwrap_or(BEFORE_FIRST));
    let (mut out, mut last) = (vec![line(&opening)], opening.first.checked_sub(1)?);
    for each in lines.filter(|line| !line.starts_with("{\"last\":")) {
        let entry: Entry = serde_json::from_str(each).ok()?;
        head = entry.hash(&opening.tenant, &log, &head);
        last = entry.sequence;
        out.push(entry_line(&entry, &head));
    }
    out.push(line(&Closing { last, head: head.iter().map(|byte| format!("{byte:02x}")).collect() }));
    let mut text = out.join("\n");
    text.push('\n');
    Some(text.into_bytes())
}

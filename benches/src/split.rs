//! Where the time of one proof goes: each of its multiplications and transforms alone, and what is left for the rest.

use crate::{
    clock::{Cost, measure},
    contest::Measured,
    workload::Case,
};
use anyhow::Result;
use ark_bn254::Fr;
use nightingale_prover::{
    Device,
    device::Scalars,
    groth16::{Blinding, Prover},
};
use std::{cell::RefCell, ops::ControlFlow, time::Duration};

/// Runs of each step by its name, `rounds` of them, after one that warms up.
///
/// # Errors
/// The device's.
pub fn measured(case: &Case, device: &dyn Device, rounds: u16) -> Result<Measured> {
    let key = &*case.key;
    let prover = Prover::new(case.key.clone(), device)?;
    let of = |columns: &[u32]| -> Vec<Fr> { columns.iter().map(|c| case.values[*c as usize]).collect() };
    let [a, b] = key.system().factors(&case.values)?;
    let to_coset = key.system().domain().to_coset()?;
    let quotient = quotient(device, &a, &b, &to_coset)?;
    let g1 = [("a", &key.a), ("b in G1", &key.b_g1), ("l", &key.l)]
        .into_iter()
        .map(|(name, query)| Ok((name, device.bases_g1(&query.points)?, of(&query.columns))))
        .collect::<Result<Vec<_>>>()?;
    let h = device.bases_g1(&key.h)?;
    let (b_g2, of_b) = (device.bases_g2(&key.b_g2.points)?, of(&key.b_g2.columns));
    let all: RefCell<Vec<(String, Vec<Cost>)>> = RefCell::default();
    for round in 0..=rounds {
        let note = |name: &str, cost: Cost| {
            let mut all = all.borrow_mut();
            if round == 0 {
                all.push((name.to_owned(), Vec::new()));
            } else if let Some((_, costs)) = all.iter_mut().find(|(known, _)| known == name) {
                costs.push(cost);
            }
        };
        let blinding = Blinding::fixed(Fr::from(1 + u32::from(round)), Fr::from(7u64));
        let (proof, whole) =
            measure(|| prover.prove(&case.values, &blinding, &mut |_| ControlFlow::Continue(())));
        proof?;
        let mut known = Vec::new();
        for (name, bases, scalars) in &g1 {
            let (sum, cost) = measure(|| bases.multiply(&[Scalars::Host(scalars)]));
            sum?;
            known.push((*name, cost));
        }
        let (sum, cost) = measure(|| h.multiply(&[Scalars::Host(&quotient)]));
        sum?;
        known.push(("h", cost));
        let (sum, cost) = measure(|| b_g2.multiply(&[Scalars::Host(&of_b)]));
        sum?;
        known.push(("b in G2", cost));
        let sum = |part: fn(&Cost) -> Duration| known.iter().map(|(_, cost)| part(cost)).sum::<Duration>();
        let rest = Cost {
            wall: whole.wall.saturating_sub(sum(|cost| cost.wall)),
            cpu: whole.cpu.saturating_sub(sum(|cost| cost.cpu)),
        };
        note("proof", whole);
        known.iter().for_each(|(name, cost)| note(name, *cost));
        note("products, transforms and the rest", rest);
    }
    Ok(Measured { case: case.name.to_owned(), contestants: all.into_inner() })
}

/// The values of A B - C on the coset.
fn quotient(
    device: &dyn Device,
    a: &[Fr],
    b: &[Fr],
    to_coset: &[nightingale_prover::device::Transform],
) -> Result<Vec<Fr>> {
    use nightingale_prover::device::Pointwise;
    let mut a = device.vector(a)?;
    let mut b = device.vector(b)?;
    let mut c = device.vector(&vec![Fr::default(); a.len()])?;
    c.combine(Pointwise::Add, &*a)?;
    c.combine(Pointwise::Multiply, &*b)?;
    for vector in [&mut a, &mut b, &mut c] {
        to_coset.iter().try_for_each(|transform| vector.transform(transform))?;
    }
    a.combine(Pointwise::Multiply, &*b)?;
    a.combine(Pointwise::Subtract, &*c)?;
    let mut out = vec![Fr::default(); a.len()];
    a.read(&mut out)?;
    Ok(out)
}

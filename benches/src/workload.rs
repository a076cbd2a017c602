//! What the Groth16 provers prove: an invented claim of each size class, and a chain of hashes of 100,000 constraints.

use anyhow::{Context, Result};
use nightingale_circuits::{
    Fr,
    claim::{SizeClass, circuit, gadgets::hashing},
    r1cs::{Builder, R1cs},
};
use nightingale_prover::{
    KeyStore,
    groth16::Key,
    reduction::System,
    setup::{Secrets, generate},
};
use nightingale_records::synth;
use std::{path::Path, sync::Arc};

const SEED: u64 = 20_260_101;
/// The name of the chain of hashes.
pub const CHAIN: &str = "poseidon-100k";
/// Its constraints, at least.
const CHAIN_CONSTRAINTS: usize = 100_000;

/// A circuit with an assignment and a key.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The constraints.
    pub r1cs: R1cs,
    /// `[1, public.., witness..]`.
    pub values: Vec<Fr>,
    /// The key.
    pub key: Arc<Key>,
}

impl Case {
    /// The public inputs of its assignment.
    #[must_use]
    pub fn inputs(&self) -> &[Fr] {
        &self.values[1..=self.r1cs.public]
    }
}

/// The names of all cases.
#[must_use]
pub fn names() -> Vec<&'static str> {
    SizeClass::ALL.into_iter().map(SizeClass::name).chain([CHAIN]).collect()
}

/// The cases that are wanted, with development keys: those of claims are kept in `keys` and made there where absent.
///
/// # Errors
/// Keys that cannot be written or read; a generator that yields no approval.
pub fn cases(keys: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<Case>> {
    let store = KeyStore::development(keys, &mut |_| {})?;
    let requests = synth::requests(SEED, 60)?;
    let claim = |class: SizeClass| -> Result<Case> {
        let approved =
            requests.iter().filter(|request| request.size_class() == Ok(class)).find_map(|request| {
                circuit::assign(request).ok().filter(|(adjudication, _)| adjudication.approved)
            });
        let (_, assignment) = approved.context("the generator made no approval of this class")?;
        let key = store.claim_key(class)?.groth16().clone();
        Ok(Case { name: class.name(), r1cs: circuit::r1cs(class), values: assignment.values.clone(), key })
    };
    let mut cases = Vec::new();
    for class in SizeClass::ALL.into_iter().filter(|class| wanted(class.name())) {
        cases.push(claim(class)?);
    }
    if wanted(CHAIN) {
        cases.push(chain()?);
    }
    Ok(cases)
}

/// `x -> hash(x, 1, 2, 3)` over and over, the end public: the hash that the statements are made of, and nothing else.
fn chain() -> Result<Case> {
    let build = |end: Fr| {
        let mut builder = Builder::shape();
        let published = builder.public(end);
        let mut x = builder.input(Fr::from(SEED));
        let mut hashes = 0;
        loop {
            let others = [1u64, 2, 3].map(|n| builder.constant(n));
            x = hashing::hash(&mut builder, &[&[x][..], &others].concat());
            hashes += 1;
            // A hash of four inputs has about 300 constraints.
            if hashes * 296 >= CHAIN_CONSTRAINTS {
                break;
            }
        }
        let end = x.value();
        builder.equal(&published, &x);
        (builder.finish(), end)
    };
    let (_, end) = build(Fr::from(0u64));
    let ((r1cs, assignment), _) = build(end);
    let key = generate(&r1cs, &Secrets::development(CHAIN)?)?;
    let key = Arc::new(Key::new(System::new(&r1cs)?, &key)?);
    Ok(Case { name: CHAIN, values: assignment.values.clone(), r1cs, key })
}

//! Calldata: what Rust decodes of it, and what the verifier contract makes of it on an EVM in this process.
#![expect(clippy::panic, reason = "a property that does not hold ends the process")]

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::{SolCall, SolEvent};
use nightingale_contracts::{
    bindings::{
        ClaimSettlement::{ClaimSettled, ClaimSkipped, settleCall},
        explain,
    },
    calldata::{entry, verifier_creation_code},
    chain::{Chain, LOCAL_CHAIN},
};
use nightingale_verifier::{ClaimProof, VerifyingKey};
use std::{cell::RefCell, collections::BTreeSet};

const SOMEBODY: Address = Address::repeat_byte(0x57);
/// Bytes of a proof before its inputs.
const POINTS: usize = 256;

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/golden/", $name))
    };
}

/// The verifiers of both classes on a chain, and the only inputs that there is a proof of.
struct Bench {
    chain: Chain,
    verifiers: Vec<(Address, usize)>,
    proven: BTreeSet<Vec<u8>>,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new());
}

fn known<T, E: std::fmt::Display>(read: Result<T, E>) -> T {
    read.unwrap_or_else(|error| panic!("a file of this repository: {error}"))
}

impl Bench {
    fn new() -> Self {
        let keys: [&[u8]; 2] = [
            golden!("keys/claim-2.38c45b6a2d59c7b0595d308a3d62b1dce41650413c85b0e8e3371402880dc3f9.vk"),
            golden!("keys/claim-8.96902d47e3a87deff5b112221d99adbca739626ab5d607f52f22201a9149d56c.vk"),
        ];
        let proofs: [&[u8]; 3] = [
            golden!("claim-2-approve.proof.bin"),
            golden!("claim-2-deny.proof.bin"),
            golden!("claim-8-approve.proof.bin"),
        ];
        let mut chain = Chain::new(LOCAL_CHAIN, 1_768_478_400);
        let mut deployed = |bytes| {
            let key = known(VerifyingKey::from_bytes(bytes));
            let code = known(verifier_creation_code(key.groth16()));
            (known(chain.deploy(SOMEBODY, code)), key.groth16().gamma_abc_g1.len() - 1)
        };
        let verifiers = keys.into_iter().map(&mut deployed).collect();
        let mut bench = Self { chain, verifiers, proven: BTreeSet::new() };
        for file in proofs {
            let proof = known(ClaimProof::from_bytes(file));
            let entry = entry(&proof.proof, &proof.public.to_vec());
            let inputs = entry.get(POINTS..).unwrap_or_default().to_vec();
            let accepted =
                bench.verifiers.clone().into_iter().filter(|(at, _)| bench.accepts(*at, &entry)).count();
            assert!(accepted == 1, "a published proof is accepted by {accepted} contracts");
            bench.proven.insert(inputs);
        }
        bench
    }

    fn accepts(&mut self, verifier: Address, entries: &[u8]) -> bool {
        self.chain.call(SOMEBODY, verifier, Bytes::copy_from_slice(entries)).is_ok()
    }
}

/// Calldata, output and events of strangers. What decodes, decodes again from its own encoding; what the contract accepts was proven.
pub fn calldata(bytes: &[u8]) {
    assert!(!explain(bytes).is_empty());
    if let Ok(call) = settleCall::abi_decode(bytes) {
        let encoded = call.abi_encode();
        let again = settleCall::abi_decode(&encoded);
        assert!(again.is_ok_and(|again| again.abi_encode() == encoded));
    }
    let words: Vec<_> = bytes.chunks_exact(32).take(4).map(alloy_primitives::B256::from_slice).collect();
    let _ = (
        ClaimSettled::decode_raw_log(words.iter(), bytes),
        ClaimSkipped::decode_raw_log(words.iter(), bytes),
    );
    BENCH.with_borrow_mut(|bench| {
        for (verifier, inputs) in bench.verifiers.clone() {
            if bench.accepts(verifier, bytes) {
                let size = POINTS + 32 * inputs;
                assert!(
                    !bytes.is_empty() && bytes.len().is_multiple_of(size),
                    "calldata of another length is accepted"
                );
                for entry in bytes.chunks_exact(size) {
                    let inputs = entry.get(POINTS..).unwrap_or_default();
                    assert!(bench.proven.contains(inputs), "the contract accepts what nobody proved");
                }
            }
        }
    });
}

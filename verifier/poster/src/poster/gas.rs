//! How much gas a transaction is given. A node's estimate is not believed where it cannot be so: less than the transaction costs before it does
//! anything is refused by every other node, and more than the protocol allows as well, and its nonce would wait for ever.

use alloy_primitives::{Address, Bytes};
use nightingale_contracts::{chain::TRANSACTION_GAS_CAP, deploy::Request};

/// A transaction, whatever it does (Yellow Paper, appendix G).
const TRANSACTION: u64 = 21_000;
/// A creation beside that (EIP-2), and each word of its code (EIP-3860).
const CREATION: u64 = 32_000;
const CREATION_WORD: u64 = 2;
/// A token of calldata: a quarter of a byte that is not zero, or a byte that is (EIP-2028). The least that one costs, whatever is executed (EIP-7623).
const TOKEN: u64 = 4;
const FLOOR_TOKEN: u64 = 10;

/// The gas limit of a request for which a node estimates this much; none where that is more than a transaction may use. A fifth more, because state may
/// change until it is mined, within what a block and the protocol allow.
pub(super) fn limit(request: &Request, estimate: u64, block: u64) -> Option<u64> {
    let least = least(request.to, &request.data);
    let roomy = estimate.saturating_add(estimate / 5).min(block).clamp(least, TRANSACTION_GAS_CAP.max(least));
    (estimate <= TRANSACTION_GAS_CAP).then_some(roomy)
}

/// What a transaction costs before anything is executed; with less, no node takes it.
pub(super) fn least(to: Option<Address>, data: &Bytes) -> u64 {
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let zeros = count(data.iter().filter(|byte| **byte == 0).count());
    let tokens = zeros.saturating_add(count(data.len()).saturating_sub(zeros).saturating_mul(4));
    let creation = match to {
        Some(_) => 0,
        None => CREATION + CREATION_WORD * count(data.len().div_ceil(32)),
    };
    let executed = creation.saturating_add(tokens.saturating_mul(TOKEN));
    TRANSACTION.saturating_add(executed.max(tokens.saturating_mul(FLOOR_TOKEN)))
}

#[cfg(test)]
mod tests {
    use super::{Address, Bytes, Request, TRANSACTION_GAS_CAP, least, limit};
    use nightingale_contracts::{artefacts, chain::Chain};

    fn request(data: &[u8]) -> Request {
        Request {
            purpose: String::new(),
            to: Some(Address::repeat_byte(1)),
            data: Bytes::copy_from_slice(data),
        }
    }

    #[test]
    fn a_gas_limit_has_room_but_passes_no_cap() {
        let limit = |estimate, block| limit(&request(&[]), estimate, block);
        assert_eq!(limit(100_000, 30_000_000), Some(120_000));
        assert_eq!(limit(100_000, 110_000), Some(110_000));
        assert_eq!(limit(TRANSACTION_GAS_CAP - 1, 60_000_000), Some(TRANSACTION_GAS_CAP));
        assert_eq!(limit(TRANSACTION_GAS_CAP + 1, 60_000_000), None);
    }

    #[test]
    fn no_gas_limit_is_less_than_the_transaction_costs_anyway() {
        for (estimate, block) in [(0, 30_000_000), (1, 30_000_000), (100_000, 1)] {
            assert_eq!(limit(&request(&[1; 100]), estimate, block), Some(25_000));
        }
    }

    /// To nobody, so that nothing is executed.
    #[test]
    fn the_least_is_what_the_protocol_takes_for_a_transaction_that_does_nothing()
    -> Result<(), nightingale_contracts::Error> {
        for data in [&[][..], &[0; 1000], &[7; 1000], &[0, 1, 0, 2]] {
            let Request { to, data, .. } = request(data);
            let receipt = Chain::new(31337, 0).transact(Address::ZERO, to, data.clone())?;
            assert_eq!(least(to, &data), receipt.gas_used, "{data}");
        }
        // A creation executes something: this one stops at once, at no cost; that of a contract stores its code.
        let stops = Bytes::from_static(&[0; 65]);
        let receipt = Chain::new(31337, 0).transact(Address::ZERO, None, stops.clone())?;
        assert_eq!(least(None, &stops), receipt.gas_used);
        let code = artefacts::audit_anchors()?.bytecode;
        let receipt = Chain::new(31337, 0).transact(Address::ZERO, None, code.clone())?;
        assert!(least(None, &code) < receipt.gas_used);
        Ok(())
    }
}

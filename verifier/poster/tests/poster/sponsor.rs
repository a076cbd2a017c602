//! What a sponsor signs is EIP-712, as wallets and contracts compute it.

use alloy_primitives::{B256, keccak256};
use alloy_sol_types::{SolStruct, eip712_domain};
use anyhow::{Context, Result, ensure};
use nightingale_poster::Account;
use nightingale_verifier::cohort::{
    Dataset, Signature,
    signature::{consent_message, registration_message},
};

mod typed {
    alloy_sol_types::sol! {
        struct Registration {
            bytes32 dataset;
        }

        struct Consents {
            bytes32 dataset;
            bytes32 table;
            uint256 version;
            bytes32 commitments;
        }
    }
}

#[test]
fn a_sponsors_messages_are_typed_data() -> Result<()> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cohort/dataset.json");
    let dataset = Dataset::from_json(&std::fs::read(file)?)?;
    let digest = B256::from(*dataset.digest());
    let domain = eip712_domain! { name: "Nightingale", version: "1", };
    let registration = typed::Registration { dataset: digest }.eip712_signing_hash(&domain);
    ensure!(registration_message(dataset.digest()) == registration.0);
    for table in dataset.tables() {
        let words = table.consents.first().context("no consents")?.commitment.words();
        let consents = typed::Consents {
            dataset: digest,
            table: B256::from(*table.digest()),
            version: alloy_primitives::U256::ZERO,
            commitments: keccak256(words.concat()),
        };
        let message = consent_message(dataset.digest(), table, 0).context("no consents")?;
        ensure!(message == consents.eip712_signing_hash(&domain).0);
        ensure!(consent_message(dataset.digest(), table, 1).is_none());
    }
    Ok(())
}

#[test]
fn an_accounts_signature_is_read_as_its_own() -> Result<()> {
    let account = Account::from_hex(&"5c".repeat(32))?;
    for byte in 0..8 {
        let digest = [byte; 32];
        let signature = Signature(account.sign_digest(B256::from(digest))?);
        let signer = signature.signer(&digest).context("nobody's")?;
        ensure!(signer.0 == account.address().into_array());
    }
    Ok(())
}

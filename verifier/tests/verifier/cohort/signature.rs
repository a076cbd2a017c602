//! The sponsor's signatures: each counts, and only those of the sponsor whom the tables name.

use super::{DATASET, KEYS, bytes, proof};
use k256::ecdsa::SigningKey;
use nightingale_circuits::{
    claim::Address,
    cohort::{
        Keccak, columns,
        digest::{Words, keccak},
    },
};
use nightingale_verifier::{
    VerifyError,
    cohort::{
        Dataset, Expectation, PlannedQuery, QueryProof, Signature, TableRecord,
        signature::{consent_message, registration_message},
        verify_query, verify_registration, verify_sponsor,
    },
};
use serde_json::Value;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

/// The 64 bytes of EIP-2098.
fn sign(key: &SigningKey, digest: &Keccak) -> Signature {
    let (signature, parity) = key.sign_prehash_recoverable(digest).unwrap();
    let mut bytes: [u8; 64] = signature.to_bytes().into();
    bytes[32] |= u8::from(parity.is_y_odd()) << 7;
    Signature(bytes)
}

fn address(key: &SigningKey) -> Address {
    let digest = [7; 32];
    sign(key, &digest).signer(&digest).unwrap()
}

/// The key of the golden dataset's sponsor.
fn sponsor() -> SigningKey {
    key(1)
}

/// The golden tables, as they would be committed for somebody else, or for nobody: the same commitments, proofs and consents.
fn copied(sponsor: Option<Address>, plan: &[PlannedQuery]) -> Dataset {
    let tables = DATASET.tables().iter().map(|table| {
        let columns = columns::committed(table.schema(), table.size().layout());
        let commitments = columns.into_iter().map(|column| table.commitment(column).unwrap()).collect();
        let mut copy =
            TableRecord::new(table.schema().clone(), table.size(), table.rows(), commitments, sponsor)
                .unwrap();
        copy.proofs = table.proofs.clone();
        copy.consents = table.consents.clone();
        copy.consents.iter_mut().for_each(|consent| consent.signature = None);
        copy
    });
    let plan = plan.iter().map(|planned| (planned.table.clone(), planned.query.clone())).collect();
    Dataset::new(tables.collect(), plan, DATASET.modes().to_vec()).unwrap()
}

fn signed(mut dataset: Dataset, key: &SigningKey) -> Dataset {
    dataset.sign(address(key), &mut |digest| Ok::<_, VerifyError>(sign(key, digest))).unwrap();
    dataset
}

fn expecting(sponsor: &SigningKey) -> Expectation {
    Expectation { sponsor: Some(address(sponsor)), ..Expectation::default() }
}

#[test]
fn the_address_is_that_of_the_key() {
    // The well-known first account of anvil and hardhat.
    let secret = hex::decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
    let key = SigningKey::from_slice(&secret).unwrap();
    assert_eq!(hex::encode(address(&key).0), "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
}

#[test]
fn a_signed_dataset_says_who_signed() {
    let (sponsor, stranger) = (sponsor(), key(2));
    assert_eq!(verify_registration(&DATASET, &KEYS, false).unwrap().sponsor, Some(address(&sponsor)));
    let proof = proof("narrow-plan.json");
    verify_query(&DATASET, &proof, &expecting(&sponsor), &KEYS).unwrap();
    assert!(verify_query(&DATASET, &proof, &expecting(&stranger), &KEYS).is_err());
}

#[test]
fn tables_of_nobody_need_no_signature_and_have_none() {
    let (sponsor, mut dataset) = (sponsor(), copied(None, DATASET.plan()));
    assert_eq!(verify_sponsor(&dataset, None).unwrap(), None);
    assert!(verify_sponsor(&dataset, Some(address(&sponsor))).is_err());
    let result = dataset.sign(address(&sponsor), &mut |digest| Ok::<_, VerifyError>(sign(&sponsor, digest)));
    assert!(matches!(result, Err(VerifyError::Context { what: "sponsor", .. })));
    dataset.tables_mut()[1].consents[0].signature = DATASET.tables()[1].consents[0].signature;
    assert!(verify_sponsor(&dataset, None).is_err(), "consents that somebody signed for nobody's table");
}

#[test]
fn a_dataset_that_a_stranger_signs_has_no_proofs() {
    // The public file, with the stranger in the sponsor's place: signatures and digests hold, with the plan and with another.
    let (stranger, golden) = (key(2), proof("narrow-plan.json"));
    for plan in [DATASET.plan(), &DATASET.plan()[..1]] {
        let taken = signed(copied(Some(address(&stranger)), plan), &stranger);
        assert_eq!(verify_sponsor(&taken, None).unwrap(), Some(address(&stranger)));
        let error = verify_registration(&taken, &KEYS, false).unwrap_err();
        assert!(error.to_string().contains("registration of adsl"), "{error}");
        let asked = QueryProof { dataset: *taken.digest(), ..golden.clone() };
        let error = verify_query(&taken, &asked, &expecting(&stranger), &KEYS).unwrap_err();
        assert!(matches!(error, VerifyError::Link), "{error}");
    }
}

#[test]
fn another_plan_is_not_signed_by_the_sponsor() {
    // The tables stay the sponsor's, with their proofs; only the sponsor can sign another plan of them.
    let mut other = copied(Some(address(&sponsor())), &DATASET.plan()[..1]);
    assert!(verify_registration(&other, &KEYS, false).is_err(), "nobody signed");
    let stranger = key(2);
    let forged = other.sign(address(&sponsor()), &mut |digest| Ok::<_, VerifyError>(sign(&stranger, digest)));
    forged.unwrap();
    assert!(verify_registration(&other, &KEYS, false).is_err(), "the stranger signed in the sponsor's name");
    let own = signed(copied(Some(address(&sponsor())), &DATASET.plan()[..1]), &sponsor());
    verify_registration(&own, &KEYS, false).unwrap();
}

#[test]
fn tables_of_two_sponsors_are_no_dataset() {
    let mut tables = DATASET.tables().to_vec();
    tables[1] = copied(Some(address(&key(2))), DATASET.plan()).tables()[1].clone();
    assert!(Dataset::new(tables, Vec::new(), DATASET.modes().to_vec()).is_err());
}

#[test]
fn another_account_does_not_sign() {
    let other = key(2);
    for mut dataset in [DATASET.clone(), copied(Some(address(&sponsor())), DATASET.plan())] {
        let result = dataset.sign(address(&other), &mut |digest| Ok::<_, VerifyError>(sign(&other, digest)));
        assert!(matches!(result, Err(VerifyError::Context { what: "sponsor", .. })));
    }
}

#[test]
fn a_dataset_waits_in_its_file_for_the_signature() {
    let waiting = copied(Some(address(&sponsor())), DATASET.plan());
    let read = Dataset::from_json(waiting.to_json().as_bytes()).unwrap();
    assert!(verify_sponsor(&read, None).is_err());
    assert_eq!(read.digest(), DATASET.digest(), "signatures are not part of what is signed");
    assert_eq!(verify_sponsor(&signed(read, &sponsor()), None).unwrap(), Some(address(&sponsor())));
}

#[test]
fn a_versions_message_is_of_all_commitments_up_to_it() {
    let mut dataset = copied(Some(address(&sponsor())), DATASET.plan());
    let other = dataset.tables()[1].consents[0].clone();
    dataset.tables_mut()[0].consents.push(other);
    let table = &dataset.tables()[0];
    let message = |version: usize| consent_message(dataset.digest(), table, version);
    let expected = |version: usize| {
        let commitments: Vec<Keccak> =
            table.consents[..=version].iter().flat_map(|consent| consent.commitment.words()).collect();
        let structure =
            Words::of("Consents(bytes32 dataset,bytes32 table,uint256 version,bytes32 commitments)")
                .digest(dataset.digest())
                .digest(table.digest())
                .number(version as u128)
                .digest(&keccak(commitments.as_flattened()))
                .finish();
        let domain = Words::of("EIP712Domain(string name,string version)")
            .digest(&keccak(b"Nightingale"))
            .digest(&keccak(b"1"))
            .finish();
        keccak(&[&[0x19, 0x01], domain.as_slice(), structure.as_slice()].concat())
    };
    assert_eq!((0..3).map(message).collect::<Vec<_>>(), [Some(expected(0)), Some(expected(1)), None]);
}

#[test]
fn every_signature_counts() {
    let file: Value = serde_json::from_slice(&bytes("dataset.json")).unwrap();
    let refused = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut altered = file.clone();
        change(&mut altered);
        assert_ne!(altered, file, "{what}");
        let read = Dataset::from_json(altered.to_string().as_bytes());
        assert!(read.and_then(|dataset| verify_sponsor(&dataset, None)).is_err(), "{what}");
    };
    refused("another address", &|file| file["sponsor"]["address"] = format!("0x{}", "11".repeat(20)).into());
    refused("nobody's address", &|file| file["sponsor"]["address"] = format!("0x{}", "00".repeat(20)).into());
    refused("no sponsor", &|file| {
        file.as_object_mut().unwrap().remove("sponsor");
    });
    refused("no signature of the dataset", &|file| {
        file["sponsor"].as_object_mut().unwrap().remove("signature");
    });
    refused("the consents' signature for the dataset", &|file| {
        file["sponsor"]["signature"] = file["tables"][0]["consents"][0]["signature"].clone();
    });
    refused("no signature of the consents", &|file| {
        file["tables"][0]["consents"][0].as_object_mut().unwrap().remove("signature");
    });
    refused("other consents", &|file| {
        file["tables"][0]["consents"][0]["commitment"] = file["tables"][0]["commitments"][0].clone();
    });
    refused("the other table's", &|file| {
        file["tables"][0]["consents"][0]["signature"] = file["tables"][1]["consents"][0]["signature"].clone();
    });
    refused("a version more, unsigned", &|file| {
        let again = file["tables"][0]["consents"][0].clone();
        file["tables"][0]["consents"].as_array_mut().unwrap().push(again);
    });
}

#[test]
fn what_is_no_signature_is_nobodys() {
    let (key, message) = (key(3), registration_message(DATASET.digest()));
    assert_eq!(Signature([0; 64]).signer(&message), None);
    assert_eq!(Signature([0xff; 64]).signer(&message), None);
    let mut other = sign(&key, &message);
    assert_eq!(other.signer(&message), Some(address(&key)));
    other.0[32] ^= 0x80;
    assert_ne!(other.signer(&message), Some(address(&key)));
}

#[test]
fn the_file_follows_its_schema_signed_and_not() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/cohort-dataset.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let waiting = copied(Some(address(&sponsor())), DATASET.plan());
    for dataset in [&*DATASET, &waiting, &copied(None, DATASET.plan())] {
        schema.validate(&serde_json::from_str(&dataset.to_json()).unwrap()).unwrap();
    }
}

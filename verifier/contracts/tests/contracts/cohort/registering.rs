//! What the registry takes for a table, a plan and a key, and what it computes of them itself.

use super::{
    case,
    world::{ANYBODY, SPONSOR, World, answer, entry, refused, registration},
};
use crate::contracts::world::{DEPLOYER, STRANGER};
use alloy_primitives::{Address, B256, U256};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::Query;
use nightingale_contracts::{
    bindings::{
        CohortAnswer,
        CohortVerifier::LinkRejected,
        DatasetRegistration,
        Registry::{
            CohortKeyAlreadyRegistered, CohortVerifierDiffers, ColumnUnusable, CommitmentCount,
            CommitmentMissing, DatasetExists, DatasetRegistered, DatasetUnknown,
            DevelopmentCohortKeyOnPublicChain, NotSponsor, NotTheNextVersion, QueryMalformed, QueryPlanned,
            RoleMissing, SchemaMalformed, SizeUnsupported, ZeroAddress, datasetCall,
            publishDatasetConsentsCall, registerCohortKeyCall, registerDatasetCall,
        },
    },
    calldata::cohort::query_words,
};

/// A table that is not registered: the trial's, with one record less.
fn fresh(change: impl FnOnce(&mut DatasetRegistration)) -> Result<DatasetRegistration> {
    let mut given = registration("trial", &["main"])?;
    given.rows -= 1;
    change(&mut given);
    Ok(given)
}

#[test]
fn digests_and_threshold_are_computed_and_not_believed() -> Result<()> {
    let mut world = World::new()?;
    let (table, main) = (answer("main")?.table, entry("main")?);
    let found = world.chain.ask(world.registry, &datasetCall { table })?;
    ensure!(found.sponsor == SPONSOR && found.threshold == 11 && found.k == 14 && found.versions == 1);
    let receipt = world.register(fresh(|_| ())?)?;
    let registered: Vec<DatasetRegistered> = receipt.events().collect();
    let planned: Vec<QueryPlanned> = receipt.events().collect();
    ensure!(registered.len() == 1 && planned.len() == 1);
    ensure!(registered[0].table != table && registered[0].schema == B256::from(case::schema()?.digest()));
    ensure!(planned[0].table == registered[0].table && planned[0].query != main.digest);
    ensure!(planned[0].words == main.query);
    Ok(())
}

#[test]
fn a_table_is_registered_once_by_a_registrar() -> Result<()> {
    let mut world = World::new()?;
    let again = registration("trial", &["dose"])?;
    refused::<DatasetExists>(world.register(again), "again, with another plan")?;
    let call = registerDatasetCall { given: fresh(|_| ())? };
    refused::<RoleMissing>(world.send(STRANGER, world.registry, &call), "a stranger")?;
    refused::<ZeroAddress>(world.register(fresh(|it| it.sponsor = Address::ZERO)?), "nobody's")
}

#[test]
fn for_another_sponsor_it_is_another_table_that_no_honest_proof_is_about() -> Result<()> {
    let mut world = World::new()?;
    let honest = answer("main")?;
    let mut given = registration("trial", &["main"])?;
    given.sponsor = STRANGER;
    let receipt = world.register(given)?;
    let registered: Vec<DatasetRegistered> = receipt.events().collect();
    ensure!(registered.len() == 1 && registered[0].table != honest.table);
    let dressed = CohortAnswer { table: registered[0].table, ..honest.clone() };
    refused::<LinkRejected>(world.log(&dressed), "the honest proof under the copy's name")?;
    // The copy's sponsor has no say in the consents of the table that was copied.
    let consent = world.fixture.tables.get("trial").context("trial")?.consents[1];
    let call = publishDatasetConsentsCall { table: honest.table, version: U256::from(1), consent };
    refused::<NotSponsor>(world.send(STRANGER, world.registry, &call), "the copy's sponsor")?;
    world.log(&honest)?;
    Ok(())
}

#[test]
fn what_does_not_fit_together_is_refused() -> Result<()> {
    let mut world = World::new()?;
    for (k, rows) in [(15, 1), (14, 0), (14, 14_320), (14, 14_321)] {
        let given = fresh(|it| (it.k, it.rows) = (k, rows))?;
        refused::<SizeUnsupported>(world.register(given), &format!("{rows} rows, k {k}"))?;
    }
    let given = fresh(|it| it.commitments.truncate(it.commitments.len() - 2))?;
    refused::<CommitmentCount>(world.register(given), "a commitment left out")?;
    let given = fresh(|it| (it.commitments[6], it.commitments[7]) = (U256::ZERO, U256::ZERO))?;
    refused::<CommitmentMissing>(world.register(given), "no commitment")?;
    refused::<CommitmentMissing>(world.register(fresh(|it| it.consent = [U256::MAX; 2])?), "no consents")?;
    for (word, value) in [(4, 10), (5, 0), (5, 65), (5, 7), (7, 5), (8, 0)] {
        let given = fresh(|it| it.schema[word] = U256::from(value))?;
        refused::<SchemaMalformed>(world.register(given), &format!("{value} in word {word}"))?;
    }
    refused::<SchemaMalformed>(world.register(fresh(|it| it.schema.push(U256::ZERO))?), "a word too many")?;
    let given = fresh(|it| it.schema.truncate(it.schema.len() - 1))?;
    refused::<SchemaMalformed>(world.register(given), "a word too few")
}

#[test]
fn a_plan_holds_queries_in_normal_form_about_columns_that_may_be_asked() -> Result<()> {
    let mut world = World::new()?;
    let words = |words: &[u64]| words.iter().copied().map(U256::from).collect::<Vec<_>>();
    let malformed: [&[u64]; 12] = [
        &[],
        &[2, 2, 1, 1, 2, 5, 1, 1, 2, 0, 0],
        &[1, 2, 5, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 0, 0],
        &[1, 2, 1, 0, 4, 0, 0],
        &[1, 2, 1, 4, 3, 0, 0],
        &[1, 2, 2, 1, 4, 5, 6, 0, 0],
        &[1, 2, 2, 5, 6, 1, 2, 0, 0],
        &[1, 2, 1, 1, 1 << 32, 0, 0],
        &[0, 2, 2, 3, 0],
        &[0, 0, 2, 1, 4],
        &[0, 0],
        &[0, 0, 0, 0],
    ];
    for query in malformed {
        let given = fresh(|it| it.plan = vec![words(query)])?;
        refused::<QueryMalformed>(world.register(given), &format!("{query:?}"))?;
    }
    // Keys; a value that is a category; a group of 73 codes; a column that is not there.
    let unusable: [&[u64]; 7] = [
        &[1, 0, 1, 1, 4, 0, 0],
        &[0, 1, 0, 0],
        &[0, 0, 1, 0],
        &[0, 1, 1, 0],
        &[0, 0, 1, 2],
        &[1, 6, 1, 1, 4, 0, 0],
        &[0, 0, 1, 64],
    ];
    for query in unusable {
        let given = fresh(|it| it.plan = vec![words(query)])?;
        refused::<ColumnUnusable>(world.register(given), &format!("{query:?}"))?;
    }
    let beyond = fresh(|it| it.plan = vec![words(&[1, 2, 1, 1, 74, 0, 0])])?;
    refused::<ColumnUnusable>(world.register(beyond), "a code that the column does not have")?;
    // A term that is never true has no interval, and is a query.
    let never = Query::new(
        &case::schema()?,
        vec![nightingale_circuits::cohort::Term { column: 2, intervals: Vec::new() }],
        Vec::new(),
        vec![1],
    )?;
    world.register(fresh(|it| it.plan = vec![query_words(&never)])?)?;
    Ok(())
}

#[test]
fn consents_are_published_by_the_sponsor_in_order() -> Result<()> {
    let mut world = World::new()?;
    let table = world.fixture.tables.get("trial").context("trial")?;
    let consent = *table.consents.get(1).context("second")?;
    let call = publishDatasetConsentsCall { table: table.digest, version: U256::from(1), consent };
    refused::<NotSponsor>(world.send(ANYBODY, world.registry, &call), "anybody")?;
    for version in [0, 2] {
        let call = publishDatasetConsentsCall { version: U256::from(version), ..call.clone() };
        refused::<NotTheNextVersion>(world.send(SPONSOR, world.registry, &call), "out of order")?;
    }
    let unknown = publishDatasetConsentsCall { table: B256::ZERO, ..call.clone() };
    refused::<DatasetUnknown>(world.send(SPONSOR, world.registry, &unknown), "no table")?;
    let missing = publishDatasetConsentsCall { consent: [U256::ZERO; 2], ..call.clone() };
    refused::<CommitmentMissing>(world.send(SPONSOR, world.registry, &missing), "no commitment")?;
    world.send(SPONSOR, world.registry, &call)?;
    refused::<NotTheNextVersion>(world.send(SPONSOR, world.registry, &call), "again")
}

#[test]
fn a_key_is_registered_once_with_the_code_that_was_looked_at() -> Result<()> {
    let mut world = World::new()?;
    let verifier = world.verifier;
    let code_hash = world.code_hash(verifier)?;
    let call = registerCohortKeyCall { digest: B256::repeat_byte(7), kind: 0, verifier, codeHash: code_hash };
    let registry = world.registry;
    refused::<RoleMissing>(world.send(STRANGER, registry, &call), "a stranger")?;
    let known = registerCohortKeyCall { digest: world.fixture.key, ..call.clone() };
    refused::<CohortKeyAlreadyRegistered>(world.send(DEPLOYER, registry, &known), "again")?;
    let other = registerCohortKeyCall { codeHash: B256::repeat_byte(9), ..call.clone() };
    refused::<CohortVerifierDiffers>(world.send(DEPLOYER, registry, &other), "other code")?;
    let empty = world.code_hash(ANYBODY)?;
    let codeless = registerCohortKeyCall { verifier: ANYBODY, codeHash: empty, ..call.clone() };
    refused::<CohortVerifierDiffers>(world.send(DEPLOYER, registry, &codeless), "no code")?;
    world.chain = world.chain.forked(1);
    refused::<DevelopmentCohortKeyOnPublicChain>(world.send(DEPLOYER, registry, &call), "a public chain")
}

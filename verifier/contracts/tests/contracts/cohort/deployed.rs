//! Cohort statistics on a deployment of the plan's, from a registration by the prover to logged answers.

use super::{
    case::go,
    world::{ANYBODY, SPONSOR, World, refused, sign, sponsor},
};
use crate::contracts::world::{DEPLOYER, INSURER, NOON, STRANGER, config};
use alloy_primitives::{B256, U256};
use anyhow::{Context, Result, ensure};
use nightingale_circuits::cohort::{
    Class, Column, Interval, Kind, Mode, Query, Schema, Size, Table, Term, Unit,
};
use nightingale_contracts::{
    Error,
    bindings::{
        CohortLog::{
            AlreadyAnswered, AnswerLogged, ConsentNotNewest, ConsentUnconfirmed, logCall, registryCall,
        },
        CohortVerifier::{halo2Call, kCall},
        Registry::{acceptAdminCall, cohortKeyCall, hasRoleCall},
    },
    calldata::cohort,
    chain::{Chain, LOCAL_CHAIN},
    deploy::{self, CohortKeyToRegister, Config, DeployedCohort, Deployment, KeyKind, Plan, TokenChoice},
};
use nightingale_prover::cohort::{Ask, CohortDataset, CohortKeyStore};
use nightingale_verifier::cohort::{CircuitName, CohortKeys, verify_registration};

const SUBJECTS: u32 = 90;

fn with_cohort() -> Result<Config> {
    Ok(Config { cohort: CohortKeyToRegister::for_chain(LOCAL_CHAIN)?, ..config()? })
}

fn deployed(chain: &mut Chain) -> Result<(Deployment, DeployedCohort)> {
    let deployment = deploy::on_chain(chain, with_cohort()?, DEPLOYER)?;
    let cohort = deployment.cohort.clone().context("no log")?;
    Ok((deployment, cohort))
}

#[test]
fn log_and_verifiers_are_deployed_and_the_key_registered() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let (deployment, cohort) = deployed(&mut chain)?;
    ensure!(chain.ask(cohort.log, &registryCall {})? == deployment.registry);
    ensure!(chain.ask(cohort.verifier, &halo2Call {})? == cohort.halo2_verifier);
    ensure!(chain.ask(cohort.verifier, &kCall {})? == U256::from(14) && cohort.k == 14);
    let found = chain.ask(deployment.registry, &cohortKeyCall { digest: cohort.key })?;
    ensure!(found.verifier == cohort.verifier && found.k == 14 && found.kind == 0 && !found.disabled);
    Ok(())
}

#[test]
fn the_code_hash_is_that_of_the_deployed_code() -> Result<()> {
    // This world's verifier is made from the kept words of the setup.
    let mut world = World::new()?;
    let key = CohortKeyToRegister::development()?;
    ensure!(key.digest() == world.fixture.key);
    ensure!(key.code_hash(world.halo2)? == world.code_hash(world.verifier)?);
    ensure!(key.code_hash(STRANGER)? != world.code_hash(world.verifier)?);
    Ok(())
}

#[test]
fn the_registrar_of_keys_may_be_another_account_afterwards() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let deployment = deploy::on_chain(&mut chain, Config { admin: INSURER, ..with_cohort()? }, DEPLOYER)?;
    chain.send(INSURER, deployment.registry, &acceptAdminCall {})?;
    for role in 0..5 {
        ensure!(chain.ask(deployment.registry, &hasRoleCall { role, account: INSURER })?);
        ensure!(!chain.ask(deployment.registry, &hasRoleCall { role, account: DEPLOYER })?);
    }
    Ok(())
}

#[test]
fn the_deployment_file_names_the_log_and_older_files_do_not() -> Result<()> {
    let (deployment, cohort) = deployed(&mut Chain::new(LOCAL_CHAIN, NOON))?;
    let mut json = serde_json::to_value(&deployment)?;
    for name in ["log", "key", "kind", "k", "verifier", "halo2Verifier"] {
        ensure!(json["cohort"].get(name).is_some(), "{name}");
    }
    ensure!(json["cohort"]["log"] == serde_json::to_value(cohort.log)?);
    ensure!(serde_json::from_value::<Deployment>(json.clone())? == deployment);
    json.as_object_mut().context("object")?.remove("cohort");
    let older = serde_json::from_value::<Deployment>(json.clone())?;
    ensure!(older == Deployment { cohort: None, ..deployment });
    ensure!(serde_json::to_value(older)? == json);
    Ok(())
}

#[test]
fn keys_that_no_verifier_was_generated_from_and_development_keys_elsewhere_are_refused() -> Result<()> {
    let keys = CohortKeys::development();
    for (class, size) in [(Class::Wide, Size::Small), (Class::Narrow, Size::Medium)] {
        let error = CohortKeyToRegister::new(keys.key(CircuitName::Query(class), size)?).err();
        let error = error.with_context(|| format!("{class:?} {size:?}"))?;
        ensure!(matches!(error, Error::KeyWithoutVerifier { k, .. } if k == size.k()), "{error}");
    }
    ensure!(CohortKeyToRegister::for_chain(1)?.is_none());
    ensure!(CohortKeyToRegister::for_chain(1337)?.is_some_and(|key| key.kind() == KeyKind::Development));
    let public =
        Config { chain_id: 1, token: TokenChoice::Existing(STRANGER), keys: Vec::new(), ..with_cohort()? };
    Plan::new(Config { cohort: None, ..public.clone() }, DEPLOYER)?;
    ensure!(matches!(Plan::new(public, DEPLOYER), Err(Error::DeploymentRefused(_))));
    Ok(())
}

fn schema() -> Result<Schema> {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind };
    let arms = ["Placebo", "Drug"].map(str::to_owned).to_vec();
    let columns = vec![
        column("USUBJID", Kind::Key { count: SUBJECTS }),
        column("ARM", Kind::Category { dictionary: arms }),
        column("AGE", Kind::Integer { minimum: 18, maximum: 90, scale: 0 }),
    ];
    Ok(Schema::new("adsl".to_owned(), columns, 0, Unit::Subject, 11)?)
}

fn subjects() -> Result<Table> {
    let subjects = (1..=SUBJECTS).collect();
    let arms = (0..SUBJECTS).map(|subject| 1 + subject % 2).collect();
    let ages = (0..SUBJECTS).map(|subject| 1 + subject % 73).collect();
    Ok(Table::new(schema()?, vec![subjects, arms, ages], vec![true; SUBJECTS as usize])?)
}

/// `SELECT ARM, COUNT(*), AVG(AGE) FROM adsl WHERE AGE IS NOT NULL GROUP BY ARM`
fn age_by_arm() -> Result<Query> {
    let known = Term { column: 2, intervals: vec![Interval { low: 1, high: 73 }] };
    Ok(Query::new(&schema()?, vec![known], vec![2], vec![1])?)
}

/// Count of a packed cell that is shown.
fn count(packed: &U256) -> u64 {
    let field: U256 = (*packed >> 1) & U256::from((1 << 21) - 1);
    field.saturating_to()
}

#[test]
fn a_trial_is_registered_asked_revoked_and_asked_again() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let (deployment, cohort) = deployed(&mut chain)?;
    let folder = super::super::tools::contracts().join("../../target/development-keys/cohort");
    let keys = CohortKeyStore::development(folder)?;
    let plan = vec![("adsl".to_owned(), age_by_arm()?)];
    let (tables, modes) = (vec![subjects()?], vec![Mode::Plan]);
    let mut dataset = CohortDataset::register(&keys, tables, plan, modes, Some(sponsor()), &mut go)?;
    dataset.sign(sponsor(), &mut sign)?;
    verify_registration(dataset.public(), keys.published(), false)?;
    let registration = cohort::registration(dataset.public(), "adsl", SPONSOR)?;
    chain.send(DEPLOYER, deployment.registry, &registration.call)?;

    let venue = cohort::venue(deployment.chain_id, cohort.log);
    let ask = Ask { table: "adsl".to_owned(), query: age_by_arm()?, mode: Mode::Plan, venue };
    let proof = dataset.prove(&keys, &ask, &mut go)?;
    let first = logCall { answer: cohort::answer(dataset.public(), &proof, venue)? };
    let logged: Vec<AnswerLogged> = chain.send(ANYBODY, cohort.log, &first)?.events().collect();
    ensure!(logged.len() == 1 && logged[0].query == registration.planned[0] && logged[0].key == cohort.key);
    let counts = |logged: &[AnswerLogged]| logged[0].cells.iter().map(count).collect::<Vec<_>>();
    ensure!(counts(&logged) == [0, 45, 45], "{:?}", counts(&logged));
    refused::<AlreadyAnswered>(chain.send(ANYBODY, cohort.log, &first), "again")?;

    let revoked: Vec<u32> = (1..=24).collect();
    dataset.revoke_subjects(&keys, &revoked, &mut go)?;
    let table = dataset.public().table("adsl")?;
    chain.send(SPONSOR, deployment.registry, &cohort::publish_consents(table, 1)?)?;
    refused::<ConsentNotNewest>(chain.send(ANYBODY, cohort.log, &first), "under older consents")?;
    let proof = dataset.prove(&keys, &ask, &mut go)?;
    let second = logCall { answer: cohort::answer(dataset.public(), &proof, venue)? };
    refused::<ConsentUnconfirmed>(chain.send(ANYBODY, cohort.log, &second), "not confirmed")?;
    dataset.sign(sponsor(), &mut sign)?;
    verify_registration(dataset.public(), keys.published(), false)?;
    let confirmation = cohort::confirm_consents(dataset.public().table("adsl")?, 1)?;
    chain.send(DEPLOYER, deployment.registry, &confirmation)?;
    let logged: Vec<AnswerLogged> = chain.send(ANYBODY, cohort.log, &second)?.events().collect();
    ensure!(counts(&logged) == [0, 33, 33] && logged[0].version == U256::ONE, "{:?}", counts(&logged));
    ensure!(B256::from(proof.proof.key.0) == cohort.key);
    Ok(())
}

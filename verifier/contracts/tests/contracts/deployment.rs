//! The deployment plan and its file.

use super::world::{DEPLOYER, INSURER, NOON, STRANGER, config};
use alloy_primitives::{Address, U256};
use anyhow::{Context, Result, ensure};
use nightingale_contracts::{
    Error,
    bindings::{
        ClaimSettlement::{registryCall, tokenCall, unitsPerCentCall},
        Registry::{acceptAdminCall, adminCall, hasRoleCall, keyCall, settlementCall},
    },
    chain::{Chain, LOCAL_CHAIN},
    deploy::{self, Config, Deployment, Grace, KeyKind, Plan, TokenChoice},
};

#[test]
fn deploys_everything_and_says_where() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let deployment = deploy::on_chain(&mut chain, config()?, DEPLOYER)?;
    ensure!(chain.ask(deployment.settlement, &registryCall {})? == deployment.registry);
    ensure!(chain.ask(deployment.registry, &settlementCall {})? == deployment.settlement);
    ensure!(chain.ask(deployment.settlement, &tokenCall {})? == deployment.token);
    ensure!(chain.ask(deployment.settlement, &unitsPerCentCall {})? == U256::ONE);
    for key in &deployment.keys {
        let found = chain.ask(deployment.registry, &keyCall { digest: key.digest })?;
        ensure!(found.verifier == key.verifier && usize::from(found.inputs) == key.inputs);
        ensure!(found.activeFrom <= chain.timestamp(), "a key has to wait");
    }
    Ok(())
}

#[test]
fn hands_administration_and_roles_to_another_account() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let deployment = deploy::on_chain(&mut chain, Config { admin: INSURER, ..config()? }, DEPLOYER)?;
    ensure!(chain.ask(deployment.registry, &adminCall {})? == DEPLOYER);
    chain.send(INSURER, deployment.registry, &acceptAdminCall {})?;
    ensure!(chain.ask(deployment.registry, &adminCall {})? == INSURER);
    for role in 0..5 {
        ensure!(chain.ask(deployment.registry, &hasRoleCall { role, account: INSURER })?);
        ensure!(!chain.ask(deployment.registry, &hasRoleCall { role, account: DEPLOYER })?);
    }
    Ok(())
}

#[test]
fn the_deployment_file_reads_back_as_it_was_written() -> Result<()> {
    let mut chain = Chain::new(LOCAL_CHAIN, NOON);
    let deployment = deploy::on_chain(&mut chain, config()?, DEPLOYER)?;
    let json = serde_json::to_value(&deployment)?;
    for name in ["version", "chainId", "registry", "settlement", "token", "unitsPerCent", "grace", "keys"] {
        ensure!(json.get(name).is_some(), "{name}");
    }
    ensure!(json["keys"][0]["kind"] == "development");
    ensure!(serde_json::from_value::<Deployment>(json.clone())? == deployment);
    let mut strange = json;
    strange["surprise"] = 1.into();
    ensure!(serde_json::from_value::<Deployment>(strange).is_err());
    Ok(())
}

#[test]
fn refuses_what_the_contracts_would_refuse_before_anything_is_paid() -> Result<()> {
    let public = Config { chain_id: 1, token: TokenChoice::Existing(STRANGER), ..config()? };
    let mut production = public.clone();
    for key in &mut production.keys {
        key.kind = KeyKind::Production;
    }
    Plan::new(production.clone(), DEPLOYER)?;
    let mut forging = config()?;
    forging.keys[0].key.delta_g2 = forging.keys[0].key.gamma_g2;
    let mut short = config()?;
    short.keys[0].key.gamma_abc_g1.truncate(11);
    let long = Grace { consent_seconds: 31 * 86_400, ..Grace::default() };
    let ageless = Grace { consent_age_seconds: None, ..Grace::default() };
    let brief = Grace { consent_age_seconds: Some(3_599), ..Grace::default() };
    let refused = [
        Config { grace: ageless, ..config()? },
        Config { grace: brief, ..config()? },
        public,
        Config { token: TokenChoice::Test, ..production },
        forging,
        short,
        Config { grace: long, ..config()? },
        Config { units_per_cent: U256::ZERO, ..config()? },
        Config { admin: Address::ZERO, ..config()? },
    ];
    for (index, config) in refused.into_iter().enumerate() {
        ensure!(Plan::new(config, DEPLOYER).is_err(), "case {index}");
    }
    Ok(())
}

#[test]
fn a_step_that_created_nothing_and_an_unfinished_plan_are_errors() -> Result<()> {
    let mut plan = Plan::new(config()?, DEPLOYER)?;
    let first = plan.next()?.context("no step")?;
    ensure!(first.to.is_none());
    ensure!(matches!(plan.confirm(None), Err(Error::NothingCreated(_))));
    ensure!(plan.progress() == (0, 8) && plan.next()? == Some(first));
    plan.confirm(Some(STRANGER))?;
    ensure!(plan.progress() == (1, 8));
    ensure!(plan.finish().is_err());
    Ok(())
}

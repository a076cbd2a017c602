//! The trial on-chain: its table is registered with its plan, an answer goes to the log, and what the log then says is compared with the
//! proven cells.

use super::{
    At, DemoError,
    ledger::{Ledger, Sent},
    questions::Answer,
    trial::Registered,
};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use nightingale_circuits::cohort::{
    Cell, Class, Figures,
    instances::{Statistic, packing},
};
use nightingale_contracts::{
    bindings::{
        CohortLog::{AnswerLogged, answeredCall, logCall},
        Registry::datasetCall,
    },
    calldata::cohort,
    deploy::{DeployedCohort, Deployment, Request},
};
use nightingale_verifier::cohort::{QueryProof, Venue, VerifiedQuery};
use serde::Serialize;

/// The trial's table that researchers ask about on-chain.
const TABLE: &str = "trial";

/// An answer in the log of the chain.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedSummary {
    /// The chain.
    pub chain_id: u64,
    /// The log, `0x` and 40 hexadecimal digits.
    pub contract: String,
    /// The query's digest, by which events are found, `0x` and 64 hexadecimal digits.
    pub query: String,
    /// Gas of the whole transaction.
    pub gas: u64,
    /// The transaction, `0x` and 64 hexadecimal digits; null on the EVM in this process, which has no hashes.
    pub transaction: Option<String>,
    /// The transaction's place in `chain/receipts.json`, from 0.
    pub receipt: usize,
    /// Cells of the event that were compared with the proven ones: all of them, and all were equal.
    pub cells: usize,
}

/// Where answers are logged.
pub(super) fn venue(deployment: &Deployment) -> Result<Venue, DemoError> {
    Ok(cohort::venue(deployment.chain_id, contracts(deployment)?.log))
}

fn contracts(deployment: &Deployment) -> Result<&DeployedCohort, DemoError> {
    let missing = "there is no log of cohort answers: development keys are for the chain ids 31337 and 1337; use a local node";
    deployment.cohort.as_ref().ok_or(missing).at("finding the log")
}

/// Registers the table with those queries of its plan that contracts can verify; gives their number. The registrar has verified the
/// registration before.
pub(super) async fn register(
    ledger: &mut Ledger,
    deployment: &Deployment,
    trial: &Registered,
) -> Result<usize, DemoError> {
    const STEP: &str = "registering the trial on-chain";
    let sponsor = ledger.operator();
    let registration = cohort::registration(&trial.dataset, TABLE, sponsor).at(STEP)?;
    let (planned, table) = (registration.planned.len(), registration.table);
    ledger
        .send(Request {
            purpose: format!("register table {TABLE} with {planned} planned queries"),
            to: Some(deployment.registry),
            data: registration.call.abi_encode().into(),
        })
        .await?;
    let known = ledger.ask(deployment.registry, &datasetCall { table }).await?;
    if known.sponsor != sponsor || known.versions != alloy_primitives::aliases::U24::ONE {
        return Err("the registry does not know the table by the digest that its proofs name").at(STEP);
    }
    Ok(planned)
}

/// Sends an answer to the log, and reads back what was logged.
pub(super) async fn log(
    ledger: &mut Ledger,
    deployment: &Deployment,
    trial: &Registered,
    answer: &mut Answer,
) -> Result<(), DemoError> {
    const STEP: &str = "logging an answer";
    let (Some(proof), Some(verified)) = (&answer.proof, &answer.verified) else {
        return Err("there is no proof of it").at(STEP);
    };
    let contract = contracts(deployment)?.log;
    let told = cohort::answer(&trial.dataset, proof, venue(deployment)?).at(STEP)?;
    let request = Request {
        purpose: format!("log the answer to: {}", answer.summary.query),
        to: Some(contract),
        data: logCall { answer: told }.abi_encode().into(),
    };
    let sent = ledger.send(request).await?;
    let query = B256::from(verified.query.digest(&verified.table));
    compare(&sent, contract, query, proof, verified)?;
    let version = U256::from(verified.consent_version) + U256::ONE;
    if ledger.ask(contract, &answeredCall { query }).await? != version {
        return Err("the log does not count the query as answered").at(STEP);
    }
    answer.summary.logged = Some(LoggedSummary {
        chain_id: deployment.chain_id,
        contract: format!("{contract:#x}"),
        query: query.to_string(),
        gas: sent.gas,
        transaction: sent.transaction.map(|hash| hash.to_string()),
        receipt: sent.receipt,
        cells: verified.answer.cells.len(),
    });
    Ok(())
}

/// The transaction emitted one answer, with exactly the proven terms and cells.
fn compare(
    sent: &Sent,
    contract: Address,
    query: B256,
    proof: &QueryProof,
    verified: &VerifiedQuery,
) -> Result<(), DemoError> {
    const STEP: &str = "reading an answer back from the chain";
    let logged: Vec<AnswerLogged> = sent.events(contract).collect();
    let [event] = logged.as_slice() else {
        return Err(format!("its transaction emitted {} answers instead of one", logged.len())).at(STEP);
    };
    let terms = (event.table, event.query, event.version, event.threshold, event.key);
    let proven = (
        B256::from(verified.table),
        query,
        U256::from(verified.consent_version),
        U256::from(verified.threshold),
        B256::from(proof.proof.key.0),
    );
    let values = verified.query.values().len();
    let cells: Vec<Cell> = event.cells.iter().map(|word| cell(*word, values)).collect();
    if terms != proven || cells != verified.answer.cells {
        return Err("the event does not hold what was proven").at(STEP);
    }
    Ok(())
}

/// A cell from its word in the event, as the log documents it: bit 0 says hidden, then the statistics from the lowest bits up.
fn cell(word: U256, values: usize) -> Cell {
    if word.bit(0) {
        return Cell::Hidden;
    }
    let mut figures = Figures::none(values);
    let mut place = 1;
    for statistic in packing(Class::Narrow).iter().flat_map(|element| element.iter()) {
        let bits = statistic.bits();
        let field: U256 = (word >> place) & ((U256::ONE << bits) - U256::ONE);
        place += bits as usize;
        let first = figures.values.first_mut();
        match (statistic, first) {
            (Statistic::Count, _) => figures.count = field.saturating_to(),
            (Statistic::Nonmissing(0), Some(value)) => value.nonmissing = field.saturating_to(),
            (Statistic::Sum(0), Some(value)) => value.codes = field.saturating_to(),
            (Statistic::Squares(0), Some(value)) => value.squared_codes = field.saturating_to(),
            _ => {}
        }
    }
    Cell::Shown(figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nightingale_circuits::cohort::ValueFigures;

    #[test]
    fn reads_a_cell_by_the_layout_that_the_log_documents() {
        // 1 hidden bit, count in 21, non-missing count in 21, sum in 52, squares in 84.
        let word = [(3, 1), (2, 22), (7, 43), (25, 95)]
            .into_iter()
            .fold(U256::ZERO, |word, (value, place)| word | (U256::from(value) << place));
        let value = ValueFigures { nonmissing: 2, codes: 7, squared_codes: 25 };
        assert_eq!(cell(word, 1), Cell::Shown(Figures { count: 3, values: vec![value], pair: None }));
        assert_eq!(cell(U256::ONE, 1), Cell::Hidden);
    }
}

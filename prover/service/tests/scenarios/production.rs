//! `production = true`: whoever says that real payments depend on a server does not get one that anybody can forge for.

use crate::{
    raw_call::{call, channel, verdict},
    running::config,
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config, Server, ServiceError,
    adjudicator::{Adjudicator, Progress, ProveFailure},
    store::queue::Share,
    work::{self, NoClaims, Provers},
};
use nightingale_circuits::claim::{Request, SizeClass};
use nightingale_prover::cohort::Halo2;
use nightingale_verifier::{ClaimProof, KeyKind, VerifyingKey};
use std::{fs, path::Path, sync::Arc};
use tonic::Code;
use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest};

/// A stand-in that shows these keys.
struct Keyed(Vec<VerifyingKey>);

impl Adjudicator for Keyed {
    fn keys(&self) -> Vec<VerifyingKey> {
        self.0.clone()
    }

    fn prove(&self, request: &Request, progress: Progress<'_>) -> Result<ClaimProof, ProveFailure> {
        StandIn::default().prove(request, progress)
    }
}

/// A key of this kind: the development key of the golden proofs, or one with points that nobody made from the development secrets.
fn key(kind: KeyKind) -> Result<VerifyingKey> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../verifier/tests/golden/keys");
    let named = |path: &std::path::PathBuf| path.to_string_lossy().contains("claim-2.");
    let path = fs::read_dir(folder)?.filter_map(|file| Some(file.ok()?.path())).find(named);
    let key = VerifyingKey::from_bytes(&fs::read(path.context("no golden key")?)?)?;
    ensure!(key.kind() == KeyKind::Development);
    let mut points = key.groth16().clone();
    if kind == KeyKind::Production {
        points.alpha_g1 = (points.alpha_g1 + points.alpha_g1).into();
        points.beta_g2 = (points.beta_g2 + points.beta_g2).into();
        points.delta_g2 = (points.delta_g2 + points.delta_g2).into();
    }
    Ok(VerifyingKey::new(SizeClass::Two, kind, points)?)
}

async fn start(config: Config, kind: KeyKind) -> Result<Result<Server, ServiceError>> {
    Ok(Server::bind(config, Arc::new(Keyed(vec![key(kind)?]))).await)
}

fn refusal(server: Result<Server, ServiceError>) -> Result<String> {
    Ok(server.err().context("it started")?.to_string())
}

fn production(folder: &Path) -> Config {
    Config { production: true, ..config(folder) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_production_does_not_start_with_a_development_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let claims = Config { cohorts: false, ..production(folder.path()) };
    let text = refusal(start(claims.clone(), KeyKind::Development).await?)?;
    ensure!(text.starts_with("configuration: production: the key of claim-2 ("), "{text}");
    ensure!(text.contains("nightingale keys import"), "{text}");
    // Nothing was opened before that.
    ensure!(!folder.path().join("data").exists());
    drop(start(claims, KeyKind::Production).await??);
    // Not asked for, nothing is refused.
    let development = tempfile::tempdir()?;
    drop(start(config(development.path()), KeyKind::Development).await??);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_production_answers_no_question_under_the_development_setup() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = refusal(start(production(folder.path()), KeyKind::Production).await?)?;
    ensure!(text.contains("nightingale keys import-ptau") && text.contains("work.cohorts"), "{text}");
    // Nor does a worker beside it, which has the database of a server without questions of its own.
    let claims = Config { cohorts: false, ..production(folder.path()) };
    drop(start(claims, KeyKind::Production).await??);
    let provers = Provers { share: Share::Cohorts, claims: Arc::new(NoClaims), questions: Arc::new(Halo2) };
    let worker = work::run(production(folder.path()), provers, std::future::pending(), || ()).await;
    let text = worker.err().context("the worker started")?.to_string();
    ensure!(text.contains("has no setup of a ceremony"), "{text}");
    let cohort = folder.path().join("keys/cohort");
    fs::create_dir_all(&cohort)?;
    fs::write(
        cohort.join("setup.json"),
        r#"{"ptau": "00", "power": 14, "contributions": ["a"], "sizes": []}"#,
    )?;
    let text = refusal(start(production(folder.path()), KeyKind::Production).await?)?;
    ensure!(text.contains("setup.json") && text.contains("lists no setup"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_production_tells_nobody_its_methods_unless_that_is_asked_for() -> Result<()> {
    for (line, expected) in [("", Code::Unimplemented), ("reflection = true", Code::Ok)] {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("nightingale.toml");
        let text = format!(
            "production = true\ndata_dir = 'data'\nkeys_dir = 'keys'\n\
             [listen]\naddress = '127.0.0.1:0'\n{line}\n[work]\ncohorts = false\n"
        );
        fs::write(&file, text)?;
        let server = start(Config::read(&file)?, KeyKind::Production).await??;
        let channel = channel(server.address()).await?;
        let serving = tokio::spawn(server.serve(std::future::pending()));
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let answer = verdict(call(&channel, path, list, &[]).await);
        ensure!(answer.0 == expected, "{line:?}: {answer:?}");
        let health = verdict(call(&channel, "/grpc.health.v1.Health/Check", (), &[]).await);
        ensure!(health.0 == Code::Ok, "{health:?}");
        serving.abort();
    }
    Ok(())
}

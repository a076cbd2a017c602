//! Who may call what: every method of the descriptors in every role, held against the one table; and how much of a job each role sees.

use crate::{
    clinic::{Clinic, result},
    issuer::Issuer,
    raw_call::{call, call_with, channel, verdict},
    running::{Running, config, keyed},
    stand_in::StandIn,
    tokens::server,
};
use anyhow::{Context, Result};
use nightingale::{
    Config,
    client::{Client, Credentials},
    config::identity::Identity,
    identity::{
        Role, Roles,
        access::{Access, METHODS, find, markdown},
    },
};
use nightingale_proto::v1;
use prost::Message;
use std::{os::unix::fs::PermissionsExt, path::Path};
use tonic::Code;

/// A client of a tenant in these roles, which looks at another one where that is named.
async fn client(
    server: &Running,
    folder: &Path,
    issuer: &Issuer,
    (tenant, named): (&str, &str),
    roles: &[&str],
) -> Result<Client> {
    let path = folder.join(format!("{}-{}.token", tenant.replace('*', "all"), roles.join("-")));
    std::fs::write(&path, issuer.token(tenant, roles)?)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let credentials = Credentials { token_file: Some(path), ..Credentials::default() };
    Ok(Client::connect_as(&server.address.to_string(), named, &credentials).await?)
}

/// Every method of the wire contract, with whether the caller streams.
fn described() -> Result<Vec<(String, bool)>> {
    let mut methods = Vec::new();
    for set in [nightingale_proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET] {
        for file in prost_types::FileDescriptorSet::decode(set)?.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    methods.push((path, method.client_streaming()));
                }
            }
        }
    }
    Ok(methods)
}

#[test]
fn every_method_of_the_descriptors_has_its_row() -> Result<()> {
    let described = described()?;
    assert!(described.len() > 12, "{described:?}");
    for (path, streams) in &described {
        let row = find(path)
            .with_context(|| format!("{path} has no row in identity/access.rs: nobody may call it"))?;
        assert_eq!(row.streams, *streams, "{path}");
    }
    for row in METHODS {
        let is_reflection = row.path.starts_with("/grpc.reflection.");
        assert!(
            is_reflection || described.iter().any(|(path, _)| path == row.path),
            "{} is no method",
            row.path
        );
        let is_health = row.path.starts_with("/grpc.health.");
        assert_eq!(row.access == Access::Open, is_health, "{}: only health is open", row.path);
    }
    Ok(())
}

#[test]
fn the_documents_table_is_the_one_that_decides() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/identity.md");
    let page = std::fs::read_to_string(path)?;
    if std::env::var_os("NIGHTINGALE_BLESS").is_some() {
        let from = page.find("| method |").context("no table")?;
        let length = page[from..].find("\n\n").context("the table does not end")?;
        std::fs::write(path, format!("{}{}{}", &page[..from], markdown(), &page[from + length + 1..]))?;
        return Ok(());
    }
    assert!(page.contains(&markdown()), "docs/identity.md does not hold this table:\n{}", markdown());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_allowed_and_refused_as_the_table_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let channel = channel(server.address).await?;
    let mut paths: Vec<String> = described()?.into_iter().map(|(path, _)| path).collect();
    paths.push("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".into());
    for path in &paths {
        let row = find(path).context("no row")?;
        // An empty message: whoever may call is told what is wrong with it, or answered.
        let nobody = verdict(call(&channel, path, (), &[]).await);
        let is_open = row.access == Access::Open;
        assert_eq!(nobody.0 != Code::Unauthenticated, is_open, "{path}: {nobody:?}");
        if is_open {
            continue;
        }
        assert_eq!(nobody, (Code::Unauthenticated, "NO_CREDENTIALS".into()), "{path}");
        for role in Role::ALL {
            let answer =
                verdict(call_with(&channel, path, (), &issuer.token("north", &[role.name()])?).await);
            let allowed = matches!(row.access, Access::Roles(roles) if roles.has(role));
            let refused = answer == (Code::PermissionDenied, "ROLE_MISSING".into());
            assert_eq!(refused, !allowed, "{path} as {role}: {answer:?}");
            assert_ne!(answer.0, Code::Unauthenticated, "{path} as {role}");
        }
    }
    // What has no row is denied to everybody, and does not say whether it is there.
    let all: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let everything = issuer.token("north", &all)?;
    for path in [
        "/nightingale.v1.JobService/Purge",
        "/nightingale.v1.JobService/get",
        "/x.Y/Z",
        "/grpc.health.v1.Health/Check/",
    ] {
        let answer = verdict(call_with(&channel, path, (), &everything).await);
        assert_eq!(answer, (Code::Unimplemented, "METHOD_UNKNOWN".into()), "{path}");
        let stranger = verdict(call(&channel, path, (), &[]).await);
        assert_eq!(stranger, (Code::Unauthenticated, "NO_CREDENTIALS".into()), "{path}");
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_must_be_who_the_question_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let channel = channel(server.address).await?;
    for (held, asked, allowed) in [
        ("researcher", v1::Role::Researcher, true),
        ("researcher", v1::Role::Unspecified, true),
        ("researcher", v1::Role::Regulator, false),
        ("regulator", v1::Role::Regulator, true),
        ("regulator", v1::Role::Researcher, false),
        ("regulator", v1::Role::Unspecified, false),
    ] {
        let question = v1::QueryRequest {
            idempotency_key: format!("{held}-{asked:?}"),
            dataset: vec![1; 32],
            sql: "SELECT COUNT(*) FROM t".into(),
            role: asked.into(),
            ..Default::default()
        };
        let token = issuer.token("north", &[held])?;
        let answer =
            verdict(call_with(&channel, "/nightingale.v1.CohortService/Query", question, &token).await);
        let expected = if allowed {
            (Code::NotFound, "DATASET_UNKNOWN".to_owned())
        } else {
            (Code::PermissionDenied, "ROLE_MISSING".to_owned())
        };
        assert_eq!(answer, expected, "{held} as {asked:?}");
    }
    server.stop().await
}

/// One role may cancel and does not know of the job, the other knows of it and cancels nothing: together they cancel nothing either.
#[tokio::test(flavor = "multi_thread")]
async fn two_roles_together_cancel_no_more_than_each_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity { oidc: Some(issuer.by_file(folder.path())?), ..Identity::default() };
    let config = Config { identity, claims: false, ..config(folder.path()) };
    let server = Running::start(config, StandIn::default()).await?;
    let client = async |roles: &[&str]| client(&server, folder.path(), &issuer, ("north", ""), roles).await;
    let mut custodian = client(&["custodian"]).await?;
    let queued = custodian.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("k"), false).await?;
    for roles in [
        ["insurer", "researcher"],
        ["insurer", "regulator"],
        ["auditor", "researcher"],
        ["operator", "regulator"],
    ] {
        let mut both = client(&roles).await?;
        assert_eq!(both.job(&queued.id).await?.state(), v1::JobState::Queued, "{roles:?}");
        let refused = both.cancel(&queued.id).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("JOB_UNKNOWN"), "{roles:?}: {refused}");
        assert_eq!(custodian.job(&queued.id).await?.state(), v1::JobState::Queued, "{roles:?}");
    }
    // With one that may, it is cancelled.
    let all: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let mut everything = client(&all).await?;
    assert_eq!(everything.cancel(&queued.id).await?.state(), v1::JobState::Cancelled);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_sees_of_a_job_what_it_may() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let client = async |tenant: &str, named: &str, roles: &[&str]| {
        client(&server, folder.path(), &issuer, (tenant, named), roles).await
    };
    let mut custodian = client("north", "", &["custodian"]).await?;
    let job = custodian.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("k"), true).await?;
    assert!(result(&job)?.approved);
    for (tenant, named, roles, sees) in [
        ("north", "", &["custodian"][..], "result"),
        ("north", "north", &["insurer"], "result"),
        ("north", "", &["operator", "insurer"], "result"),
        ("north", "", &["operator"], "state"),
        ("north", "", &["auditor"], "state"),
        ("*", "north", &["operator"], "state"),
        ("north", "", &["researcher"], "nothing"),
        ("north", "", &["regulator"], "nothing"),
        ("south", "", &["custodian"], "nothing"),
        ("south", "", &["operator"], "nothing"),
        ("*", "south", &["operator"], "nothing"),
    ] {
        let who = format!("{tenant} {roles:?}");
        let mut client = client(tenant, named, roles).await?;
        let got = client.job(&job.id).await;
        let watched = client.watch(&job.id, std::time::Duration::from_secs(1), |_| {}).await;
        let listed = client.jobs(&[], 100).await?;
        if sees == "nothing" {
            for answer in [got.err(), watched.err()] {
                let text = answer.map(|error| error.to_string()).unwrap_or_default();
                assert!(text.contains("JOB_UNKNOWN"), "{who}: {text:?}");
            }
            assert!(listed.is_empty(), "{who}");
            continue;
        }
        for seen in [got?, watched?] {
            assert_eq!(seen.state(), v1::JobState::Done, "{who}");
            assert_eq!(seen.outcome.is_some(), sees == "result", "{who}");
        }
        assert_eq!(listed.len(), 1, "{who}");
        assert!(listed.iter().all(|job| job.outcome.is_none()), "{who}");
    }
    // Who sees no claims cancels none, and learns of none by its token of a page.
    let mut researcher = client("north", "", &["researcher"]).await?;
    let cancelled = researcher.cancel(&job.id).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(cancelled.contains("JOB_UNKNOWN"), "{cancelled}");
    assert_eq!(Roles::ALL.iter().count(), 6);
    server.stop().await
}

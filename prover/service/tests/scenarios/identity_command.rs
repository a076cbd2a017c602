//! The command line against a server that asks who calls.

use crate::{
    authority::Authority,
    issuer::Issuer,
    running::{Running, config},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::{Config, config::identity::Identity};
use std::{os::unix::fs::PermissionsExt, path::Path};
use tokio::process::Command;

async fn nightingale(arguments: &[&str], environment: &[(&str, &Path)]) -> Result<(Option<i32>, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    command.args(arguments).env_clear();
    for (name, value) in environment {
        command.env(name, value);
    }
    let done = command.output().await?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    Ok((done.status.code(), text))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_certificates_and_tokens_by_flags_and_by_environment() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity {
        tls: Some(authority.tls()?),
        oidc: Some(issuer.by_file(folder.path())?),
        ..Identity::default()
    };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let address = format!("https://{}", server.address);
    authority.caller("north", "custodian")?;
    let (ca, certificate, key) = (
        authority.path("ca.pem"),
        authority.path("north-custodian.pem"),
        authority.path("north-custodian.key"),
    );
    let text = |path: &Path| path.display().to_string();
    let (ca_text, certificate_text, key_text) = (text(&ca), text(&certificate), text(&key));
    let by_flags = [
        "job",
        "list",
        "--server",
        &address,
        "--tls-ca",
        &ca_text,
        "--tls-cert",
        &certificate_text,
        "--tls-key",
        &key_text,
    ];
    assert_eq!(nightingale(&by_flags, &[]).await?, (Some(0), String::new()));
    let named = nightingale(&[&by_flags[..], &["--tenant", "south"]].concat(), &[]).await?;
    assert!(named.0 == Some(1) && named.1.contains("TENANT_FORBIDDEN"), "{named:?}");

    let token = folder.path().join("token");
    let secret = issuer.token("north", &["custodian"])?;
    std::fs::write(&token, &secret)?;
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600))?;
    let environment = [("NIGHTINGALE_TLS_CA", ca.as_path()), ("NIGHTINGALE_TOKEN_FILE", token.as_path())];
    let by_environment = nightingale(&["job", "list", "--server", &address], &environment).await?;
    assert_eq!(by_environment, (Some(0), String::new()));
    let helped = nightingale(&["job", "list", "--help"], &environment).await?;
    assert!(!helped.1.contains(&secret));

    // Nobody, a stranger's server, a secret in the clear, half a pair.
    let nobody = nightingale(&["job", "list", "--server", &address, "--tls-ca", &ca_text], &[]).await?;
    assert!(nobody.0 == Some(1) && nobody.1.contains("NO_CREDENTIALS"), "{nobody:?}");
    let stranger = nightingale(&["job", "list", "--server", &address], &environment[1..]).await?;
    assert!(stranger.0 == Some(2) && !stranger.1.contains(&secret), "{stranger:?}");
    let elsewhere = ["job", "list", "--server", "http://192.0.2.1:9"];
    let in_the_clear = nightingale(&elsewhere, &environment[1..]).await?;
    assert!(in_the_clear.0 == Some(2) && in_the_clear.1.contains("use https://"), "{in_the_clear:?}");
    let half = nightingale(&["job", "list", "--tls-cert", &certificate_text], &[]).await?;
    assert!(half.0 == Some(2) && half.1.contains("--tls-key"), "{half:?}");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644))?;
    let readable = nightingale(&["job", "list", "--server", &address], &environment).await?;
    assert!(readable.1.contains("chmod 600") && !readable.1.contains(&secret), "{readable:?}");
    server.stop().await
}

//! Who a client certificate is of, and every way in which it is not taken.

use crate::{
    authority::{Authority, Wanted},
    issuer::Issuer,
    raw_call::{call_with, encrypted, verdict},
    running::{Running, SOON, config},
    stand_in::StandIn,
    surroundings::get,
};
use anyhow::{Context, Result};
use nightingale::{
    Config, Server,
    client::{Client, ClientError, Credentials},
    config::identity::{Identity, Listed, Named},
    identity::{Role, Roles},
    jobs::Tenant,
};
use nightingale_proto::v1;
use sha2::{Digest, Sha256};
use std::{os::unix::fs::PermissionsExt, sync::Arc, time::Duration};
use tonic::Code;

async fn connect(server: &Running, tenant: &str, credentials: &Credentials) -> Result<Client, ClientError> {
    Client::connect_as(&server.address.to_string(), tenant, credentials).await
}

/// What a caller is answered: `Ok`, a reason, or that there is no connection at all.
async fn answer(server: &Running, credentials: &Credentials) -> String {
    let listed = async { connect(server, "", credentials).await?.jobs(&[], 1).await };
    match listed.await {
        Ok(_) => "Ok".into(),
        // A handshake of TLS 1.3 is refused only after the client has done its part, so the refusal may come with the first call.
        Err(ClientError::Refused { code: Code::Cancelled, .. }) => "no connection".into(),
        Err(ClientError::Unreachable { .. } | ClientError::Unavailable { .. }) => "no connection".into(),
        Err(ClientError::Refused { reason, .. }) => reason,
        Err(other) => other.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_says_tenant_and_roles() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let server = Running::start(authority.config(config(folder.path()))?, StandIn::default()).await?;
    let custodian = authority.caller("north", "custodian")?;
    assert_eq!(answer(&server, &custodian).await, "Ok");
    // Its own tenant may be named, another may not, whether it exists or not.
    assert!(connect(&server, "north", &custodian).await?.jobs(&[], 1).await.is_ok());
    for other in ["south", "nowhere"] {
        let refused = connect(&server, other, &custodian).await?.jobs(&[], 1).await.err();
        let Some(ClientError::Refused { code, reason, .. }) = refused else {
            anyhow::bail!("{other}: taken")
        };
        assert_eq!((code, reason.as_str()), (Code::PermissionDenied, "TENANT_FORBIDDEN"));
    }
    let auditor = authority.caller("north", "auditor")?;
    let refused =
        connect(&server, "", &auditor).await?.adjudicate(Vec::new(), Default::default(), false).await;
    let Err(ClientError::Refused { code, reason, .. }) = refused else { anyhow::bail!("an auditor submits") };
    assert_eq!((code, reason.as_str()), (Code::PermissionDenied, "ROLE_MISSING"));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_breaks_one_rule_is_not_taken() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (authority, stranger) =
        (Authority::new(folder.path(), "authority")?, Authority::new(folder.path(), "stranger")?);
    let server = Running::start(authority.config(config(folder.path()))?, StandIn::default()).await?;
    let uri = ["nightingale://north/custodian/a"];
    let good = Wanted { names: &uri, ..Wanted::default() };
    assert_eq!(answer(&server, &authority.client("good", &good)?).await, "Ok");

    let of_stranger = Credentials { ca: Some(authority.path("ca.pem")), ..stranger.client("a", &good)? };
    assert_eq!(answer(&server, &of_stranger).await, "no connection", "of another authority");
    let expired = authority.client("expired", &Wanted { names: &uri, until: 2021, ..Wanted::default() })?;
    assert_eq!(answer(&server, &expired).await, "no connection", "expired");
    let of_server = Wanted { names: &uri, for_clients: false, ..Wanted::default() };
    assert_eq!(answer(&server, &authority.client("of-server", &of_server)?).await, "no connection");
    assert_eq!(answer(&server, &authority.believer()).await, "no connection", "without one");
    // And without TLS nothing is answered at all.
    assert_eq!(answer(&server, &Credentials::default()).await, "no connection");

    for (file, names) in [
        ("unnamed", &[][..]),
        ("host", &["gateway.example.org"]),
        ("other-scheme", &["spiffe://cluster/north/custodian"]),
        ("case", &["nightingale://north/Custodian/a"]),
        ("doubled", &["nightingale://north/custodian,custodian/a"]),
        ("two", &["nightingale://north/auditor/a", "nightingale://south/custodian/a"]),
        ("everybody", &["nightingale://*/custodian/a"]),
    ] {
        let credentials = authority.client(file, &Wanted { names, ..Wanted::default() })?;
        assert_eq!(answer(&server, &credentials).await, "CERTIFICATE_UNKNOWN", "{file}");
    }
    // The client looks at the server's certificate just so.
    let believes_stranger =
        Credentials { ca: Some(stranger.path("ca.pem")), ..authority.client("b", &good)? };
    let refused = connect(&server, "", &believes_stranger).await.err();
    assert!(matches!(refused, Some(ClientError::Unreachable { .. })), "{refused:?}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_names_certificates_by_fingerprint_and_by_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let unnamed = authority.client("unnamed", &Wanted::default())?;
    let named =
        authority.client("named", &Wanted { names: &["gateway.example.org"], ..Wanted::default() })?;
    let der = {
        let text = std::fs::read_to_string(&unnamed.certificate.clone().context("no certificate")?.0)?;
        pem_body(&text)
    };
    let listed = |certificate: Named, roles: &[Role]| Listed {
        certificate,
        subject: "listed".into(),
        tenant: Tenant::new("north"),
        roles: Roles::of(roles),
    };
    let callers = vec![
        listed(Named::Fingerprint(Sha256::digest(der).into()), &[Role::Insurer]),
        listed(Named::Name("gateway.example.org".into()), &[Role::Auditor]),
    ];
    let identity = Identity { tls: Some(authority.tls()?), callers, ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    assert_eq!(answer(&server, &unnamed).await, "Ok");
    assert_eq!(answer(&server, &named).await, "Ok");
    let publish = async |credentials: &Credentials| -> Result<String> {
        let refused = connect(&server, "", credentials).await?.publish(None, None).await.err();
        let Some(ClientError::Refused { reason, .. }) = refused else { anyhow::bail!("published nothing") };
        Ok(reason)
    };
    // An insurer may publish, and is told that it published nothing; an auditor may not.
    assert_eq!(publish(&unnamed).await?, "INVALID");
    assert_eq!(publish(&named).await?, "ROLE_MISSING");
    server.stop().await
}

fn pem_body(text: &str) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(text.as_bytes()).map(|der| der.to_vec()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_refused_on_a_connection_that_is_open() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let mut tls = authority.tls()?;
    tls.client_crl = Some(authority.revoke(&[1])?);
    let identity = Identity { tls: Some(tls), ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let uri = ["nightingale://north/custodian/a"];
    let revoked = authority.client("revoked", &Wanted { names: &uri, serial: 1, ..Wanted::default() })?;
    assert_eq!(answer(&server, &revoked).await, "no connection");
    let good = authority.client("good", &Wanted { names: &uri, serial: 2, ..Wanted::default() })?;
    let mut open = connect(&server, "", &good).await?;
    open.jobs(&[], 1).await?;
    authority.revoke(&[1, 2])?;
    let wait = async {
        loop {
            match open.jobs(&[], 1).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => return error,
            }
        }
    };
    let refused = tokio::time::timeout(SOON, wait).await.context("a revoked certificate is taken")?;
    assert!(
        matches!(&refused, ClientError::Refused { reason, .. } if reason == "CERTIFICATE_UNKNOWN"),
        "{refused}"
    );
    assert_eq!(answer(&server, &good).await, "no connection");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_that_cannot_be_read_is_told_and_read_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let mut tls = authority.tls()?;
    let list = authority.revoke(&[1])?;
    tls.client_crl = Some(list.clone());
    let identity = Identity { tls: Some(tls.clone()), ..Identity::default() };
    let local = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = Config { identity, metrics: local, ..config(folder.path()) };
    let server = Running::start(config, StandIn::default()).await?;
    let metrics = server.metrics.context("no metrics")?;
    let unread = async |source: &str| -> Result<f64> {
        let text = get(metrics, "/metrics").await?;
        let name = format!("nightingale_trust_unread_seconds{{source=\"{source}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name)).context("not told")?;
        Ok(line.parse()?)
    };
    let until = async |is_unread: bool| {
        let wait = async {
            while (unread("callers").await? > 0.0) != is_unread {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SOON, wait).await.context("the metrics do not tell")?
    };
    let uri = ["nightingale://north/custodian/a"];
    let [revoked, good] = [1, 2].map(|serial| {
        authority.client(&format!("c{serial}"), &Wanted { names: &uri, serial, ..Wanted::default() })
    });
    let (revoked, good) = (revoked?, good?);
    until(false).await?;
    // Gone: what was read last counts.
    let kept = list.with_extension("kept");
    std::fs::rename(&list, &kept)?;
    until(true).await?;
    assert_eq!(
        (answer(&server, &good).await, answer(&server, &revoked).await),
        ("Ok".into(), "no connection".into())
    );
    assert_eq!(unread("certificate").await?, 0.0, "the other files can be read");
    // Half a pair of the server's own keeps the new list out no longer.
    std::fs::write(&tls.certificate, "half")?;
    authority.revoke(&[1, 2])?;
    until(false).await?;
    assert_eq!(answer(&server, &good).await, "no connection");
    assert!(unread("certificate").await? > 0.0);
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_certificate_is_taken_without_dropping_connections() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (old, new) = (Authority::new(folder.path(), "old")?, Authority::new(folder.path(), "new")?);
    let tls = old.tls()?;
    let identity = Identity { tls: Some(tls.clone()), ..Identity::default() };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let caller = old.caller("north", "custodian")?;
    let mut open = connect(&server, "", &caller).await?;
    open.jobs(&[], 1).await?;
    // Half of it is no pair: the old one stays.
    let (certificate, key) = new.server()?;
    std::fs::copy(&certificate, &tls.certificate)?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(answer(&server, &caller).await, "Ok");
    std::fs::copy(&key, &tls.key)?;
    let renewed = Credentials { ca: Some(new.path("ca.pem")), ..caller.clone() };
    let wait = async {
        while answer(&server, &renewed).await != "Ok" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.context("the new certificate is not taken")?;
    open.jobs(&[], 1).await?;
    assert_eq!(answer(&server, &caller).await, "no connection");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_decides_where_both_are_shown_and_either_will_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let identity = Identity {
        tls: Some(authority.tls()?),
        oidc: Some(issuer.by_file(folder.path())?),
        ..Identity::default()
    };
    let server = Running::start(Config { identity, ..config(folder.path()) }, StandIn::default()).await?;
    let custodian = authority.caller("north", "custodian")?;
    assert_eq!(answer(&server, &custodian).await, "Ok");
    assert_eq!(answer(&server, &authority.believer()).await, "NO_CREDENTIALS");
    let token_file = folder.path().join("token");
    let with_token = |token: &str, mode: u32, credentials: Credentials| -> Result<Credentials> {
        std::fs::write(&token_file, format!("{token}\n"))?;
        std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(mode))?;
        Ok(Credentials { token_file: Some(token_file.clone()), ..credentials })
    };
    let of_south = issuer.token("south", &["custodian"])?;
    let both = with_token(&of_south, 0o600, custodian.clone())?;
    assert!(connect(&server, "south", &both).await?.jobs(&[], 1).await.is_ok());
    assert!(connect(&server, "north", &both).await?.jobs(&[], 1).await.is_err());
    let token = with_token(&of_south, 0o600, authority.believer())?;
    assert_eq!(answer(&server, &token).await, "Ok");
    // A bad token is not made good by a certificate.
    let bad = with_token("a.b.c", 0o600, custodian.clone())?;
    assert_eq!(answer(&server, &bad).await, "TOKEN_INVALID");
    let readable = with_token(&of_south, 0o644, authority.believer())?;
    let refused = connect(&server, "", &readable).await?.jobs(&[], 1).await.err();
    assert!(refused.is_some_and(|error| error.to_string().contains("chmod 600")));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_an_issuer_takes_no_token() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = Running::start(authority.config(config(folder.path()))?, StandIn::default()).await?;
    let channel = encrypted(server.address, &authority.caller("north", "custodian")?).await?;
    let (list, token) = (v1::ListJobsRequest::default(), issuer.token("north", &["custodian"])?);
    let answer = verdict(call_with(&channel, "/nightingale.v1.JobService/List", list, &token).await);
    assert_eq!(answer, (Code::Unauthenticated, "TOKEN_INVALID".into()));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_used_are_named_before_anything_is_served() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path(), "authority")?;
    let tls = authority.tls()?;
    let other_key = Authority::new(folder.path(), "other")?.server()?.1;
    let readable = folder.path().join("readable.key");
    std::fs::copy(&tls.key, &readable)?;
    std::fs::set_permissions(&readable, std::fs::Permissions::from_mode(0o640))?;
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "")?;
    let mut wrong = Vec::new();
    for (what, change) in [
        (
            "may be read by others",
            &(|tls: &mut nightingale::config::identity::Tls| tls.key.clone_from(&readable))
                as &dyn Fn(&mut _),
        ),
        ("does not fit its key", &|tls: &mut nightingale::config::identity::Tls| {
            tls.key.clone_from(&other_key)
        }),
        ("cannot be read", &|tls: &mut nightingale::config::identity::Tls| {
            tls.key = folder.path().join("none")
        }),
        ("holds no certificate", &|tls: &mut nightingale::config::identity::Tls| {
            tls.client_ca = Some(empty.clone())
        }),
        ("holds no revocation list", &|tls: &mut nightingale::config::identity::Tls| {
            tls.client_crl = Some(empty.clone())
        }),
    ] {
        let mut tls = tls.clone();
        change(&mut tls);
        wrong.push((what, tls));
    }
    for (what, tls) in wrong {
        let identity = Identity { tls: Some(tls), ..Identity::default() };
        let config = Config { identity, ..config(folder.path()) };
        let refused = Server::bind(config, Arc::new(StandIn::default())).await.err().context(what)?;
        assert!(refused.to_string().contains(what), "{refused}");
        assert!(!refused.to_string().contains("PRIVATE"), "{refused}");
    }
    Ok(())
}

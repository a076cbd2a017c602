//! Who a token is of, and every way in which it is not taken: one rule broken at a time.

use crate::{
    issuer::{AUDIENCE, Issuer, encode, now, publish, publish_held},
    raw_call::{call, call_with, channel, verdict},
    running::{Running, config},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::{
    Config,
    client::{Client, Credentials},
    config::identity::{Identity, Oidc},
};
use nightingale_proto::v1;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use tonic::{Code, transport::Channel};

const LIST: &str = "/nightingale.v1.JobService/List";

/// A server that takes tokens of these settings.
pub(crate) async fn server(folder: &std::path::Path, oidc: Oidc) -> Result<Running> {
    let identity = Identity { oidc: Some(oidc), ..Identity::default() };
    Running::start(Config { identity, ..config(folder) }, StandIn::default()).await
}

/// A client that shows this token, from a file of its own in `folder`.
pub(crate) async fn client(server: &Running, folder: &std::path::Path, token: String) -> Result<Client> {
    let path = folder.join("client.token");
    std::fs::write(&path, token)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let credentials = Credentials { token_file: Some(path), ..Credentials::default() };
    Ok(Client::connect_as(&server.address.to_string(), "", &credentials).await?)
}

async fn answer(channel: &Channel, token: &str) -> (Code, String) {
    verdict(call_with(channel, LIST, v1::ListJobsRequest::default(), token).await)
}

fn invalid() -> (Code, String) {
    (Code::Unauthenticated, "TOKEN_INVALID".into())
}

fn taken() -> (Code, String) {
    (Code::Ok, String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_every_taken_algorithm_are_taken() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let channel = channel(server.address).await?;
    let claims = issuer.claims("north", &["custodian"]);
    for kid in ["rsa", "ec", "ed"] {
        assert_eq!(answer(&channel, &issuer.sign(kid, &claims)?).await, taken(), "{kid}");
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_breaks_one_rule_is_not_taken() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (issuer, stranger) =
        (Issuer::new("https://issuer.example.org")?, Issuer::new("https://issuer.example.org")?);
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let channel = channel(server.address).await?;
    let good = issuer.claims("north", &["custodian"]);
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().map(|map| map.remove(name));
        claims
    };
    assert_eq!(answer(&channel, &issuer.sign("ec", &good)?).await, taken());

    // Time, with a leeway of 30 seconds.
    let expired = (Code::Unauthenticated, "TOKEN_EXPIRED".to_owned());
    assert_eq!(answer(&channel, &issuer.sign("ec", &with("exp", json!(now() - 40)))?).await, expired);
    assert_eq!(answer(&channel, &issuer.sign("ec", &with("exp", json!(now() - 10)))?).await, taken());
    assert_eq!(answer(&channel, &issuer.sign("ec", &with("nbf", json!(now() + 10)))?).await, taken());
    for claims in [
        with("nbf", json!(now() + 60)),
        with("nbf", json!("soon")),
        with("exp", json!("9999999999")),
        with("exp", json!(-1)),
        without("exp"),
        // Who it is of and for.
        with("iss", json!("https://other.example.org")),
        with("iss", json!(["https://issuer.example.org"])),
        with("iss", json!("https://issuer.example.org/")),
        without("iss"),
        with("aud", json!("another-service")),
        with("aud", json!(["another-service", "a-third"])),
        without("aud"),
        with("sub", json!("")),
        with("sub", json!("two\nlines")),
        with("sub", json!("a".repeat(200))),
        without("sub"),
        // What it may do: no other case, none twice, nothing that is no role.
        with("roles", json!(["Custodian"])),
        with("roles", json!(["custodian", "custodian"])),
        with("roles", json!(["custodian", "root"])),
        with("roles", json!(["custodian "])),
        with("roles", json!("custodian,operator")),
        with("roles", json!([])),
        with("roles", json!({"custodian": true})),
        with("roles", json!([["custodian"]])),
        without("roles"),
        with("tenant", json!("North")),
        with("tenant", json!("*")),
        with("tenant", json!("")),
        with("tenant", json!(["north"])),
        without("tenant"),
    ] {
        assert_eq!(answer(&channel, &issuer.sign("ec", &claims)?).await, invalid(), "{claims}");
    }
    assert_eq!(answer(&channel, &issuer.sign("ec", &with("aud", json!(["x", AUDIENCE])))?).await, taken());

    // Its signature and header.
    let text = good.to_string();
    let header = |alg: &str, kid: &str| json!({"alg": alg, "typ": "JWT", "kid": kid});
    let none =
        format!("{}.{}.", encode(header("none", "ec").to_string().as_bytes()), encode(text.as_bytes()));
    let confused = {
        let message =
            format!("{}.{}", encode(header("HS256", "rsa").to_string().as_bytes()), encode(text.as_bytes()));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &issuer.modulus());
        format!("{message}.{}", encode(ring::hmac::sign(&secret, message.as_bytes()).as_ref()))
    };
    let signed = issuer.sign("ec", &good)?;
    let parts: Vec<&str> = signed.split('.').collect();
    let other = encode(issuer.claims("south", &["custodian"]).to_string().as_bytes());
    let doubled = text.replacen('{', "{\"tenant\":\"south\",", 1);
    let escalated = text.replacen('{', "{\"roles\":[\"operator\"],", 1);
    for (what, token) in [
        ("alg none", none.clone()),
        (
            "alg None",
            none.replace(
                &encode(header("none", "ec").to_string().as_bytes()),
                &encode(header("None", "ec").to_string().as_bytes()),
            ),
        ),
        ("HS256 under the public key", confused),
        ("a stranger's key", stranger.sign("ec", &good)?),
        ("an unknown kid", issuer.sign_as(&header("ES256", "unknown"), "ec", &text)?),
        ("no kid", issuer.sign_as(&json!({"alg": "ES256"}), "ec", &text)?),
        ("another key's kid", issuer.sign_as(&header("ES256", "rsa"), "ec", &text)?),
        ("another algorithm's name", issuer.sign_as(&header("RS256", "ec"), "rsa", &text)?),
        ("an algorithm that is not taken", issuer.sign_as(&header("RS512", "rsa"), "rsa", &text)?),
        ("a tampered payload", format!("{}.{other}.{}", parts[0], parts[2])),
        ("a tampered signature", format!("{}.{}.{}", parts[0], parts[1], encode(&[7; 64]))),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{signed}.{}", parts[2])),
        (
            "a critical extension",
            issuer.sign_as(
                &json!({"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": "x"}),
                "ec",
                &text,
            )?,
        ),
        (
            "its own key",
            stranger.sign_as(
                &json!({"alg": "ES256", "kid": "ec", "jwk": stranger.keys()["keys"][1]}),
                "ec",
                &text,
            )?,
        ),
        (
            "an identity token's type",
            issuer.sign_as(&json!({"alg": "ES256", "kid": "ec", "typ": "id+jwt"}), "ec", &text)?,
        ),
        ("a tenant twice", issuer.sign_as(&header("ES256", "ec"), "ec", &doubled)?),
        ("roles twice", issuer.sign_as(&header("ES256", "ec"), "ec", &escalated)?),
        ("nonsense", "nonsense".into()),
        ("an endless one", format!("{}.{}.{}", parts[0], "a".repeat(9000), parts[2])),
    ] {
        assert_eq!(answer(&channel, &token).await, invalid(), "{what}");
    }

    // How it is sent.
    let list = v1::ListJobsRequest::default;
    let missing = verdict(call(&channel, LIST, list(), &[]).await);
    assert_eq!(missing, (Code::Unauthenticated, "NO_CREDENTIALS".into()));
    for value in
        ["Basic eDp5".to_owned(), signed.clone(), format!("Bearer {signed},{signed}"), "Bearer".into()]
    {
        let answer = verdict(call(&channel, LIST, list(), &[("authorization", value.clone())]).await);
        assert_eq!(answer, invalid(), "{value}");
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_read_where_the_configuration_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let settings = Oidc {
        tenant_claim: "https://example.org/hospital".into(),
        roles_claim: "/realm_access/roles".into(),
        roles_prefix: "nightingale:".into(),
        ..issuer.by_file(folder.path())?
    };
    let server = server(folder.path(), settings).await?;
    let channel = channel(server.address).await?;
    let claims = |roles: serde_json::Value| {
        let mut claims = issuer.claims("elsewhere", &["operator"]);
        claims["https://example.org/hospital"] = json!("north");
        claims["realm_access"] = json!({"roles": roles});
        claims
    };
    let good = issuer.sign("ed", &claims(json!(["offline_access", "nightingale:custodian"])))?;
    assert_eq!(answer(&channel, &good).await, taken());
    for roles in [
        json!(["custodian"]),
        json!(["nightingale:root"]),
        json!(["nightingale:custodian", "nightingale:custodian"]),
    ] {
        assert_eq!(answer(&channel, &issuer.sign("ed", &claims(roles.clone()))?).await, invalid(), "{roles}");
    }
    let south = v1::ListJobsRequest { tenant: "south".into(), ..Default::default() };
    let forbidden = verdict(call_with(&channel, LIST, south, &good).await);
    assert_eq!(forbidden, (Code::PermissionDenied, "TENANT_FORBIDDEN".into()));
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_the_discovery_document_and_strangers_cannot_have_them_fetched_for_ever() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let (mut issuer, mut next) = (Issuer::new("")?, Issuer::new("")?);
    let published = publish(|address| format!("http://{address}"), issuer.keys()).await?;
    issuer.name = format!("http://{}", published.address);
    next.name.clone_from(&issuer.name);
    let server = server(folder.path(), issuer.settings(None)).await?;
    let channel = channel(server.address).await?;
    published.wait_for(1).await?;
    // Asked for and not yet read: a token that came now would have them fetched once more.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let claims = issuer.claims("north", &["custodian"]);
    while answer(&channel, &issuer.sign("ec", &claims)?).await != taken() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(published.asked(), 1, "known keys are fetched again");
    // The issuer takes a new key: the first token under it has the keys fetched.
    let mut keys = next.keys();
    keys["keys"][1]["kid"] = json!("new");
    if let Ok(mut held) = published.keys.lock() {
        *held = keys;
    }
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "new"});
    let new = next.sign_as(&header, "ec", &claims.to_string())?;
    assert_eq!(answer(&channel, &new).await, taken());
    assert_eq!(published.asked(), 2);
    // The old one is gone, and no number of unknown names has anything fetched within a minute.
    assert_eq!(answer(&channel, &issuer.sign("ec", &claims)?).await, invalid());
    for number in 0..30 {
        let header = json!({"alg": "ES256", "kid": format!("unknown-{number}")});
        assert_eq!(answer(&channel, &issuer.sign_as(&header, "ec", &claims.to_string())?).await, invalid());
    }
    assert_eq!(published.asked(), 2, "strangers had the keys fetched");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_held_back_does_not_bring_a_withdrawn_key_back() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut issuer, mut next) = (Issuer::new("")?, Issuer::new("")?);
    let held = std::time::Duration::from_millis(1500);
    let published = publish_held(|address| format!("http://{address}"), issuer.keys(), held).await?;
    issuer.name = format!("http://{}", published.address);
    next.name.clone_from(&issuer.name);
    let server = server(folder.path(), issuer.settings(None)).await?;
    let channel = channel(server.address).await?;
    published.wait_for(1).await?;
    // The answer that is under way holds the old keys; from now on there are others.
    let mut keys = next.keys();
    keys["keys"][1]["kid"] = json!("new");
    if let Ok(mut held) = published.keys.lock() {
        *held = keys;
    }
    let claims = issuer.claims("north", &["custodian"]);
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "new"});
    let new = next.sign_as(&header, "ec", &claims.to_string())?;
    assert_eq!(answer(&channel, &new).await, taken());
    published.wait_for_answers(2).await?;
    // Given, and by then perhaps not yet read.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(answer(&channel, &issuer.sign("ec", &claims)?).await, invalid());
    assert_eq!(answer(&channel, &new).await, taken());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_issuers_document_and_an_absent_one_give_no_keys() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut issuer = Issuer::new("")?;
    let published = publish(|_| "https://another.example.org".into(), issuer.keys()).await?;
    issuer.name = format!("http://{}", published.address);
    let server = server(folder.path(), issuer.settings(None)).await?;
    let channel = channel(server.address).await?;
    let token = issuer.token("north", &["custodian"])?;
    assert_eq!(answer(&channel, &token).await, (Code::Unavailable, "KEYS_UNAVAILABLE".into()));
    assert_eq!(published.asked(), 0, "keys of another issuer were fetched");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_file_is_read_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (issuer, next) =
        (Issuer::new("https://issuer.example.org")?, Issuer::new("https://issuer.example.org")?);
    let server = server(folder.path(), issuer.by_file(folder.path())?).await?;
    let channel = channel(server.address).await?;
    let claims = issuer.claims("north", &["custodian"]);
    assert_eq!(answer(&channel, &issuer.sign("ec", &claims)?).await, taken());
    // What is no key set changes nothing.
    std::fs::write(folder.path().join("jwks.json"), "{}")?;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(answer(&channel, &issuer.sign("ec", &claims)?).await, taken());
    next.by_file(folder.path())?;
    let renewed = async {
        while answer(&channel, &next.sign("ec", &claims)?).await != taken() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(crate::running::SOON, renewed).await??;
    assert_eq!(answer(&channel, &issuer.sign("ec", &claims)?).await, invalid());
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_withdraws_all_its_keys_is_believed_within_two_looks() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let issuer = Issuer::new("https://issuer.example.org")?;
    let settings = issuer.by_file(folder.path())?;
    let running = server(folder.path(), settings.clone()).await?;
    let channel = channel(running.address).await?;
    let token = issuer.token("north", &["custodian"])?;
    assert_eq!(answer(&channel, &token).await, taken());
    std::fs::write(folder.path().join("jwks.json"), r#"{"keys":[]}"#)?;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(answer(&channel, &token).await, invalid());
    running.stop().await?;
    // A server does not start so: that is a mistake, not a withdrawal.
    let refused = server(folder.path(), settings).await.err().map(|error| error.to_string());
    assert!(refused.as_ref().is_some_and(|text| text.contains("put the issuer's there")), "{refused:?}");
    Ok(())
}

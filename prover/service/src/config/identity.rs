//! Who may call, and over what: the sections `tls`, `callers` and `oidc` of the configuration.

pub use super::rates::{Rates, Share};

use super::{bad, within};
use crate::{
    error::ServiceError,
    identity::{Role, Roles},
    jobs::Tenant,
};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// The name that stands for all tenants. It is no tenant's name.
pub const EVERY_TENANT: &str = "*";

/// Who may call, as it is configured.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The server's side of TLS; `None` for plain HTTP/2.
    pub tls: Option<Tls>,
    /// Certificates whose tenant and roles are configured here.
    pub callers: Vec<Listed>,
    /// The issuer of bearer tokens.
    pub oidc: Option<Oidc>,
}

/// Files of the server's side of TLS. They are read again when they change.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The server's certificate and what leads to its authority, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, readable by its owner only.
    pub key: PathBuf,
    /// The authorities of client certificates, PEM; `None` to ask for none.
    pub client_ca: Option<PathBuf>,
    /// Revoked client certificates, PEM.
    pub client_crl: Option<PathBuf>,
}

/// A certificate that is named in the configuration.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Which.
    pub certificate: Named,
    /// How it is called in logs.
    pub subject: String,
    /// Whose data it may touch; `None` for an operator of all tenants.
    pub tenant: Option<Tenant>,
    /// What it may do.
    pub roles: Roles,
}

/// How a certificate is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// By the SHA-256 of its DER encoding.
    Fingerprint([u8; 32]),
    /// By a subject alternative name, URI or DNS, exactly.
    Name(String),
}

/// An issuer of bearer tokens, and how its claims are read.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The issuer, as tokens name it.
    pub issuer: String,
    /// The audience that a token must be for.
    pub audience: String,
    /// A file with the issuer's keys, in place of its discovery document.
    pub jwks_file: Option<PathBuf>,
    /// The authorities of the issuer's own certificate, PEM; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// The algorithms that are taken.
    pub algorithms: Vec<jsonwebtoken::Algorithm>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// The claim that names the tenant: a name, or a JSON pointer where it starts with `/`.
    pub tenant_claim: String,
    /// The claim that names the roles, likewise.
    pub roles_claim: String,
    /// Only roles that start so are read, without it.
    pub roles_prefix: String,
    /// How often the keys are fetched anew.
    pub refresh: Duration,
}

impl Identity {
    /// Whether callers have to show who they are.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.oidc.is_some() || self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }
}

/// The sections as they stand in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    client_crl: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallerSection {
    fingerprint: Option<String>,
    san: Option<String>,
    subject: Option<String>,
    tenant: String,
    roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcSection {
    issuer: String,
    audience: String,
    jwks_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    #[serde(default = "algorithms")]
    algorithms: Vec<String>,
    #[serde(default = "leeway_seconds")]
    leeway_seconds: u64,
    #[serde(default = "tenant_claim")]
    tenant_claim: String,
    #[serde(default = "roles_claim")]
    roles_claim: String,
    #[serde(default)]
    roles_prefix: String,
    #[serde(default = "refresh_seconds")]
    refresh_seconds: u64,
}

fn algorithms() -> Vec<String> {
    ["RS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}

const fn leeway_seconds() -> u64 {
    30
}

fn tenant_claim() -> String {
    "tenant".to_owned()
}

fn roles_claim() -> String {
    "roles".to_owned()
}

const fn refresh_seconds() -> u64 {
    600
}

/// Reads the sections that say who callers are.
pub(super) fn identity(
    tls: Option<TlsSection>,
    callers: Vec<CallerSection>,
    oidc: Option<OidcSection>,
    base: &Path,
) -> Result<Identity, ServiceError> {
    let tls = tls.map(|tls| Tls {
        certificate: base.join(tls.certificate),
        key: base.join(tls.key),
        client_ca: tls.client_ca.map(|path| base.join(path)),
        client_crl: tls.client_crl.map(|path| base.join(path)),
    });
    if let Some(Tls { client_ca: None, client_crl: Some(_), .. }) = &tls {
        return Err(bad("tls.client_crl", "is of no use without tls.client_ca"));
    }
    let asks = tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if !callers.is_empty() && !asks {
        return Err(bad("callers", "names certificates, and none are asked for; set tls.client_ca"));
    }
    let callers = callers.into_iter().map(listed).collect::<Result<Vec<_>, _>>()?;
    for (i, caller) in callers.iter().enumerate() {
        if callers.iter().skip(i + 1).any(|other| other.certificate == caller.certificate) {
            return Err(bad("callers", format!("names the certificate of `{}` twice", caller.subject)));
        }
    }
    let oidc = oidc.map(|section| issuer(section, base)).transpose()?;
    Ok(Identity { tls, callers, oidc })
}

fn listed(section: CallerSection) -> Result<Listed, ServiceError> {
    let (certificate, name) = match (section.fingerprint, section.san) {
        (Some(text), None) => {
            let mut digest = [0; 32];
            let plain = text.replace(':', "");
            hex::decode_to_slice(&plain, &mut digest).map_err(|_| {
                bad("callers.fingerprint", "expected the SHA-256 of the certificate, 64 hexadecimal digits")
            })?;
            let short = plain.get(..16).unwrap_or_default().to_lowercase();
            (Named::Fingerprint(digest), format!("sha256:{short}"))
        }
        (None, Some(name)) if !name.is_empty() => (Named::Name(name.clone()), name),
        _ => return Err(bad("callers", "each names one certificate, by `fingerprint` or by `san`")),
    };
    let subject = section.subject.unwrap_or(name);
    if !is_subject(&subject) {
        return Err(bad("callers.subject", "expected 1 to 128 visible ASCII characters"));
    }
    let roles = Roles::parse(section.roles.iter().map(String::as_str)).ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
        bad("callers.roles", format!("expected one or more of {}, each once", names.join(", ")))
    })?;
    let tenant = tenant(&section.tenant, roles).ok_or_else(|| {
        bad("callers.tenant", "expected a tenant's name; `*` is for those who are operator and nothing else")
    })?;
    Ok(Listed { certificate, subject, tenant, roles })
}

/// Whose data: a tenant's, or all tenants' for those who are operator and nothing else. `None` for anything else.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether it can be read, the inner one is its value"
)]
pub(crate) fn tenant(name: &str, roles: Roles) -> Option<Option<Tenant>> {
    if name == EVERY_TENANT {
        return (roles == Roles::of(&[Role::Operator])).then_some(None);
    }
    Tenant::new(name).map(Some)
}

/// Whether this may stand in a log: nothing that ends a line, nothing long.
pub(crate) fn is_subject(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn issuer(section: OidcSection, base: &Path) -> Result<Oidc, ServiceError> {
    let secure = section.issuer.starts_with("https://");
    let local = is_loopback_http(&section.issuer);
    if section.jwks_file.is_none() && !secure && !local {
        return Err(bad(
            "oidc.issuer",
            "expected an https:// address (http:// only of a loopback address), or oidc.jwks_file with its keys",
        ));
    }
    if section.issuer.is_empty() || section.audience.is_empty() {
        return Err(bad("oidc.audience", "expected an issuer and the audience of this service's tokens"));
    }
    let mut taken = Vec::new();
    for name in &section.algorithms {
        taken.push(match name.as_str() {
            "RS256" => jsonwebtoken::Algorithm::RS256,
            "ES256" => jsonwebtoken::Algorithm::ES256,
            "EdDSA" => jsonwebtoken::Algorithm::EdDSA,
            _ => {
                return Err(bad("oidc.algorithms", format!("`{name}` is not one of RS256, ES256 and EdDSA")));
            }
        });
    }
    if taken.is_empty() {
        return Err(bad("oidc.algorithms", "expected one or more of RS256, ES256 and EdDSA"));
    }
    within("oidc.leeway_seconds", section.leeway_seconds, 0, 300)?;
    within("oidc.refresh_seconds", section.refresh_seconds, 60, 86_400)?;
    for (key, claim) in
        [("oidc.tenant_claim", &section.tenant_claim), ("oidc.roles_claim", &section.roles_claim)]
    {
        if claim.is_empty() {
            return Err(bad(key, "expected a claim's name, or a JSON pointer that starts with `/`"));
        }
    }
    Ok(Oidc {
        issuer: section.issuer,
        audience: section.audience,
        jwks_file: section.jwks_file.map(|path| base.join(path)),
        ca: section.ca.map(|path| base.join(path)),
        algorithms: taken,
        leeway: Duration::from_secs(section.leeway_seconds),
        tenant_claim: section.tenant_claim,
        roles_claim: section.roles_claim,
        roles_prefix: section.roles_prefix,
        refresh: Duration::from_secs(section.refresh_seconds),
    })
}

/// Whether this is plain HTTP that does not leave the machine.
pub(crate) fn is_loopback_http(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("http") && loopback
}

/// Refuses an address that strangers reach without showing who they are.
pub(super) fn reachable(
    listen: SocketAddr,
    allow_remote: bool,
    production: bool,
    identity: &Identity,
) -> Result<(), ServiceError> {
    if listen.ip().is_loopback() || (identity.is_required() && identity.tls.is_some()) {
        return Ok(());
    }
    if identity.oidc.is_some() {
        return Err(bad(
            "listen.address",
            "is not a loopback address, and bearer tokens travel only encrypted: set [tls] (docs/identity.md), or listen on 127.0.0.1 \
             behind a proxy that encrypts; listen.allow_remote does not stand in for it",
        ));
    }
    if production {
        return Err(bad(
            "listen.address",
            "is not a loopback address, and in production callers from elsewhere must be known and encrypted: set [tls], and \
             tls.client_ca or [oidc] (docs/identity.md); listen.allow_remote does not stand in for them",
        ));
    }
    if !allow_remote {
        return Err(bad(
            "listen.address",
            "is not a loopback address, and callers are not authenticated over TLS; set [tls], and tls.client_ca or [oidc] \
             (docs/identity.md), or put an authenticating proxy in front and listen on 127.0.0.1, or set listen.allow_remote = true \
             where the network itself is trusted",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use std::path::Path;

    const BASE: &str = "data_dir = 'd'\nkeys_dir = '/k'\n";
    const REMOTE: &str = "[listen]\naddress = '0.0.0.0:50051'\n";
    const SERVER: &str = "[tls]\ncertificate = 's.pem'\nkey = 's.key'\n";
    const CALLERS: &str = "client_ca = 'c.pem'\n";
    const OIDC: &str = "[oidc]\nissuer = 'https://id.example.org'\naudience = 'nightingale'\n";

    fn problem(text: &str) -> String {
        match Config::parse(&format!("{BASE}{text}"), Path::new("/etc/nightingale")) {
            Ok(_) => "accepted".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn strangers_reach_an_address_only_where_they_must_show_who_they_are() {
        let known =
            [format!("{SERVER}{CALLERS}"), format!("{SERVER}{OIDC}"), format!("{SERVER}{CALLERS}{OIDC}")];
        let unknown = [String::new(), SERVER.to_owned(), OIDC.to_owned()];
        for production in ["", "production = true\n"] {
            for identity in &known {
                assert_eq!(problem(&format!("{production}{REMOTE}{identity}")), "accepted", "{identity}");
            }
            for identity in &unknown {
                assert!(
                    problem(&format!("{production}{REMOTE}{identity}")).contains("listen.address"),
                    "{identity}"
                );
                assert_eq!(problem(&format!("{production}{identity}")), "accepted", "{identity}");
                let allowed = problem(&format!("{production}{REMOTE}allow_remote = true\n{identity}"));
                // Tokens never travel in clear, whoever trusts the network.
                let is_taken = production.is_empty() && *identity != OIDC;
                assert_eq!(allowed == "accepted", is_taken, "{identity}: {allowed}");
            }
        }
    }

    #[test]
    fn reflection_is_off_in_production_unless_asked_for() {
        let reflects = |text: &str| {
            Config::parse(&format!("{BASE}{text}"), Path::new("")).map(|config| config.reflection).ok()
        };
        assert_eq!(reflects(""), Some(true));
        assert_eq!(reflects("production = true"), Some(false));
        assert_eq!(reflects("production = true\n[listen]\nreflection = true"), Some(true));
        assert_eq!(reflects("[listen]\nreflection = false"), Some(false));
    }

    #[test]
    fn a_bad_value_names_its_key() {
        let tls = format!("{SERVER}{CALLERS}");
        let caller = |rest: &str| format!("{tls}[[callers]]\n{rest}");
        let oidc = |rest: &str| format!("{OIDC}{rest}");
        let named = "tenant = 'north'\nroles = ['custodian']\n";
        for (text, key) in [
            ("[tls]\ncertificate = 'a'".to_owned(), "tls"),
            (format!("{SERVER}client_crl = 'x'"), "tls.client_crl:"),
            (format!("[[callers]]\nsan = 'a'\n{named}"), "callers:"),
            (caller(&format!("san = 'a'\n{named}[[callers]]\nsan = 'a'\n{named}")), "callers:"),
            (caller(named), "callers:"),
            (caller(&format!("san = 'a'\nfingerprint = '00'\n{named}")), "callers:"),
            (caller(&format!("fingerprint = '00'\n{named}")), "callers.fingerprint:"),
            (caller("san = 'a'\ntenant = 'North'\nroles = ['custodian']"), "callers.tenant:"),
            (caller("san = 'a'\ntenant = '*'\nroles = ['operator', 'custodian']"), "callers.tenant:"),
            (caller("san = 'a'\ntenant = 'north'\nroles = ['Custodian']"), "callers.roles:"),
            (caller("san = 'a'\ntenant = 'north'\nroles = []"), "callers.roles:"),
            (caller(&format!("san = 'a'\nsubject = 'two words'\n{named}")), "callers.subject:"),
            ("[oidc]\nissuer = 'http://id.example.org'\naudience = 'a'".to_owned(), "oidc.issuer:"),
            ("[oidc]\nissuer = 'id.example.org'\naudience = 'a'".to_owned(), "oidc.issuer:"),
            ("[oidc]\nissuer = 'https://id.example.org'\naudience = ''".to_owned(), "oidc.audience:"),
            (oidc("algorithms = ['HS256']"), "oidc.algorithms:"),
            (oidc("algorithms = ['none']"), "oidc.algorithms:"),
            (oidc("algorithms = []"), "oidc.algorithms:"),
            (oidc("leeway_seconds = 9999"), "oidc.leeway_seconds:"),
            (oidc("refresh_seconds = 1"), "oidc.refresh_seconds:"),
            (oidc("roles_claim = ''"), "oidc.roles_claim:"),
            ("[rates]\nburst = 0".to_owned(), "rates.burst:"),
            ("[rates]\nheader_bytes = 7".to_owned(), "rates.header_bytes:"),
            ("[rates]\nconnections = 0".to_owned(), "rates.connections:"),
            ("[rates.tenants.North]\nburst = 1".to_owned(), "rates.tenants:"),
            ("[rates.tenants.north]\njobs_per_day = 0".to_owned(), "rates.tenants.north.jobs_per_day:"),
            ("[rates.tenants.north]\nconnections = 1".to_owned(), "connections"),
        ] {
            let problem = problem(&text);
            assert!(
                problem.starts_with("configuration: ") && problem.contains(key),
                "{text:?} gave {problem:?}"
            );
        }
        for loopback in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1/realm"] {
            assert_eq!(problem(&format!("[oidc]\nissuer = '{loopback}'\naudience = 'a'")), "accepted");
        }
        for deceptive in
            ["http://127.0.0.1.example.org", "http://localhost.example.org", "http://127.0.0.1@example.org"]
        {
            assert!(
                problem(&format!("[oidc]\nissuer = '{deceptive}'\naudience = 'a'")).contains("oidc.issuer:")
            );
        }
    }

    #[test]
    fn a_tenants_share_is_its_own_and_the_rest_is_everybodys() -> Result<(), crate::ServiceError> {
        let text = format!(
            "{BASE}{SERVER}{CALLERS}[rates]\nin_flight = 9\n[rates.tenants.north]\nrequests_per_second = 5\njobs_per_day = 7\n"
        );
        let rates = Config::parse(&text, Path::new(""))?.rates;
        let north = rates.share("north");
        assert_eq!((north.requests_per_second, north.burst, north.in_flight), (Some(5), Some(10), Some(9)));
        assert_eq!(north.jobs_per_day, Some(7));
        let south = rates.share("south");
        assert_eq!(
            (south.requests_per_second, south.in_flight, south.jobs_per_day),
            (Some(500), Some(9), None)
        );
        // Where nobody is identified, nothing is bounded unless it is said.
        assert_eq!(Config::parse(BASE, Path::new(""))?.rates.share("").requests_per_second, None);
        Ok(())
    }
}

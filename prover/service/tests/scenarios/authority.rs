//! A certificate authority for a test: its own certificate, a server's, and callers'.

use anyhow::Result;
use nightingale::{
    Config,
    client::Credentials,
    config::identity::{Identity, Tls},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// An authority, and the folder that holds what it made.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

/// What a caller's certificate says.
pub(crate) struct Wanted<'a> {
    /// Its names, URIs where they have a colon.
    pub(crate) names: &'a [&'a str],
    /// The year of its end.
    pub(crate) until: i32,
    /// Its number.
    pub(crate) serial: u64,
    /// Whether it is for clients.
    pub(crate) for_clients: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self { names: &[], until: 2100, serial: 7, for_clients: true }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

impl Authority {
    /// A new one. Its files are named after it.
    pub(crate) fn new(folder: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let made = Self { issuer, folder: folder.join(name) };
        std::fs::create_dir_all(&made.folder)?;
        write(&made.path("ca.pem"), &made.issuer.pem())?;
        Ok(made)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a server's certificate and key.
    pub(crate) fn server(&self) -> Result<(PathBuf, PathBuf)> {
        let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.make("server", params)
    }

    /// Writes a caller's certificate and key; what a client of it shows.
    pub(crate) fn client(&self, name: &str, wanted: &Wanted<'_>) -> Result<Credentials> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        for name in wanted.names {
            params.subject_alt_names.push(if name.contains(':') {
                SanType::URI((*name).try_into()?)
            } else {
                SanType::DnsName((*name).try_into()?)
            });
        }
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(wanted.until, 1, 1);
        params.serial_number = Some(SerialNumber::from(wanted.serial));
        params.extended_key_usages = vec![if wanted.for_clients {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        let (certificate, key) = self.make(name, params)?;
        Ok(Credentials {
            ca: Some(self.path("ca.pem")),
            certificate: Some((certificate, key)),
            ..Credentials::default()
        })
    }

    /// A caller of a tenant in these roles.
    pub(crate) fn caller(&self, tenant: &str, roles: &str) -> Result<Credentials> {
        let uri = format!("nightingale://{tenant}/{roles}/test");
        let file = format!("{}-{roles}", tenant.replace('*', "all"));
        self.client(&file, &Wanted { names: &[&uri], ..Wanted::default() })
    }

    /// Somebody without a certificate who believes this authority.
    pub(crate) fn believer(&self) -> Credentials {
        Credentials { ca: Some(self.path("ca.pem")), ..Credentials::default() }
    }

    /// Writes a list of revoked numbers.
    pub(crate) fn revoke(&self, serials: &[u64]) -> Result<PathBuf> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.path("revoked.crl");
        write(&path, &list.signed_by(&self.issuer)?.pem()?)?;
        Ok(path)
    }

    fn make(&self, name: &str, params: CertificateParams) -> Result<(PathBuf, PathBuf)> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let (certificate_path, key_path) =
            (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        write(&certificate_path, &certificate.pem())?;
        write(&key_path, &key.serialize_pem())?;
        Ok((certificate_path, key_path))
    }

    /// The server's side of TLS, which asks for certificates of this authority.
    pub(crate) fn tls(&self) -> Result<Tls> {
        let (certificate, key) = self.server()?;
        Ok(Tls { certificate, key, client_ca: Some(self.path("ca.pem")), client_crl: None })
    }

    /// A configuration that asks for certificates of this authority.
    pub(crate) fn config(&self, config: Config) -> Result<Config> {
        let identity = Identity { tls: Some(self.tls()?), ..Identity::default() };
        Ok(Config { identity, ..config })
    }
}

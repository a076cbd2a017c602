//! Who a client certificate is: by the configuration's list, or by its one URI `nightingale://TENANT/ROLE[,ROLE]/NAME`. That it leads to
//! an authority that is trusted was checked before, in the handshake.

use super::{Caller, Means, Roles};
use crate::config::identity::{Listed, Named, is_subject, tenant};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

/// How the URI of a caller begins.
const SCHEME: &str = "nightingale://";

/// A certificate's names, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    fingerprint: [u8; 32],
    uris: Vec<String>,
    others: Vec<String>,
}

impl Names {
    /// Of a certificate; `None` when it cannot be read.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = webpki::EndEntityCert::try_from(certificate).ok()?;
        Some(Self {
            fingerprint: Sha256::digest(certificate.as_ref()).into(),
            uris: read.valid_uri_names().map(str::to_owned).collect(),
            others: read.valid_dns_names().map(str::to_owned).collect(),
        })
    }

    /// Who this is. `None` for a stranger, and for whoever is two people at once.
    pub(crate) fn caller(&self, listed: &[Listed]) -> Option<Caller> {
        let named = |caller: &&Listed| match &caller.certificate {
            Named::Fingerprint(digest) => *digest == self.fingerprint,
            Named::Name(name) => self.uris.contains(name) || self.others.contains(name),
        };
        let mut matching = listed.iter().filter(named);
        match (matching.next(), matching.next()) {
            (Some(_), Some(_)) => None,
            (Some(caller), None) => Some(Caller {
                subject: caller.subject.clone(),
                tenant: caller.tenant.clone(),
                roles: caller.roles,
                means: Means::Certificate,
            }),
            (None, _) => self.by_rule(),
        }
    }

    fn by_rule(&self) -> Option<Caller> {
        // Another scheme's URIs are another system's business; a second one of ours, or one in other letters, is a contradiction.
        let mut ours = self
            .uris
            .iter()
            .filter(|uri| uri.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME)));
        match (ours.next(), ours.next()) {
            (Some(uri), None) => read(uri),
            _ => None,
        }
    }
}

/// Reads `nightingale://TENANT/ROLE[,ROLE]/NAME`, and nothing that only looks like it.
fn read(uri: &str) -> Option<Caller> {
    let mut parts = uri.strip_prefix(SCHEME)?.split('/');
    let (named, roles, name) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let roles = Roles::parse(roles.split(','))?;
    let tenant = tenant(named, roles)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
        return None;
    }
    let subject = format!("{named}/{name}");
    is_subject(&subject).then_some(Caller { subject, tenant, roles, means: Means::Certificate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{identity::Role, jobs::Tenant};

    fn names(uris: &[&str]) -> Names {
        Names {
            fingerprint: [7; 32],
            uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
            others: vec!["gateway.example.org".into()],
        }
    }

    #[test]
    fn the_uri_says_tenant_roles_and_name() {
        let caller = names(&["nightingale://north/custodian,auditor/gateway-1"]).caller(&[]);
        assert_eq!(
            caller,
            Some(Caller {
                subject: "north/gateway-1".into(),
                tenant: Tenant::new("north"),
                roles: Roles::of(&[Role::Custodian, Role::Auditor]),
                means: Means::Certificate,
            })
        );
        let operator = names(&["nightingale://*/operator/pager"]).caller(&[]);
        assert_eq!(operator.and_then(|caller| caller.tenant), None);
    }

    #[test]
    fn what_only_looks_like_the_uri_is_nobody() {
        for uri in [
            "nightingale://north/custodian",
            "nightingale://north/custodian/",
            "nightingale://north/custodian/a/b",
            "nightingale://north/custodian/a/",
            "nightingale://north//a",
            "nightingale:///custodian/a",
            "nightingale://north/Custodian/a",
            "nightingale://north/custodian,custodian/a",
            "nightingale://north/custodian,/a",
            "nightingale://north/custodian, auditor/a",
            "nightingale://north/root/a",
            "nightingale://North/custodian/a",
            "nightingale://north/custodian/a%2fb",
            "nightingale://north/custodian/a?role=operator",
            "nightingale://north/custodian/a#b",
            "nightingale://north:443/custodian/a",
            "nightingale://user@north/custodian/a",
            "nightingale://*/custodian/a",
            "nightingale://*/operator,custodian/a",
            "NIGHTINGALE://north/custodian/a",
            " nightingale://north/custodian/a",
            "https://north/custodian/a",
            "nightingale:/north/custodian/a",
            "nightingale://../custodian/a",
            "",
        ] {
            assert_eq!(names(&[uri]).caller(&[]), None, "{uri}");
        }
        let long = format!("nightingale://north/custodian/{}", "a".repeat(65));
        assert_eq!(names(&[&long]).caller(&[]), None);
    }

    #[test]
    fn two_uris_of_ours_contradict_each_other() {
        let (one, two) = ("nightingale://north/auditor/a", "nightingale://south/custodian/a");
        assert_eq!(names(&[one, two]).caller(&[]), None);
        assert_eq!(names(&[one, "Nightingale://south/custodian/a"]).caller(&[]), None);
        assert!(names(&[one, "spiffe://cluster/ns/a"]).caller(&[]).is_some());
        assert_eq!(names(&[]).caller(&[]), None);
    }

    #[test]
    fn the_list_goes_before_the_uri() {
        let listed = |certificate: Named| Listed {
            certificate,
            subject: "listed".into(),
            tenant: Tenant::new("south"),
            roles: Roles::of(&[Role::Auditor]),
        };
        let uri = "nightingale://north/custodian/a";
        for certificate in
            [Named::Fingerprint([7; 32]), Named::Name(uri.into()), Named::Name("gateway.example.org".into())]
        {
            let caller = names(&[uri]).caller(&[listed(certificate)]);
            assert_eq!(caller.map(|caller| caller.roles), Some(Roles::of(&[Role::Auditor])));
        }
        let other = names(&[uri]).caller(&[listed(Named::Fingerprint([8; 32]))]);
        assert_eq!(other.map(|caller| caller.roles), Some(Roles::of(&[Role::Custodian])));
        let both = [listed(Named::Fingerprint([7; 32])), listed(Named::Name(uri.into()))];
        assert_eq!(names(&[uri]).caller(&both), None);
    }
}

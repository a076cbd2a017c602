//! Which role may call what: one table. A method that is not in it is denied, whoever calls; a test calls every method of the
//! descriptors in every role and holds the answers against it, another prints it into docs/identity.md.

use super::roles::{Role, Roles};
use crate::jobs::JobClass;
use Role::{Auditor, Custodian, Insurer, Operator, Regulator, Researcher};
use std::sync::LazyLock;

/// The methods as logs and the audit trail call them, in the table's order.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| METHODS.iter().map(|method| short(method.path)).collect());

fn short(path: &str) -> String {
    path.trim_start_matches('/').trim_start_matches("nightingale.v1.").replace('/', ".")
}

impl Method {
    /// As logs and the audit trail call it: `JobService.Get`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let place = METHODS.iter().position(|method| method.path == self.path);
        place.and_then(|place| NAMES.get(place)).map_or("unknown", String::as_str)
    }
}

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, known or not: what load balancers ask.
    Open,
    /// Callers with one of these roles.
    Roles(Roles),
}

/// How large a message of a method may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 1 KiB: what strangers may send.
    Word,
    /// 64 KiB: names, identifiers and short texts.
    Plain,
    /// A request: `limits.request_bytes`, twice, so that one that is a little too large is answered with its reason.
    Request,
    /// A publication: `limits.publish_bytes`, and what stands beside it.
    Publication,
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// As in a request's path.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether a call holds more than one message of the caller's.
    pub streams: bool,
    /// How large each may be.
    pub size: Size,
}

const fn method(path: &'static str, roles: &[Role]) -> Method {
    Method { path, access: Access::Roles(Roles::of(roles)), streams: false, size: Size::Plain }
}

const fn request(path: &'static str, roles: &[Role]) -> Method {
    Method { size: Size::Request, ..method(path, roles) }
}

const fn publication(path: &'static str, roles: &[Role]) -> Method {
    Method { size: Size::Publication, ..method(path, roles) }
}

const fn streaming(path: &'static str, roles: &[Role]) -> Method {
    Method { streams: true, ..method(path, roles) }
}

const fn open(path: &'static str) -> Method {
    Method { path, access: Access::Open, streams: false, size: Size::Word }
}

/// Every method that can be called.
pub const METHODS: &[Method] = &[
    // The one way past the rest of this table: on record, told to others, and off unless configured (docs/audit.md).
    method("/nightingale.v1.AuditService/BreakGlass", &[Auditor, Operator, Regulator]),
    method("/nightingale.v1.AuditService/Disclosures", &[Auditor, Operator]),
    method("/nightingale.v1.AuditService/Export", &[Auditor, Operator]),
    method("/nightingale.v1.AuditService/Head", &[Auditor, Operator]),
    request("/nightingale.v1.ClaimService/Adjudicate", &[Custodian]),
    Method { streams: true, ..request("/nightingale.v1.ClaimService/AdjudicateStream", &[Custodian]) },
    request("/nightingale.v1.CohortService/Query", &[Researcher, Regulator]),
    method("/nightingale.v1.ConsentService/Epochs", &[Custodian, Insurer, Auditor]),
    method("/nightingale.v1.ConsentService/Grant", &[Custodian]),
    publication("/nightingale.v1.ConsentService/Import", &[Custodian]),
    method("/nightingale.v1.ConsentService/List", &[Custodian]),
    method("/nightingale.v1.ConsentService/Publish", &[Custodian]),
    method("/nightingale.v1.ConsentService/Register", &[Custodian]),
    method("/nightingale.v1.ConsentService/Revoke", &[Custodian]),
    publication("/nightingale.v1.ConsentService/RevokeSubjects", &[Custodian]),
    method("/nightingale.v1.DatasetService/Register", &[Custodian]),
    method("/nightingale.v1.DatasetService/Describe", &[Custodian, Researcher, Regulator, Auditor]),
    method("/nightingale.v1.DatasetService/List", &[Custodian, Researcher, Regulator, Auditor]),
    publication("/nightingale.v1.EpochService/Publish", &[Insurer]),
    method("/nightingale.v1.EpochService/Get", &[Custodian, Insurer, Auditor]),
    method("/nightingale.v1.JobService/Get", &Role::ALL),
    method("/nightingale.v1.JobService/Watch", &Role::ALL),
    method("/nightingale.v1.JobService/Cancel", &[Custodian, Researcher, Regulator]),
    method("/nightingale.v1.JobService/List", &Role::ALL),
    method("/nightingale.v1.KeyService/List", &Role::ALL),
    open("/grpc.health.v1.Health/Check"),
    open("/grpc.health.v1.Health/Watch"),
    streaming("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &Role::ALL),
];

/// The row of a request's path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.path == path)
}

/// Those of a caller's roles that may call the method of this name. What the others see is not theirs to change.
#[must_use]
pub fn acting(roles: Roles, method: &str) -> Roles {
    match METHODS.iter().find(|row| row.name() == method).map(|row| row.access) {
        Some(Access::Open) => roles,
        Some(Access::Roles(may)) => roles.and(may),
        None => Roles::NONE,
    }
}

/// How much of a job a caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Nothing: to this caller there is no such job.
    Nothing,
    /// How it stands, and neither its question nor its result.
    States,
    /// All.
    Results,
}

/// How much of a job of this class these roles see. The most that one of them does.
#[must_use]
pub fn sight(roles: Roles, class: JobClass) -> Sight {
    let of = |role: Role| match (role, class) {
        (Role::Custodian, _) => Sight::Results,
        (Role::Insurer, JobClass::Claim(_)) => Sight::Results,
        (Role::Researcher | Role::Regulator, JobClass::Cohort(_)) => Sight::Results,
        (Role::Auditor | Role::Operator, _) => Sight::States,
        (Role::Insurer, JobClass::Cohort(_)) | (Role::Researcher | Role::Regulator, JobClass::Claim(_)) => {
            Sight::Nothing
        }
    };
    roles.iter().map(of).max().unwrap_or(Sight::Nothing)
}

/// The table as docs/identity.md shows it.
#[must_use]
pub fn markdown() -> String {
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let mut text = format!("| method | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(Role::ALL.len()));
    for method in METHODS {
        let name = method.name();
        let cell = |role: &Role| match method.access {
            Access::Open => "open",
            Access::Roles(roles) if roles.has(*role) => "yes",
            Access::Roles(_) => "-",
        };
        let cells: Vec<&str> = Role::ALL.iter().map(cell).collect();
        text.push_str(&format!("| `{name}` | {} |\n", cells.join(" | ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_method_stands_twice() {
        for (i, method) in METHODS.iter().enumerate() {
            assert!(METHODS.iter().skip(i + 1).all(|other| other.path != method.path), "{}", method.path);
        }
        assert!(find("/nightingale.v1.JobService/get").is_none());
        assert!(find("/nightingale.v1.JobService/Get/").is_none());
        assert!(find("/nightingale.v1.JobService/Purge").is_none());
    }

    #[test]
    fn who_keeps_the_server_going_sees_no_result() {
        let every = |role: Role| JobClass::ALL.into_iter().map(move |class| sight(Roles::of(&[role]), class));
        for role in [Role::Operator, Auditor] {
            assert!(every(role).all(|sight| sight == Sight::States), "{role}");
        }
        assert!(every(Custodian).all(|sight| sight == Sight::Results));
        for class in JobClass::ALL {
            let is_claim = matches!(class, JobClass::Claim(_));
            let (claim, cohort) =
                if is_claim { (Sight::Results, Sight::Nothing) } else { (Sight::Nothing, Sight::Results) };
            assert_eq!(sight(Roles::of(&[Insurer]), class), claim);
            assert_eq!(sight(Roles::of(&[Researcher]), class), cohort);
            assert_eq!(sight(Roles::of(&[Regulator]), class), cohort);
            assert_eq!(sight(Roles::NONE, class), Sight::Nothing);
            assert_eq!(sight(Roles::of(&[Role::Operator, Insurer]), class), claim.max(Sight::States));
        }
    }
}

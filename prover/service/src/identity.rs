//! Who calls: every request carries a [`Caller`], put there by the layer in front of all services, and a handler learns from it
//! which tenant the request is of. What is not known to be allowed is refused.

pub mod access;
pub(crate) mod authenticate;
pub(crate) mod certificate;
pub mod edge;
mod roles;
pub(crate) mod token;

pub use roles::{Role, Roles};

use crate::{
    jobs::Tenant,
    server::status::{invalid, typed},
};
use tonic::{Code, Request, Status};

/// Who calls, as far as the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name by which logs and the audit trail call it. Never a token.
    pub subject: String,
    /// Whose data it may touch. `None`: any tenant's, which only an operator may be given, and everybody is where no identity is asked for.
    pub tenant: Option<Tenant>,
    /// What it may do.
    pub roles: Roles,
    /// What showed who it is.
    pub means: Means,
}

/// What showed who a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Nothing: the server asks for no identity, and believes what a message says its tenant is.
    Nothing,
    /// A client certificate.
    Certificate,
    /// A bearer token.
    Token,
}

impl Means {
    /// Its name in logs and in the audit trail.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Certificate => "certificate",
            Self::Token => "token",
        }
    }
}

impl Caller {
    /// Everybody, where the server asks for no identity.
    #[must_use]
    pub fn anybody() -> Self {
        Self { subject: "anybody".to_owned(), tenant: None, roles: Roles::ALL, means: Means::Nothing }
    }

    /// Whose request this is: what the message says, where the caller may act for that tenant. A caller of one tenant may leave the name
    /// out.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for what is no name; `PERMISSION_DENIED`, `TENANT_FORBIDDEN` for another tenant than the caller's, whether
    /// there is such a tenant or not.
    pub fn tenant(&self, named: &str) -> Result<Tenant, Status> {
        let wanted = match (&self.tenant, named) {
            (Some(own), "") => return Ok(own.clone()),
            _ => Tenant::new(named),
        };
        let wanted =
            wanted.ok_or_else(|| invalid("tenant", "expected 1 to 64 of a-z, 0-9, '-', '_' and '.'"))?;
        match &self.tenant {
            Some(own) if *own != wanted => Err(typed(
                Code::PermissionDenied,
                "TENANT_FORBIDDEN",
                "tenant: the caller acts for another tenant; name that one, or none",
            )),
            _ => Ok(wanted),
        }
    }
}

/// Who sent this request.
///
/// # Errors
/// `UNAUTHENTICATED`, `NO_CREDENTIALS` when the request did not pass the layer that says so.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let found = request.extensions().get::<Caller>().cloned();
    found.ok_or_else(|| typed(Code::Unauthenticated, "NO_CREDENTIALS", "the caller is not known"))
}

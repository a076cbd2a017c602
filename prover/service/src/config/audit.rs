//! `[audit]`: break-glass access and whom it is told to, and on which legal basis data are disclosed.

use super::bad;
use crate::error::ServiceError;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Whom break-glass access is told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// A program; it is given one line of JSON on its standard input and must end with 0.
    Command(PathBuf),
    /// A file that one line of JSON is appended to.
    File(PathBuf),
}

/// On which legal basis data are disclosed, by purpose: kept with every disclosure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bases {
    /// Claims.
    pub claims: String,
    /// Researchers' questions.
    pub research: String,
    /// Regulators' questions.
    pub oversight: String,
    /// Break-glass access.
    pub emergency: String,
}

/// What the audit log needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Audit {
    /// Whom break-glass access is told to; `None` where there is no such access.
    pub break_glass: Option<Alarm>,
    /// Legal bases.
    pub bases: Bases,
}

impl Default for Bases {
    fn default() -> Self {
        Self {
            claims: "45 CFR 164.506(c)".into(),
            research: "45 CFR 164.512(i)".into(),
            oversight: "45 CFR 164.512(d)".into(),
            emergency: "45 CFR 164.512".into(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    break_glass: bool,
    break_glass_command: Option<PathBuf>,
    break_glass_file: Option<PathBuf>,
    claims_basis: Option<String>,
    research_basis: Option<String>,
    oversight_basis: Option<String>,
    emergency_basis: Option<String>,
}

impl File {
    pub(super) fn check(self, base: &Path) -> Result<Audit, ServiceError> {
        let alarm = match (self.break_glass, self.break_glass_command, self.break_glass_file) {
            (true, Some(command), None) => Some(Alarm::Command(base.join(command))),
            (true, None, Some(file)) => Some(Alarm::File(base.join(file))),
            (false, None, None) => None,
            (true, ..) => {
                let problem =
                    "needs either audit.break_glass_command or audit.break_glass_file: somebody must be told";
                return Err(bad("audit.break_glass", problem));
            }
            (false, ..) => {
                return Err(bad(
                    "audit.break_glass",
                    "is not true, and somebody is to be told; set it or remove them",
                ));
            }
        };
        let usual = Bases::default();
        let basis = |key: &str, given: Option<String>, usual: String| match given {
            Some(text) if text.trim().is_empty() || text.len() > 200 => {
                Err(bad(key, "expected a provision of law, in up to 200 bytes"))
            }
            Some(text) => Ok(text),
            None => Ok(usual),
        };
        let bases = Bases {
            claims: basis("audit.claims_basis", self.claims_basis, usual.claims)?,
            research: basis("audit.research_basis", self.research_basis, usual.research)?,
            oversight: basis("audit.oversight_basis", self.oversight_basis, usual.oversight)?,
            emergency: basis("audit.emergency_basis", self.emergency_basis, usual.emergency)?,
        };
        Ok(Audit { break_glass: alarm, bases })
    }
}

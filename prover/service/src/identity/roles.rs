//! What a caller may be. A set of roles is small, ordered, and is only ever made from the exact names.

use std::fmt;

/// A part that a caller plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Holds the records: has claims adjudicated, registers datasets, sees its tenant's results.
    Custodian,
    /// Publishes epochs and settles: sees the results of claims.
    Insurer,
    /// Asks the planned questions about datasets.
    Researcher,
    /// Asks any question, and gets exact answers, sealed.
    Regulator,
    /// Reads what was done, never a result.
    Auditor,
    /// Keeps the server going: states and counts, never a result.
    Operator,
}

impl Role {
    /// All, in the order of every list of them.
    pub const ALL: [Self; 6] =
        [Self::Custodian, Self::Insurer, Self::Researcher, Self::Regulator, Self::Auditor, Self::Operator];

    /// Its name in certificates, tokens and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Custodian => "custodian",
            Self::Insurer => "insurer",
            Self::Researcher => "researcher",
            Self::Regulator => "regulator",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }

    /// From its exact name: no other case, no blanks.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self::of(&Role::ALL);

    /// Of these.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut rest = roles;
        while let [role, more @ ..] = rest {
            bits |= role.bit();
            rest = more;
        }
        Self(bits)
    }

    /// From exact names, each once; `None` for an unknown or a repeated one, and for none at all: whoever issued that meant something
    /// else than it says.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut roles = Self::NONE;
        for name in names {
            let role = Role::parse(name)?;
            if roles.has(role) {
                return None;
            }
            roles.0 |= role.bit();
        }
        (roles != Self::NONE).then_some(roles)
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether one of those is among them.
    #[must_use]
    pub const fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Those that are among both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// In the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Role::name).collect();
        f.write_str(&names.join(","))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_their_exact_names_each_once() {
        assert_eq!(Roles::parse(["custodian"]), Some(Roles::of(&[Role::Custodian])));
        assert_eq!(
            Roles::parse(["auditor", "insurer"]).map(|roles| roles.to_string()).as_deref(),
            Some("insurer,auditor")
        );
        for wrong in [
            &["Custodian"][..],
            &["custodian "],
            &[""],
            &[],
            &["custodian", "custodian"],
            &["root"],
            &["*"],
            &["custodian", "Operator"],
            &["custodian,operator"],
        ] {
            assert_eq!(Roles::parse(wrong.iter().copied()), None, "{wrong:?}");
        }
    }
}

//! The member's account in a request file.

use super::opening::OpeningDocument;
use crate::{RecordsError, notation::Written};
use nightingale_circuits::claim::{Account, Balances, NoteLeaf, account::Secret, request::MemberAccount};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalancesDocument {
    #[serde(default)]
    pub(crate) deductible_cents: u64,
    #[serde(default = "unlimited")]
    pub(crate) out_of_pocket_cents: u64,
    #[serde(default = "unlimited")]
    pub(crate) maximum_cents: u64,
}

const fn unlimited() -> u64 {
    Balances::MAX
}

impl Default for BalancesDocument {
    fn default() -> Self {
        Self { deductible_cents: 0, out_of_pocket_cents: Balances::MAX, maximum_cents: Balances::MAX }
    }
}

impl BalancesDocument {
    pub(crate) const fn of_balances(balances: Balances) -> Self {
        Self {
            deductible_cents: balances.deductible,
            out_of_pocket_cents: balances.out_of_pocket,
            maximum_cents: balances.maximum,
        }
    }

    pub(crate) fn balances(self) -> Result<Balances, RecordsError> {
        let fields = [
            ("deductible_cents", self.deductible_cents),
            ("out_of_pocket_cents", self.out_of_pocket_cents),
            ("maximum_cents", self.maximum_cents),
        ];
        for (element, cents) in fields {
            if cents > Balances::MAX {
                return Err(RecordsError::format(
                    element,
                    "expected cents from 0 to 1099511627775 (unlimited)",
                ));
            }
        }
        Ok(Balances {
            deductible: self.deductible_cents,
            out_of_pocket: self.out_of_pocket_cents,
            maximum: self.maximum_cents,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberDocument {
    nk: Written<Secret>,
    year: u32,
    version: u32,
    balances: BalancesDocument,
    salt: Written<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<OpeningDocument<NoteLeaf>>,
}

impl MemberDocument {
    pub(super) fn of_member(member: &MemberAccount) -> Self {
        Self {
            nk: Written(member.nk.clone()),
            year: member.account.year,
            version: member.account.version,
            balances: BalancesDocument::of_balances(member.account.balances),
            salt: Written(member.account.salt.clone()),
            opening: member.opening.as_ref().map(OpeningDocument::of_opening),
        }
    }

    pub(super) fn into_member(self) -> Result<MemberAccount, RecordsError> {
        if !(1901..=2099).contains(&self.year) {
            return Err(RecordsError::format("account.year", "expected a year from 1901 to 2099"));
        }
        Ok(MemberAccount {
            nk: self.nk.0,
            account: Account {
                year: self.year,
                version: self.version,
                balances: self.balances.balances().map_err(|e| e.within("account.balances"))?,
                salt: self.salt.0,
            },
            opening: self.opening.map(|o| o.into_opening("account.opening")).transpose()?,
        })
    }
}

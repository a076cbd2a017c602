//! Which tenants this process served last, so that those whose jobs wait take turns. Another process has its own: each gives everybody a turn.

use super::queue::Share;
use crate::jobs::Tenant;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Tenants that are remembered. Whoever was served before all of them counts as not served: each tenant with open jobs is looked up among them.
const REMEMBERED: usize = 1024;

/// The tenants that lanes of each share served, the last one last.
#[derive(Default)]
pub(super) struct Served(Mutex<HashMap<Share, Vec<Tenant>>>);

impl Served {
    pub(super) fn note(&self, share: Share, tenant: &Tenant) {
        let mut served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let served = served.entry(share).or_default();
        served.retain(|before| before != tenant);
        if served.len() == REMEMBERED {
            served.remove(0);
        }
        served.push(tenant.clone());
    }

    /// Their names in order, a slash before and after each: no name has one. The later a name begins, the later its tenant was served.
    pub(super) fn names(&self, share: Share) -> String {
        let served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = served.get(&share).into_iter().flatten();
        names.fold("/".to_owned(), |names, tenant| names + tenant.as_str() + "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_stands_last_and_only_so_many_are_remembered() {
        let (served, tenant) = (Served::default(), |name: &str| Tenant::new(name).into_iter());
        for name in ["north", "south", "west", "north"] {
            tenant(name).for_each(|tenant| served.note(Share::Claims, &tenant));
        }
        assert_eq!(served.names(Share::Claims), "/south/west/north/");
        assert_eq!(served.names(Share::Cohorts), "/", "lanes of another kind have served nobody");
        for number in 1..REMEMBERED {
            tenant(&format!("t{number}")).for_each(|tenant| served.note(Share::Claims, &tenant));
        }
        assert!(served.names(Share::Claims).starts_with("/north/t1/"));
    }
}

//! Which tenants this process served last, so that those whose jobs wait take turns. Another process has its own: each gives everybody a turn.

use super::queue::Share;
use crate::jobs::Tenant;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Tenants that are remembered: their list goes with each look for a job. Whoever was served before all of them counts as not served.
const REMEMBERED: usize = 16_384;

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

    /// Their names, the one served last at the end, as a list in JSON.
    pub(super) fn list(&self, share: Share) -> String {
        let served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = served.get(&share).into_iter().flatten();
        serde_json::Value::from_iter(names.map(Tenant::as_str)).to_string()
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
        assert_eq!(served.list(Share::Claims), r#"["south","west","north"]"#);
        assert_eq!(served.list(Share::Cohorts), "[]", "lanes of another kind have served nobody");
        for number in 1..REMEMBERED {
            tenant(&format!("t{number}")).for_each(|tenant| served.note(Share::Claims, &tenant));
        }
        assert!(served.list(Share::Claims).starts_with(r#"["north","t1","#));
    }
}

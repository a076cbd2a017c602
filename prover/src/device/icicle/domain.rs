//! The one domain of roots that ICICLE keeps for a device. A second root is silently ignored, and transforms by it are then
//! wrong without a word: so transforms share the domain while its root serves them, and one that needs another root waits
//! for them, releases it, makes its own, and asks the device which root it has now.

use super::{
    super::{DeviceError, Transform},
    forms,
    session::Session,
};
use ark_ff::Field;
use nightingale_circuits::Fr;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

/// The root that the device's domain has, if it is known.
#[derive(Default)]
pub(super) struct Domain(RwLock<Option<Root>>);

#[derive(Clone, Copy)]
struct Root {
    log_size: u32,
    root: Fr,
}

impl Root {
    /// Whether a domain of this root has the transform's root among its powers, where ICICLE looks for it.
    fn serves(&self, transform: &Transform) -> bool {
        let Some(doublings) = self.log_size.checked_sub(transform.log_size()) else { return false };
        (0..doublings).fold(self.root, |power, _| power.square()) == transform.root()
    }
}

impl Domain {
    /// Does `work` while the domain serves the transform. Two families of roots on one device (those of arkworks and of
    /// halo2) are correct and slow in turns: each turn makes the domain anew.
    pub(super) fn while_it_serves(
        &self,
        session: &Session,
        transform: &Transform,
        work: impl FnOnce() -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let serves = |root: &Option<Root>| root.is_some_and(|root| root.serves(transform));
        {
            let root = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if serves(&root) {
                let done = work();
                drop(root);
                return self.known_after(done);
            }
        }
        let mut root = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !serves(&root) {
            let known = root.take().is_some();
            if known {
                session.release_domain()?;
            }
            make(session, transform, !known)?;
            *root = Some(Root { log_size: transform.log_size(), root: transform.root() });
        }
        let shared = RwLockWriteGuard::downgrade(root);
        let done = work();
        drop(shared);
        self.known_after(done)
    }

    /// After a failure nothing is known of the domain: a device that was lost and opened anew has none.
    fn known_after(&self, done: Result<(), DeviceError>) -> Result<(), DeviceError> {
        if done.is_err() {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        done
    }
}

/// Makes a domain of the transform's root. A domain that somebody else left is released first, if it is there.
fn make(session: &Session, transform: &Transform, may_be_left: bool) -> Result<(), DeviceError> {
    let root = forms::standard(transform.root());
    session.init_domain(&root)?;
    let found = session.root_from_domain(transform.log_size());
    if found.as_ref().is_ok_and(|found| *found == root) {
        return Ok(());
    }
    if may_be_left {
        session.release_domain()?;
        return make(session, transform, false);
    }
    found?;
    Err(session.broken("it keeps another root of unity than the one that its domain was made of".to_owned()))
}

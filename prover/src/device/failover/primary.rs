//! The device that is asked first: open, or retired and perhaps opened anew.
//!
//! A driver that resets a GPU is back within a minute, a machine that loses one is not: so it is tried again after half a
//! minute, then after twice as long each time, up to half an hour. The try happens on the thread of a batch, once, and
//! the others go to the fallback meanwhile. A device that gave a wrong result would give another: it stays retired until an
//! operator has looked at it and restarts.

use super::Event;
use crate::device::{Device, DeviceError};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Opens a device.
pub type Opener = Box<dyn Fn() -> Result<Arc<dyn Device>, DeviceError> + Send + Sync>;

/// When a retired device is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// After the first failure.
    pub first: Duration,
    /// At most, doubled each time.
    pub most: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { first: Duration::from_secs(30), most: Duration::from_secs(1800) }
    }
}

/// The device that is asked first.
pub struct Primary {
    name: String,
    opener: Opener,
    policy: Policy,
    state: Mutex<State>,
}

struct State {
    /// Counts the times it was opened: what lies on an earlier one is gone.
    generation: u64,
    /// Failures since it last worked.
    failures: u32,
    current: Current,
}

enum Current {
    Open(Arc<dyn Device>),
    Retired { why: DeviceError, again: Option<Instant> },
}

impl Primary {
    /// A device that is not open yet.
    #[must_use]
    pub fn new(name: String, opener: Opener) -> Self {
        let why = DeviceError::Absent { device: name.clone(), why: "it was not opened yet".to_owned() };
        let current = Current::Retired { why, again: None };
        let state = Mutex::new(State { generation: 0, failures: 0, current });
        Self { name, opener, policy: Policy::default(), state }
    }

    /// The same with another policy.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state().current, Current::Open(_))
    }

    /// Opens it for the first time, or anew.
    pub(super) fn open(&self, listener: &dyn Fn(&Event)) -> Result<(), DeviceError> {
        let opened = (self.opener)();
        let mut state = self.state();
        state.generation += 1;
        match opened {
            Ok(device) => {
                let anew = state.generation > 1;
                state.current = Current::Open(device);
                drop(state);
                if anew {
                    listener(&Event::Reopened(self.name.clone()));
                }
                Ok(())
            }
            Err(why) => {
                let event = self.fail(&mut state, &why);
                drop(state);
                listener(&event);
                Err(why)
            }
        }
    }

    /// The device and its generation, if it is in use; opened anew when that is due.
    pub(super) fn device(&self, listener: &dyn Fn(&Event)) -> Option<(u64, Arc<dyn Device>)> {
        {
            let mut state = self.state();
            match &mut state.current {
                Current::Open(device) => {
                    let device = Arc::clone(device);
                    return Some((state.generation, device));
                }
                Current::Retired { again, .. } => {
                    again.filter(|again| *again <= Instant::now())?;
                    // Nobody else tries while this thread does, and if it never comes back somebody will.
                    *again = Some(Instant::now() + self.policy.most);
                }
            }
        }
        self.open(listener).ok()?;
        match &*self.state() {
            State { generation, current: Current::Open(device), .. } => {
                Some((*generation, Arc::clone(device)))
            }
            _ => None,
        }
    }

    /// Takes the device out of use, unless that happened already.
    pub(super) fn retire(&self, generation: u64, why: &DeviceError, listener: &dyn Fn(&Event)) {
        let mut state = self.state();
        if state.generation != generation || !matches!(state.current, Current::Open(_)) {
            return;
        }
        let event = self.fail(&mut state, why);
        drop(state);
        listener(&event);
    }

    /// Notes that it works.
    pub(super) fn worked(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.failures = 0;
        }
    }

    fn fail(&self, state: &mut State, why: &DeviceError) -> Event {
        let doubled = self.policy.first.saturating_mul(1 << state.failures.min(16));
        state.failures = state.failures.saturating_add(1);
        let wait = doubled.min(self.policy.most);
        let wait = (!matches!(why, DeviceError::Broken { .. })).then_some(wait);
        let again = wait.map(|wait| Instant::now() + wait);
        state.current = Current::Retired { why: why.clone(), again };
        Event::Retired { why: why.clone(), again: wait }
    }

    /// Why it is out of use.
    pub(super) fn out_of_use(&self) -> DeviceError {
        match &self.state().current {
            Current::Retired { why, .. } => why.clone(),
            // Opened anew since: the next call finds it.
            Current::Open(_) => {
                DeviceError::Lost { device: self.name.clone(), why: "it was just opened anew".to_owned() }
            }
        }
    }
}

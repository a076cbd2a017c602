//! A Groth16 key on both devices.

use super::Shared;
use crate::{
    ProveError,
    device::{DeviceError, Summation, Sums, pairing, threshold::Threshold},
    groth16,
    progress::Progress,
};
use nightingale_circuits::Fr;
use rayon::prelude::*;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a device that had no room for a key is not asked again.
const REFUSED: Duration = Duration::from_secs(600);

/// The key on the primary, as long as that is open, and on the fallback. Both are loaded at once, so that a lost device
/// costs its batch and not a key load too.
pub(super) struct Resident {
    shared: Arc<Shared>,
    key: Arc<groth16::Key>,
    threshold: Threshold,
    primary: Mutex<Option<Loaded>>,
    /// The opening that had no room for the key, and until when it is not asked again.
    refused: Mutex<Option<(u64, Instant)>>,
    fallback: Option<Box<dyn Summation>>,
}

/// The key on one opening of the primary.
#[derive(Clone)]
struct Loaded {
    generation: u64,
    resident: Arc<dyn Summation>,
}

impl Resident {
    pub(super) fn new(shared: &Arc<Shared>, key: &Arc<groth16::Key>) -> Result<Self, DeviceError> {
        let threshold = shared.threshold(key);
        let resident = Self {
            shared: Arc::clone(shared),
            key: Arc::clone(key),
            threshold,
            primary: Mutex::default(),
            refused: Mutex::default(),
            fallback: shared.fallback.as_ref().map(|device| device.groth16(key)).transpose()?,
        };
        resident.loaded()?;
        Ok(resident)
    }

    /// The key on the primary; `None` when that is out of use or has no room, and there is a fallback.
    fn loaded(&self) -> Result<Option<Loaded>, DeviceError> {
        let shared = &*self.shared;
        let Some((generation, device)) = shared.primary.device(&*shared.listener) else { return Ok(None) };
        // Held while it loads: two threads would load it twice.
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = primary.as_ref().filter(|loaded| loaded.generation == generation) {
            return Ok(Some(loaded.clone()));
        }
        // A key is some hundred megabytes: one that does not fit is not sent again with every batch.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if self.fallback.is_some()
            && refused.is_some_and(|(at, until)| at == generation && Instant::now() < until)
        {
            return Ok(None);
        }
        // What lies on an earlier opening is of no use, and its memory may be needed.
        *primary = None;
        match device.groth16(&self.key) {
            Ok(resident) => {
                *primary = Some(Loaded { generation, resident: Arc::from(resident) });
                Ok(primary.clone())
            }
            Err(error) => {
                *refused = Some((generation, Instant::now() + REFUSED));
                shared.failed(generation, error).map(|()| None)
            }
        }
    }

    /// The sums of a batch of at most the limit's size.
    fn batch(&self, batch: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let wanted = self.threshold.allows(batch.len());
        let loaded = if wanted { self.loaded()? } else { None };
        let Some(Loaded { generation, resident }) = loaded else { return self.elsewhere(batch, progress) };
        let start = Instant::now();
        let result = resident.sums(batch, progress).and_then(|sums| self.believed(batch, sums));
        self.shared.on_primary.took(start.elapsed());
        match result {
            Ok(sums) => {
                self.shared.primary.worked(generation);
                self.shared.on_primary.done(batch.len());
                Ok(sums)
            }
            Err(ProveError::Device(DeviceError::OutOfMemory { .. })) if batch.len() > 1 => {
                self.shared.halve(batch.len());
                let (first, second) = batch.split_at(batch.len() / 2);
                let mut sums = self.batch(first, progress)?;
                sums.extend(self.batch(second, progress)?);
                Ok(sums)
            }
            Err(ProveError::Device(error)) => {
                self.shared.failed(generation, error)?;
                self.elsewhere(batch, progress)
            }
            Err(other) => Err(other),
        }
    }

    fn elsewhere(&self, batch: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let fallback = self.fallback.as_ref().ok_or_else(|| self.shared.primary.out_of_use())?;
        let start = Instant::now();
        let result = fallback.sums(batch, progress);
        self.shared.on_fallback.took(start.elapsed());
        match &result {
            Ok(_) => self.shared.on_fallback.done(batch.len()),
            Err(ProveError::Device(_)) => self.shared.on_fallback.failed(),
            Err(_) => {}
        }
        result
    }

    /// The primary's sums, if they are right. Without another device there is nobody to ask, and the proof's own
    /// verification tells as much.
    fn believed(&self, batch: &[&[Fr]], sums: Vec<Sums>) -> Result<Vec<Sums>, ProveError> {
        let right = |(values, sums): (&&[Fr], &Sums)| pairing::accepts(&self.key, values, sums);
        if sums.len() == batch.len()
            && (self.fallback.is_none() || batch.par_iter().zip(&sums).map(right).all(|right| right))
        {
            return Ok(sums);
        }
        let device = self.shared.primary.name().to_owned();
        Err(DeviceError::Broken { device, why: "it gave sums of no proof".to_owned() }.into())
    }
}

impl Summation for Resident {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let mut all = Vec::with_capacity(assignments.len());
        while all.len() < assignments.len() {
            let rest = &assignments[all.len()..];
            let limit = self.shared.limit.get();
            all.extend(self.batch(&rest[..rest.len().min(limit)], progress)?);
        }
        Ok(all)
    }
}

//! A device that is not waited for forever. A driver may hang where it should fail, and nobody can end such a call: it is left
//! behind on a thread of its own, with copies of what it reads, and the device counts as lost.

use super::{Bases, Device, DeviceError, G1Point, G2Point, Slab, Summation, Sums, Vector};
use crate::{
    ProveError, groth16,
    progress::{Phase, Progress},
};
use ark_bn254::{G1Projective, G2Projective};
use nightingale_circuits::Fr;
use std::{
    ops::ControlFlow,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};
use zeroize::Zeroizing;

/// A device whose keys are loaded, and whose proofs are summed, within a time or not at all. Points and vectors of their own, which
/// no service uses, are waited for.
pub struct Patient {
    name: String,
    device: Departing<dyn Device>,
}

impl Patient {
    /// Opens a device and has its calls end within `patience` of the last sign of life.
    ///
    /// # Errors
    /// Those of `open`; [`DeviceError::Lost`] when it does not come back.
    pub fn open(
        name: &str,
        patience: Duration,
        open: impl FnOnce() -> Result<Arc<dyn Device>, DeviceError> + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let device = within(name, patience, &mut go_on, move |_| open())??;
        Ok(Self { name: name.to_owned(), device: Departing::new(name, patience, device) })
    }
}

impl Device for Patient {
    fn name(&self) -> &str {
        &self.name
    }

    fn bases_g1(&self, points: &Slab<G1Point>) -> Result<Box<dyn Bases<G1Projective>>, DeviceError> {
        self.device.get()?.bases_g1(points)
    }

    fn bases_g2(&self, points: &Slab<G2Point>) -> Result<Box<dyn Bases<G2Projective>>, DeviceError> {
        self.device.get()?.bases_g2(points)
    }

    fn vector(&self, elements: &[Fr]) -> Result<Box<dyn Vector>, DeviceError> {
        self.device.get()?.vector(elements)
    }

    fn groth16(&self, key: &Arc<groth16::Key>) -> Result<Box<dyn Summation>, DeviceError> {
        let (device, key) = (self.device.get()?, Arc::clone(key));
        let patience = self.device.patience;
        let resident = within(&self.name, patience, &mut go_on, move |_| device.groth16(&key))??;
        Ok(Box::new(Resident(Departing::new(&self.name, patience, Arc::from(resident)))))
    }
}

/// A key on the device.
struct Resident(Departing<dyn Summation>);

impl Summation for Resident {
    fn sums(&self, assignments: &[&[Fr]], progress: Progress<'_>) -> Result<Vec<Sums>, ProveError> {
        let resident = self.0.get()?;
        let copies: Vec<Zeroizing<Vec<Fr>>> =
            assignments.iter().map(|values| Zeroizing::new(values.to_vec())).collect();
        within(&self.0.device, self.0.patience, progress, move |progress| {
            let assignments: Vec<&[Fr]> = copies.iter().map(|values| values.as_slice()).collect();
            resident.sums(&assignments, progress)
        })?
    }
}

/// Something on a device, whose release is a call like any other: it may hang too.
struct Departing<T: ?Sized + Send + Sync + 'static> {
    device: String,
    patience: Duration,
    it: Option<Arc<T>>,
}

impl<T: ?Sized + Send + Sync + 'static> Departing<T> {
    fn new(device: &str, patience: Duration, it: Arc<T>) -> Self {
        Self { device: device.to_owned(), patience, it: Some(it) }
    }

    fn get(&self) -> Result<Arc<T>, DeviceError> {
        self.it.clone().ok_or_else(|| lost(&self.device, "it was released"))
    }
}

impl<T: ?Sized + Send + Sync + 'static> Drop for Departing<T> {
    fn drop(&mut self) {
        let it = self.it.take();
        // Waited for, so that its memory is there for what comes next. One that hangs keeps it.
        let _ = within(&self.device, self.patience, &mut go_on, move |_| drop(it));
    }
}

fn go_on(_: Phase) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn lost(device: &str, why: &str) -> DeviceError {
    DeviceError::Lost { device: device.to_owned(), why: why.to_owned() }
}

/// What is heard from the thread of a call.
enum Heard<T> {
    Phase(Phase, SyncSender<ControlFlow<()>>),
    Done(T),
}

/// What `call` gives, on a thread of its own; [`DeviceError::Lost`] when nothing was heard of it for `patience`. A panic of the call is
/// the caller's.
fn within<T: Send + 'static>(
    device: &str,
    patience: Duration,
    progress: Progress<'_>,
    call: impl FnOnce(Progress<'_>) -> T + Send + 'static,
) -> Result<T, DeviceError> {
    let (tell, heard) = mpsc::channel();
    let body = move || {
        let done = call(&mut |phase| {
            let (answer, answered) = mpsc::sync_channel(1);
            // Nobody answers a call that was given up.
            let asked = tell.send(Heard::Phase(phase, answer));
            asked.ok().and_then(|()| answered.recv().ok()).unwrap_or(ControlFlow::Break(()))
        });
        // What comes too late is dropped, here.
        let _ = tell.send(Heard::Done(done));
    };
    let thread = thread::Builder::new()
        .name(device.to_owned())
        .spawn(body)
        .map_err(|error| lost(device, &format!("no thread for its call: {error}")))?;
    loop {
        match heard.recv_timeout(patience) {
            Ok(Heard::Phase(phase, answer)) => {
                // The call waits for it.
                let _ = answer.send(progress(phase));
            }
            Ok(Heard::Done(done)) => return Ok(done),
            Err(RecvTimeoutError::Timeout) => {
                return Err(lost(device, &format!("it has not answered for {} s", patience.as_secs_f64())));
            }
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => return Err(lost(device, "its call ended without an answer")),
            },
        }
    }
}

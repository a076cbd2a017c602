//! Devices, memory and settings, with ICICLE's manners: the active device belongs to the thread, memory to the device.

use super::faults;
use ark_bn254::Fr;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(crate) const SUCCESS: i32 = 0;
pub(crate) const INVALID_DEVICE: i32 = 1;
pub(crate) const OUT_OF_MEMORY: i32 = 2;
pub(crate) const INVALID_POINTER: i32 = 3;
pub(crate) const INVALID_ARGUMENT: i32 = 11;

type Device = (String, i32);

struct Allocation {
    bytes: usize,
    device: Device,
}

#[derive(Default)]
pub(crate) struct State {
    cuda: bool,
    allocations: BTreeMap<usize, Allocation>,
    unerased: u64,
    memory: Option<usize>,
    layout: (usize, usize),
    domains: BTreeMap<Device, Fr>,
}

pub(crate) struct Held(MutexGuard<'static, Option<State>>);

thread_local! {
    static ACTIVE: RefCell<Option<Device>> = const { RefCell::new(None) };
}

pub(crate) fn get() -> Held {
    static STATE: Mutex<Option<State>> = Mutex::new(None);
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.get_or_insert_default();
    Held(state)
}

pub(crate) fn activate(kind: String, id: i32) {
    ACTIVE.with(|active| *active.borrow_mut() = Some((kind, id)));
}

pub(crate) fn active() -> Option<Device> {
    ACTIVE.with(|active| active.borrow().clone())
}

impl Held {
    fn state(&mut self) -> &mut State {
        self.0.get_or_insert_default()
    }

    pub(crate) fn driver_works(&self) -> bool {
        faults::driver_works()
    }

    pub(crate) fn register_cuda(&mut self) {
        self.state().cuda = true;
    }

    pub(crate) fn registered(&mut self) -> String {
        if self.state().cuda { "CUDA,CPU".to_owned() } else { "CPU".to_owned() }
    }

    pub(crate) fn count(&mut self, kind: &str) -> Option<i32> {
        match kind {
            "CPU" => Some(1),
            "CUDA" if self.state().cuda => Some(2),
            _ => None,
        }
    }

    pub(crate) fn allocate(&mut self, bytes: usize) -> Option<usize> {
        let state = self.state();
        let used: usize = state.allocations.values().map(|allocation| allocation.bytes).sum();
        if state.memory.is_some_and(|memory| used + bytes > memory) {
            return None;
        }
        let device = active()?;
        // Words, so that elements are aligned; not zero, as fresh memory of a device is not.
        let words = vec![0x5a5a_5a5a_5a5a_5a5a_u64; bytes.div_ceil(8)].into_boxed_slice();
        let address = Box::into_raw(words).cast::<u64>().expose_provenance();
        state.allocations.insert(address, Allocation { bytes, device });
        Some(address)
    }

    pub(crate) fn free(&mut self, address: usize) -> bool {
        // SAFETY: nobody works on memory that is freed.
        let bytes = {
            let Some(allocation) = self.state().allocations.get(&address) else { return false };
            allocation.bytes
        };
        // SAFETY: as above.
        let Some(contents) = (unsafe { self.on_device(address, bytes) }) else { return false };
        let erased = contents.iter().all(|byte| *byte == 0);
        let state = self.state();
        state.unerased += u64::from(!erased);
        state.allocations.remove(&address);
        let words = std::ptr::slice_from_raw_parts_mut(
            std::ptr::with_exposed_provenance_mut::<u64>(address),
            bytes.div_ceil(8),
        );
        // SAFETY: made by `allocate` of so many words, and forgotten here.
        drop(unsafe { Box::from_raw(words) });
        true
    }

    /// Memory of the active device.
    ///
    /// # Safety
    /// Nobody else works on it meanwhile.
    pub(crate) unsafe fn on_device<'a>(&mut self, address: usize, bytes: usize) -> Option<&'a mut [u8]> {
        let allocation = self.state().allocations.get(&address)?;
        if Some(&allocation.device) != active().as_ref() || bytes > allocation.bytes {
            return None;
        }
        // SAFETY: allocated and not freed, this long; the caller sees to the rest.
        Some(unsafe { std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut(address), bytes) })
    }

    pub(crate) fn domains(&mut self) -> &mut BTreeMap<Device, Fr> {
        &mut self.state().domains
    }

    pub(crate) fn set_layout(&mut self, offset: usize, bytes: usize) {
        self.state().layout = (offset, bytes);
    }

    pub(crate) fn set_memory(&mut self, bytes: usize) {
        self.state().memory = Some(bytes);
    }

    pub(crate) fn live(&mut self) -> u64 {
        self.state().allocations.len() as u64
    }

    pub(crate) fn unerased(&mut self) -> u64 {
        self.state().unerased
    }
}

/// A configuration's bytes, as a library of another layout would read them if the test says so.
pub(crate) struct Config(Vec<u8>);

impl Config {
    pub(crate) fn of<const N: usize>(bytes: &[u8; N]) -> Self {
        let (offset, more) = get().state().layout;
        let mut read = bytes.to_vec();
        if more > 0 && offset + more <= N {
            read.drain(offset..offset + more);
            read.resize(N, 0);
        }
        Self(read)
    }

    pub(crate) fn flag(&self, offset: usize) -> Option<bool> {
        match self.0[offset] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(crate) fn int(&self, offset: usize) -> i32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[offset..offset + 4]);
        i32::from_ne_bytes(bytes)
    }

    pub(crate) fn word(&self, offset: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[offset..offset + 8]);
        u64::from_ne_bytes(bytes)
    }
}

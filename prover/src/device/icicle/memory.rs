//! Memory of a device, freed on drop. What holds witnesses is overwritten with zeros before.

use super::{super::DeviceError, session::Session};
use std::sync::Arc;

/// Bytes on a device.
pub(super) struct Buffer {
    session: Arc<Session>,
    /// Where the device has them; nothing in this process reads there.
    address: usize,
    bytes: usize,
    secret: bool,
}

impl Buffer {
    /// Copies words onto the device.
    pub(super) fn new(session: &Arc<Session>, words: &[u64], secret: bool) -> Result<Self, DeviceError> {
        let bytes = size_of_val(words);
        let address = session.allocate(bytes)?;
        let buffer = Self { session: Arc::clone(session), address, bytes, secret };
        session.copy_to_device(&buffer, words)?;
        Ok(buffer)
    }

    pub(super) const fn address(&self) -> usize {
        self.address
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A device that fails here fails at its next call, too, where somebody hears of it.
        let _ = self.session.release(self.address, if self.secret { self.bytes } else { 0 });
    }
}

//! Files as memory, read-only and shared with every other process that maps them.
#![expect(
    unsafe_code,
    reason = "nobody but the caller can know that a file is not changed while it is mapped"
)]

use memmap2::Mmap;
use std::{fs::File, io, path::Path, sync::Arc};

/// Maps a whole file that is only ever replaced by renaming another over it, never written in place.
///
/// # Errors
/// A file that cannot be opened or mapped.
pub(crate) fn map(path: &Path) -> io::Result<Arc<Mmap>> {
    let file = File::open(path)?;
    // SAFETY: the memory may not change under the references to it. This program never writes to a file that has its
    // name: it writes another and renames it, and the mapping keeps the old one. Whoever else may write in the key
    // directory is told not to change a key file in place (docs/operations.md), and could as well replace the program.
    let mapped = unsafe { Mmap::map(&file) }?;
    Ok(Arc::new(mapped))
}

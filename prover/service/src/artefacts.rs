//! Files by what is in them: a store whose names are BLAKE3 digests of the stored bytes, behind a trait.
//!
//! [`folder::FolderArtefacts`] keeps them in a folder, which several machines may share. An object store fits behind the same trait: `put` uploads under
//! a name of its own, and copies it to its digest when the last byte is hashed; `get`, `exists` and `delete` are its requests of the same
//! names. Nothing here needs listing, locking, appending or renaming, and nobody trusts the store: what it gives back is hashed again, and what is
//! secret comes to it [`sealed`].

pub mod folder;
pub mod sealed;

use std::{fmt, io::Read};

/// The name of stored bytes: their BLAKE3 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtefactId(pub [u8; 32]);

impl fmt::Display for ArtefactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ArtefactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why an artefact store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// It has no such artefact: restore it from a backup, or import it again.
    #[error(
        "the artefact {0} is not in the store; restore the store from its copy, or import the dataset again"
    )]
    Missing(ArtefactId),
    /// What it gave is not what was put: restore it from a backup, or import it again.
    #[error("the artefact {0} is damaged; restore the store from its copy, or import the dataset again")]
    Damaged(ArtefactId),
    /// It cannot be read or written now.
    #[error("the artefact store cannot be used: {0}; check its disk and rights")]
    Io(std::io::Error),
}

impl ArtefactError {
    /// Inside an error of a reader, to be found again by [`ArtefactError::from`].
    fn into_io(self) -> std::io::Error {
        match self {
            Self::Io(error) => error,
            other => std::io::Error::new(std::io::ErrorKind::InvalidData, other),
        }
    }
}

impl From<std::io::Error> for ArtefactError {
    fn from(error: std::io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<Self>()) {
            let inner = error.into_inner().and_then(|inner| inner.downcast::<Self>().ok());
            return inner.map_or_else(|| Self::Io(std::io::ErrorKind::Other.into()), |inner| *inner);
        }
        Self::Io(error)
    }
}

/// A store of artefacts. Calls block.
pub trait Artefacts: Send + Sync {
    /// Stores everything that `content` gives, durably, and names it. Storing the same bytes again, at the same time or later, is the same
    /// artefact, and heals a damaged one.
    ///
    /// # Errors
    /// `content` fails, and nothing is stored; the store cannot be written.
    fn put(&self, content: &mut dyn Read) -> Result<ArtefactId, ArtefactError>;

    /// Reads an artefact. The reader ends with an error instead of an end where the bytes are not those that were put: whoever reads to the end
    /// has read what was put. Errors of the reader are an [`ArtefactError`] inside.
    ///
    /// # Errors
    /// There is none; the store cannot be read.
    fn get(&self, id: &ArtefactId) -> Result<Box<dyn Read + Send>, ArtefactError>;

    /// Whether it is there. Does not read it.
    ///
    /// # Errors
    /// The store cannot be read.
    fn exists(&self, id: &ArtefactId) -> Result<bool, ArtefactError>;

    /// Deletes it; `false` when there was none.
    ///
    /// # Errors
    /// The store cannot be written.
    fn delete(&self, id: &ArtefactId) -> Result<bool, ArtefactError>;
}

/// A reader that hashes what passes, and refuses to end unless it was what the name says.
pub(crate) struct Verified<R> {
    inner: R,
    id: ArtefactId,
    hash: blake3::Hasher,
}

impl<R> Verified<R> {
    pub(crate) fn new(inner: R, id: ArtefactId) -> Self {
        Self { inner, id, hash: blake3::Hasher::new() }
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        if read == 0 && !buffer.is_empty() && self.hash.finalize().as_bytes() != &self.id.0 {
            return Err(ArtefactError::Damaged(self.id).into_io());
        }
        Ok(read)
    }
}

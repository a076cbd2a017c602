//! Nothing is left in the artefact store that no purge finds: what is put is first on the list of what nothing names.
//!
//! Files are put by a thread that blocks, and the list is in the database: the thread asks, and whoever waits for the thread lists. Where nobody
//! waits any more, nothing more is put.

use crate::{
    artefacts::{ArtefactError, ArtefactId},
    error::StoreError,
    jobs::Instant,
    store::Store,
};
use std::io::{Error, Read, Result};
use tokio::sync::{mpsc, oneshot};

type Wish = (ArtefactId, oneshot::Sender<std::result::Result<(), StoreError>>);

/// The side of the thread that puts.
pub(super) struct Lister(mpsc::Sender<Wish>);

/// The side of the database.
pub(super) struct Listing(mpsc::Receiver<Wish>);

/// Both sides.
pub(super) fn listing() -> (Lister, Listing) {
    let (wish, wishes) = mpsc::channel(1);
    (Lister(wish), Listing(wishes))
}

impl Listing {
    /// Lists what is about to be put, until the other side is gone.
    pub(super) async fn serve(mut self, store: &Store) {
        while let Some((id, told)) = self.0.recv().await {
            // Whoever asked waits for the answer.
            let _ = told.send(store.list_artefact(&id, Instant::now()).await);
        }
    }
}

impl Lister {
    /// What is to be put: it ends only when its artefact is listed, and fails where that cannot be. Then nothing is stored.
    pub(super) fn before<R: Read>(&self, content: R) -> Listed<'_, R> {
        Listed { content, hash: blake3::Hasher::new(), lister: self }
    }

    /// Blocks.
    fn list(&self, id: ArtefactId) -> Result<()> {
        let given_up = || Error::other("the import was given up");
        let (told, answer) = oneshot::channel();
        self.0.blocking_send((id, told)).map_err(|_| given_up())?;
        answer.blocking_recv().map_err(|_| given_up())?.map_err(Error::other)
    }
}

/// Content that is listed before it ends.
pub(super) struct Listed<'a, R> {
    content: R,
    hash: blake3::Hasher,
    lister: &'a Lister,
}

impl<R: Read> Read for Listed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let read = self.content.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        if read == 0 && !buffer.is_empty() {
            self.lister.list(ArtefactId(self.hash.finalize().into()))?;
        }
        Ok(read)
    }
}

/// Why a file was not put: what the database said where it was that.
pub(super) fn refusal(error: ArtefactError) -> StoreError {
    match error {
        ArtefactError::Io(error) => {
            error.downcast().unwrap_or_else(|error| StoreError::Io(ArtefactError::Io(error).to_string()))
        }
        other => StoreError::Io(other.to_string()),
    }
}

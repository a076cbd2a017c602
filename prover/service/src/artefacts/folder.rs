//! Artefacts in a folder: `ab/cd/abcd..`, each written under a name of its own, synced, and renamed to its digest.
//!
//! Several machines may share the folder over a network file system whose rename is atomic. A file that was not finished lies in `incoming` and
//! is nobody's; it is removed when it is a day old.

use super::{ArtefactError, ArtefactId, Artefacts, Verified};
use crate::error::ServiceError;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// How much is copied at once.
const CHUNK_BYTES: usize = 1 << 16;
/// How old an unfinished file is when nobody writes it any more.
const ABANDONED: Duration = Duration::from_secs(86_400);
const INCOMING: &str = "incoming";

/// Artefacts in a folder.
#[derive(Clone, Debug)]
pub struct FolderArtefacts {
    root: PathBuf,
}

impl FolderArtefacts {
    /// Opens the folder, and makes it where it is missing, for its owner only.
    ///
    /// # Errors
    /// It cannot be made or written.
    pub fn open(root: &Path) -> Result<Self, ServiceError> {
        let store = Self { root: root.to_owned() };
        let made = make(&root.join(INCOMING)).and_then(|()| store.sweep());
        made.map_err(|error| ServiceError::Path {
            path: root.to_owned(),
            problem: format!("artefacts cannot be kept here: {error}"),
        })?;
        Ok(store)
    }

    /// Removes what writers that are gone did not finish.
    fn sweep(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(self.root.join(INCOMING))? {
            let entry = entry?;
            // Another machine may be sweeping as well.
            let age = entry.metadata().and_then(|found| found.modified()).map(|time| time.elapsed());
            if let Ok(Ok(age)) = age
                && age > ABANDONED
            {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    fn path(&self, id: &ArtefactId) -> PathBuf {
        let name = id.to_string();
        let (first, second) = (name.get(..2).unwrap_or_default(), name.get(2..4).unwrap_or_default());
        self.root.join(first).join(second).join(&name)
    }

    fn store(&self, draft: &Path, content: &mut dyn Read) -> std::io::Result<ArtefactId> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
        let mut hash = blake3::Hasher::new();
        // What passes may be clear: it is wiped.
        let mut chunk = zeroize::Zeroizing::new(vec![0; CHUNK_BYTES]);
        loop {
            let read = match content.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => chunk.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hash.update(read);
            file.write_all(read)?;
        }
        file.sync_all()?;
        let id = ArtefactId(hash.finalize().into());
        let path = self.path(&id);
        let folder = path.parent().unwrap_or(&self.root);
        make(folder)?;
        fs::rename(draft, &path)?;
        // The name, and the folders that are new, last as well.
        for folder in [Some(folder), folder.parent(), Some(&self.root)].into_iter().flatten() {
            File::open(folder)?.sync_all()?;
        }
        Ok(id)
    }
}

fn make(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl Artefacts for FolderArtefacts {
    fn put(&self, content: &mut dyn Read) -> Result<ArtefactId, ArtefactError> {
        let draft = self.root.join(INCOMING).join(format!("{:032x}", rand::random::<u128>()));
        let stored = self.store(&draft, content);
        if stored.is_err() {
            // Whatever was written of it is of no use.
            let _ = fs::remove_file(&draft);
        }
        Ok(stored?)
    }

    fn get(&self, id: &ArtefactId) -> Result<Box<dyn Read + Send>, ArtefactError> {
        match File::open(self.path(id)) {
            Ok(file) => Ok(Box::new(Verified::new(file, *id))),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(ArtefactError::Missing(*id)),
            Err(error) => Err(error.into()),
        }
    }

    fn exists(&self, id: &ArtefactId) -> Result<bool, ArtefactError> {
        Ok(self.path(id).try_exists()?)
    }

    fn delete(&self, id: &ArtefactId) -> Result<bool, ArtefactError> {
        match fs::remove_file(self.path(id)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn read(store: &FolderArtefacts, id: &ArtefactId) -> Result<Vec<u8>, ArtefactError> {
        let mut bytes = Vec::new();
        store.get(id)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn an_artefact_is_named_after_what_is_in_it_and_comes_back_as_it_was() -> Outcome {
        let folder = tempfile::tempdir()?;
        let store = FolderArtefacts::open(folder.path())?;
        let content: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        let id = store.put(&mut content.as_slice())?;
        assert_eq!(id.0, *blake3::hash(&content).as_bytes());
        assert!(store.exists(&id)?);
        assert_eq!(read(&store, &id)?, content);
        assert_eq!(store.put(&mut content.as_slice())?, id, "the same content is the same artefact");
        assert_eq!(fs::read_dir(folder.path().join(INCOMING))?.count(), 0, "drafts are left behind");
        assert!(store.delete(&id)? && !store.delete(&id)? && !store.exists(&id)?);
        assert!(matches!(read(&store, &id), Err(ArtefactError::Missing(missing)) if missing == id));
        Ok(())
    }

    #[test]
    fn a_damaged_artefact_never_ends_well_and_is_healed_by_putting_it_again() -> Outcome {
        let folder = tempfile::tempdir()?;
        let store = FolderArtefacts::open(folder.path())?;
        let content = vec![7; 100_000];
        let id = store.put(&mut content.as_slice())?;
        let path = store.path(&id);
        for damage in [0, 50_000, 99_999] {
            let mut bytes = content.clone();
            if let Some(byte) = bytes.get_mut(damage) {
                *byte ^= 1;
            }
            fs::write(&path, &bytes)?;
            assert!(matches!(read(&store, &id), Err(ArtefactError::Damaged(_))), "byte {damage}");
        }
        fs::write(&path, &content[..99_999])?;
        assert!(matches!(read(&store, &id), Err(ArtefactError::Damaged(_))), "cut off");
        fs::write(&path, [content.as_slice(), b"x"].concat())?;
        assert!(matches!(read(&store, &id), Err(ArtefactError::Damaged(_))), "longer");
        store.put(&mut content.as_slice())?;
        assert_eq!(read(&store, &id)?, content);
        Ok(())
    }

    #[test]
    fn many_who_put_the_same_thing_at_once_have_one_artefact() -> Outcome {
        let folder = tempfile::tempdir()?;
        let store = FolderArtefacts::open(folder.path())?;
        let content = vec![3; 300_000];
        let ids: Vec<_> = std::thread::scope(|scope| {
            let put = || store.put(&mut content.as_slice());
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
        });
        assert_eq!(ids.len(), 8);
        assert!(ids.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(read(&store, &ids[0])?, content);
        Ok(())
    }

    #[test]
    fn content_that_fails_leaves_nothing_behind() -> Outcome {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0 += 1;
                if self.0 > 3 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(buffer.len()) }
            }
        }
        let folder = tempfile::tempdir()?;
        let store = FolderArtefacts::open(folder.path())?;
        assert!(store.put(&mut Failing(0)).is_err());
        assert_eq!(fs::read_dir(folder.path().join(INCOMING))?.count(), 0);
        assert_eq!(fs::read_dir(folder.path())?.count(), 1, "only `incoming`");
        Ok(())
    }
}

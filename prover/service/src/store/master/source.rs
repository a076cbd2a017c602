//! Where master keys are found: the key file, the one that a rotation is putting in its place, and the key service.
//!
//! The database says by name which key wraps its data keys now; this finds that one and no other. A rotation leaves the new key in
//! `master.key.next` first, then the database changes its mind in one transaction, then the file takes the old one's place: at every moment
//! exactly one of the two opens the database.

use super::{
    KeyId, MasterError, MasterKeys,
    command::CommandMaster,
    file::{DRAFT, FileMaster, folder_of, sync_folder},
};
use crate::error::{ServiceError, StoreError};
use std::{
    fs,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where to look.
#[derive(Clone)]
pub struct MasterSource {
    file: PathBuf,
    command: Vec<String>,
}

/// A kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key file.
    File,
    /// The file of a rotation that has not ended.
    Next,
    /// The key service.
    Service,
}

/// A master key and where it was found.
pub struct Found {
    /// The key.
    pub master: Arc<dyn MasterKeys>,
    /// Where.
    pub place: Place,
}

impl MasterSource {
    /// A file, and a program that speaks to a key service where `command` is not empty.
    #[must_use]
    pub fn new(file: PathBuf, command: Vec<String>) -> Self {
        Self { file, command }
    }

    /// The key file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where a rotation prepares the next key.
    #[must_use]
    pub fn next_file(&self) -> PathBuf {
        let mut name = self.file.as_os_str().to_owned();
        name.push(".next");
        PathBuf::from(name)
    }

    /// Whether a key service is configured.
    #[must_use]
    pub fn has_service(&self) -> bool {
        !self.command.is_empty()
    }

    /// The key under which a new database is made: the service's where one is configured, else the file's, made where there is none.
    ///
    /// # Errors
    /// It cannot be read, made or asked.
    pub fn first(&self) -> Result<Found, ServiceError> {
        if self.has_service() {
            return Ok(Found { master: Arc::new(self.service()?), place: Place::Service });
        }
        let held = FileMaster::read(&self.file)?;
        let master = match held {
            Some(master) => master,
            None => FileMaster::create(&self.file)?,
        };
        Ok(Found { master: Arc::new(master), place: Place::File })
    }

    /// The key that the service wraps with now.
    ///
    /// # Errors
    /// It does not answer.
    pub fn service(&self) -> Result<CommandMaster, ServiceError> {
        CommandMaster::current(&self.command).map_err(|error| StoreError::from(error).into())
    }

    /// Finds the key of this name.
    ///
    /// # Errors
    /// It is nowhere; a key file that cannot be used.
    pub fn find(&self, id: &KeyId) -> Result<Found, ServiceError> {
        if id.of_service().is_some() {
            if !self.has_service() {
                return Err(self.trouble(format!(
                    "is not used: the database's keys are wrapped by {id}; configure secrets.kms_command"
                )));
            }
            let master = CommandMaster::named(&self.command, id.clone());
            return Ok(Found { master: Arc::new(master), place: Place::Service });
        }
        let mut is_there = false;
        // The file last once more: the one beside it may take its place between the looks.
        for (path, place) in
            [(&self.file, Place::File), (&self.next_file(), Place::Next), (&self.file, Place::File)]
        {
            let found = FileMaster::read(path)?;
            is_there |= place == Place::File && found.is_some();
            if let Some(master) = found.filter(|master| master.id() == id) {
                return Ok(Found { master: Arc::new(master), place });
            }
        }
        Err(self.trouble(if is_there {
            format!("is another key than the database's, which is {id}: restore that one from a backup, or give this process the key of the last rotation")
        } else {
            "is missing beside an existing database; restore it from a backup".to_owned()
        }))
    }

    /// Finds the key of a database of the releases before data keys, by its fingerprint.
    ///
    /// # Errors
    /// The file is missing, unusable or holds another key.
    pub fn find_earlier(&self, fingerprint: &[u8]) -> Result<FileMaster, ServiceError> {
        match FileMaster::read(&self.file)? {
            Some(master) if master.fingerprint() == fingerprint => Ok(master),
            Some(_) => Err(self.trouble(
                "master.key is another one than the database was sealed with; restore that one from a backup"
                    .to_owned(),
            )),
            None => {
                Err(self
                    .trouble("is missing beside an existing database; restore it from a backup".to_owned()))
            }
        }
    }

    /// Prepares the next key file, or takes the one that an interrupted rotation left.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn prepare(&self) -> Result<FileMaster, ServiceError> {
        let path = self.next_file();
        match FileMaster::read(&path)? {
            Some(master) => Ok(master),
            None => FileMaster::create(&path),
        }
    }

    /// Puts the prepared key in the key file's place, and gives back where the old key is kept, if there was one. Does nothing when there is no prepared key.
    ///
    /// # Errors
    /// A file cannot be renamed.
    pub fn promote(&self) -> Result<Option<PathBuf>, ServiceError> {
        let next = self.next_file();
        if !next.exists() {
            return Ok(None);
        }
        let trouble = |error: std::io::Error| self.trouble(format!("cannot be replaced: {error}"));
        let kept = match FileMaster::read(&self.file)? {
            Some(old) => {
                let kept = self.retired(old.id());
                // A name of its own beside the first: until the next line the key is under both.
                match fs::hard_link(&self.file, &kept) {
                    Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(trouble(error));
                    }
                    _ => Some(kept),
                }
            }
            None => None,
        };
        fs::rename(&next, &self.file).map_err(trouble)?;
        sync_folder(&self.file).map_err(trouble)?;
        Ok(kept)
    }

    /// Takes the key file out of use, when a service's key has taken over.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn retire(&self) -> Result<Option<PathBuf>, ServiceError> {
        let trouble = |error: std::io::Error| self.trouble(format!("cannot be renamed: {error}"));
        let Some(old) = FileMaster::read(&self.file)? else { return Ok(None) };
        let kept = self.retired(old.id());
        fs::rename(&self.file, &kept).map_err(trouble)?;
        // A promotion that ended half-way left the key under both names, of which a rename keeps both.
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(trouble(error)),
            _ => {}
        }
        sync_folder(&self.file).map_err(trouble)?;
        Ok(Some(kept))
    }

    /// The key files beside the one in use, which is `used`: retired ones, the next one, and drafts of a process that was killed while it made one.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn left(&self, used: &KeyId) -> Result<Vec<PathBuf>, ServiceError> {
        let trouble = |error: std::io::Error| self.trouble(format!("cannot be looked for: {error}"));
        let (Some(name), Some(stem)) = (self.file.file_name(), self.file.file_stem()) else {
            return Ok(Vec::new());
        };
        let (name, stem) = (name.to_string_lossy(), stem.to_string_lossy());
        let is_one = |other: &str| {
            let beside = other.strip_prefix(&*name);
            beside.is_some_and(|rest| rest == ".next" || rest.starts_with(".retired-"))
                || other
                    .strip_prefix(&*stem)
                    .is_some_and(|rest| rest.starts_with('.') && rest.ends_with(DRAFT))
        };
        // A draft, or a key that is being retired, may be the file in use under another name.
        let inode = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let in_use = inode(&self.file).filter(|_| used.of_service().is_none());
        let mut found = Vec::new();
        let entries = match fs::read_dir(folder_of(&self.file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(trouble)?,
        };
        for entry in entries {
            let path = entry.map_err(trouble)?.path();
            let is_named = path.file_name().is_some_and(|other| is_one(&other.to_string_lossy()));
            // Half a key cannot be read as one.
            let is_used = || {
                inode(&path) == in_use
                    || FileMaster::read(&path).is_ok_and(|held| held.is_some_and(|held| held.id() == used))
            };
            if is_named && path.is_file() && !is_used() {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Keeps others from rotating this key file while it lives.
    ///
    /// # Errors
    /// Somebody does.
    pub fn alone(&self) -> Result<Option<fs::File>, ServiceError> {
        let mut name = self.file.as_os_str().to_owned();
        name.push(".lock");
        let opened = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(PathBuf::from(name));
        let lock = match opened {
            Ok(lock) => lock,
            // Nor is there a key file then.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.trouble(format!("cannot be locked: {error}"))),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(fs::TryLockError::WouldBlock) => {
                Err(self.trouble("is being rotated by another process; wait until it has ended".to_owned()))
            }
            Err(fs::TryLockError::Error(error)) => Err(self.trouble(format!("cannot be locked: {error}"))),
        }
    }

    /// Overwrites and removes a retired key. What the file system kept of it elsewhere is beyond this program.
    ///
    /// # Errors
    /// It cannot be written or removed.
    pub fn destroy(kept: &Path) -> Result<(), ServiceError> {
        use std::io::Write;
        let destroy = || {
            let length = fs::metadata(kept)?.len();
            let mut file = fs::OpenOptions::new().write(true).open(kept)?;
            let noise: Vec<u8> = (0..length).map(|_| rand::random()).collect();
            file.write_all(&noise)?;
            file.sync_all()?;
            fs::remove_file(kept)?;
            sync_folder(kept)
        };
        destroy().map_err(|error: std::io::Error| ServiceError::Path {
            path: kept.to_owned(),
            problem: format!("the retired key cannot be destroyed: {error}"),
        })
    }

    fn retired(&self, id: &KeyId) -> PathBuf {
        let short: String = id.as_str().trim_start_matches("file:").chars().take(12).collect();
        let mut name = self.file.as_os_str().to_owned();
        name.push(format!(".retired-{short}"));
        PathBuf::from(name)
    }

    fn trouble(&self, problem: String) -> ServiceError {
        ServiceError::Path { path: self.file.clone(), problem }
    }
}

impl From<MasterError> for StoreError {
    fn from(error: MasterError) -> Self {
        match error {
            MasterError::Foreign(_) => Self::Sealed,
            MasterError::Unavailable(problem) => Self::KeyService(problem),
        }
    }
}

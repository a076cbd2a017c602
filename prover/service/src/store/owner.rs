//! Whose a data folder is. Root may write in everybody's, and the files that it makes there are nobody else's: the service that the folder belongs to
//! could not open them any more.

use super::path_error;
use crate::error::ServiceError;
use rustix::process::geteuid;
use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// Held by whoever serves: its owner is the service's user.
pub(super) const SERVER: &str = "server.lock";

/// Refuses root where the folder is another user's. Other users are stopped by its mode, or are let in by it.
///
/// # Errors
/// It is root, and the folder is not: how to run the same as its user.
pub(super) fn refuse_strange_root(folder: &Path) -> Result<(), ServiceError> {
    let found = [folder.join(SERVER), folder.to_owned()].into_iter().find_map(|path| fs::metadata(path).ok());
    let Some(owner) = found.map(|found| found.uid()).filter(|owner| *owner != 0) else { return Ok(()) };
    if !geteuid().is_root() || gives_away(folder) {
        return Ok(());
    }
    let run = match name(owner) {
        Some(name) => format!("runuser -u {name} -- nightingale .."),
        None => format!("setpriv --reuid {owner} --regid {owner} --clear-groups nightingale .."),
    };
    let problem = format!(
        "belongs to another user than root, whose service could not open what root makes there; nothing was done: {run}"
    );
    Err(path_error(folder, problem))
}

/// Whether what root makes there is not root's: some mounts give all files to one user.
fn gives_away(folder: &Path) -> bool {
    let trial = folder.join("owner.trial");
    let made = fs::File::create_new(&trial).and_then(|file| file.metadata());
    // Not left behind by whoever made it; where it was there, another command asks the same.
    let _ = made.is_ok() && fs::remove_file(&trial).is_ok();
    made.is_ok_and(|made| made.uid() != 0)
}

/// A user's name, where this machine knows it.
fn name(user: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(user)).then(|| name.to_owned())
    })
}

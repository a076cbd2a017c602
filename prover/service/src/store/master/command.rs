//! A master key that never comes here: a program of the operator's asks a key management service to wrap and unwrap.
//!
//! The program is called with one more argument, `key-id`, `wrap` or `unwrap`. `key-id` prints the service's name of the key that wraps now.
//! The other two read base64 (RFC 4648, padded) on standard input and print base64; `NIGHTINGALE_KMS_KEY` in the environment names the key: the one to
//! wrap with, or the one that wrapped. The service must authenticate what it encrypts, as every AEAD does. Anything but exit code 0 within the
//! time allowed is a failure that may pass. Standard error is left to the operator's log: data keys must not be printed there.

use super::{KeyId, MasterError, MasterKeys, PLAIN};
use crate::process::end_group;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a call is looked after.
const LOOK: Duration = Duration::from_millis(5);
/// The longest answer that is read: wrapped keys are some hundred bytes.
const MOST: u64 = 1 << 16;

/// A key of a key management service.
pub struct CommandMaster {
    command: Vec<String>,
    id: KeyId,
    patience: Duration,
}

impl CommandMaster {
    /// The key that the service wraps with now. Asks it.
    ///
    /// # Errors
    /// The service does not answer, or with what is no name.
    pub fn current(command: &[String]) -> Result<Self, MasterError> {
        let name = call(command, "key-id", None, b"", PATIENCE)?;
        let name = String::from_utf8_lossy(&name).trim().to_owned();
        let id = KeyId::parse(&format!("kms:{name}"))
            .ok_or_else(|| unavailable("`key-id` printed what is no name of a key: one word, printable"))?;
        Ok(Self::named(command, id))
    }

    /// A key by its name. Asks nobody.
    #[must_use]
    pub fn named(command: &[String], id: KeyId) -> Self {
        Self { command: command.to_vec(), id, patience: PATIENCE }
    }

    fn exchange(&self, operation: &str, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterError> {
        let asked = Zeroizing::new(STANDARD.encode(bytes));
        let answer = call(&self.command, operation, self.id.of_service(), asked.as_bytes(), self.patience)?;
        let text = answer.trim_ascii();
        STANDARD
            .decode(text)
            .map(Zeroizing::new)
            .map_err(|_| unavailable(&format!("`{operation}` printed something else than base64")))
    }
}

impl MasterKeys for CommandMaster {
    fn id(&self) -> &KeyId {
        &self.id
    }

    fn wrap(&self, plain: &[u8]) -> Result<Vec<u8>, MasterError> {
        let wrapped = self.exchange("wrap", plain)?.to_vec();
        if wrapped.len() < plain.len() {
            return Err(unavailable("`wrap` printed less than it was given to encrypt"));
        }
        // A program that gives back what it got would leave the keys in clear in the database.
        if wrapped.windows(16).any(|window| plain.windows(16).any(|part| part == window)) {
            return Err(unavailable("`wrap` printed the data key itself; it must print it encrypted"));
        }
        Ok(wrapped)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterError> {
        let plain = self.exchange("unwrap", wrapped)?;
        // Many a pipeline that fails ends with 0 and nothing printed: no reason to give up what waits for the key.
        if plain.len() != PLAIN {
            let printed = plain.len();
            return Err(unavailable(&format!(
                "`unwrap` printed {printed} bytes and not the {PLAIN} that were wrapped"
            )));
        }
        Ok(plain)
    }
}

fn unavailable(problem: &str) -> MasterError {
    MasterError::Unavailable(format!("secrets.kms_command: {problem}"))
}

/// Runs the program once.
fn call(
    command: &[String],
    operation: &str,
    key: Option<&str>,
    input: &[u8],
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, MasterError> {
    let (program, arguments) = command.split_first().ok_or_else(|| unavailable("is empty"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .arg(operation)
        .env("NIGHTINGALE_KMS_KEY", key.unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .process_group(0)
        .spawn()
        .map_err(|error| unavailable(&format!("{program} cannot be started: {error}")))?;
    let ended = talk(&mut child, input, patience);
    if ended.is_err() {
        // With what it started, which may hold our end of its output open.
        end_group(child.id());
        let _ = child.wait();
    }
    ended.map_err(|problem| unavailable(&format!("`{operation}` {problem}")))
}

/// Feeds the program and waits for its end. What it prints is read beside the waiting, so that neither waits for the other.
fn talk(child: &mut Child, input: &[u8], patience: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("has no standard input or output".to_owned());
    };
    let (send, printed) = mpsc::channel();
    let listens = std::thread::Builder::new().spawn(move || {
        // Of its full size at once: growing would leave copies of a data key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + MOST as usize));
        let read = stdout.by_ref().take(MOST + 1).read_to_end(&mut bytes);
        // Sent before the pipe closes: a program that ends because nobody reads on is known for what it printed.
        // Nobody listens any more where the program hung.
        let _ = send.send(read.map(|_| bytes));
    });
    listens.map_err(|error| format!("cannot be listened to: {error}"))?;
    // A program that does not read, as for `key-id`, may have closed its end: its exit code says whether that is an error.
    let _ = stdin.write_all(input);
    drop(stdin);
    let until = Instant::now() + patience;
    let hung = || format!("did not end within {} s", patience.as_secs());
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
            Ok(None) => return Err(hung()),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    };
    // What it started may hold the pipe open after its end.
    let left = until.saturating_duration_since(Instant::now());
    match printed.recv_timeout(left) {
        Ok(Ok(bytes)) if bytes.len() as u64 > MOST => Err(format!("printed more than {MOST} bytes")),
        _ if !status.success() => Err(format!("ended with {status}")),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(format!("could not be read: {error}")),
        Err(_) => Err(hung()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::fs::PermissionsExt, path::Path};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn script(folder: &Path, body: &str) -> std::io::Result<Vec<String>> {
        let path = folder.join("kms");
        std::fs::write(&path, format!("#!/bin/sh\nset -eu\n{body}\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
        Ok(vec![path.display().to_string()])
    }

    #[test]
    fn a_program_that_fails_hangs_or_answers_nonsense_is_an_error_and_no_key() -> Outcome {
        let folder = tempfile::tempdir()?;
        for (body, problem) in [
            ("exit 3", "ended with exit status: 3"),
            ("echo 'a b'", "no name of a key"),
            ("head -c 70000 /dev/zero | tr '\\0' a", "more than"),
        ] {
            let error = CommandMaster::current(&script(folder.path(), body)?).err().ok_or("accepted")?;
            assert!(error.to_string().contains(problem), "{error}");
        }
        let id = KeyId::parse("kms:k").ok_or("a name")?;
        let master = |body: &str| -> Result<CommandMaster, std::io::Error> {
            let command = script(folder.path(), body)?;
            Ok(CommandMaster { command, id: id.clone(), patience: Duration::from_millis(300) })
        };
        let nonsense = master("cat >/dev/null; echo '!'")?.wrap(&[1; 64]).err().ok_or("accepted")?;
        assert!(nonsense.to_string().contains("something else than base64"), "{nonsense}");
        let open = master("cat")?.wrap(&[1; 64]).err().ok_or("accepted")?;
        assert!(open.to_string().contains("the data key itself"), "{open}");
        let less = master("cat >/dev/null; echo AAAA")?.wrap(&[1; 64]).err().ok_or("accepted")?;
        assert!(less.to_string().contains("less than"), "{less}");
        // A pipeline whose first part failed.
        for (body, bytes) in [("cat >/dev/null", "0 bytes"), ("cat >/dev/null; echo AAAA", "3 bytes")] {
            let nothing = master(body)?.unwrap(&[1; 64]).err().ok_or("accepted")?;
            assert!(matches!(nothing, MasterError::Unavailable(_)), "{nothing}");
            assert!(nothing.to_string().contains(bytes), "{nothing}");
        }
        let process = folder.path().join("process");
        let sleep = format!("sleep 5 &\necho $! > '{}'\nwait", process.display());
        let hung = master(&sleep)?.wrap(&[1; 64]).err().ok_or("accepted")?;
        assert!(hung.to_string().contains("did not end"), "{hung}");
        // What the script called is gone with it.
        let id = std::fs::read_to_string(process)?;
        let is_alive = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
            !state.is_empty() && !state.contains(") Z ")
        };
        for _ in 0..100 {
            if is_alive() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(!is_alive(), "the program that the script called goes on");
        assert!(CommandMaster::current(&["/nowhere/kms".to_owned()]).is_err());
        Ok(())
    }
}

//! What a supervisor is told, in the protocol of sd_notify(3): that the process is ready, that it stops, and that it lives. Without one
//! nothing is told to anybody.

use std::{
    ffi::OsString,
    future::Future,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long a supervisor is asked to wait for what takes as long as it takes; it is asked again in time.
const EXTENSION: Duration = Duration::from_secs(60);

/// Who started this process and wants to hear.
pub(crate) struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watched: bool,
    ready: AtomicBool,
}

impl Supervisor {
    /// As the environment names it.
    pub(crate) fn of_environment() -> Self {
        let watched = std::env::var_os("WATCHDOG_USEC").is_some()
            && std::env::var("WATCHDOG_PID").is_ok_and(|pid| pid == std::process::id().to_string());
        Self::at(std::env::var_os("NOTIFY_SOCKET"), watched)
    }

    fn at(address: Option<OsString>, watched: bool) -> Self {
        let address = address.and_then(|name| match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
            [b'/', ..] => SocketAddr::from_pathname(name).ok(),
            _ => None,
        });
        let socket = address.and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            // A supervisor that does not read is not waited for.
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        Self { socket, watched, ready: AtomicBool::new(false) }
    }

    /// It can do work, told once; and it lives, told each time where a watchdog listens.
    pub(crate) fn lives(&self, ready: bool) {
        if ready && !self.ready.swap(true, Ordering::Relaxed) {
            self.tell("READY=1");
        }
        if self.watched {
            self.tell("WATCHDOG=1");
        }
    }

    /// Does what takes as long as it takes, and has the supervisor wait for it beyond the time that it gives a start.
    pub(crate) async fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.asking_every(EXTENSION / 3, work).await
    }

    async fn asking_every<T>(&self, pause: Duration, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut again = tokio::time::interval(pause);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = again.tick() => self.tell(&format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros())),
            }
        }
    }

    /// It takes nothing new.
    pub(crate) fn stops(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // A supervisor that is gone needs nothing more.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_supervisor_is_asked_again_for_as_long_as_it_takes() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path)?;
        let supervisor = Supervisor::at(Some(path.into_os_string()), false);
        let told = supervisor.asking_every(Duration::from_millis(1), async {
            let mut told = 0;
            while told < 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                heard.set_nonblocking(true)?;
                let mut bytes = [0; 64];
                while let Ok(length) = heard.recv(&mut bytes) {
                    assert_eq!(bytes.get(..length), Some(&b"EXTEND_TIMEOUT_USEC=60000000"[..]));
                    told += 1;
                }
            }
            Ok(told)
        });
        let patience = Duration::from_secs(30);
        let told: std::io::Result<i32> = tokio::time::timeout(patience, told).await?;
        assert!(told? >= 3);
        Ok(())
    }

    #[test]
    fn a_supervisor_hears_ready_once_and_the_watchdog_each_time() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path)?;
        let supervisor = Supervisor::at(Some(path.into_os_string()), true);
        supervisor.lives(false);
        supervisor.lives(true);
        supervisor.lives(true);
        supervisor.stops();
        let mut told = Vec::new();
        for _ in 0..5 {
            let mut bytes = [0; 64];
            let length = heard.recv(&mut bytes)?;
            told.push(String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned());
        }
        assert_eq!(told, ["WATCHDOG=1", "READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]);
        Supervisor::at(None, true).lives(true);
        Ok(())
    }
}

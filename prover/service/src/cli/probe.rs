//! `nightingale probe`: a probe for where there is no other HTTP client, as in a container without a shell.

use super::{Outcome, Trouble, say};
use clap::Args;
use nightingale::Config;
use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(4);
const MOST_BYTES: u64 = 4096;

/// Ask a running server whether it is ready. Exit code 0: it is. 1: it is not, and what is missing is printed. 2: it does not answer.
#[derive(Args)]
pub(super) struct Probe {
    /// The server's configuration file; it needs `[metrics]` with a port of its own.
    #[arg(long)]
    config: PathBuf,
    /// Ask only whether it is alive.
    #[arg(long)]
    live: bool,
}

impl Probe {
    pub(super) fn run(&self) -> Outcome {
        let address = Config::read(&self.config)?.metrics.ok_or_else(|| {
            Trouble::Unusable("the file has no [metrics], so nothing answers probes; add it".to_owned())
        })?;
        let answer = ask(reachable(address), if self.live { "/healthz" } else { "/readyz" })
            .map_err(|error| Trouble::Unusable(format!("{address} does not answer: {error}")))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if head.starts_with("HTTP/1.1 200 ") {
            say(body.trim_end());
            return Ok(());
        }
        let missing: Vec<&str> = body.lines().filter(|line| !line.ends_with(" ok")).collect();
        Err(Trouble::Refused(missing.join(", ")))
    }
}

/// Who listens everywhere listens here.
fn reachable(address: SocketAddr) -> SocketAddr {
    let here = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(here, address.port())
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(MOST_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

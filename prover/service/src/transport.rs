//! Connections: taken as far as there is room, encrypted where that is configured, and ended when their other end dawdles.

mod frames;
mod link;
pub(crate) mod tls;

use crate::{
    config::identity::Rates,
    identity::{authenticate::Shown, certificate::Names},
    telemetry::metrics::Metrics,
};
use link::Link;
use rustls::pki_types::CertificateDer;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tls::Tls;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_stream::wrappers::ReceiverStream;

/// How long to wait when the machine has no room for another connection.
const PAUSE: Duration = Duration::from_millis(50);
/// A certificate is looked at again when it was not for so long.
const RECHECK: Duration = Duration::from_secs(60);

/// Who is at a connection's other end, as far as the connection says.
#[derive(Clone)]
pub(crate) struct Peer(Option<Arc<Presented>>);

/// A certificate that was good when the connection was made.
struct Presented {
    chain: Vec<CertificateDer<'static>>,
    names: Option<Names>,
    tls: Arc<Tls>,
    checked: Mutex<Checked>,
}

/// When a certificate was looked at last, and under which generation of authorities.
struct Checked {
    generation: u64,
    at: std::time::Instant,
    good: bool,
}

impl Peer {
    /// What it shows now: a connection may be older than its certificate's end, or than a revocation.
    pub(crate) fn shown(&self) -> Shown<'_> {
        match &self.0 {
            None => Shown::Nothing,
            Some(presented) if !presented.tls.knows_callers(std::time::Instant::now()) => Shown::Unchecked,
            Some(presented) if !presented.is_good() => Shown::Lapsed,
            Some(presented) => presented.names.as_ref().map_or(Shown::Lapsed, Shown::Certificate),
        }
    }
}

impl Presented {
    fn is_good(&self) -> bool {
        let generation = self.tls.generation();
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.generation != generation || checked.at.elapsed() > RECHECK {
            let good = self.tls.trusts(&self.chain);
            *checked = Checked { generation, at: std::time::Instant::now(), good };
        }
        checked.good
    }
}

/// Counts connections, and gives their places back.
struct Room {
    whole: Arc<Semaphore>,
    per_address: usize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    metrics: Metrics,
}

/// One connection's place.
pub(crate) struct Place {
    room: Arc<Room>,
    address: IpAddr,
    _whole: OwnedSemaphorePermit,
}

impl Room {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = neighbourhood(address);
        let refuse = |why: &str| self.metrics.connections_refused.with_label_values(&[why]).inc();
        let Ok(whole) = self.whole.clone().try_acquire_owned() else {
            refuse("full");
            return None;
        };
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let open = addresses.entry(address).or_default();
        if *open >= self.per_address {
            refuse("address");
            return None;
        }
        *open += 1;
        self.metrics.connections.inc();
        Some(Place { room: self.clone(), address, _whole: whole })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = self.room.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = addresses.get_mut(&self.address) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                addresses.remove(&self.address);
            }
        }
        self.room.metrics.connections.dec();
    }
}

/// An address, or where it is IPv6 the 64 bits that one customer of a network is given.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(long) => {
            let kept = u128::from(long) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(kept))
        }
        short @ IpAddr::V4(_) => short,
    }
}

/// Takes connections until nobody takes them any more.
pub(crate) fn incoming(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    rates: &Rates,
    metrics: &Metrics,
) -> ReceiverStream<io::Result<Link>> {
    let (made, connections) = mpsc::channel(16);
    let room = Arc::new(Room {
        whole: Arc::new(Semaphore::new(rates.connections)),
        per_address: rates.connections_per_address,
        addresses: Mutex::default(),
        metrics: metrics.clone(),
    });
    let pace = link::Pace { frame: rates.handshake, age: rates.connection_age };
    let handshake = rates.handshake;
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = made.closed() => return,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or a connection that is gone: the next may do.
                    tracing::debug!(kind = %error.kind(), "a connection was not taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Without a place it is closed at once: who has none learns so, and holds nothing.
            let Some(place) = room.take(address.ip()) else { continue };
            let (made, tls, metrics) = (made.clone(), tls.clone(), room.metrics.clone());
            tokio::spawn(async move {
                // Small messages go at once: an acknowledgement that waits for more costs 40 ms a call.
                let _ = stream.set_nodelay(true);
                let link = match tls {
                    None => Ok(Link::plain(stream, place, pace)),
                    Some(tls) => tokio::time::timeout(handshake, encrypt(stream, tls, place, pace))
                        .await
                        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                };
                match link {
                    Ok(link) => {
                        // The server is stopping: it is closed.
                        let _ = made.send(Ok(link)).await;
                    }
                    Err(error) => {
                        metrics.connections_refused.with_label_values(&["handshake"]).inc();
                        tracing::debug!(%error, "no handshake");
                    }
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

async fn encrypt(stream: TcpStream, tls: Arc<Tls>, place: Place, pace: link::Pace) -> io::Result<Link> {
    let (generation, acceptor) = tls.acceptor();
    let stream = acceptor.accept(stream).await?;
    let chain: Vec<CertificateDer<'static>> =
        stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    let names = chain.first().map(Names::read);
    let peer = Peer(names.map(|names| {
        let checked = Checked { generation, at: std::time::Instant::now(), good: true };
        Arc::new(Presented { chain, names, tls, checked: Mutex::new(checked) })
    }));
    Ok(Link::encrypted(stream, peer, place, pace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceError;

    #[test]
    fn a_place_is_given_back_and_one_address_takes_not_all() -> Result<(), Box<dyn std::error::Error>> {
        let room = Arc::new(Room {
            whole: Arc::new(Semaphore::new(3)),
            per_address: 2,
            addresses: Mutex::default(),
            metrics: Metrics::new(
                &crate::store::times::Times::new("sqlite").map_err(|error| error.to_string())?,
            )
            .map_err(|error: ServiceError| error.to_string())?,
        });
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse()?, "10.0.0.2".parse()?);
        let (first, _second) = (room.take(one), room.take(one));
        assert!(first.is_some() && room.take(one).is_none());
        let third = room.take(other);
        assert!(third.is_some() && room.take(other).is_none(), "there is room for three");
        drop(first);
        assert!(room.take(one).is_some());
        assert_eq!(room.addresses.lock().map(|all| all.len()).unwrap_or_default(), 2);
        drop(third);
        assert_eq!(room.addresses.lock().map(|all| all.len()).unwrap_or_default(), 1);
        Ok(())
    }

    #[test]
    fn a_customers_addresses_are_one() -> Result<(), std::net::AddrParseError> {
        let at = |text: &str| text.parse().map(neighbourhood);
        assert_eq!(at("2001:db8::1")?, at("2001:db8::ffff:1")?);
        assert_ne!(at("2001:db8::1")?, at("2001:db8:0:1::1")?);
        assert_eq!(at("::ffff:10.0.0.1")?, at("10.0.0.1")?);
        Ok(())
    }
}

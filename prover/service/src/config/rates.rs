//! How much may be asked for: the section `rates` of the configuration.

use super::{bad, identity::EVERY_TENANT, within};
use crate::{error::ServiceError, jobs::Tenant};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// How much may be asked for.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Of each tenant that has no own share.
    pub every: Share,
    /// Of tenants that have.
    pub tenants: HashMap<String, Share>,
    /// Connections that are open.
    pub connections: usize,
    /// Of them, from one address.
    pub connections_per_address: usize,
    /// Calls that are open on one connection.
    pub streams_per_connection: u32,
    /// Bytes of all tenants' large messages that are coming in or not answered yet.
    pub all_bytes_in_flight: u64,
    /// Bytes of a call's headers.
    pub header_bytes: u32,
    /// How long a handshake, a frame or a block of headers may take.
    pub handshake: Duration,
    /// How long a message may take, beside what its size takes.
    pub message: Duration,
    /// When a connection is told to end.
    pub connection_age: Duration,
}

/// What one tenant may ask for. `None` is without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Share {
    /// Requests a second, in the mean.
    pub requests_per_second: Option<u32>,
    /// Requests at once.
    pub burst: Option<u32>,
    /// Requests that are not answered yet.
    pub in_flight: Option<u32>,
    /// Bytes of large messages that are coming in or not answered yet.
    pub bytes_in_flight: Option<u64>,
    /// Jobs a day, by UTC.
    pub jobs_per_day: Option<u32>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            every: Share::default(),
            tenants: HashMap::new(),
            connections: 768,
            connections_per_address: 512,
            streams_per_connection: 200,
            all_bytes_in_flight: 1 << 30,
            header_bytes: 16 << 10,
            handshake: Duration::from_secs(10),
            message: Duration::from_secs(30),
            connection_age: Duration::from_secs(3600),
        }
    }
}

impl Rates {
    /// What this tenant may ask for.
    #[must_use]
    pub fn share(&self, tenant: &str) -> Share {
        self.tenants.get(tenant).copied().unwrap_or(self.every)
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RatesSection {
    requests_per_second: Option<u32>,
    burst: Option<u32>,
    in_flight: Option<u32>,
    bytes_in_flight: Option<u64>,
    jobs_per_day: Option<u32>,
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    streams_per_connection: Option<u32>,
    all_bytes_in_flight: Option<u64>,
    header_bytes: Option<u32>,
    handshake_seconds: Option<u64>,
    message_seconds: Option<u64>,
    connection_seconds: Option<u64>,
    tenants: BTreeMap<String, ShareSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareSection {
    requests_per_second: Option<u32>,
    burst: Option<u32>,
    in_flight: Option<u32>,
    bytes_in_flight: Option<u64>,
    jobs_per_day: Option<u32>,
}

/// The most bytes that may be set.
const MOST_BYTES: u64 = 1 << 40;

/// Reads the section that says how much. Where nobody is identified all callers are one, and nothing is bounded unless it is said.
pub(super) fn rates(section: RatesSection, identified: bool) -> Result<Rates, ServiceError> {
    let usual = if identified {
        Share {
            requests_per_second: Some(500),
            burst: Some(1000),
            in_flight: Some(512),
            bytes_in_flight: Some(128 << 20),
            jobs_per_day: None,
        }
    } else {
        Share::default()
    };
    let share = |key: &str, given: &ShareSection, usual: Share| {
        for (name, value) in [
            ("requests_per_second", given.requests_per_second),
            ("burst", given.burst),
            ("in_flight", given.in_flight),
            ("jobs_per_day", given.jobs_per_day),
        ] {
            if let Some(value) = value {
                within(&format!("{key}.{name}"), value, 1, 1_000_000_000)?;
            }
        }
        if let Some(bytes) = given.bytes_in_flight {
            within(&format!("{key}.bytes_in_flight"), bytes, 1, MOST_BYTES)?;
        }
        let requests_per_second = given.requests_per_second.or(usual.requests_per_second);
        let burst = given.burst.or_else(|| {
            let doubled = given.requests_per_second.map(|rate| rate.saturating_mul(2));
            doubled.or(usual.burst)
        });
        Ok::<_, ServiceError>(Share {
            requests_per_second,
            burst,
            in_flight: given.in_flight.or(usual.in_flight),
            bytes_in_flight: given.bytes_in_flight.or(usual.bytes_in_flight),
            jobs_per_day: given.jobs_per_day.or(usual.jobs_per_day),
        })
    };
    let own = ShareSection {
        requests_per_second: section.requests_per_second,
        burst: section.burst,
        in_flight: section.in_flight,
        bytes_in_flight: section.bytes_in_flight,
        jobs_per_day: section.jobs_per_day,
    };
    let every = share("rates", &own, usual)?;
    let mut tenants = HashMap::new();
    for (name, given) in &section.tenants {
        if name != EVERY_TENANT && Tenant::new(name).is_none() {
            return Err(bad("rates.tenants", format!("`{name}` is no tenant's name")));
        }
        tenants.insert(name.clone(), share(&format!("rates.tenants.{name}"), given, every)?);
    }
    let defaults = Rates::default();
    let seconds = |key: &str, given: Option<u64>, usual: Duration, most: u64| {
        let value = given.unwrap_or(usual.as_secs());
        within(key, value, 1, most).map(|()| Duration::from_secs(value))
    };
    let connections = section.connections.unwrap_or(defaults.connections);
    within("rates.connections", connections, 1, 1_000_000)?;
    let per_address = section.connections_per_address.unwrap_or(defaults.connections_per_address);
    within("rates.connections_per_address", per_address, 1, 1_000_000)?;
    let streams = section.streams_per_connection.unwrap_or(defaults.streams_per_connection);
    within("rates.streams_per_connection", streams, 1, 10_000)?;
    let all_bytes = section.all_bytes_in_flight.unwrap_or(defaults.all_bytes_in_flight);
    within("rates.all_bytes_in_flight", all_bytes, 1, MOST_BYTES)?;
    let header_bytes = section.header_bytes.unwrap_or(defaults.header_bytes);
    within("rates.header_bytes", header_bytes, 1024, 1 << 20)?;
    Ok(Rates {
        every,
        tenants,
        connections,
        connections_per_address: per_address,
        streams_per_connection: streams,
        all_bytes_in_flight: all_bytes,
        header_bytes,
        handshake: seconds("rates.handshake_seconds", section.handshake_seconds, defaults.handshake, 300)?,
        message: seconds("rates.message_seconds", section.message_seconds, defaults.message, 3600)?,
        connection_age: seconds(
            "rates.connection_seconds",
            section.connection_seconds,
            defaults.connection_age,
            86_400 * 30,
        )?,
    })
}

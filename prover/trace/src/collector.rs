//! Where spans go: the address of an OTLP collector, checked.

use std::{fmt, net::IpAddr};

/// Where OTLP over HTTP takes spans, below the collector's address.
const PATH: &str = "/v1/traces";

/// An OpenTelemetry collector that takes OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    url: reqwest::Url,
}

impl Collector {
    /// From its address, such as `http://127.0.0.1:4318`; `/v1/traces` is added.
    ///
    /// # Errors
    /// Says what was expected: plain HTTP, a host and a port, nothing else; and, without `allow_remote`, an address of this
    /// machine.
    pub fn new(address: &str, allow_remote: bool) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected the address of a collector, such as http://127.0.0.1:4318";
        let url: reqwest::Url = address.parse().map_err(|_| EXPECTED)?;
        let plain = url.scheme() == "http" && url.username().is_empty() && url.password().is_none();
        if !plain || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(EXPECTED);
        }
        let host = url.host_str().ok_or(EXPECTED)?;
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if !allow_remote && !address.is_some_and(|address| address.is_loopback()) {
            return Err(
                "is not a loopback address, and spans travel unencrypted; run a collector here that passes them on, or \
                 allow it where the network itself is trusted",
            );
        }
        let url = url.join(PATH).map_err(|_| EXPECTED)?;
        Ok(Self { url })
    }

    pub(crate) fn url(&self) -> reqwest::Url {
        self.url.clone()
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_collector_on_this_machine_and_nothing_else_unasked() {
        let ours = Collector::new("http://127.0.0.1:4318", false).map(|c| c.to_string());
        assert_eq!(ours.as_deref(), Ok("http://127.0.0.1:4318/v1/traces"));
        assert!(Collector::new("http://[::1]:4318", false).is_ok());
        for address in [
            "http://192.0.2.1:4318",
            "http://localhost:4318",
            "http://collector.example:4318",
            "https://127.0.0.1:4318",
            "http://user:word@127.0.0.1:4318",
            "http://127.0.0.1:4318/elsewhere",
            "http://127.0.0.1:4318/?a=b",
            "127.0.0.1:4318",
            "",
        ] {
            assert!(Collector::new(address, false).is_err(), "{address}");
        }
        assert!(Collector::new("http://collector.example:4318", true).is_ok());
        assert!(Collector::new("https://collector.example:4318", true).is_err(), "there is no TLS here");
    }
}

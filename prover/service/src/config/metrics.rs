//! `[metrics]`: where metrics and probes answer.

use super::{
    address, bad,
    reference::{FLAG, Key, Range, Section, Usual},
};
use crate::error::ServiceError;
use serde::Deserialize;
use std::net::SocketAddr;

pub(super) static REFERENCE: Section = Section {
    name: "metrics",
    meaning: "`/metrics`, `/healthz` and `/readyz` over HTTP: see [operations.md](operations.md#watching). They hold no record, no tenant and \
              no identifier. Without this section there is no such endpoint.",
    optional: true,
    keys: &[
        Key {
            name: "address",
            usual: Usual::Required("\"127.0.0.1:9464\""),
            unit: "",
            range: Range::Text("an IP address and a port"),
            meaning: "Where it answers.",
        },
        Key {
            name: "allow_remote",
            usual: Usual::Value("false"),
            unit: "",
            range: FLAG,
            meaning: "Whether the address may be another than a loopback address, as for a scraper or a kubelet that comes over the \
                      network.",
        },
    ],
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    address: String,
    #[serde(default)]
    allow_remote: bool,
}

impl File {
    pub(super) fn check(self) -> Result<SocketAddr, ServiceError> {
        let address = address("metrics.address", &self.address)?;
        if !address.ip().is_loopback() && !self.allow_remote {
            return Err(bad(
                "metrics.address",
                "must be a loopback address, or set metrics.allow_remote = true where the network is trusted with counts and times",
            ));
        }
        Ok(address)
    }
}

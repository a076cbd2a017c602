//! `[telemetry]`: where traces go.

use super::{
    bad,
    reference::{FLAG, Key, Range, Section, Usual},
};
use crate::error::ServiceError;
use nightingale_trace::Collector;
use serde::Deserialize;

pub(super) static REFERENCE: Section = Section {
    name: "telemetry",
    meaning: "Traces: see [operations.md](operations.md#traces). Nothing leaves without this.",
    optional: false,
    keys: &[
        Key {
            name: "otlp",
            usual: Usual::Unset("no traces", "\"http://127.0.0.1:4318\""),
            unit: "",
            range: Range::Text("`http://`, a host and a port"),
            meaning: "An OpenTelemetry collector that takes OTLP over HTTP.",
        },
        Key {
            name: "allow_remote",
            usual: Usual::Value("false"),
            unit: "",
            range: FLAG,
            meaning: "Whether the collector may be elsewhere than on a loopback address. Spans travel unencrypted.",
        },
    ],
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    otlp: Option<String>,
    allow_remote: bool,
}

impl File {
    pub(super) fn check(self) -> Result<Option<Collector>, ServiceError> {
        let collector = |address: String| {
            Collector::new(&address, self.allow_remote).map_err(|problem| bad("telemetry.otlp", problem))
        };
        self.otlp.map(collector).transpose()
    }
}

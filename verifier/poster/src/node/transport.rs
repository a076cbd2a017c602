//! JSON-RPC over HTTP, with a bound on what a node answers, since all of it is held before any of it is understood.

use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_provider::transport::{TransportError, TransportErrorKind, TransportFut, TransportResult};
use reqwest::{Client, Url, header::CONTENT_TYPE};
use std::task::{Context, Poll};
use tower_service::Service;

/// The longest answer, in MiB: more than a block with all its transactions, or the events of a search, have.
const LONGEST: usize = 64;
/// How much is passed on of what is no answer, in bytes: far more than is shown, so that nothing that is hidden there is cut before.
const SHOWN: usize = 16 << 10;

#[derive(Clone)]
pub(super) struct Bounded {
    pub(super) client: Client,
    pub(super) url: Url,
}

impl Bounded {
    async fn post(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let request = serde_json::to_vec(&request).map_err(TransportError::ser_err)?;
        let posted = self.client.post(self.url).header(CONTENT_TYPE, "application/json").body(request);
        let mut answer = posted.send().await.map_err(TransportErrorKind::custom)?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(TransportErrorKind::custom)? {
            if body.len().saturating_add(part.len()) > LONGEST << 20 {
                let problem = format!("its answer is longer than {LONGEST} MiB");
                return Err(TransportErrorKind::custom_str(&problem));
            }
            body.extend_from_slice(&part);
        }
        let shown = || String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(&body)).into_owned();
        let status = answer.status();
        match serde_json::from_slice::<ResponsePacket>(&body) {
            // Some nodes refuse with a status of their own beside the JSON-RPC error.
            Ok(packet) if status.is_success() || packet.is_error() => Ok(packet),
            Err(error) if status.is_success() => Err(TransportError::deser_err(error, shown())),
            _ => Err(TransportErrorKind::http_error(status.as_u16(), shown())),
        }
    }
}

impl Service<RequestPacket> for Bounded {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().post(request))
    }
}

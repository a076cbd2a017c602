//! `KeyService`: the keys that this server proves with.

use crate::{engine::Engine, identity};
use nightingale_proto::v1::{self, key_service_server::KeyService};
use nightingale_verifier::{KeyKind, VerifyingKey};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service.
pub(super) struct Keys(pub(super) Arc<Engine>);

fn key(key: &VerifyingKey) -> v1::VerifyingKey {
    let kind = match key.kind() {
        KeyKind::Development => v1::KeyKind::Development,
        KeyKind::Production => v1::KeyKind::Production,
    };
    v1::VerifyingKey {
        size_class: key.class().name().to_owned(),
        digest: key.digest().0.to_vec(),
        kind: kind.into(),
        key: key.to_bytes(),
    }
}

#[tonic::async_trait]
impl KeyService for Keys {
    async fn list(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        let caller = identity::caller(&request)?;
        self.0.tenant(&caller, &request.into_inner().tenant).await?;
        Ok(Response::new(v1::ListKeysResponse { keys: self.0.adjudicator.keys().iter().map(key).collect() }))
    }
}

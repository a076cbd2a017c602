//! In which order queued jobs are taken.

use crate::{
    clinic::Clinic,
    running::{Running, config, ended, in_state, keyed},
    stand_in::StandIn,
};
use anyhow::Result;
use nightingale::client::Options;
use nightingale_proto::v1::JobState;
use nightingale_records::request::{from_json, to_json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn priority_goes_before_deadline_goes_before_age() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Running::start(config(folder.path()), StandIn::slow(400)).await?;
    let (mut client, mut clinic) = (server.client().await?, Clinic::new()?);
    let far = Some(Duration::from_secs(3600));
    let near = Some(Duration::from_secs(1800));
    let options = [
        ("running", 0, None),
        ("plain", 0, None),
        ("far", 0, far),
        ("near", 0, near),
        ("low", -5, near),
        ("high", 7, None),
    ];
    let mut jobs = Vec::new();
    for (member, (key, priority, deadline)) in options.into_iter().enumerate() {
        let request = clinic.request(member, vec![crate::clinic::visit(1)?])?;
        let bytes = to_json(&request).as_bytes().to_vec();
        let commitment = from_json(&bytes)?.claim.commitment(&request.claim_salt);
        let job = client.adjudicate(bytes, Options { priority, deadline, ..keyed(key) }, false).await?;
        if member == 0 {
            in_state(&mut client, &job.id, JobState::Running).await?;
        }
        jobs.push((key, commitment, job.id));
    }
    for (_, _, id) in &jobs {
        ended(&mut client, id).await?;
    }
    let order = server.prover.order.lock().map(|order| order.clone()).unwrap_or_default();
    let name = |commitment| jobs.iter().find(|job| job.1 == commitment).map_or("?", |job| job.0);
    let order: Vec<&str> = order.into_iter().map(name).collect();
    assert_eq!(order, ["running", "high", "near", "far", "plain", "low"]);
    server.stop().await
}

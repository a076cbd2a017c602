//! A tenant is erased between the read of a result and the entry of its release: the entry is not made, and nothing is shown.

use crate::{
    audit::{entries, of, serving},
    clinic::{Clinic, result},
    running::{SOON, keyed},
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::ClientError;
use nightingale_proto::v1::JobState;
use std::time::Duration;

/// What an erasure leaves of a tenant, whose jobs have all ended.
const ERASURE: &str = "INSERT INTO erased_tenants (tenant, erased, reason, keys) VALUES ('north', 1, 'told to', 1); \
                       DELETE FROM tenant_keys WHERE tenant = 'north'";

on_both!(a_result_whose_tenant_is_erased_before_its_release_is_not_shown);

async fn a_result_whose_tenant_is_erased_before_its_release_is_not_shown(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let mut jobs = Vec::new();
    for (client, mut clinic) in [(&mut north, Clinic::new()?), (&mut south, Clinic::at(2)?)] {
        let job = client.adjudicate(clinic.file(0, &[1])?, keyed("a"), false).await?;
        // A list shows no result, so that nothing is released by looking.
        let done = async {
            while client.jobs(&[JobState::Done], 1).await?.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SOON, done).await.context("it does not end")??;
        jobs.push(job.id);
    }
    // Nobody writes about the tenant, and so no release of its: the read has its result in hand, and waits.
    let held = oracle.hold_tenant("north").await?;
    let (of_north, of_south, mut other) = (jobs[0].clone(), jobs[1].clone(), south.clone());
    let reads = tokio::spawn(async move { tokio::join!(north.job(&of_north), other.job(&of_south)) });
    tokio::time::sleep(Duration::from_millis(700)).await;
    held.commit_with(ERASURE).await?;
    let (erased, other) = reads.await?;
    ensure!(
        matches!(&erased, Err(ClientError::Refused { reason, .. }) if reason == "TENANT_ERASED"),
        "{:?}",
        erased.map(|job| job.id)
    );
    ensure!(result(&other?)?.approved, "another tenant's release is not held up");
    ensure!(of(&entries(&mut south).await?, "released").len() == 1);
    let of_erased = "SELECT COUNT(*) FROM audit_entries WHERE tenant = 'north' AND event LIKE 'released%'";
    ensure!(oracle.number(of_erased).await? == 0, "on record as released");
    server.stop().await
}

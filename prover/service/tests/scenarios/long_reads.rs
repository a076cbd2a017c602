//! A tenant whose lists take long to read, and asks for many at once: the others find the database as quick as ever, and so does who asks whether the
//! server is ready.

use crate::{
    clinic::Clinic,
    running::{Running, keyed},
    site::{Site, on_both, record},
    stand_in::StandIn,
    surroundings::get,
};
use anyhow::{Context, Result, ensure};
use nightingale::{Config, client::Client, jobs::Tenant, store::Store};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Lines of a ledger of which none is in force, because the second half takes the first back: who asks for one in force reads all.
const LINES: usize = 400_000;
const ON_SQLITE: &str = "WITH RECURSIVE lines (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM lines WHERE n < 400000) \
     INSERT INTO consent_statements (tenant, id, subject, member, effect, stated, statement, number) \
     SELECT 'north', randomblob(16), CAST(n % 200000 AS BLOB), x'00', iif(n > 200000, 'revoke', 'permit'), 0, x'00', n FROM lines";
// Its trigger would look at every line for each.
const ON_POSTGRES: &str = "ALTER TABLE consent_statements DISABLE TRIGGER consent_statements_rise; \
     INSERT INTO consent_statements (tenant, id, subject, member, effect, stated, statement, number) \
     SELECT 'north', decode(md5(n::text), 'hex'), decode(md5((n % 200000)::text), 'hex'), '\\x00', \
     CASE WHEN n > 200000 THEN 'revoke' ELSE 'permit' END, 0, '\\x00', n FROM generate_series(1, 400000) n; \
     ALTER TABLE consent_statements ENABLE TRIGGER consent_statements_rise; ANALYZE consent_statements";
/// As long as somebody waits who waits for one of them, on a busy machine.
const PROMPT: Duration = Duration::from_secs(4);

on_both!(lists_that_take_long_keep_nobody_else_waiting);

/// A server, whose tenant `north` has such a ledger.
async fn with_ledger(site: Site) -> Result<(Site, Running, Client, Client)> {
    let site = site.work("claims = false").work("cohorts = false");
    let config = Config::read(&site.file()?)?;
    let store = Store::open(&config).await?;
    store.seal(&Tenant::new("north").context("a name")?).await?;
    store.close().await;
    drop(store);
    site.oracle_beside().await?.place_also(ON_SQLITE, ON_POSTGRES).await?;
    let server = Running::start(config, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    south.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("first"), false).await?;
    let begun = Instant::now();
    ensure!(north.consents(Vec::new(), false, 1).await?.is_empty(), "something is in force");
    record(&format!("a list of none of {LINES} consents: {:.1?}", begun.elapsed()))?;
    Ok((site, server, north, south))
}

async fn lists_that_take_long_keep_nobody_else_waiting(site: Site) -> Result<()> {
    let (_site, server, north, mut south) = with_ledger(site).await?;
    let mut asking = JoinSet::new();
    for _ in 0..64 {
        let mut north = north.clone();
        asking.spawn(async move { north.consents(Vec::new(), false, 1).await.map(drop) });
    }
    // Long enough for a look at the database that takes too long.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    ensure!(!asking.is_empty(), "they took no time");
    let file = Clinic::new()?.file(0, &[1])?;
    let begun = Instant::now();
    let accepted = south.adjudicate(file, keyed("second"), false);
    tokio::time::timeout(PROMPT, accepted).await.context("it waits for another's lists")??;
    record(&format!("another tenant's claim beside 64 such lists: {:.1?}", begun.elapsed()))?;
    let ready = get(server.metrics.context("no endpoint")?, "/readyz").await?;
    ensure!(ready.starts_with("HTTP/1.1 200 "), "{ready}");
    ensure!(asking.try_join_next().is_some(), "none was answered");
    asking.shutdown().await;
    server.stop().await
}

/// The database goes on with what they asked for, here for as long as somebody holds the table.
#[tokio::test(flavor = "multi_thread")]
async fn lists_whose_callers_go_away_are_no_more_at_once() -> Result<()> {
    let Some(site) = Site::postgres().await? else { return Ok(()) };
    let site = site.work("claims = false").work("cohorts = false");
    let server = Running::start(Config::read(&site.file()?)?, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    let job = south.adjudicate(Clinic::new()?.file(0, &[1])?, keyed("first"), false).await?;
    north.consents(Vec::new(), false, 1).await?;
    let held = site.oracle_beside().await?.hold_reads("consent_statements").await?;
    for _ in 0..64 {
        let list = north.consents(Vec::new(), false, 1);
        let _ = tokio::time::timeout(Duration::from_millis(20), list).await;
    }
    for _ in 0..10 {
        tokio::time::timeout(PROMPT, south.job(&job.id)).await.context("it waits for another's lists")??;
    }
    drop(held);
    server.stop().await
}

//! Rotations are on record: of the master key in the log of every tenant that it concerns and in the operator's own, of a data key in its
//! tenant's.

use crate::{
    audit::{fact, of, serving},
    custody::tenant,
    site::{Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::{
    Config,
    client::{Client, ClientError},
    jobs::{Instant, Tenant},
    store::Store,
};
use nightingale_verifier::audit::{Entry, Reader};
use std::{fs, process::Command};

on_both!(a_rotation_is_on_record_where_it_concerns_somebody_and_in_the_operators_log);

async fn log(store: &Store, tenant: &Tenant) -> Result<Vec<Entry>> {
    Ok(store.audit_entries(tenant, 1, 100).await?.into_iter().map(|(entry, _)| entry).collect())
}

async fn a_rotation_is_on_record_where_it_concerns_somebody_and_in_the_operators_log(
    site: Site,
) -> Result<()> {
    let file = site.file()?;
    let store = Store::open(&Config::read(&file)?).await?;
    let (north, south, gone) = (tenant("north")?, tenant("south")?, tenant("gone")?);
    for tenant in [&north, &south, &gone] {
        store.seal(tenant).await?;
    }
    store.erase_tenant(&gone, "contract ended", Instant::now()).await?;
    ensure!(store.rotate_tenant(&north).await? == 2);
    let rotated = store.rotate_master(false).await?;
    let again = store.rotate_master(false).await?;
    ensure!(rotated.to == again.from && rotated.keys == 3);

    let entries = log(&store, &north).await?;
    let all = of(&entries, "rotated");
    ensure!(all.len() == 3 && entries.len() == 3, "{entries:?}");
    ensure!((fact(all[0], "what")?, fact(all[0], "version")?) == ("data_key", "2"));
    for (entry, rotation) in [(all[1], &rotated), (all[2], &again)] {
        ensure!((fact(entry, "what")?, fact(entry, "keys")?) == ("master_key", "2"));
        ensure!(fact(entry, "from")? == rotation.from.as_str() && fact(entry, "to")? == rotation.to.as_str());
        ensure!((entry.subject.as_str(), entry.roles.join(",").as_str()) == ("service", "service"));
    }
    let entries = log(&store, &south).await?;
    ensure!(of(&entries, "rotated").len() == 2 && fact(&entries[0], "keys")? == "1");
    ensure!(of(&log(&store, &gone).await?, "rotated").is_empty(), "of a tenant without keys");
    let operators = log(&store, &Tenant::operator()).await?;
    ensure!(
        operators.len() == 2 && fact(&operators[0], "keys")? == "3" && fact(&operators[0], "tenants")? == "2"
    );
    store.close().await;
    drop(store);

    // No caller can name that log; who has the database exports it, and it verifies like any other.
    ensure!(Tenant::new(Tenant::operator().as_str()).is_none());
    let server = serving(&site, StandIn::default()).await?;
    let mut caller = Client::connect(&server.address.to_string(), ".operator").await?;
    let refused = caller.audit_head().await.err().context("a caller reads the operator's log")?;
    ensure!(matches!(&refused, ClientError::Refused { reason, .. } if reason == "INVALID"), "{refused}");
    let out = site.path().join("operator.jsonl");
    let mut export = Command::new(env!("CARGO_BIN_EXE_nightingale"));
    export.args(["audit", "export", "--tenant", ".operator", "--config"]).arg(&file).arg("--out").arg(&out);
    let ran = export.output()?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut events = Vec::new();
    let text = fs::read(&out)?;
    Reader::new(&[]).read(text.as_slice(), |entry, _| events.push(entry.event.clone()))?;
    ensure!(events == ["rotated", "rotated", "exported"], "{events:?}");
    server.stop().await
}

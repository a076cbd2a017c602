//! A tenant sees numbers of its own lines of the ledger of consents, which tell nothing of how much others state; before and after an upgrade.

use crate::{
    audit::{execute, serving},
    consent_ledger::granting,
    site::{Oracle, Site, on_both},
    stand_in::StandIn,
};
use anyhow::{Context, Result, ensure};
use nightingale::client::Client;

on_both!(each_tenant_counts_its_own_statements, lines_of_an_earlier_release_are_numbered_in_their_order);

/// The numbers that a tenant is shown, from the first.
async fn shown(client: &mut Client) -> Result<Vec<i64>> {
    let mut numbers: Vec<i64> =
        client.consents(Vec::new(), true, 100).await?.iter().map(|statement| statement.sequence).collect();
    numbers.reverse();
    Ok(numbers)
}

async fn each_tenant_counts_its_own_statements(site: Site) -> Result<()> {
    let server = serving(&site, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    for line in 1..=4 {
        for member in 0..3 {
            south.grant(granting(&format!("{line}.{member}"), member, "", "", line % 2 == 0)).await?;
        }
        let stated = north.grant(granting(&format!("{line}"), 1, "", "", line % 2 == 0)).await?;
        ensure!(stated.statement.context("no statement")?.sequence == line, "it tells of another's lines");
        let again = north.grant(granting(&format!("{line}"), 1, "", "", line % 2 == 0)).await?;
        ensure!(again.known && again.statement.context("no statement")?.sequence == line);
    }
    ensure!(shown(&mut north).await? == [1, 2, 3, 4]);
    ensure!(shown(&mut south).await? == (1..=12).collect::<Vec<_>>());
    south.publish_consents("p").await?;
    ensure!(south.consent_register(0).await?.1.len() == 3);
    server.stop().await
}

async fn lines_of_an_earlier_release_are_numbered_in_their_order(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let server = serving(&site, StandIn::default()).await?;
    let (mut north, mut south) = (server.client_of("north").await?, server.client_of("south").await?);
    for line in 0..3 {
        south.grant(granting(&format!("a{line}"), line, "", "", true)).await?;
        north.grant(granting(&format!("a{line}"), line, "", "", true)).await?;
        south.grant(granting(&format!("b{line}"), line, "", "", false)).await?;
    }
    let before = (shown(&mut north).await?, shown(&mut south).await?);
    // As it was before the numbers, and then the step that brings them.
    let (undo, step) = match oracle {
        Oracle::Sqlite(_) => (
            "DROP TRIGGER consent_statements_follow; DROP INDEX consent_statements_number; \
             ALTER TABLE consent_statements DROP COLUMN number;",
            include_str!("../../src/store/migrations/sqlite/0010_numbers.sql"),
        ),
        Oracle::Postgres(_) => (
            "DROP INDEX consent_statements_number; ALTER TABLE consent_statements DROP COLUMN number;",
            include_str!("../../src/store/migrations/postgres/0010_numbers.sql"),
        ),
    };
    execute(&oracle, undo).await?;
    execute(&oracle, step).await?;
    ensure!((shown(&mut north).await?, shown(&mut south).await?) == before);
    ensure!(before == ((1..=3).collect(), (1..=6).collect()), "{before:?}");
    north.grant(granting("c", 5, "", "", true)).await?;
    ensure!(shown(&mut north).await? == [1, 2, 3, 4]);
    server.stop().await
}

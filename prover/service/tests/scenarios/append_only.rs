//! Every table of the schema is one that changes or one that is only appended to; the latter take the next row and refuse everything else,
//! whichever way it is said: a replacement, an insert that updates where it meets a row, a row put in between.

use crate::{
    audit::execute,
    site::{Oracle, Site, on_both},
};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

/// A table that is only appended to.
struct Table {
    name: &'static str,
    /// Columns and values of a row; `KEY` is a small number that is part of its key, `BYTES` is the same as 32 bytes, `GIVEN` is where
    /// PostgreSQL is told that it does not choose.
    row: &'static str,
    /// What a conflict is about.
    conflicts: &'static [&'static str],
    /// Keys that are out of turn once 1 and 2 are there.
    out_of_turn: &'static [u32],
}

const TABLES: [Table; 7] = [
    Table {
        name: "audit_logs",
        row: "(tenant, log) VALUES ('t' || KEY, BYTES)",
        conflicts: &["tenant"],
        out_of_turn: &[],
    },
    Table {
        name: "audit_entries",
        row: "(tenant, sequence, at, event, subject, roles, method, facts, hash) \
              VALUES ('t1', KEY, 1, 'failed', 'service', 'service', '', '{}', BYTES)",
        conflicts: &["tenant, sequence"],
        out_of_turn: &[0, 9],
    },
    Table {
        name: "query_ledger",
        row: "(sequence, tenant, dataset, at, role, query, digest, threshold, consent_version) GIVEN \
              VALUES (KEY, 'north', BYTES, 1, 'researcher', 'q', BYTES, 11, 0)",
        conflicts: &["sequence"],
        out_of_turn: &[0],
    },
    Table {
        name: "consent_statements",
        row: "(sequence, tenant, id, subject, member, effect, stated, statement, number) GIVEN \
              VALUES (KEY, 'north', BYTES, BYTES, BYTES, 'permit', 1, BYTES, KEY)",
        conflicts: &["sequence", "id", "tenant, number"],
        out_of_turn: &[0, 9],
    },
    Table {
        name: "consent_requests",
        row: "(tenant, idempotency, request, id, answered, outcome) VALUES ('north', BYTES, BYTES, BYTES, 1, BYTES)",
        conflicts: &["tenant, idempotency"],
        out_of_turn: &[],
    },
    Table {
        name: "consent_epochs",
        row: "(tenant, number, root, consents, through, published) VALUES ('north', KEY, BYTES, 1, 1, 1)",
        conflicts: &["tenant, number"],
        out_of_turn: &[0, 9],
    },
    Table {
        name: "dataset_consents",
        row: "(tenant, dataset, name, version, commitment, recorded) \
              VALUES ('north', '\\x00', 't', KEY, BYTES, 1)",
        conflicts: &["tenant, dataset, name, version"],
        out_of_turn: &[0],
    },
];

/// Tables whose rows change or go, and tables of keys that are used once, which their primary keys see to.
const CHANGING: [&str; 15] = [
    "_sqlx_migrations",
    "account_registers",
    "accounts",
    "authorisation_uses",
    "dataset_files",
    "datasets",
    "dropped_artefacts",
    "epochs",
    "erased_tenants",
    "jobs",
    "meta",
    "nullifiers",
    "quotas",
    "spends",
    "tenant_keys",
];

on_both!(a_table_that_is_only_appended_to_takes_the_next_row_and_nothing_else);

impl Table {
    fn insert(&self, oracle: &Oracle, verb: &str, key: u32) -> String {
        let digits = format!("{key:064}");
        let (bytes, given) = match oracle {
            Oracle::Sqlite(_) => (format!("x'{digits}'"), ""),
            Oracle::Postgres(_) => (format!("'\\x{digits}'::bytea"), "OVERRIDING SYSTEM VALUE"),
        };
        let row = self.row.replace("KEY", &key.to_string()).replace("GIVEN", given);
        let row = match oracle {
            Oracle::Sqlite(_) => row.replace("'\\x00'", "x'00'"),
            Oracle::Postgres(_) => row,
        };
        format!("{verb} INTO {} {}", self.name, row.replace("BYTES", &bytes))
    }

    /// What must not succeed while rows 1 and 2 are there.
    fn attempts(&self, oracle: &Oracle) -> Vec<String> {
        let name = self.name;
        let mut all = vec![
            format!("UPDATE {name} SET tenant = 'south'"),
            format!("DELETE FROM {name}"),
            format!("DELETE FROM {name} WHERE tenant = 'nobody' OR tenant LIKE '%'"),
        ];
        let is_sqlite = matches!(oracle, Oracle::Sqlite(_));
        let verbs: &[&str] =
            if is_sqlite { &["INSERT", "INSERT OR REPLACE", "REPLACE"] } else { &["INSERT"] };
        for verb in verbs {
            for key in [1, 2].iter().chain(self.out_of_turn) {
                all.push(self.insert(oracle, verb, *key));
            }
        }
        for conflict in self.conflicts {
            for key in [1, 2] {
                let insert = self.insert(oracle, "INSERT", key);
                all.push(format!("{insert} ON CONFLICT ({conflict}) DO UPDATE SET tenant = 'south'"));
            }
        }
        match is_sqlite {
            true => all.push(format!("UPDATE OR REPLACE {name} SET tenant = tenant")),
            false => all.push(format!("TRUNCATE {name} CASCADE")),
        }
        if is_sqlite {
            // A next row by its key that has the number of a row that is there, under each of that number's names, or one below all.
            let next = self.insert(oracle, "INSERT OR REPLACE", 3);
            let numbered = |column: &str, number: &str| {
                let columns = next.replacen('(', &format!("({column}, "), 1);
                columns.replacen("VALUES (", &format!("VALUES ({number}, "), 1)
            };
            if !self.conflicts.contains(&"sequence") {
                for column in ["rowid", "_rowid_", "oid"] {
                    all.extend(["1", "2", "'1'", "-1", "0"].map(|number| numbered(column, number)));
                }
            }
        }
        if name == "consent_statements" {
            // A new number with the identifier of another row: SQLite would remove that one.
            let again = self.insert(oracle, verbs.last().unwrap_or(&"INSERT"), 2);
            all.push(again.replacen("(2,", "(7,", 1));
        }
        all
    }
}

async fn tables(oracle: &Oracle, sql: &'static str) -> Result<BTreeSet<String>> {
    Ok(oracle.pairs(sql).await?.into_iter().map(|(name, _)| name).collect())
}

async fn a_table_that_is_only_appended_to_takes_the_next_row_and_nothing_else(site: Site) -> Result<()> {
    let oracle = site.oracle().await?;
    let (all, guarded) = match oracle {
        Oracle::Sqlite(_) => (
            "SELECT name, type FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
            "SELECT tbl_name, MIN(name) FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%append-only%' GROUP BY tbl_name",
        ),
        Oracle::Postgres(_) => (
            "SELECT tablename::text, schemaname::text FROM pg_tables WHERE schemaname = 'public'",
            "SELECT c.relname::text, MIN(t.tgname::text) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
             JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND p.prosrc LIKE '%append-only%' GROUP BY 1",
        ),
    };
    let named: BTreeSet<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    ensure!(
        tables(&oracle, guarded).await? == named,
        "tables that are guarded and not tried, or not guarded"
    );
    let mut known: BTreeSet<String> = CHANGING.iter().map(|name| (*name).to_owned()).collect();
    known.extend(named);
    known.insert("story_ends".to_owned());
    let all = tables(&oracle, all).await?;
    ensure!(all == known, "say of each table whether it changes: {:?}", all.symmetric_difference(&known));

    for table in &TABLES {
        for key in [1, 2] {
            let row = table.insert(&oracle, "INSERT", key);
            execute(&oracle, &row).await.with_context(|| row)?;
        }
    }
    for table in &TABLES {
        for attempt in table.attempts(&oracle) {
            let refused = execute(&oracle, &attempt).await.err().with_context(|| attempt.clone())?;
            let refused = refused.to_string();
            // For its own reason, not because the statement is wrong.
            ensure!(refused.contains("append-only"), "{attempt}: {refused}");
        }
        let count = format!("SELECT COUNT(*) FROM {} WHERE tenant <> 'south'", table.name);
        ensure!(oracle.number(count).await? == 2, "{}", table.name);
        execute(&oracle, &table.insert(&oracle, "INSERT", 3)).await.context(table.name)?;
    }
    Ok(())
}

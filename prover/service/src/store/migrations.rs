//! What changed the schema, in order. Both databases have the same steps, each in its own words; a released one stays as it is.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// All steps in the words of one database: the name of their folder.
macro_rules! migrations_of {
    ($folder:literal) => {
        $crate::store::migrations::migrator(&[
            (1, "jobs", include_str!(concat!("migrations/", $folder, "/0001_jobs.sql"))),
            (2, "cohorts", include_str!(concat!("migrations/", $folder, "/0002_cohorts.sql"))),
            (3, "secrets", include_str!(concat!("migrations/", $folder, "/0003_secrets.sql"))),
            (4, "audit", include_str!(concat!("migrations/", $folder, "/0004_audit.sql"))),
            (5, "consent", include_str!(concat!("migrations/", $folder, "/0005_consent.sql"))),
            (6, "identity", include_str!(concat!("migrations/", $folder, "/0006_identity.sql"))),
            (7, "trace", include_str!(concat!("migrations/", $folder, "/0007_trace.sql"))),
            (8, "leases", include_str!(concat!("migrations/", $folder, "/0008_leases.sql"))),
            (9, "guards", include_str!(concat!("migrations/", $folder, "/0009_guards.sql"))),
            (10, "numbers", include_str!(concat!("migrations/", $folder, "/0010_numbers.sql"))),
            (11, "rows", include_str!(concat!("migrations/", $folder, "/0011_rows.sql"))),
        ])
    };
}
pub(super) use migrations_of;

pub(super) fn migrator(steps: &[(i64, &'static str, &'static str)]) -> Migrator {
    let step = |(number, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*number, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator { migrations: steps.iter().map(step).collect::<Vec<_>>().into(), ..Migrator::DEFAULT }
}

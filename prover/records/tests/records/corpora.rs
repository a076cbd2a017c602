//! What fuzzing found and kept, given to the readers again: nothing panics, and what is read is written as it was read.

#[path = "../../../fuzz/src/records.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod readers;
#[path = "../../../../verifier/fuzz/src/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/sql.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod sql;
#[path = "../../../fuzz/src/trial.rs"]
#[expect(unreachable_pub, reason = "public in the fuzz package")]
mod trial;

use anyhow::Result;
use std::path::Path;

/// A test for each corpus, named after it, because a corpus is replayed in a process that runs its test alone.
macro_rules! corpora {
    ($($test:ident: $target:literal, $body:path;)*) => {$(
        #[test]
        fn $test() -> Result<()> {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join($target);
            Ok(replay::replay(concat!("corpora::", stringify!($test)), &corpus, 3, $body)?)
        }
    )*};
}

corpora! {
    strangers_fhir_holds_what_fuzzing_asked: "fhir", readers::fhir;
    strangers_x12_holds_what_fuzzing_asked: "x12", readers::x12;
    strangers_claim_files_hold_what_fuzzing_asked: "claim_file", readers::claim_file;
    strangers_registers_hold_what_fuzzing_asked: "registers", readers::registers;
    strangers_requests_hold_what_fuzzing_asked: "request", readers::request;
    strangers_csv_holds_what_fuzzing_asked: "csv", trial::csv;
    strangers_transport_files_hold_what_fuzzing_asked: "xpt", trial::xpt;
    strangers_parquet_holds_what_fuzzing_asked: "parquet", trial::parquet;
    strangers_schema_files_hold_what_fuzzing_asked: "trial_schema", trial::trial_schema;
    strangers_sql_holds_what_fuzzing_asked: "sql", sql::sql;
    queries_of_any_bytes_hold_what_fuzzing_asked: "query", sql::query;
}

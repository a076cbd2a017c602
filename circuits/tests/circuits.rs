//! Both statements: circuits agree with their references, and dishonest provers find nothing to choose.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod circuits {
    mod claim;
    mod cohort;
}

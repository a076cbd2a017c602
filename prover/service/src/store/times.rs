//! How long the database takes, and how it fails: counted where statements are run, shown where metrics are.

use crate::error::StoreError;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, exponential_buckets};
use std::{future::Future, time::Instant};

/// What is done with the database.
#[derive(Clone, Copy)]
pub(crate) enum Operation {
    /// A statement outside of a transaction that reads.
    Read,
    /// One that writes.
    Write,
    /// The wait for a transaction's turn.
    Begin,
    /// A statement within a transaction.
    Statement,
    /// Until a transaction is durable.
    Commit,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Begin => "begin",
            Self::Statement => "statement",
            Self::Commit => "commit",
        }
    }
}

/// Times and errors of one database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Times {
    pub(crate) seconds: HistogramVec,
    pub(crate) errors: IntCounterVec,
    /// Which database it is.
    pub(crate) database: &'static str,
}

impl Times {
    /// None yet.
    ///
    /// # Errors
    /// A defect in this file.
    pub(crate) fn new(database: &'static str) -> Result<Self, StoreError> {
        let bug = |_| StoreError::Bug("the metrics of the database contradict each other".into());
        let buckets = exponential_buckets(0.0001, 4.0, 9).map_err(bug)?;
        let seconds =
            HistogramOpts::new("nightingale_store_seconds", "Time in the database").buckets(buckets);
        let errors = Opts::new("nightingale_store_errors_total", "Errors of the database");
        let times = Self {
            seconds: HistogramVec::new(seconds, &["operation"]).map_err(bug)?,
            errors: IntCounterVec::new(errors, &["kind"]).map_err(bug)?,
            database,
        };
        // What has not happened yet is 0, so that a first error is seen as a rise.
        for kind in StoreError::KINDS {
            times.errors.with_label_values(&[kind]);
        }
        Ok(times)
    }

    pub(crate) async fn of<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let done = work.await;
        self.seconds.with_label_values(&[operation.name()]).observe(begun.elapsed().as_secs_f64());
        if let Err(error) = &done {
            self.errors.with_label_values(&[error.kind()]).inc();
        }
        done
    }
}

//! A progress bar on standard error, where a person looks at it.

use indicatif::{ProgressBar, ProgressStyle};
use nightingale::{
    CohortError,
    cohort::{step_percent, step_text},
};
use nightingale_prover::cohort::Progress;
use std::{ops::ControlFlow, time::Duration};

/// A bar of a hundred.
pub(super) fn meter(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(100);
    // The template is ours: a bar without style is still a bar.
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}% {msg} {elapsed}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Runs what the cohort prover does under a bar that says what it is doing.
pub(super) fn watched<T>(
    what: &str,
    work: impl FnOnce(Progress<'_>) -> Result<T, CohortError>,
) -> Result<T, CohortError> {
    let bar = meter(what);
    let done = work(&mut |step| {
        if let Some(percent) = step_percent(step) {
            bar.set_position(percent.into());
        }
        bar.set_message(step_text(step));
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    done
}

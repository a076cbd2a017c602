//! A progress bar on standard error, where a person looks at it.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

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

//! Where log lines go and how they look: JSON for programs, text for people; always to standard error.
//!
//! Invariant: standard output belongs to what a command answers. Every line of a request carries its `request_id`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Begins to log. Called once, by the program; a second call changes nothing.
pub(crate) fn begin(settings: &Log) {
    // The rule on `log.filter` has read it already.
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_checked_before| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Human => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let begun = if json {
        let lines = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).with_writer(std::io::stderr);
        registry.with(lines).try_init()
    } else {
        registry.with(fmt::layer().with_ansi(terminal).with_target(false).with_writer(std::io::stderr)).try_init()
    };
    if begun.is_ok() {
        log_panics();
    }
}

/// Sends panics to the log, as lines like all others. What a panic was about stays out of every answer.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = info.payload().downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| info.payload().downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!(place, "panic: {text}");
    }));
}

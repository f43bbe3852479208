//! Where log lines go and how they look: JSON for programs, text for people; always to standard error, and where it is configured to files
//! and, what is an error, to Sentry.
//!
//! Invariant: standard output belongs to what a command answers. Every line of a request carries its `request_id`.

use std::io::IsTerminal;
use std::sync::Mutex;

use observe::{LogFile, Sentry};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::CliError;
use crate::config::{LogFormat, Settings};

/// Begins to log. Called once, by the program; a second call changes nothing.
pub(crate) fn begin(settings: &Settings) -> Result<(), CliError> {
    let log = &settings.log;
    // The rule on `log.filter` has read it already.
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_checked_before| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Human => false,
    };
    let file = LogFile::open(&log.file)
        .map_err(|error| CliError::refused("log_file_unusable", format!("the log file cannot be opened: {error}")))?
        .map(|file| lines().with_writer(Mutex::new(file)));
    let environment = if settings.is_development() { "development" } else { "production" };
    let sentry = Sentry::begin(&settings.sentry, concat!("thorbis@", env!("CARGO_PKG_VERSION")), environment)?;
    let registry = tracing_subscriber::registry().with(filter).with(file).with(sentry);
    let begun = if json {
        registry.with(lines().with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_ansi(terminal).with_target(false).with_writer(std::io::stderr)).try_init()
    };
    if begun.is_ok() {
        log_panics();
    }
    Ok(())
}

/// Returns lines as programs read them.
fn lines<S>() -> fmt::Layer<S, fmt::format::JsonFields, fmt::format::Format<fmt::format::Json>> {
    fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false)
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

//! Where log lines go and how they look: JSON for programs, text for people; always to standard error, and where it is configured to files,
//! to a collector and, what is an error, to Sentry.
//!
//! Invariant: standard output belongs to what a command answers. Every line of a request carries its `request_id`. Where no collector is
//! configured the spans of traces are for nobody, and cost a look at a number.

use std::io::IsTerminal;
use std::sync::Mutex;

use observe::{LogFile, Otlp, Sentry};
use tracing::Subscriber;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::CliError;
use crate::config::{LogFormat, Settings};

/// Begins to log. Called once, by the program; a second call changes nothing. Returns what sends to a collector, where there is one.
pub(crate) fn begin(settings: &Settings) -> Result<Option<Otlp>, CliError> {
    let log = &settings.log;
    let terminal = std::io::stderr().is_terminal();
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Human => false,
    };
    let file = LogFile::open(&log.file)
        .map_err(|error| CliError::refused("log_file_unusable", format!("the log file cannot be opened: {error}")))?
        .map(Mutex::new);
    let environment = if settings.is_development() { "development" } else { "production" };
    let sentry = Sentry::begin(&settings.sentry, concat!("thorbis@", env!("CARGO_PKG_VERSION")), environment)?;
    let otlp = Otlp::begin(&settings.otlp, env!("CARGO_PKG_VERSION"), environment, &crate::backend::node())?;
    let begun = match &otlp {
        // One filter for everything, so that what passes it for nobody costs nothing.
        None => {
            let registry =
                tracing_subscriber::registry().with(filter(settings, "off")).with(file.map(|file| lines().with_writer(file))).with(sentry);
            if json { registry.with(lines().with_writer(std::io::stderr)).try_init() } else { registry.with(text(terminal)).try_init() }
        }
        // Spans pass for the collector alone.
        Some(otlp) => {
            let plain = || filter(settings, "off");
            let registry = tracing_subscriber::registry()
                .with(otlp.spans())
                .with(otlp.lines(filter(settings, "info")))
                .with(file.map(|file| lines().with_writer(file)).with_filter(plain()))
                .with(sentry.with_filter(plain()));
            if json {
                registry.with(lines().with_writer(std::io::stderr).with_filter(plain())).try_init()
            } else {
                registry.with(text(terminal).with_filter(plain())).try_init()
            }
        }
    };
    if begun.is_ok() {
        log_panics();
    }
    Ok(otlp)
}

/// Returns what says which lines there are, and whether there are spans of traces.
fn filter(settings: &Settings, spans: &str) -> EnvFilter {
    // The rule on `log.filter` has read it already.
    let filter = EnvFilter::try_new(&settings.log.filter).unwrap_or_else(|_checked_before| EnvFilter::new("info"));
    match format!("{}={spans}", kernel::trace::TARGET).parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_never) => filter,
    }
}

/// Returns lines as programs read them.
fn lines<S>() -> fmt::Layer<S, fmt::format::JsonFields, fmt::format::Format<fmt::format::Json>> {
    fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false)
}

/// Returns lines as people read them.
fn text<S: Subscriber + for<'a> LookupSpan<'a>>(terminal: bool) -> impl Layer<S> + use<S> {
    fmt::layer().with_ansi(terminal).with_target(false).with_writer(std::io::stderr)
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

//! Which trace work belongs to, as `traceparent` of W3C Trace Context says it, and how it is carried on.
//!
//! Invariant: where nobody gathers traces there is none, and asking costs next to nothing. A trace is an id and never a right.

use std::fmt;
use std::sync::OnceLock;

use tracing::Span;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

/// The target of spans that are for programs which gather traces, and in no line of a log.
pub const TARGET: &str = "spans";
/// The name of the span around a request.
pub const REQUEST: &str = "request";
/// The name of the span around a task.
pub const TASK: &str = "task";

/// Who else may be told to which trace a request belongs: hosts of our own.
static OWN_HOSTS: OnceLock<Vec<String>> = OnceLock::new();

/// A place in a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceContext {
    /// The trace, never 0.
    pub trace_id: u128,
    /// The span, never 0.
    pub span_id: u64,
    /// Whether it is told to anybody.
    pub is_sampled: bool,
}

/// Where a span stands, kept beside it by whoever gathers traces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Its own place.
    pub context: TraceContext,
    /// The span above it, here or elsewhere.
    pub parent_id: Option<u64>,
}

impl TraceContext {
    /// Reads a `traceparent`. What is not written as it has to be is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // A later version may have more parts; the first has these.
        let is_version = digits(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        if !(is_version && digits(trace, 32) && digits(span, 16) && digits(flags, 2)) {
            return None;
        }
        let (trace_id, span_id) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, is_sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

/// Returns the place of what runs now.
pub fn current() -> Option<TraceContext> {
    of(&Span::current())
}

/// Returns the place of a span, or of the next one around it that has one.
pub fn of(span: &Span) -> Option<TraceContext> {
    span.with_subscriber(|(id, dispatch)| {
        let around = dispatch.downcast_ref::<Registry>()?.span(id)?;
        around.scope().find_map(|span| span.extensions().get::<Placed>().map(|placed| placed.context))
    })
    .flatten()
}

/// Has a span that nothing was done in yet go on with a trace from elsewhere. Whether it is told to anybody is said by that one only if
/// it is believed. Returns its place.
pub fn go_on(span: &Span, from: Option<TraceContext>, is_believed: bool) -> Option<TraceContext> {
    if let Some(from) = from {
        span.with_subscriber(|(id, dispatch)| {
            let known = dispatch.downcast_ref::<Registry>()?.span(id)?;
            let mut extensions = known.extensions_mut();
            let placed = extensions.get_mut::<Placed>()?;
            placed.context.trace_id = from.trace_id;
            placed.parent_id = Some(from.span_id);
            if is_believed {
                placed.context.is_sampled = from.is_sampled;
            }
            Some(())
        });
    }
    of(span)
}

/// Says which hosts are our own. Once, at the start.
pub fn carry_to(hosts: Vec<String>) {
    let _known_already = OWN_HOSTS.set(hosts).is_err();
}

/// Returns what a request to a host says of the trace: nothing to strangers, who could tell by it which calls belong together.
pub fn carried_to(host: &str) -> Option<TraceContext> {
    OWN_HOSTS.get()?.iter().any(|own| own.eq_ignore_ascii_case(host)).then(current)?
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_it_is_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceContext::parse(text).unwrap();
        assert_eq!(
            (read.trace_id, read.span_id, read.is_sampled),
            (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, true)
        );
        assert_eq!(read.to_string(), text);
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02-more";
        assert!(TraceContext::parse(later).is_some_and(|read| !read.is_sampled));
    }

    #[test]
    fn what_is_none_is_not_read() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn where_nobody_gathers_there_is_no_trace() {
        let span = tracing::info_span!("request");
        assert_eq!(
            (current(), go_on(&span, TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), true)),
            (None, None)
        );
        assert_eq!(carried_to("example.com"), None);
    }
}

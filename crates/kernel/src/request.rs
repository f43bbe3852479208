//! What SQL may know of the HTTP request: `request.method`, `request.path`, `request.headers`, `request.cookies`.
//!
//! The names are public API: policies and functions of users read them.

use std::net::IpAddr;
use std::sync::Arc;

/// Where a request comes from, in the extensions of every request. The edge makes it out, once: limits, sessions and the audit go by it,
/// and nobody else reads what a proxy says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress(pub IpAddr);

/// The address by which the client asks for this server, without a slash at its end, in the extensions of every request. The edge makes it
/// out, once: what is told a client as an address of ours begins with it, so that he reaches it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AskedAddress(pub Arc<str>);

/// The request as the transaction's settings show it.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    /// The method, upper case.
    pub method: Arc<str>,
    /// The path as the client wrote it, without the query.
    pub path: Arc<str>,
    /// A JSON object of the headers, names in lower case.
    pub headers_json: Arc<str>,
    /// A JSON object of the cookies.
    pub cookies_json: Arc<str>,
    /// The schema whose names the request means, where the database is not ours; otherwise nothing.
    pub schema: Arc<str>,
    /// Settings that the function it calls brings with it, where the database is not ours.
    pub function_settings: Arc<[(String, String)]>,
    /// How long one statement may run, as PostgreSQL's setting has it, where it is another time than everybody's.
    pub statement_timeout: Option<Arc<str>>,
    /// A place in the database's log that what is read must have: the client was told it when it wrote.
    pub position: Option<u64>,
}

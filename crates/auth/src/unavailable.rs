//! Ways to sign in that are not there yet. Each says so with the code that clients know for it.
//!
//! table: method and path, status, code, message

use axum::Router;
use axum::routing::{MethodFilter, on};
use kernel::{Error, Kind};

use crate::Auth;

type Line = (MethodFilter, &'static str, u16, &'static str, &'static str);

const SSO: MethodFilter = MethodFilter::GET.or(MethodFilter::POST).or(MethodFilter::PUT).or(MethodFilter::DELETE);

const TABLE: &[Line] = &[
    (SSO, "/admin/sso/providers", 404, "saml_provider_disabled", "SAML 2.0 is disabled"),
    (SSO, "/admin/sso/providers/{id}", 404, "saml_provider_disabled", "SAML 2.0 is disabled"),
];

/// Adds every line of the table as a route.
pub(crate) fn add(router: Router<Auth>) -> Router<Auth> {
    TABLE.iter().fold(router, |router, &(method, path, status, code, message)| {
        router.route(path, on(method, async move || Error::new(Kind::from_status(status), code, message)))
    })
}

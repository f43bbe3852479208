//! The root: what there is, described for programs.
//!
//! Invariant: where the caller's rights decide, PostgreSQL is asked for them in his own transaction, at every request; whoever the
//! transaction refuses gets no description.

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use kernel::{Error, Grant, Kind, RequestContext, Result};
use postgres::Access;
use postgres::catalog::Reach;

use crate::DataApi;
use crate::config::OpenApiMode;
use crate::openapi::{self, Subject, Version};
use crate::{plan, request};

/// What descriptions are called.
pub(crate) const OPENAPI: &str = "application/openapi+json";
const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");

/// Answers a request for the root.
pub(crate) async fn answer(api: &DataApi, grant: Grant, parts: &Parts) -> Result<Response> {
    let is_head = match parts.method {
        Method::OPTIONS => {
            let mut response = Response::new(Body::empty());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(plan::METHODS_OF_ROOT));
            return Ok(response);
        }
        Method::GET => false,
        Method::HEAD => true,
        ref other => return Err(Error::new(Kind::Status(405), "PGRST117", format!("Unsupported HTTP method: {other}"))),
    };
    let config = api.config();
    if config.openapi_mode == OpenApiMode::Disabled {
        return Err(Error::new(Kind::NotFound, "PGRST126", "Root endpoint metadata is disabled"));
    }
    let (schema, is_named) = request::read_schema(&parts.headers, &config.schemas)?;
    let version = version(&parts.headers)?;
    let catalog = api.schema().get().await?;
    let mut context = parts.extensions.get::<RequestContext>().cloned().unwrap_or_default();
    context.statement_timeout = api.statement_timeout(&catalog, grant.principal());
    // Asked also where rights do not count: whoever may not open a transaction is refused here as everywhere.
    let answer = Box::pin(api.database().run(&grant, &context, Access::Read, Reach::question(&schema))).await?;
    let row = answer.rows.first().ok_or_else(|| Error::internal("the rights were asked for and no row came"))?;
    let reach = match config.openapi_mode {
        OpenApiMode::FollowPrivileges => Some(Reach::answer(row.try_get(0).map_err(Error::internal)?)?),
        OpenApiMode::IgnorePrivileges | OpenApiMode::Disabled => None,
    };
    let subject = Subject::of(&catalog, &schema, reach.as_ref(), config);
    let document = openapi::document(&subject, version).to_string();
    let mut response = Response::new(if is_head { Body::empty() } else { Body::from(document) });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(version.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Prefer, Range"));
    if (is_named || config.schemas.len() > 1)
        && let Ok(schema) = HeaderValue::from_str(&schema)
    {
        headers.insert(CONTENT_PROFILE, schema);
    }
    Ok(response)
}

/// Chooses the version that the client likes best.
fn version(headers: &HeaderMap) -> Result<Version> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|range| !range.is_empty()).collect();
    // The sort is stable: of equals the first counts.
    ranges.sort_by(|left, right| request::quality(right).total_cmp(&request::quality(left)));
    if ranges.is_empty() {
        return Ok(Version::Two);
    }
    ranges.iter().filter(|range| request::quality(range) > 0.0).find_map(|range| version_of(range)).ok_or_else(|| {
        let message = format!("None of these media types are available: {}", ranges.join(", "));
        Error::new(Kind::Status(406), "PGRST107", message)
    })
}

fn version_of(range: &str) -> Option<Version> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let wanted = parts.find_map(|part| part.strip_prefix("version=")).map(|version| version.trim_matches('"'));
    match (name.as_str(), wanted) {
        ("application/openapi+json" | "application/vnd.oai.openapi+json", Some(wanted)) => match wanted {
            "2.0" | "2" => Some(Version::Two),
            "3.1" | "3.1.0" | "3" => Some(Version::Three),
            _ => None,
        },
        ("application/openapi+json" | "application/json" | "application/*" | "*/*", _) => Some(Version::Two),
        ("application/vnd.oai.openapi+json", None) => Some(Version::Three),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_says_which_version_it_reads() {
        for (accept, expected) in [
            ("*/*", Some(Version::Two)),
            ("application/json", Some(Version::Two)),
            ("application/openapi+json", Some(Version::Two)),
            ("application/openapi+json;version=2.0", Some(Version::Two)),
            ("application/openapi+json;version=3.1", Some(Version::Three)),
            ("application/openapi+json; version=\"3.1.0\"", Some(Version::Three)),
            ("application/vnd.oai.openapi+json", Some(Version::Three)),
            ("application/openapi+json;version=3.1;q=0.5, application/json;q=0.9", Some(Version::Two)),
            ("application/openapi+json;version=4", None),
            ("text/csv", None),
            ("application/vnd.pgrst.object+json", None),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(version(&headers).ok(), expected, "{accept}");
        }
        assert_eq!(version(&HeaderMap::new()).unwrap(), Version::Two);
        let refused = version(&HeaderMap::from_iter([(ACCEPT, "text/csv, image/png;q=0.5".parse().unwrap())])).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (406, "PGRST107"));
        assert_eq!(refused.message(), "None of these media types are available: text/csv, image/png;q=0.5");
    }
}

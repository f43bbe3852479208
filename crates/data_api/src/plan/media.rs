//! In which form a request is answered: what the client takes against what there is.
//!
//! Invariant: forms that the database makes of a relation or gives by a function go before those that everything has, but only where the
//! client selects nothing of his own: they are made of whole rows.

use kernel::{Error, Kind, Result};
use postgres::catalog::{Catalog, MediaHandler};

use crate::request::{ApiRequest, Custom, Explain, Made, Meaning, MediaType, SelectItem, Target};

/// Whatever there is.
const ANY: &str = "*/*";
const BYTES: &str = "application/octet-stream";
/// Types whose letters are said.
const TEXTS: [&str; 6] = ["application/json", "application/geo+json", "text/csv", "text/plain", "text/xml", "application/openapi+json"];

/// Chooses the form that the client likes best of those that there are.
pub(crate) fn negotiate(request: &mut ApiRequest, catalog: &Catalog) -> Result<()> {
    let usual = (MediaType::Json, None, None);
    let found = match request.accepts.as_slice() {
        [] => chosen(&Meaning::Named(ANY.to_owned()), request, catalog).or(Some(usual)),
        accepts => accepts.iter().find_map(|accept| chosen(&accept.meaning, request, catalog)),
    };
    let Some((media, explain, custom)) = found else {
        let names: Vec<&str> = request.accepts.iter().map(|accept| accept.name.as_str()).collect();
        let message = format!("None of these media types are available: {}", names.join(", "));
        return Err(Error::new(Kind::Status(406), "PGRST107", message));
    };
    request.media = media;
    request.explain = explain;
    request.custom = custom;
    Ok(())
}

type Chosen = (MediaType, Option<Explain>, Option<Custom>);

fn chosen(meaning: &Meaning, request: &ApiRequest, catalog: &Catalog) -> Option<Chosen> {
    let name = match meaning {
        Meaning::Own(media, explain) => return Some((*media, explain.clone(), None)),
        Meaning::Refused => return None,
        Meaning::Named(name) => name.as_str(),
    };
    let is_default = request.query.select.iter().all(|item| *item == SelectItem::Star);
    let of_target = |media: &str| is_default.then(|| of_target(request, catalog, media)).flatten();
    let any_rows = || catalog.media_handlers().iter().find(|it| it.target.is_none() && it.media == name).map(made_by);
    if let Some(custom) = of_target(ANY).or_else(|| of_target(name)).or_else(any_rows) {
        return Some((MediaType::Custom, None, Some(custom)));
    }
    match name {
        ANY | "application/*" | "application/json" => Some((MediaType::Json, None, None)),
        "text/csv" => Some((MediaType::Csv, None, None)),
        "application/geo+json" => {
            let made = Made::GeoJson(catalog.geojson_schema()?.to_owned());
            let custom = Custom { made, content_type: content_type("application/geo+json"), is_binary: false };
            Some((MediaType::GeoJson, None, Some(custom)))
        }
        _ => None,
    }
}

/// Returns what makes this form of the rows of the request's relation, or of its function.
fn of_target(request: &ApiRequest, catalog: &Catalog, media: &str) -> Option<Custom> {
    let relation = match &request.target {
        Target::Relation(name) => Some((request.schema.as_str(), name.as_str())),
        Target::Function(name) => {
            let functions = catalog.functions(&request.schema, name);
            let gives = functions.iter().find(|it| !it.returns.is_set && it.returns.data_type.name.eq_ignore_ascii_case(media));
            if let Some(function) = gives {
                let is_binary = function.returns.data_type.base == "bytea";
                return Some(Custom { made: Made::Value, content_type: content_type(media), is_binary });
            }
            functions.iter().find_map(|it| it.returns.schema.as_deref().zip(it.returns.relation.as_deref()))
        }
    };
    let is_of =
        |it: &&MediaHandler| it.media == media && it.target.as_ref().map(|(schema, name)| (schema.as_str(), name.as_str())) == relation;
    catalog.media_handlers().iter().filter(|_| relation.is_some()).find(is_of).map(made_by)
}

fn made_by(handler: &MediaHandler) -> Custom {
    let made = Made::Aggregate { schema: handler.schema.clone(), name: handler.name.clone(), target: handler.target.clone() };
    Custom { made, content_type: content_type(&handler.media), is_binary: handler.base == "bytea" }
}

fn content_type(media: &str) -> String {
    match media {
        ANY => BYTES.to_owned(),
        text if TEXTS.contains(&text) => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    }
}

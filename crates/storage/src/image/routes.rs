//! `/render/image`: images made of objects, for whoever may read the object.
//!
//! Invariant: the object is found as in a download, by the same policies or the same link, before anything is made of it.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Method, header};
use kernel::{Error, Result};
use serde::Deserialize;

use super::{Images, Wanted, takes_webp};
use crate::objects::Object;
use crate::{Caller, Storage, serving};

type Served = (Storage, Images);

/// What stands behind the question mark.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(flatten)]
    image: super::Asked,
    #[serde(default)]
    download: Option<String>,
    #[serde(default)]
    token: Option<String>,
}

/// Returns the route that needs a `Principal` in the request's extensions, to be mounted at `/storage/v1`.
pub fn router(storage: Storage, images: Images) -> Router {
    Router::new().route("/render/image/authenticated/{bucket}/{*name}", get(one)).with_state((storage, images))
}

/// Returns the routes for whoever has a link, and to what is public, to be mounted beside [`router`].
pub fn open_router(storage: Storage, images: Images) -> Router {
    Router::new()
        .route("/render/image/public/{bucket}/{*name}", get(public))
        .route("/render/image/sign/{bucket}/{*name}", get(linked))
        .with_state((storage, images))
}

async fn one(
    State((storage, images)): State<Served>,
    caller: Caller,
    Path((bucket, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    (method, headers): (Method, HeaderMap),
) -> Result<Response> {
    let wanted = asked.image.parse(images.config())?;
    let object = storage.info(&caller, &bucket, &name).await?;
    answer(&storage, &images, object, (&wanted, asked.download), serving::Asked::new(&method, headers)).await
}

async fn public(
    State((storage, images)): State<Served>,
    Path((bucket, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let wanted = asked.image.parse(images.config())?;
    let object = storage.info_for_all(&bucket, &name, true, None).await?;
    let how = serving::Asked { is_public: true, ..serving::Asked::new(&method, headers) };
    answer(&storage, &images, object, (&wanted, asked.download), how).await
}

async fn linked(
    State((storage, images)): State<Served>,
    Path((bucket, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let link = storage.read_link(asked.token.as_deref().unwrap_or_default(), &bucket, &name)?;
    // What is made of it the link says, and not whoever has it.
    let until = Some(link.ends());
    let said = link.transformations.unwrap_or_else(|| serde_json::json!({}));
    let wanted = serde_json::from_value::<super::Asked>(said)
        .map_err(|error| super::wanted::invalid("The link is of no image").with_source(error))?;
    let wanted = wanted.parse(images.config())?;
    let object = storage.info_for_all(&bucket, &name, false, None).await?;
    let how = serving::Asked { until, ..serving::Asked::new(&method, headers) };
    answer(&storage, &images, object, (&wanted, asked.download), how).await
}

async fn answer(
    storage: &Storage,
    images: &Images,
    object: Object,
    (wanted, download): (&Wanted, Option<String>),
    how: serving::Asked,
) -> Result<Response> {
    let accept: Vec<&str> = how.headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).collect();
    let takes_webp = takes_webp(&accept.join(","));
    let made = storage.render(images, object, wanted, takes_webp).await?;
    let mut response = storage.serve(made, &serving::Asked { download, ..how }).await?;
    let headers = response.headers_mut();
    headers.insert("x-transformations", HeaderValue::try_from(wanted.header()).map_err(Error::internal)?);
    if !wanted.is_origin {
        headers.append(header::VARY, HeaderValue::from_static("Accept"));
    }
    Ok(response)
}

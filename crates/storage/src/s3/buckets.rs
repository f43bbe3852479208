//! Buckets in the words of S3.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use kernel::{Error, Kind, Result};

use super::answer::Xml;
use super::asked::Request;

pub(super) async fn list(request: &Request) -> Result<Response> {
    let buckets = request.storage.buckets_in_reach(&request.caller).await?;
    let document = Xml::document("ListAllMyBucketsResult", |xml| {
        xml.inside("Owner", |xml| _ = xml.text("ID", "thorbis").text("DisplayName", "thorbis"));
        xml.inside("Buckets", |xml| {
            for (name, created_at) in &buckets {
                xml.inside("Bucket", |xml| _ = xml.text("Name", name).text("CreationDate", created_at));
            }
        });
    });
    Ok(document.answer())
}

/// Refuses what names a bucket that is not there for the caller.
pub(super) async fn is_there(request: &Request) -> Result<()> {
    match request.storage.bucket(&request.caller, &request.bucket).await {
        Err(error) if error.kind() == Kind::NotFound => {
            let reached = request.storage.buckets_in_reach(&request.caller).await?;
            if reached.contains_key(&request.bucket) { Ok(()) } else { Err(error) }
        }
        found => found.map(|_| ()),
    }
}

pub(super) async fn head(request: &Request) -> Result<Response> {
    is_there(request).await?;
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert("x-amz-bucket-region", HeaderValue::try_from(request.region.as_str()).map_err(Error::internal)?);
    Ok(response)
}

pub(super) async fn location(request: &Request) -> Result<Response> {
    is_there(request).await?;
    Ok(Xml::document("LocationConstraint", |xml| xml.said(&request.region)).answer())
}

pub(super) async fn versioning(request: &Request) -> Result<Response> {
    is_there(request).await?;
    Ok(Xml::document("VersioningConfiguration", |xml| _ = xml.text("Status", "Suspended")).answer())
}

pub(super) async fn create(request: &Request) -> Result<Response> {
    let is_public = super::objects::is_public(request.header("x-amz-acl"))?;
    let wanted = serde_json::from_value(serde_json::json!({ "id": request.bucket, "public": is_public })).map_err(Error::internal)?;
    request.storage.create_bucket(&request.caller, &wanted).await?;
    let mut response = Response::new(Body::empty());
    let place = percent_encoding::utf8_percent_encode(&request.bucket, percent_encoding::NON_ALPHANUMERIC).to_string();
    response.headers_mut().insert(header::LOCATION, HeaderValue::try_from(format!("/{place}")).map_err(Error::internal)?);
    Ok(response)
}

pub(super) async fn delete(request: &Request) -> Result<Response> {
    match request.storage.delete_bucket(&request.caller, &request.bucket).await {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        Err(error) if error.kind() == Kind::Conflict => {
            Err(Error::new(Kind::Conflict, "BucketNotEmpty", "The bucket you tried to delete is not empty").with_source(error))
        }
        Err(error) => Err(error),
    }
}

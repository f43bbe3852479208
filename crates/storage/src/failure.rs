//! Errors as the clients of storage know them: `{statusCode, error, message, code}`.
//!
//! Invariant: the status of the answer is 400, and the true one stands in `statusCode`, as those clients expect it; what is our fault, too
//! often, or not there for now keeps its own.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use kernel::{Error, Kind};
use serde_json::{Value, json};

/// How it begins what is said of a token that has not three parts.
const NOT_COMPACT: &[&str] = &["Expected 3 parts", "Empty JWT", "The Authorization header"];

/// Gives an answer that is one of our errors the shape of this interface. What is no error is not touched.
pub async fn shape(mut response: Response) -> Response {
    let Some(error) = response.extensions().get::<Arc<Error>>().cloned() else { return response };
    *response.status_mut() = status(error.status());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    *response.body_mut() = Body::from(body(&error).to_string());
    response
}

/// What the answer says.
pub(crate) fn body(error: &Error) -> Value {
    let status = error.status();
    let (code, status) = match (error.code(), status) {
        (_, StatusCode::UNAUTHORIZED) => ("AccessDenied", StatusCode::FORBIDDEN),
        ("internal_error", status) => ("InternalError", status),
        (code, status) => (code, status),
    };
    let word = match code {
        "NoSuchBucket" => "Bucket not found",
        "NoSuchKey" => "not_found",
        "EntityTooLarge" => "Payload too large",
        "InvalidMimeType" => "invalid_mime_type",
        "KeyAlreadyExists" | "BucketAlreadyExists" | "ResourceAlreadyExists" => "Duplicate",
        "AccessDenied" => "Unauthorized",
        "InvalidBucketName" => "Invalid Input",
        code => code,
    };
    let mut said = json!({ "statusCode": status.as_u16().to_string(), "error": word, "message": message(error), "code": code });
    if let (Some(hint), Some(said)) = (error.hint(), said.as_object_mut()) {
        said.insert("hint".to_owned(), hint.into());
    }
    said
}

/// What the answer says in words; of a token that is not good in those that its clients know.
pub(crate) fn message(error: &Error) -> &str {
    if error.status() != StatusCode::UNAUTHORIZED {
        return error.message();
    }
    match (error.code(), error.message()) {
        ("PGRST303", "JWT expired") => "\"exp\" claim timestamp check failed",
        ("PGRST303", "JWT not yet valid") => "\"nbf\" claim timestamp check failed",
        ("PGRST301", said) if NOT_COMPACT.iter().any(|begin| said.starts_with(begin)) => "Invalid Compact JWS",
        ("PGRST301", _) => "signature verification failed",
        (_, said) => said,
    }
}

fn status(status: StatusCode) -> StatusCode {
    let is_own = status.is_server_error() || matches!(status.as_u16(), 416 | 429 | 499);
    if is_own { status } else { StatusCode::BAD_REQUEST }
}

/// Says what PostgreSQL refused in the words of this interface.
pub(crate) fn told(error: Error) -> Error {
    match error.code() {
        "42501" => Error::new(Kind::Forbidden, "AccessDenied", "new row violates row-level security policy").with_source(error),
        "23505" => Error::new(Kind::Conflict, "KeyAlreadyExists", "The resource already exists").with_source(error),
        "23503" => no_such_bucket().with_source(error),
        _ => error,
    }
}

/// There is no such bucket, or not for whoever asks.
pub(crate) fn no_such_bucket() -> Error {
    Error::new(Kind::NotFound, "NoSuchBucket", "Bucket not found")
}

/// There is no such object, or not for whoever asks.
pub(crate) fn no_such_key() -> Error {
    Error::new(Kind::NotFound, "NoSuchKey", "Object not found")
}

/// The bucket does not take this content type, or it is none.
pub(crate) fn no_such_type(content_type: &str) -> Error {
    Error::new(Kind::Status(415), "InvalidMimeType", format!("mime type {content_type} is not supported"))
}

/// What an application says of its object is larger than is taken.
pub(crate) fn too_much_metadata() -> Error {
    Error::new(Kind::TooLarge, "EntityTooLarge", "The user_metadata exceeded the maximum allowed size")
}

/// It is larger than its bucket or this server takes.
pub(crate) fn too_large() -> Error {
    Error::new(Kind::TooLarge, "EntityTooLarge", "The object exceeded the maximum allowed size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn the_true_status_stands_in_the_body() {
        for (error, status, expected) in [
            (no_such_key(), 400, json!({ "statusCode": "404", "error": "not_found", "message": "Object not found", "code": "NoSuchKey" })),
            (
                Error::new(Kind::Unauthenticated, "PGRST301", "JWT cryptographic operation failed"),
                400,
                json!({ "statusCode": "403", "error": "Unauthorized", "message": "signature verification failed", "code": "AccessDenied" }),
            ),
            (
                Error::new(Kind::Unauthenticated, "PGRST303", "JWT expired"),
                400,
                json!({ "statusCode": "403", "error": "Unauthorized", "message": "\"exp\" claim timestamp check failed", "code": "AccessDenied" }),
            ),
            (
                Error::internal("hunter2"),
                500,
                json!({ "statusCode": "500", "error": "InternalError", "message": "Something went wrong on our side", "code": "InternalError" }),
            ),
        ] {
            let response = shape(error.into_response()).await;
            assert_eq!(response.status(), status);
            let body: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
            assert_eq!(body, expected);
        }
    }
}

//! Why somebody does not get on: his session is over, or his account is banned, or gone for good.
//!
//! Invariant: the statement that does the work finds only a live session of somebody who may use it, and says no more. Why there was none
//! is asked once, after the refusal, for every route alike, and told only to whoever holds a token of that account.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use kernel::{Error, Kind, Result, UserId};
use postgres::Sql;

use crate::Auth;

/// Whoever a request turned out to be from.
#[derive(Clone, Default)]
struct Asker(Arc<OnceLock<UserId>>);

/// Remembers whose token a request showed.
pub(crate) fn note(parts: &Parts, user_id: UserId) {
    if let Some(asker) = parts.extensions.get::<Asker>() {
        // Who asks does not change within a request.
        asker.0.get_or_init(|| user_id);
    }
}

/// Says in the place of "there is no such session" that there is no such user, or that he is banned.
pub(crate) async fn explain(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let asker = Asker::default();
    request.extensions_mut().insert(asker.clone());
    let response = next.run(request).await;
    let error = response.extensions().get::<Arc<Error>>();
    let is_over = error.is_some_and(|error| error.code() == "session_not_found" && error.status() == StatusCode::FORBIDDEN);
    let Some(user_id) = asker.0.get().filter(|_| is_over) else { return response };
    match why(&auth, *user_id).await {
        Ok(None) => response,
        Ok(Some(error)) | Err(error) => error.into_response(),
    }
}

/// Returns what is wrong with an account, if it is the account.
async fn why(auth: &Auth, user_id: UserId) -> Result<Option<Error>> {
    let mut sql = Sql::new("select coalesce(u.banned_until > ");
    sql.bind(auth.now()).text("::timestamptz, false) as banned from auth.users u where u.id = ").bind(user_id).text("::uuid");
    let Some(row) = auth.read_one(sql, "tell why a session is over").await? else {
        let message = "User from sub claim in JWT does not exist";
        return Ok(Some(Error::new(Kind::Forbidden, "user_not_found", message)));
    };
    let banned: bool = row.try_get("banned").map_err(Error::internal)?;
    Ok(banned.then(|| Error::new(Kind::Forbidden, "user_banned", "User is banned")))
}

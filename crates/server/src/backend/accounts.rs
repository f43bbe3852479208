//! Passwords that the server or its operator sets, the way an administrator's program does.
//!
//! Invariant: an account is changed through the routes of the service key and never by a statement of ours.

use auth::keys::KeyRing;
use aws_lc_rs::rand;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kernel::{Error, Kind, Result, Secret};
use postgres::Sql;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::Backend;

impl Backend {
    /// Gives an account a new password, and takes its second factors away if told to. Returns the password; nothing without such an account.
    pub(crate) async fn reset_password(&self, keys: &KeyRing, email: &str, remove_factors: bool) -> Result<Option<Secret<String>>> {
        let Some((id, _)) = self.account(email, "looks for an account whose password is reset").await? else { return Ok(None) };
        let password = random_password()?;
        self.set_password(keys, &id, &password).await?;
        if remove_factors {
            let path = format!("/admin/users/{id}/factors");
            let factors = self.as_administrator(keys, Method::GET, &path, None).await?;
            // Recovery codes go with the last other factor.
            let others = factors.as_array().into_iter().flatten().filter(|factor| factor["factor_type"] != "recovery_code");
            for factor in others {
                let path = format!("{path}/{}", factor["id"].as_str().unwrap_or_default());
                self.as_administrator(keys, Method::DELETE, &path, None).await?;
            }
        }
        Ok(Some(Secret::new(password)))
    }

    /// Opens a session of support in the place of a member. What the route refuses is refused with its code.
    pub(crate) async fn impersonate(&self, keys: &KeyRing, slug: &str, member: &str, mut wish: Value) -> Result<Value> {
        let mut statement = Sql::new("select c.id::text as id from public.companies c where c.deleted_at is null and c.slug = ");
        statement.bind(slug).text("::text");
        let answer = self.ask(statement, "looks for the company that support works in").await?;
        let company = answer.rows.first();
        let company = company.ok_or_else(|| Error::new(Kind::NotFound, "company_not_found", format!("there is no company {slug}")))?;
        let company: String = company.try_get("id").map_err(Error::internal)?;
        let found = self.account(member, "looks for the member whom support stands for").await?;
        let nobody = || Error::new(Kind::NotFound, "user_not_found", format!("there is no account with the address {member}"));
        let (id, _) = found.ok_or_else(nobody)?;
        if let Some(wish) = wish.as_object_mut() {
            wish.insert("company_id".to_owned(), json!(company));
            wish.retain(|_, value| !value.is_null());
        }
        let (status, told) = self.told_administrator(keys, Method::POST, &format!("/admin/users/{id}/impersonate"), Some(wish)).await?;
        if status.is_success() {
            return Ok(told);
        }
        let message = ["msg", "message"].iter().find_map(|name| told.get(*name)?.as_str()).unwrap_or("support was refused").to_owned();
        Err(Error::new(Kind::from_status(status.as_u16()), "support_refused", message))
    }

    /// Returns the id of an account, and whether it has a password.
    pub(super) async fn account(&self, email: &str, reason: &'static str) -> Result<Option<(String, bool)>> {
        let mut statement = Sql::new("select u.id::text as id, u.encrypted_password is not null as has_password from auth.users u where ");
        statement.text("u.deleted_at is null and not u.is_sso_user and u.email_key = lower(btrim(").bind(email).text("::text))");
        let answer = self.ask(statement, reason).await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let has_password = row.try_get("has_password").map_err(Error::internal)?;
        Ok(Some((row.try_get("id").map_err(Error::internal)?, has_password)))
    }

    pub(super) async fn set_password(&self, keys: &KeyRing, id: &str, password: &str) -> Result<()> {
        self.as_administrator(keys, Method::PUT, &format!("/admin/users/{id}"), Some(json!({ "password": password }))).await?;
        Ok(())
    }

    async fn as_administrator(&self, keys: &KeyRing, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, told) = self.told_administrator(keys, method, path, body).await?;
        if status.is_success() { Ok(told) } else { Err(Error::internal(format!("the account was not changed: {status} {told}"))) }
    }

    /// Asks a route with the service key.
    async fn told_administrator(&self, keys: &KeyRing, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", keys.service().token.expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .map_err(Error::internal)?;
        let response = match self.auth_routes().oneshot(request).await {
            Ok(response) => response,
            Err(impossible) => match impossible {},
        };
        let status = response.status();
        let body = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

/// Returns 128 random bits as text.
pub(super) fn random_password() -> Result<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_unspecified| Error::internal("the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

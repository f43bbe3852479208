//! The login of the demo company, for development servers.
//!
//! Invariant: its password is random and made here, stored for its owner alone; production has neither the company nor the login.

use auth::keys::KeyRing;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, header};
use http_body_util::BodyExt;
use kernel::{Error, Result, Secret};
use postgres::Sql;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::Backend;
use crate::config::Settings;
use crate::start::{DemoLogin, write_private};

/// The owner of the demo company, as the development seed makes him.
const EMAIL: &str = "owner@demo.thorbis.example";
/// Where the password is in the data folder.
const FILE: &str = "demo-password";

impl Backend {
    /// Returns the demo login of a development server; gives it its password where it has none.
    pub(crate) async fn demo_login(&self, settings: &Settings, keys: &KeyRing) -> Result<Option<DemoLogin>> {
        if !settings.is_development() {
            return Ok(None);
        }
        let Some((id, has_password)) = self.demo_user().await? else { return Ok(None) };
        let file = settings.in_data_directory(FILE);
        let stored = std::fs::read_to_string(&file).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let is_new = stored.is_none();
        let password = match stored {
            Some(password) => password,
            None => random_password()?,
        };
        if is_new {
            write_private(&file, &password).map_err(Error::internal)?;
        }
        if is_new || !has_password {
            self.set_password(keys, &id, &password).await?;
        }
        Ok(Some(DemoLogin { email: EMAIL.to_owned(), password: Secret::new(password) }))
    }

    async fn demo_user(&self) -> Result<Option<(String, bool)>> {
        let mut statement =
            Sql::new("select id::text as id, encrypted_password is not null as has_password from auth.users where email = ");
        statement.bind(EMAIL);
        let answer = self.ask(statement, "looks for the demo login").await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let has_password = row.try_get("has_password").map_err(Error::internal)?;
        Ok(Some((row.try_get("id").map_err(Error::internal)?, has_password)))
    }

    /// Sets the password the way an administrator's program does.
    async fn set_password(&self, keys: &KeyRing, id: &str, password: &str) -> Result<()> {
        let request = Request::put(format!("/admin/users/{id}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", keys.service().token.expose()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({ "password": password }).to_string()))
            .map_err(Error::internal)?;
        let response = match self.auth_routes().oneshot(request).await {
            Ok(response) => response,
            Err(impossible) => match impossible {},
        };
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(Error::internal(format!("the demo login got no password: {status} {told}")))
    }
}

/// Returns 128 random bits as text.
fn random_password() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_unspecified| Error::internal("the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

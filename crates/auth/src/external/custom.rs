//! `/admin/custom-providers`: providers that an operator's programs add.
//!
//! Invariant: each route takes the service key. A provider is kept only if it can be spoken to as it says, at addresses that this server
//! may be sent to. Its secret is sealed and never answered.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Error, Kind, Result, Secret};
use outbound::http::NamedBy;
use postgres::{Access, Row, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::discovery::Document;
use super::fault::Fault;
use super::provider::{Dialect, Endpoints, Proof, Provider};
use crate::Auth;
use crate::errors::{bad_request, object};
use crate::input::{Administrator, Body, Params};
use crate::keys::CUSTOM_PROVIDER_SECRET;

/// How the names of these providers begin.
pub(super) const PREFIX: &str = "custom:";
const COLUMNS: &str = " p.id, p.identifier, p.provider_type, p.enabled, p.client_secret, p.settings,
    to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as created_at,
    to_char(p.updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as updated_at ";
/// What of a provider is kept as it was said, and what it may be.
const SETTINGS: &[(&str, Sort)] = &[
    ("name", Sort::Text),
    ("client_id", Sort::Text),
    ("acceptable_client_ids", Sort::Texts),
    ("scopes", Sort::Texts),
    ("custom_claims_allowlist", Sort::Texts),
    ("pkce_enabled", Sort::Flag),
    ("attribute_mapping", Sort::TextsByName),
    ("authorization_params", Sort::TextsByName),
    ("email_optional", Sort::Flag),
    ("issuer", Sort::Text),
    ("discovery_url", Sort::Text),
    ("skip_nonce_check", Sort::Flag),
    ("authorization_url", Sort::Text),
    ("token_url", Sort::Text),
    ("userinfo_url", Sort::Text),
    ("jwks_uri", Sort::Text),
];
const TEXT_BYTES_MAX: usize = 2048;
const ITEMS_MAX: usize = 50;
/// Of a browser's way to the provider these are decided here and nowhere else.
const RESERVED: &[&str] = &[
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "scope",
    "response_mode",
];

/// What a setting may be.
#[derive(Clone, Copy)]
enum Sort {
    Text,
    Texts,
    TextsByName,
    Flag,
}

/// The query of the list.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(rename = "type")]
    #[serde(default)]
    sort: Option<String>,
}

/// A provider as it is kept.
struct Custom {
    id: Uuid,
    identifier: String,
    provider_type: String,
    enabled: bool,
    sealed: Option<String>,
    settings: Map<String, Value>,
    created_at: String,
    updated_at: String,
}

pub(crate) async fn list(State(auth): State<Auth>, admin: Administrator, Params(wanted): Params<Wanted>) -> Result<Json<Value>> {
    let sort = wanted.sort.filter(|sort| !sort.is_empty());
    if sort.as_ref().is_some_and(|sort| !matches!(sort.as_str(), "oauth2" | "oidc")) {
        return Err(bad_request("validation_failed", "type must be oauth2 or oidc"));
    }
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(" from auth.custom_providers p where coalesce(p.provider_type = ").bind(sort);
    sql.text("::text, true) order by p.created_at, p.id");
    let rows = tx.query(sql).await?;
    let providers = rows.iter().map(|row| Custom::read(row).map(|custom| custom.shown(None))).collect::<Result<Vec<_>>>()?;
    tx.commit().await?;
    Ok(Json(json!({ "providers": providers })))
}

pub(crate) async fn create(State(auth): State<Auth>, admin: Administrator, Body(body): Body<Map<String, Value>>) -> Result<Response> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut custom = Custom {
        id: Uuid::now_v7(),
        identifier: text("identifier"),
        provider_type: text("provider_type"),
        enabled: body.get("enabled").and_then(Value::as_bool).unwrap_or(true),
        sealed: None,
        settings: Map::new(),
        created_at: String::new(),
        updated_at: String::new(),
    };
    if !is_identifier(&custom.identifier) {
        let message = "identifier must be custom: and up to 63 lower-case letters, digits, hyphens and underscores";
        return Err(bad_request("validation_failed", message));
    }
    custom.change(&auth, &body)?;
    let document = Box::pin(custom.check(&auth)).await?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    if count(&tx).await? >= i64::from(auth.config().external.custom_providers_max) {
        return Err(bad_request("over_custom_provider_quota", "There are as many custom providers as there may be"));
    }
    let mut sql = Sql::new("insert into auth.custom_providers as p ");
    sql.text("(id, identifier, provider_type, enabled, client_secret, settings, created_at, updated_at) select ").bind(custom.id);
    sql.text("::uuid, ").bind(custom.identifier.as_str()).text("::text, ").bind(custom.provider_type.as_str()).text("::text, ");
    sql.bind(custom.enabled).text("::boolean, ").bind(custom.sealed.clone()).text("::text, ").bind(Value::Object(custom.settings.clone()));
    sql.text("::jsonb, g.now, g.now from (select ")
        .bind(auth.now())
        .text("::timestamptz as now) g on conflict (identifier) do nothing returning ");
    let row = tx.query_opt({
        sql.text(COLUMNS);
        sql
    });
    let row = row.await?.ok_or_else(|| bad_request("conflict", "There is a provider of this identifier already"))?;
    let made = Custom::read(&row)?;
    tx.commit().await?;
    tracing::info!(provider = made.identifier, "a provider was added with the service key");
    Ok((StatusCode::CREATED, Json(made.shown(document.as_deref()))).into_response())
}

pub(crate) async fn get(State(auth): State<Auth>, admin: Administrator, Path(identifier): Path<String>) -> Result<Json<Value>> {
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let custom = find(&tx, &identifier).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    Ok(Json(custom.shown(None)))
}

pub(crate) async fn update(
    State(auth): State<Auth>,
    admin: Administrator,
    Path(identifier): Path<String>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Json<Value>> {
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let mut custom = find(&tx, &identifier).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    for fixed in ["identifier", "provider_type"] {
        let is = if fixed == "identifier" { &custom.identifier } else { &custom.provider_type };
        if body.get(fixed).is_some_and(|said| said.as_str() != Some(is)) {
            return Err(bad_request("validation_failed", "identifier and provider_type stay as they are"));
        }
    }
    custom.enabled = body.get("enabled").and_then(Value::as_bool).unwrap_or(custom.enabled);
    custom.change(&auth, &body)?;
    let document = Box::pin(custom.check(&auth)).await?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let mut sql = Sql::new("update auth.custom_providers p set enabled = ");
    sql.bind(custom.enabled).text("::boolean, client_secret = ").bind(custom.sealed.clone()).text("::text, settings = ");
    sql.bind(Value::Object(custom.settings.clone())).text("::jsonb, updated_at = ").bind(auth.now());
    sql.text("::timestamptz where p.id = ").bind(custom.id).text("::uuid returning ").text(COLUMNS);
    let custom = Custom::read(&tx.query_opt(sql).await?.ok_or_else(not_found)?)?;
    tx.commit().await?;
    tracing::info!(provider = custom.identifier, "a provider was changed with the service key");
    Ok(Json(custom.shown(document.as_deref())))
}

pub(crate) async fn delete(State(auth): State<Auth>, admin: Administrator, Path(identifier): Path<String>) -> Result<Response> {
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let mut sql = Sql::new("delete from auth.custom_providers p where p.identifier = ");
    sql.bind(identifier.as_str()).text("::text returning p.id");
    tx.query_opt(sql).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    tracing::info!(provider = identifier, "a provider was taken away with the service key");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Returns a provider that is on, to sign in with.
pub(super) async fn provider(auth: &Auth, identifier: &str) -> Result<Option<Provider>> {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(" from auth.custom_providers p where p.enabled and p.identifier = ").bind(identifier).text("::text");
    let row = auth.read_one(sql, "look up a provider").await?;
    row.map(|row| Custom::read(&row)?.provider(auth)).transpose()
}

async fn find(tx: &Tx, identifier: &str) -> Result<Option<Custom>> {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(" from auth.custom_providers p where p.identifier = ").bind(identifier).text("::text");
    tx.query_opt(sql).await?.map(|row| Custom::read(&row)).transpose()
}

async fn count(tx: &Tx) -> Result<i64> {
    let row = tx.query_one(Sql::new("select count(*) as number from auth.custom_providers")).await?;
    row.try_get("number").map_err(Error::internal)
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "custom_provider_not_found", "Custom provider not found")
}

fn is_identifier(text: &str) -> bool {
    let word = text.strip_prefix(PREFIX).unwrap_or_default().as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&word.len())
        && word.first().is_some_and(is_part)
        && word.iter().all(|byte| is_part(byte) || matches!(byte, b'-' | b'_'))
}

impl Custom {
    fn read(row: &Row) -> Result<Self> {
        let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
        let settings: Value = row.try_get("settings").map_err(Error::internal)?;
        Ok(Self {
            id: row.try_get("id").map_err(Error::internal)?,
            identifier: text("identifier")?,
            provider_type: text("provider_type")?,
            enabled: row.try_get("enabled").map_err(Error::internal)?,
            sealed: row.try_get("client_secret").map_err(Error::internal)?,
            settings: settings.as_object().cloned().unwrap_or_default(),
            created_at: text("created_at")?,
            updated_at: text("updated_at")?,
        })
    }

    /// Takes over what a body says; what it does not name stays, a null takes it away.
    fn change(&mut self, auth: &Auth, body: &Map<String, Value>) -> Result<()> {
        for (name, sort) in SETTINGS {
            match body.get(*name) {
                None => {}
                Some(Value::Null) => _ = self.settings.remove(*name),
                Some(value) if sort.fits(value) => _ = self.settings.insert((*name).to_owned(), value.clone()),
                Some(_) => {
                    let message = format!("{name} is not of its kind, or too large");
                    return Err(Error::new(Kind::BadRequest, "validation_failed", message));
                }
            }
        }
        match body.get("client_secret") {
            None => {}
            Some(Value::String(secret)) if secret.len() <= TEXT_BYTES_MAX => {
                let ring = &auth.keys().ring;
                self.sealed = Some(ring.seal(CUSTOM_PROVIDER_SECRET, self.id, secret.as_bytes()).map_err(Error::internal)?);
            }
            Some(_) => return Err(bad_request("validation_failed", "client_secret must be a text")),
        }
        Ok(())
    }

    /// Checks that it can be spoken to. Returns what it says of itself, if it does.
    async fn check(&self, auth: &Auth) -> Result<Option<Arc<Document>>> {
        for name in ["name", "client_id"] {
            if self.text(name).is_none() {
                let message = format!("{name} is required");
                return Err(Error::new(Kind::BadRequest, "validation_failed", message));
            }
        }
        let parameters = self.settings.get("authorization_params").and_then(Value::as_object);
        if parameters.is_some_and(|parameters| parameters.keys().any(|name| RESERVED.contains(&name.as_str()))) {
            return Err(bad_request("validation_failed", "authorization_params names one that is decided by this server"));
        }
        let urls = ["issuer", "discovery_url", "authorization_url", "token_url", "userinfo_url", "jwks_uri"];
        for (name, text) in urls.iter().filter_map(|name| self.text(name).map(|text| (name, text))) {
            if !Url::parse(text).is_ok_and(|url| auth.documents().http.is_allowed(&url)) {
                let message = format!("{name} must be an https URL of the public internet");
                return Err(Error::new(Kind::BadRequest, "validation_failed", message));
            }
        }
        match self.provider_type.as_str() {
            "oidc" if self.text("issuer").is_some() => {
                let found = auth.documents().of(&self.provider(auth)?).await;
                found.map(Some).map_err(|fault: Fault| {
                    let message = "The discovery document of the issuer cannot be read, or names another issuer";
                    bad_request("validation_failed", message).with_source(fault)
                })
            }
            "oidc" => Err(bad_request("validation_failed", "issuer is required")),
            "oauth2" if ["authorization_url", "token_url", "userinfo_url"].iter().all(|name| self.text(name).is_some()) => Ok(None),
            "oauth2" => Err(bad_request("validation_failed", "authorization_url, token_url and userinfo_url are required")),
            _ => Err(bad_request("validation_failed", "provider_type must be oidc or oauth2")),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let list = self.settings.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.settings.get(name).and_then(Value::as_bool)
    }

    fn object(&self, name: &str) -> Map<String, Value> {
        self.settings.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    fn provider(&self, auth: &Auth) -> Result<Provider> {
        let url = |name: &str| self.text(name).map(Url::parse).transpose().map_err(Error::internal);
        let is_oidc = self.provider_type == "oidc";
        let (dialect, usual) = if is_oidc { (Dialect::OpenId, vec!["openid", "email", "profile"]) } else { (Dialect::OAuth, Vec::new()) };
        let mut scopes: Vec<String> = usual.into_iter().map(str::to_owned).collect();
        scopes.extend(self.texts("scopes").into_iter().filter(|scope| scope != "openid" || !is_oidc));
        scopes.dedup();
        let endpoints = match (url("authorization_url")?, url("token_url")?) {
            (Some(authorization), Some(token)) if !is_oidc => {
                Some(Endpoints { authorization, token, userinfo: url("userinfo_url")?, keys: url("jwks_uri")? })
            }
            _ => None,
        };
        let secret = self.sealed.as_deref().map(|sealed| auth.keys().ring.unseal(CUSTOM_PROVIDER_SECRET, self.id, sealed)).transpose();
        let secret = secret.map_err(Error::internal)?;
        let secret = secret.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned()).filter(|secret| !secret.is_empty());
        let parameters = self.object("authorization_params").into_iter();
        Ok(Provider {
            named_by: NamedBy::Client,
            discovery_url: url("discovery_url")?,
            endpoints,
            client_id: self.text("client_id").unwrap_or_default().to_owned(),
            client_ids: self.texts("acceptable_client_ids"),
            proof: secret.map_or(Proof::Nothing, |secret| Proof::Secret(Secret::new(secret))),
            scopes,
            parameters: parameters.filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect(),
            pkce: self.flag("pkce_enabled").unwrap_or(true),
            nonce_skipped: self.flag("skip_nonce_check").unwrap_or(false),
            email_optional: self.flag("email_optional").unwrap_or(false),
            claims: self.object("attribute_mapping"),
            custom_claims: self.texts("custom_claims_allowlist"),
            ..Provider::new(&self.identifier, dialect, self.text("issuer").unwrap_or(self.text("authorization_url").unwrap_or_default()))
        })
    }

    fn shown(&self, document: Option<&Document>) -> Value {
        let mut shown = object([
            ("id", json!(self.id)),
            ("provider_type", json!(self.provider_type)),
            ("identifier", json!(self.identifier)),
            ("enabled", json!(self.enabled)),
        ]);
        shown.extend(self.settings.clone());
        if let Some(Document { issuer, endpoints, .. }) = document {
            let found = json!({
                "issuer": issuer,
                "authorization_endpoint": endpoints.authorization.as_str(),
                "token_endpoint": endpoints.token.as_str(),
                "userinfo_endpoint": endpoints.userinfo.as_ref().map(Url::as_str),
                "jwks_uri": endpoints.keys.as_ref().map(Url::as_str),
            });
            shown.insert("discovery_document".to_owned(), found);
        }
        shown.insert("created_at".to_owned(), json!(self.created_at));
        shown.insert("updated_at".to_owned(), json!(self.updated_at));
        Value::Object(shown)
    }
}

impl Sort {
    fn fits(self, value: &Value) -> bool {
        let is_text = |value: &Value| value.as_str().is_some_and(|text| text.len() <= TEXT_BYTES_MAX && !text.contains('\0'));
        match self {
            Self::Text => is_text(value),
            Self::Flag => value.is_boolean(),
            Self::Texts => value.as_array().is_some_and(|list| list.len() <= ITEMS_MAX && list.iter().all(is_text)),
            Self::TextsByName => value.as_object().is_some_and(|object| {
                object.len() <= ITEMS_MAX && object.iter().all(|(name, value)| !name.contains('\0') && name.len() <= 100 && is_text(value))
            }),
        }
    }
}

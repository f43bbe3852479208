//! `/admin/users`: accounts in the hands of the service key.
//!
//! Invariant: each route takes [`Administrator`], and its transactions run with that caller's grant.

mod duration;
mod factors;
mod passkeys;
mod queries;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::LINK;
use jiff::Timestamp;
use kernel::{Error, Kind, Result, Secret, UserId};
use postgres::{Access, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::hooks::Newcomer;
use crate::input::{Administrator, Body, Device, Email, Params, Phone, check_metadata, optional_number};
use crate::one_time::{self, NewPhoneUser, create_by_phone};
use crate::sessions;
use crate::tokens::AUDIENCE;
use crate::users::queries::{Change, NewUser};
use crate::users::{self, User};
use duration::BanDuration;
pub(crate) use factors::{delete as delete_factor, list as factors, update as update_factor};
pub(crate) use passkeys::{delete as delete_passkey, list as passkeys};

const PER_PAGE: i64 = 50;
const PER_PAGE_MAX: i64 = 1000;
const FILTER_BYTES_MAX: usize = 256;

/// The query of the list. Clients send both without a value when nobody chose one.
#[derive(Deserialize)]
pub(crate) struct Listing {
    #[serde(default, deserialize_with = "optional_number")]
    page: Option<i64>,
    #[serde(default, deserialize_with = "optional_number")]
    per_page: Option<i64>,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    sort: String,
}

/// What an account is to be, or to become.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    password_hash: Option<Secret<String>>,
    #[serde(default)]
    email_confirm: bool,
    #[serde(default)]
    phone_confirm: bool,
    #[serde(default)]
    user_metadata: Option<Map<String, Value>>,
    #[serde(default)]
    app_metadata: Option<Map<String, Value>>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    ban_duration: Option<String>,
}

/// By what an account is known.
struct Names {
    email: Option<Email>,
    phone: Option<Phone>,
}

impl Names {
    /// Reads what a new account is known by: something.
    fn read(wish: &Wish) -> Result<Self> {
        let names = Self::read_some(wish)?;
        if names.email.is_none() && names.phone.is_none() { Err(nameless()) } else { Ok(names) }
    }

    /// Reads what there is; an empty text is nothing.
    fn read_some(wish: &Wish) -> Result<Self> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Self {
            email: given(&wish.email).as_deref().map(Email::parse).transpose()?,
            phone: given(&wish.phone).as_deref().map(Phone::parse).transpose()?,
        })
    }
}

fn nameless() -> Error {
    bad_request("validation_failed", "Cannot create a user without either an email or phone")
}

/// How an account goes.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Removal {
    should_soft_delete: bool,
}

pub(crate) async fn list(State(auth): State<Auth>, admin: Administrator, Params(page): Params<Listing>) -> Result<Response> {
    let (number, size) = (page.page.unwrap_or(1), page.per_page.unwrap_or(PER_PAGE).min(PER_PAGE_MAX));
    if number < 1 || size < 1 || number > i64::MAX / PER_PAGE_MAX {
        return Err(bad_request("validation_failed", "page and per_page must be at least 1"));
    }
    if page.filter.len() > FILTER_BYTES_MAX || page.filter.contains('\0') {
        return Err(bad_request("validation_failed", "filter has at most 256 bytes, and none of them is 0"));
    }
    let wanted = queries::Wanted { filter: &page.filter, oldest_first: is_oldest_first(&page.sort)? };
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let (users, total) = queries::list(&tx, &wanted, size, (number - 1) * size).await?;
    tx.commit().await?;
    let mut response = Json(json!({ "users": users, "aud": AUDIENCE })).into_response();
    let headers = response.headers_mut();
    headers.insert("x-total-count", HeaderValue::from(total));
    headers.insert(LINK, HeaderValue::try_from(links(number, size, total)).map_err(Error::internal)?);
    Ok(response)
}

/// Reads the order of a list: `created_at`, with a direction behind it or the newest first.
fn is_oldest_first(sort: &str) -> Result<bool> {
    let (field, direction) = sort.split_once(' ').unwrap_or((sort, "desc"));
    match (field, direction.to_ascii_lowercase().as_str()) {
        ("" | "created_at", "desc") => Ok(false),
        ("created_at", "asc") => Ok(true),
        _ => Err(bad_request("validation_failed", "sort must be created_at, with asc or desc behind it")),
    }
}

/// Clients find the number of a page behind the first `=`.
fn links(number: i64, size: i64, total: i64) -> String {
    let last = ((total + size - 1) / size).max(1);
    let link = |page: i64, name: &str| format!("</admin/users?page={page}&per_page={size}>; rel=\"{name}\"");
    if number < last { format!("{}, {}", link(number + 1, "next"), link(last, "last")) } else { link(last, "last") }
}

pub(crate) async fn get(State(auth): State<Auth>, admin: Administrator, Path(id): Path<String>) -> Result<Json<User>> {
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let user = users::queries::find_even_retired(&tx, user_id(&id)?).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    Ok(Json(user))
}

pub(crate) async fn create(State(auth): State<Auth>, admin: Administrator, device: Device, Body(wish): Body<Wish>) -> Result<Json<User>> {
    check(&auth, &wish)?;
    let names = Names::read(&wish)?;
    let hash = hash(&auth, &wish).await?;
    let now = auth.now();
    let banned = wish.ban_duration.as_deref().filter(|text| !text.is_empty());
    let banned = banned.map(|text| BanDuration::parse(text)?.until(now)).transpose()?;
    let id = wish.id.as_deref().filter(|id| !id.is_empty()).map(new_id).transpose()?;
    let id = id.unwrap_or_else(UserId::new_v7);
    let empty = Map::new();
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let newcomer = Newcomer {
        id,
        provider: if names.email.is_some() { "email" } else { "phone" },
        email: names.email.as_ref().map(Email::as_str).unwrap_or_default(),
        phone: names.phone.as_ref().map(Phone::as_str).unwrap_or_default(),
        user_metadata: wish.user_metadata.as_ref().unwrap_or(&empty),
    };
    auth.before_user(&tx, &device, newcomer).await?;
    make(&tx, id, (&wish, &names, hash.as_deref()), now).await?;
    if let Some(banned) = banned {
        let change = Change { banned_until: Some(banned), ..Change::default() };
        users::queries::change(&tx, id, &change, now).await?;
    }
    note_length(&auth, &tx, id, wish.password.as_ref()).await?;
    if wish.email_confirm {
        users::queries::prove_email(&tx, id, now).await?;
    }
    let user = read(&tx, id).await?;
    users::check_size(&auth, &user)?;
    tx.commit().await?;
    auth.after_user(&device, user.id);
    tracing::info!(user_id = %user.id, "an account was made with the service key");
    Ok(Json(user))
}

/// Makes an account by the address that is wished, or by the number; the other one it is known by, too.
async fn make(tx: &Tx, id: UserId, wished: (&Wish, &Names, Option<&str>), now: Timestamp) -> Result<()> {
    let (wish, names, hash) = wished;
    let empty = Map::new();
    let (user_metadata, app_metadata) = (wish.user_metadata.as_ref().unwrap_or(&empty), wish.app_metadata.as_ref().unwrap_or(&empty));
    let phone = names.phone.as_ref();
    let wanted: Vec<&str> = names.email.iter().map(Email::as_str).chain(phone.map(Phone::as_str)).collect();
    users::queries::lock_names(tx, Sql::new("false"), &wanted).await?;
    let rest = if let Some(email) = &names.email {
        let new = NewUser { id, email, hash, user_metadata, app_metadata, confirmed: wish.email_confirm, now };
        if !users::queries::create(tx, &new).await.map_err(users::taken)? {
            return Err(unprocessable("email_exists", "A user with this email address has already been registered"));
        }
        Change { phone, confirm_phone: phone.is_some() && wish.phone_confirm, ..Change::default() }
    } else {
        let phone = phone.ok_or_else(nameless)?;
        let new = NewPhoneUser { id, phone, hash, user_metadata, confirmed: wish.phone_confirm, now };
        if !create_by_phone(tx, &new).await.map_err(users::taken)? {
            return Err(unprocessable("phone_exists", "A user with this phone number has already been registered"));
        }
        Change { app_metadata: Some(app_metadata), confirm_phone: wish.phone_confirm, ..Change::default() }
    };
    if phone.is_none() {
        return Ok(());
    }
    users::queries::change(tx, id, &rest, now).await.map_err(users::taken)?;
    users::queries::know_by_names(tx, id, (names.email.is_some(), true), now).await
}

pub(crate) async fn update(
    State(auth): State<Auth>,
    admin: Administrator,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<Json<User>> {
    let id = user_id(&id)?;
    check(&auth, &wish)?;
    let Names { email, phone } = Names::read_some(&wish)?;
    let hash = hash(&auth, &wish).await?;
    let now = auth.now();
    let banned = wish.ban_duration.as_deref().filter(|text| !text.is_empty());
    let banned = banned.map(|text| BanDuration::parse(text)?.until(now)).transpose()?;
    let change = Change {
        email: email.as_ref(),
        // Who holds the service key vouches for the address he writes.
        confirm_email: wish.email_confirm || email.is_some(),
        phone: phone.as_ref(),
        confirm_phone: wish.phone_confirm || phone.is_some(),
        hash: hash.as_deref(),
        user_metadata: wish.user_metadata.as_ref(),
        app_metadata: wish.app_metadata.as_ref(),
        banned_until: banned,
    };
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let wanted: Vec<&str> = email.iter().map(Email::as_str).chain(phone.iter().map(Phone::as_str)).collect();
    if !wanted.is_empty() {
        let mut one = Sql::new("u.id = ");
        one.bind(id).text("::uuid");
        users::queries::lock_names(&tx, one, &wanted).await?;
    }
    if !users::queries::change(&tx, id, &change, now).await.map_err(users::taken)? {
        return Err(not_found());
    }
    if !wanted.is_empty() {
        users::queries::know_by_names(&tx, id, (email.is_some(), phone.is_some()), now).await?;
        // What is on its way to where he was reached before lets nobody in, nor back.
        one_time::drop_messages(&tx, id).await?;
    }
    note_length(&auth, &tx, id, wish.password.as_ref()).await?;
    if hash.is_some() || banned.flatten().is_some_and(|until| until > now) {
        sessions::queries::revoke_all(&tx, id, now).await?;
    }
    if change.confirm_email {
        users::queries::prove_email(&tx, id, now).await?;
    }
    let user = read(&tx, id).await?;
    users::check_size(&auth, &user)?;
    tx.commit().await?;
    tracing::info!(user_id = %id, "an account was changed with the service key");
    Ok(Json(user))
}

pub(crate) async fn delete(
    State(auth): State<Auth>,
    admin: Administrator,
    Path(id): Path<String>,
    removal: Option<Body<Removal>>,
) -> Result<Json<Value>> {
    let id = user_id(&id)?;
    let soft = removal.is_some_and(|Body(removal)| removal.should_soft_delete);
    let now = auth.now();
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let gone = if soft { queries::retire(&tx, id, now).await? } else { queries::delete(&tx, id).await.map_err(still_needed)? };
    if !(gone || soft && users::queries::find_even_retired(&tx, id).await?.is_some()) {
        return Err(not_found());
    }
    if soft {
        sessions::queries::revoke_all(&tx, id, now).await?;
    }
    tx.commit().await?;
    tracing::info!(user_id = %id, soft, "an account was deleted with the service key");
    Ok(Json(json!({})))
}

async fn read(tx: &Tx, id: UserId) -> Result<User> {
    users::queries::find(tx, id).await?.ok_or_else(not_found)
}

pub(crate) fn user_id(text: &str) -> Result<UserId> {
    text.parse().map_err(|error: uuid::Error| not_a_uuid().with_source(error))
}

/// Reads the id that an account is to have.
fn new_id(text: &str) -> Result<UserId> {
    let malformed = || bad_request("validation_failed", "ID must conform to the uuid v4 format");
    let id: UserId = text.parse().map_err(|error: uuid::Error| malformed().with_source(error))?;
    if id.0.is_nil() { Err(bad_request("validation_failed", "ID cannot be a nil uuid")) } else { Ok(id) }
}

fn not_a_uuid() -> Error {
    Error::new(Kind::NotFound, "validation_failed", "user_id must be an UUID")
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "user_not_found", "User not found")
}

/// PostgreSQL's code for a row that another one points at.
fn still_needed(error: Error) -> Error {
    if error.code() == "23503" {
        let message = "The user cannot be deleted: he owns a company. Hand it over first, or set should_soft_delete";
        return Error::new(Kind::Conflict, "conflict", message).with_source(error);
    }
    error
}

/// Refuses what cannot be done, rather than leaving it out in silence.
fn check(auth: &Auth, wish: &Wish) -> Result<()> {
    // A person's role is always this one: what a program may do that holds the service key, no account of a person is to do.
    if wish.role.as_ref().is_some_and(|role| !matches!(role.as_str(), "" | AUDIENCE)) {
        return Err(bad_request("validation_failed", "role must be authenticated; what a member may do is said in his company"));
    }
    if let Some(metadata) = &wish.user_metadata {
        check_metadata(metadata, auth.config().user_metadata_bytes_max)?;
    }
    if let Some(metadata) = &wish.app_metadata {
        check_metadata(metadata, auth.config().app_metadata_bytes_max)?;
    }
    Ok(())
}

/// Returns the hash of a password, or the one that the account is brought with.
async fn hash(auth: &Auth, wish: &Wish) -> Result<Option<String>> {
    let given = |text: &Option<Secret<String>>| text.clone().filter(|text| !text.expose().is_empty());
    let (password, hash) = (given(&wish.password), given(&wish.password_hash));
    if let Some(hash) = hash {
        if password.is_some() {
            return Err(bad_request("validation_failed", "Only a password or a password hash should be provided"));
        }
        auth.passwords().check_import(hash.expose())?;
        return Ok(Some(hash.expose().clone()));
    }
    let Some(password) = password else { return Ok(None) };
    auth.passwords().check_choice(password.expose())?;
    auth.passwords().hash(password).await.map(Some)
}

/// Notes whether a password that was given is as long as owners and admins need; of a hash from elsewhere nobody knows.
async fn note_length(auth: &Auth, tx: &Tx, id: UserId, password: Option<&Secret<String>>) -> Result<()> {
    match password.filter(|password| !password.expose().is_empty()) {
        Some(password) => users::queries::note_length(tx, id, auth.config().companies.is_long(password.expose())).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_linked_with_the_number_first() {
        assert_eq!(links(1, 50, 120), "</admin/users?page=2&per_page=50>; rel=\"next\", </admin/users?page=3&per_page=50>; rel=\"last\"");
        assert_eq!(links(3, 50, 120), "</admin/users?page=3&per_page=50>; rel=\"last\"");
        assert_eq!(links(1, 50, 0), "</admin/users?page=1&per_page=50>; rel=\"last\"");
    }
}

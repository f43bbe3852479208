//! `/Users`: the members of a company, as its directory sees them.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use kernel::CompanyId;
use postgres::{Access, Tx};
use uuid::Uuid;

use super::client::Directory;
use super::error::{Outcome, Refused};
use super::members::{self, Standing};
use super::patch::{Effort, Patch};
use super::person::Person;
use super::request::{self, Json, Selected};
use super::rows::{self, Found};
use super::schema::{ResourceKind, USER};
use super::{answer, intake};
use crate::input::Device;
use crate::{Auth, one_time};

const KIND: ResourceKind = ResourceKind::User;

pub(super) async fn create(
    State(auth): State<Auth>,
    directory: Directory,
    device: Device,
    selected: Selected,
    Json(body): Json,
) -> Outcome<Response> {
    let body = request::resource(&body, USER)?;
    let person = Person::read(intake::resource(KIND, body)?)?;
    let tx = directory.begin(&auth, Access::Write).await?;
    rows::lock(&tx, directory.company).await?;
    let id = Uuid::now_v7();
    let made = Box::pin(members::add(&auth, &tx, &device, (directory.company, id), &person)).await?;
    let found = read(&tx, (directory.company, id)).await?;
    tx.commit().await?;
    one_time::sent(&auth);
    if let Some(user_id) = made {
        auth.after_user(&device, user_id);
    }
    metrics::counter!("auth_scim_writes_total", "resource" => "user", "verb" => "create").increment(1);
    tracing::info!(company_id = %directory.company, scim_id = %found.id, "a directory made a user");
    Ok(answer::one(&super::base(&auth), &found, (StatusCode::CREATED, &selected.0)))
}

pub(super) async fn get(
    State(auth): State<Auth>,
    directory: Directory,
    headers: HeaderMap,
    selected: Selected,
    Path(id): Path<String>,
) -> Outcome<Response> {
    let tx = directory.begin(&auth, Access::Read).await?;
    let found = read(&tx, (directory.company, request::id(&id)?)).await?;
    tx.commit().await?;
    Ok(request::unless_known(&headers, &found, || answer::one(&super::base(&auth), &found, (StatusCode::OK, &selected.0))))
}

pub(super) async fn replace(
    State(auth): State<Auth>,
    directory: Directory,
    changing: request::Changing,
    Json(body): Json,
) -> Outcome<Response> {
    let body = request::resource(&body, USER)?;
    let mut wanted = intake::resource(KIND, body)?;
    let (tx, found, standing) = begin(&auth, directory, &changing).await?;
    // What a body leaves out goes; whether somebody is a member does not go by leaving it out.
    if let (false, Some(active)) = (wanted.contains_key("active"), found.attributes.get("active")) {
        wanted.insert("active".to_owned(), active.clone());
    }
    finish(&auth, tx, (directory.company, &standing), (Person::read(wanted)?, &changing)).await
}

pub(super) async fn patch(
    State(auth): State<Auth>,
    directory: Directory,
    changing: request::Changing,
    Json(body): Json,
) -> Outcome<Response> {
    let patch: Patch = request::parse(body)?;
    let (tx, found, standing) = begin(&auth, directory, &changing).await?;
    let wanted = patch.apply(KIND, found.attributes, Effort::of(&auth.config().scim))?;
    finish(&auth, tx, (directory.company, &standing), (Person::read(wanted)?, &changing)).await
}

pub(super) async fn delete(State(auth): State<Auth>, directory: Directory, changing: request::Changing) -> Outcome<Response> {
    let (tx, found, standing) = begin(&auth, directory, &changing).await?;
    members::remove(&tx, directory.company, &standing).await?;
    tx.commit().await?;
    metrics::counter!("auth_scim_writes_total", "resource" => "user", "verb" => "delete").increment(1);
    tracing::info!(company_id = %directory.company, scim_id = %found.id, "a directory removed a user");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Begins a change of the version that the client knows.
async fn begin(auth: &Auth, directory: Directory, changing: &request::Changing) -> Outcome<(Tx, Found, Standing)> {
    let tx = directory.begin(auth, Access::Write).await?;
    rows::lock(&tx, directory.company).await?;
    let found = read(&tx, (directory.company, changing.id)).await?;
    changing.check(&found)?;
    let standing = members::standing(&tx, directory.company, found.id).await?.ok_or_else(|| Refused::not_found(&found.id.to_string()))?;
    Ok((tx, found, standing))
}

async fn finish(
    auth: &Auth,
    tx: Tx,
    (company, standing): (CompanyId, &Standing),
    (person, changing): (Person, &request::Changing),
) -> Outcome<Response> {
    Box::pin(members::change(auth, &tx, (company, standing), &person)).await?;
    let found = read(&tx, (company, standing.id)).await?;
    tx.commit().await?;
    one_time::sent(auth);
    metrics::counter!("auth_scim_writes_total", "resource" => "user", "verb" => "change").increment(1);
    tracing::info!(company_id = %company, scim_id = %found.id, active = person.active, "a directory changed a user");
    Ok(answer::one(&super::base(auth), &found, (StatusCode::OK, &changing.selection)))
}

async fn read(tx: &Tx, (company, id): (CompanyId, Uuid)) -> Outcome<Found> {
    rows::find(tx, KIND, (company, id)).await?.ok_or_else(|| Refused::not_found(&id.to_string()))
}

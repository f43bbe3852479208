//! `/Groups`: the groups of a company's directory. What they make of members stands in `public.scim_mappings`.
//!
//! Invariant: members of a group are users whom the directory of this company knows; groups in groups there are not.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use kernel::{CompanyId, Error};
use postgres::{Access, Sql, Tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::client::Directory;
use super::error::{Outcome, Refused};
use super::patch::{Effort, Patch};
use super::request::{self, Changing, Json, Selected};
use super::rows::{self, Found, apply_groups};
use super::schema::{GROUP, ResourceKind};
use super::{answer, intake, members};
use crate::Auth;

const KIND: ResourceKind = ResourceKind::Group;

/// A group as the directory wants it.
struct Wanted {
    display_name: String,
    external_id: Option<String>,
    members: BTreeSet<Uuid>,
}

pub(super) async fn create(State(auth): State<Auth>, directory: Directory, selected: Selected, Json(body): Json) -> Outcome<Response> {
    let body = request::resource(&body, GROUP)?;
    let wanted = read(&auth, intake::resource(KIND, body)?)?;
    let tx = directory.begin(&auth, Access::Write).await?;
    rows::lock(&tx, directory.company).await?;
    refuse_more(&auth, &tx, directory.company).await?;
    let id = Uuid::now_v7();
    refuse_taken(&tx, (directory.company, id), &wanted).await?;
    let mut sql = Sql::new("insert into auth.scim_groups (company_id, id, display_name, external_id) values (");
    sql.bind(directory.company).text("::uuid, ").bind(id).text("::uuid, ").bind(wanted.display_name.as_str()).text("::text, ");
    sql.bind(wanted.external_id.clone()).text("::text)");
    tx.execute(sql).await?;
    seat(&tx, (directory.company, id), &BTreeSet::new(), &wanted.members).await?;
    let found = find(&tx, (directory.company, id)).await?;
    tx.commit().await?;
    metrics::counter!("auth_scim_writes_total", "resource" => "group", "verb" => "create").increment(1);
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
    let found = find(&tx, (directory.company, request::id(&id)?)).await?;
    tx.commit().await?;
    Ok(request::unless_known(&headers, &found, || answer::one(&super::base(&auth), &found, (StatusCode::OK, &selected.0))))
}

pub(super) async fn replace(State(auth): State<Auth>, directory: Directory, changing: Changing, Json(body): Json) -> Outcome<Response> {
    let body = request::resource(&body, GROUP)?;
    let wanted = read(&auth, intake::resource(KIND, body)?)?;
    let (tx, found) = begin(&auth, directory, &changing).await?;
    finish(&auth, tx, (directory.company, &found), (wanted, &changing)).await
}

pub(super) async fn patch(State(auth): State<Auth>, directory: Directory, changing: Changing, Json(body): Json) -> Outcome<Response> {
    let patch: Patch = request::parse(body)?;
    let (tx, found) = begin(&auth, directory, &changing).await?;
    let mut resource = found.attributes.clone();
    if !found.related.is_empty() {
        resource.insert("members".to_owned(), Value::Array(found.related.clone()));
    }
    let wanted = read(&auth, patch.apply(KIND, resource, Effort::of(&auth.config().scim))?)?;
    finish(&auth, tx, (directory.company, &found), (wanted, &changing)).await
}

pub(super) async fn delete(State(auth): State<Auth>, directory: Directory, changing: Changing) -> Outcome<Response> {
    let (tx, found) = begin(&auth, directory, &changing).await?;
    let mut sql = Sql::new("delete from auth.scim_groups g where g.company_id = ");
    sql.bind(directory.company).text("::uuid and g.id = ").bind(found.id).text("::uuid");
    tx.execute(sql).await?;
    let gone: Vec<Uuid> = present(&found).into_iter().collect();
    apply_groups(&tx, directory.company, &gone).await?;
    tx.commit().await?;
    metrics::counter!("auth_scim_writes_total", "resource" => "group", "verb" => "delete").increment(1);
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn begin(auth: &Auth, directory: Directory, changing: &Changing) -> Outcome<(Tx, Found)> {
    let tx = directory.begin(auth, Access::Write).await?;
    rows::lock(&tx, directory.company).await?;
    let found = find(&tx, (directory.company, changing.id)).await?;
    changing.check(&found)?;
    Ok((tx, found))
}

async fn finish(auth: &Auth, tx: Tx, (company, old): (CompanyId, &Found), (wanted, changing): (Wanted, &Changing)) -> Outcome<Response> {
    refuse_taken(&tx, (company, old.id), &wanted).await?;
    let text = |name: &str| old.attributes.get(name).and_then(Value::as_str);
    let is_renamed = text("displayName") != Some(wanted.display_name.as_str());
    let before = present(old);
    if is_renamed || text("externalId") != wanted.external_id.as_deref() || before != wanted.members {
        let mut sql = Sql::new("update auth.scim_groups g set version = g.version + 1, updated_at = now(), display_name = ");
        sql.bind(wanted.display_name.as_str()).text("::text, external_id = ").bind(wanted.external_id.clone());
        sql.text("::text where g.company_id = ").bind(company).text("::uuid and g.id = ").bind(old.id).text("::uuid");
        tx.execute(sql).await?;
    }
    seat(&tx, (company, old.id), &before, &wanted.members).await?;
    if is_renamed {
        // Of another name the group may be mapped to something else.
        apply_groups(&tx, company, &wanted.members.iter().copied().collect::<Vec<_>>()).await?;
    }
    let found = find(&tx, (company, old.id)).await?;
    tx.commit().await?;
    metrics::counter!("auth_scim_writes_total", "resource" => "group", "verb" => "change").increment(1);
    Ok(answer::one(&super::base(auth), &found, (StatusCode::OK, &changing.selection)))
}

/// Reads attributes that [`intake`] brought into form.
fn read(auth: &Auth, mut attributes: Map<String, Value>) -> Outcome<Wanted> {
    let members_max = auth.config().scim.group_members_max;
    let mut text = |name: &str| match attributes.remove(name) {
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ => None,
    };
    let display_name = text("displayName").ok_or_else(|| Refused::value("displayName is required"))?;
    let external_id = text("externalId");
    if display_name.chars().count() > 200 || external_id.as_ref().is_some_and(|id| id.chars().count() > 255) {
        return Err(Refused::value("displayName has at most 200 characters, externalId at most 255"));
    }
    let listed = attributes.get("members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if listed.len() > members_max {
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, format!("A group has at most {members_max} members")));
    }
    let members = listed.iter().map(member).collect::<Outcome<BTreeSet<Uuid>>>()?;
    Ok(Wanted { display_name, external_id, members })
}

fn member(value: &Value) -> Outcome<Uuid> {
    let of = |name: &str| value.get(name).and_then(Value::as_str);
    if of("type").is_some_and(|kind| !kind.eq_ignore_ascii_case("user")) {
        return Err(Refused::value("Members of a group are users"));
    }
    of("value").and_then(|text| text.parse().ok()).ok_or_else(|| Refused::value("A member of a group has the id of a user as its value"))
}

fn present(found: &Found) -> BTreeSet<Uuid> {
    let ids = found.related.iter().filter_map(|member| member.get("value").and_then(Value::as_str));
    ids.filter_map(|id| id.parse().ok()).collect()
}

/// Makes the members those that are wanted, and gives them what the group is mapped to.
async fn seat(tx: &Tx, (company, group): (CompanyId, Uuid), before: &BTreeSet<Uuid>, wanted: &BTreeSet<Uuid>) -> Outcome<()> {
    let come: Vec<Uuid> = wanted.difference(before).copied().collect();
    let gone: Vec<Uuid> = before.difference(wanted).copied().collect();
    for id in &come {
        if !members::adopt(tx, (company, *id)).await? {
            return Err(Refused::value(format!("There is no user {id}")));
        }
    }
    let ids = |ids: &[Uuid]| Value::from(ids.iter().map(Uuid::to_string).collect::<Vec<_>>());
    if !come.is_empty() {
        let mut sql = Sql::new("insert into auth.scim_group_members (company_id, group_id, member_id) select ");
        sql.bind(company).text("::uuid, ").bind(group).text("::uuid, i::uuid from jsonb_array_elements_text(").bind(ids(&come));
        sql.text("::jsonb) i on conflict do nothing");
        tx.execute(sql).await?;
    }
    if !gone.is_empty() {
        let mut sql = Sql::new("delete from auth.scim_group_members gm where gm.company_id = ");
        sql.bind(company).text("::uuid and gm.group_id = ").bind(group).text("::uuid and gm.member_id in (select i::uuid ");
        sql.text("from jsonb_array_elements_text(").bind(ids(&gone)).text("::jsonb) i)");
        tx.execute(sql).await?;
    }
    let changed: Vec<Uuid> = come.into_iter().chain(gone).collect();
    Ok(apply_groups(tx, company, &changed).await?)
}

async fn refuse_taken(tx: &Tx, (company, id): (CompanyId, Uuid), wanted: &Wanted) -> Outcome<()> {
    let mut sql = Sql::new("select from auth.scim_groups g where g.company_id = ");
    sql.bind(company).text("::uuid and g.id <> ").bind(id).text("::uuid and g.display_name_key = lower(btrim(");
    sql.bind(wanted.display_name.as_str()).text("::text))");
    match tx.query_opt(sql).await? {
        Some(_) => Err(Refused::uniqueness("A group with this displayName is there already")),
        None => Ok(()),
    }
}

async fn refuse_more(auth: &Auth, tx: &Tx, company: CompanyId) -> Outcome<()> {
    let groups_max = auth.config().scim.groups_max;
    let mut sql = Sql::new("select count(*) as groups from auth.scim_groups g where g.company_id = ");
    sql.bind(company).text("::uuid");
    let groups: i64 = tx.query_one(sql).await?.try_get("groups").map_err(Error::internal)?;
    if groups >= i64::from(groups_max) {
        return Err(Refused::new(StatusCode::FORBIDDEN, format!("A company has at most {groups_max} groups")));
    }
    Ok(())
}

async fn find(tx: &Tx, (company, id): (CompanyId, Uuid)) -> Outcome<Found> {
    rows::find(tx, KIND, (company, id)).await?.ok_or_else(|| Refused::not_found(&id.to_string()))
}

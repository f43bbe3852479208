//! Users and groups as rows that filters look at, `r` each: `id`, `attributes`, `active`, `created_at`, `updated_at`, `version`.
//!
//! Invariant: each statement names the company of the token; a row of another one is not there.

use kernel::{CompanyId, Error, Result};
use postgres::{Sql, Tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::schema::ResourceKind;

/// The groups of a user, as a list.
pub(super) const GROUPS_OF: &str =
    "(select jsonb_agg(jsonb_build_object('value', g.id, 'display', g.display_name, 'type', 'direct') order by g.id)
   from auth.scim_group_members gm join auth.scim_groups g on g.company_id = gm.company_id and g.id = gm.group_id
  where gm.company_id = r.company_id and gm.member_id = r.id)";

/// The members of a group, as a list.
pub(super) const MEMBERS_OF: &str = "(select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', u.id, 'display',
            coalesce(u.attributes ->> 'displayName', u.attributes ->> 'userName'), 'type', 'User')) order by u.id)
   from auth.scim_group_members gm join auth.scim_users u on u.company_id = gm.company_id and u.id = gm.member_id
  where gm.company_id = r.company_id and gm.group_id = r.id)";

/// What is known of a resource.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) kind: ResourceKind,
    pub(super) id: Uuid,
    /// What a directory writes, `active` included.
    pub(super) attributes: Map<String, Value>,
    pub(super) version: String,
    pub(super) created: String,
    pub(super) modified: String,
    /// The groups of a user or the members of a group.
    pub(super) related: Vec<Value>,
}

/// Everybody whom the directory can know: members, and people who were invited for it. A member of whom it wrote nothing yet is as the
/// company knows him. Whoever was invited is active as long as the invitation is open.
fn users(company: CompanyId) -> Sql {
    let mut sql = Sql::new("select coalesce(s.company_id, m.company_id) as company_id, coalesce(s.id, m.id) as id, m.id as member_id, ");
    sql.text(
        "coalesce(s.attributes, jsonb_strip_nulls(jsonb_build_object(
             'userName', coalesce(nullif(m.email, ''), m.id::text), 'displayName', m.name, 'title', m.job_title,
             'name', case when m.name is not null then jsonb_build_object('formatted', m.name) end,
             'emails', case when m.email <> '' then jsonb_build_array(jsonb_build_object('value', m.email, 'type', 'work', 'primary', true)) end,
             'phoneNumbers', case when m.phone <> '' then jsonb_build_array(jsonb_build_object('value', m.phone, 'type', 'work')) end)))
           as attributes,
         case when m.id is not null then m.status = 'active' and m.archived_at is null
              else exists (select from public.invitations i where i.company_id = s.company_id and i.email_key = s.email_key
                              and i.used_at is null and i.revoked_at is null and i.expires_at > now()) end as active,
         coalesce(s.created_at, m.created_at) as created_at, greatest(s.updated_at, m.updated_at) as updated_at,
         coalesce(m.version, 0) || '.' || coalesce(s.version, 0) as base_version
    from (select * from public.team_members t
           where (t.archived_at is null
                  or exists (select from auth.scim_users x where x.company_id = t.company_id and x.user_id = t.user_id))
             and t.company_id = ",
    );
    sql.bind(company).text("::uuid) m full join (select * from auth.scim_users x where x.company_id = ").bind(company);
    sql.text("::uuid) s on s.user_id = m.user_id");
    sql
}

fn groups(company: CompanyId) -> Sql {
    let mut sql = Sql::new(
        "select g.company_id, g.id, null::uuid as member_id,
         jsonb_strip_nulls(jsonb_build_object('displayName', g.display_name, 'externalId', g.external_id)) as attributes,
         null::boolean as active, g.created_at, g.updated_at, g.version::text as base_version
    from auth.scim_groups g where g.company_id = ",
    );
    sql.bind(company).text("::uuid");
    sql
}

/// Returns the rows of a kind.
pub(super) fn of(kind: ResourceKind, company: CompanyId) -> Sql {
    let mut sql = Sql::new("select b.*, b.base_version || case when b.active then 'a' else '' end as version from (");
    sql.append(match kind {
        ResourceKind::User => users(company),
        ResourceKind::Group => groups(company),
    });
    sql.text(") b");
    sql
}

/// Returns the resource of the row `r` as one JSON value, which [`Found::read`] reads.
pub(super) fn shape(kind: ResourceKind) -> Sql {
    let mut sql = Sql::new("jsonb_build_object('kind', ");
    sql.text(match kind {
        ResourceKind::User => "'User', 'related', ",
        ResourceKind::Group => "'Group', 'related', ",
    });
    sql.text(match kind {
        ResourceKind::User => GROUPS_OF,
        ResourceKind::Group => MEMBERS_OF,
    });
    sql.text(
        ", 'id', r.id, 'attributes', r.attributes, 'active', r.active, 'version', r.version,
           'created', to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
           'modified', to_char(r.updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))",
    );
    sql
}

/// Finds a resource of the company.
pub(super) async fn find(tx: &Tx, kind: ResourceKind, (company, id): (CompanyId, Uuid)) -> Result<Option<Found>> {
    let mut sql = Sql::new("select ");
    sql.append(shape(kind)).text(" as resource from (").append(of(kind, company)).text(") r where r.id = ").bind(id).text("::uuid");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Found::read(&row.try_get("resource").map_err(Error::internal)?).map(Some)
}

impl Found {
    /// Reads what [`shape`] made.
    pub(super) fn read(value: &Value) -> Result<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut attributes = value.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(active) = value.get("active").filter(|active| !active.is_null()) {
            attributes.insert("active".to_owned(), active.clone());
        }
        Ok(Self {
            kind: if text("kind") == "User" { ResourceKind::User } else { ResourceKind::Group },
            id: text("id").parse().map_err(Error::internal)?,
            attributes,
            version: text("version"),
            created: text("created"),
            modified: text("modified"),
            related: value.get("related").and_then(Value::as_array).cloned().unwrap_or_default(),
        })
    }

    /// Returns the value of the header `ETag`.
    pub(super) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// Makes changes of one company's directory wait for each other: names are there once, and nobody is in a group that is gone.
pub(super) async fn lock(tx: &Tx, company: CompanyId) -> Result<()> {
    let mut sql = Sql::new("select pg_advisory_xact_lock(hashtextextended('scim:' || ");
    sql.bind(company.to_string()).text("::text, 0))");
    tx.execute(sql).await.map(drop)
}

/// Says that members' groups are to be looked at anew; of nobody in particular, of all.
pub(super) async fn apply_groups(tx: &Tx, company: CompanyId, members: &[Uuid]) -> Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("select app.apply_scim_groups(");
    sql.bind(company).text("::uuid, array(select jsonb_array_elements_text(");
    sql.bind(Value::from(members.iter().map(Uuid::to_string).collect::<Vec<_>>())).text("::jsonb)::uuid))");
    tx.execute(sql).await.map(drop)
}

//! From what a directory wants to accounts, memberships and invitations.
//!
//! Invariant: a directory lets nobody into an account and takes none over. Only who has an address of a domain that the company proved to
//! be its own gets an account and a membership without being asked; whoever else is invited, whether there is an account or not, so that
//! a directory learns of none. What ends is the membership; the account stays.

use kernel::{CompanyId, Error, UserId};
use postgres::{Sql, Tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::{Outcome, Refused};
use super::person::Person;
use super::rows::{self, apply_groups};
use super::schema::ResourceKind;
use crate::Auth;
use crate::hooks::Newcomer;
use crate::input::Device;
use crate::users::queries::{NewUser, create};

/// Whom a resource stands for.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) id: Uuid,
    /// The member; none as long as he was invited and has not come.
    pub(super) user_id: Option<Uuid>,
    /// Whether he is in force as a member.
    is_active: bool,
    email_key: Option<String>,
}

/// Finds whom a resource stands for.
pub(super) async fn standing(tx: &Tx, company: CompanyId, id: Uuid) -> Outcome<Option<Standing>> {
    let mut sql = Sql::new("select coalesce(s.user_id, m.user_id) as user_id, s.email_key, ");
    sql.text("coalesce(m.status = 'active' and m.archived_at is null, false) as is_active from (select * from public.team_members t where t.company_id = ").bind(company).text("::uuid) m full join (select * from auth.scim_users x where x.company_id = ");
    sql.bind(company).text("::uuid) s on s.user_id = m.user_id where coalesce(s.id, m.id) = ").bind(id).text("::uuid");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Standing {
        id,
        user_id: row.try_get("user_id").map_err(Error::internal)?,
        is_active: row.try_get("is_active").map_err(Error::internal)?,
        email_key: row.try_get("email_key").map_err(Error::internal)?,
    }))
}

/// Makes a user: at once a member, or somebody who is invited. Returns the account if one was made for him.
pub(super) async fn add(
    auth: &Auth,
    tx: &Tx,
    device: &Device,
    (company, id): (CompanyId, Uuid),
    person: &Person,
) -> Outcome<Option<UserId>> {
    refuse_taken(tx, (company, id), person).await?;
    let email = person.email.as_ref().ok_or_else(|| Refused::value("emails or userName has to hold an e-mail address"))?;
    if is_known(tx, company, email.as_str()).await? {
        return Err(Refused::uniqueness("A user with this e-mail address is there already"));
    }
    let (user_id, made) = Box::pin(account(auth, tx, device, company, person)).await?;
    if let Some(user_id) = user_id {
        if person.active {
            take_seat(tx, company).await?;
        }
        join(tx, company, user_id, person).await?;
    }
    write(tx, (company, id), user_id, person).await?;
    if user_id.is_some() {
        apply_groups(tx, company, &[id]).await?;
    } else if person.active {
        super::invitation::invite(auth, tx, (company, id), person).await?;
    }
    Ok(made)
}

/// Changes a user. Tells whether a mail was put into the outbox.
pub(super) async fn change(auth: &Auth, tx: &Tx, (company, old): (CompanyId, &Standing), person: &Person) -> Outcome<bool> {
    refuse_taken(tx, (company, old.id), person).await?;
    if let Some(user_id) = old.user_id {
        if person.active && !old.is_active {
            take_seat(tx, company).await?;
        }
        keep_up(tx, company, user_id, person).await?;
        write(tx, (company, old.id), Some(user_id), person).await?;
        // Nobody before was known to be the directory's.
        apply_groups(tx, company, &[old.id]).await?;
        return Ok(false);
    }
    let email = person.email.as_ref().ok_or_else(|| Refused::value("emails or userName has to hold an e-mail address"))?;
    let has_moved = old.email_key.as_deref() != Some(email.as_str());
    if has_moved && is_known(tx, company, email.as_str()).await? {
        return Err(Refused::uniqueness("A user with this e-mail address is there already"));
    }
    if let Some(old_address) = old.email_key.as_deref().filter(|_| has_moved || !person.active) {
        super::invitation::take_back(tx, company, old_address).await?;
    }
    write(tx, (company, old.id), None, person).await?;
    if person.active && !super::invitation::is_open(tx, company, email.as_str()).await? {
        return Ok(super::invitation::invite(auth, tx, (company, old.id), person).await?);
    }
    Ok(false)
}

/// Ends a membership, or takes an invitation back. The account stays, and so does what the member did.
pub(super) async fn remove(tx: &Tx, company: CompanyId, standing: &Standing) -> Outcome<()> {
    if let Some(user_id) = standing.user_id {
        let mut sql = Sql::new("update public.team_members m set status = 'suspended', archived_at = coalesce(m.archived_at, now()) ");
        sql.text("where m.company_id = ").bind(company).text("::uuid and m.user_id = ").bind(user_id).text("::uuid");
        tx.execute(sql).await?;
    }
    if let Some(address) = standing.email_key.as_deref().filter(|_| standing.user_id.is_none()) {
        super::invitation::take_back(tx, company, address).await?;
    }
    let mut sql = Sql::new("delete from auth.scim_users s where s.company_id = ");
    sql.bind(company).text("::uuid and s.id = ").bind(standing.id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Makes sure that the directory's row of a member is there, with what the company knows of him.
pub(super) async fn adopt(tx: &Tx, (company, id): (CompanyId, Uuid)) -> Outcome<bool> {
    let Some(standing) = standing(tx, company, id).await? else { return Ok(false) };
    let Some(found) = rows::find(tx, ResourceKind::User, (company, id)).await? else { return Ok(false) };
    let mut sql = Sql::new("select from auth.scim_users s where s.company_id = ");
    sql.bind(company).text("::uuid and s.id = ").bind(id).text("::uuid");
    if tx.query_opt(sql).await?.is_none() {
        write(tx, (company, id), standing.user_id, &Person::read(found.attributes)?).await?;
    }
    Ok(true)
}

/// Names are there once in a company.
async fn refuse_taken(tx: &Tx, (company, id): (CompanyId, Uuid), person: &Person) -> Outcome<()> {
    let mut sql = Sql::new("select from (");
    sql.append(rows::of(ResourceKind::User, company)).text(") r where lower(r.attributes ->> 'userName') = lower(");
    sql.bind(person.user_name.as_str()).text("::text) and r.id <> ").bind(id).text("::uuid limit 1");
    match tx.query_opt(sql).await? {
        Some(_) => Err(Refused::uniqueness("A user with this userName is there already")),
        None => Ok(()),
    }
}

/// Tells whether an address is that of a member or of somebody whom the directory had invited.
async fn is_known(tx: &Tx, company: CompanyId, address: &str) -> Outcome<bool> {
    let mut sql = Sql::new("select exists (select from public.team_members m join auth.users u on u.id = m.user_id where m.company_id = ");
    sql.bind(company).text("::uuid and m.archived_at is null and u.email_key = ").bind(address).text("::text) or exists (");
    sql.text("select from auth.scim_users s where s.user_id is null and s.company_id = ").bind(company);
    sql.text("::uuid and s.email_key = ").bind(address).text("::text) as is_known");
    Ok(tx.query_one(sql).await?.try_get("is_known").map_err(Error::internal)?)
}

/// Returns the account that becomes a member without being asked, made if there is none; none of people who have to be invited. If it was
/// made, twice.
async fn account(auth: &Auth, tx: &Tx, device: &Device, company: CompanyId, person: &Person) -> Outcome<(Option<Uuid>, Option<UserId>)> {
    let (Some(email), Some(domain)) = (&person.email, person.domain()) else { return Ok((None, None)) };
    let mut sql = Sql::new("select app.owns_domain(");
    sql.bind(company).text("::uuid, ").bind(domain).text("::text) as owns, u.id, u.email_proved_at is not null as is_proved, exists (");
    sql.text("select from public.team_members m where m.company_id = ").bind(company).text("::uuid and m.user_id = u.id) as was_member ");
    sql.text("from (select ").bind(email.as_str()).text("::text as address) a left join auth.users u on u.email_key = a.address ");
    sql.text("and u.deleted_at is null and not u.is_sso_user");
    let row = tx.query_one(sql).await?;
    let owns: bool = row.try_get("owns").map_err(Error::internal)?;
    let known: Option<Uuid> = row.try_get("id").map_err(Error::internal)?;
    let flag = |name: &str| row.try_get::<_, bool>(name).map_err(Error::internal);
    match known {
        // He was a member, and comes back. Of an account that nobody proved an address for anybody may have the password.
        Some(id) if flag("is_proved")? && (owns || flag("was_member")?) => Ok((Some(id), None)),
        Some(_) => Ok((None, None)),
        None if !owns => Ok((None, None)),
        None => {
            let name = person.name.clone().map(|name| ("name".to_owned(), Value::String(name)));
            let metadata = name.into_iter().collect();
            let new = NewUser {
                id: UserId::new_v7(),
                email,
                hash: None,
                user_metadata: &metadata,
                app_metadata: &Map::new(),
                confirmed: true,
                now: auth.now(),
            };
            let newcomer = Newcomer { id: new.id, provider: "email", email: email.as_str(), phone: "", user_metadata: &metadata };
            auth.before_user(tx, device, newcomer).await?;
            create(tx, &new).await?;
            // Whose the domain is says whose the address is.
            let mut sql = Sql::new("update auth.users u set email_proved_at = ");
            sql.bind(auth.now()).text("::timestamptz where u.id = ").bind(new.id).text("::uuid");
            tx.execute(sql).await?;
            Ok((Some(new.id.0), Some(new.id)))
        }
    }
}

/// Sees to it that there is a seat for one more member.
async fn take_seat(tx: &Tx, company: CompanyId) -> Outcome<()> {
    let mut sql = Sql::new("select app.take_scim_seat(");
    sql.bind(company).text("::uuid)");
    tx.execute(sql).await?;
    Ok(())
}

/// Makes an account a member, or one again.
async fn join(tx: &Tx, company: CompanyId, user_id: Uuid, person: &Person) -> Outcome<()> {
    let mut sql = Sql::new("insert into public.team_members as m (company_id, user_id, role, status, job_title) values (");
    sql.bind(company).text("::uuid, ").bind(user_id).text("::uuid, 'member', ").bind(status(person.active)).text("::text, ");
    sql.bind(person.title.clone()).text("::text) on conflict (company_id, user_id) do update set status = excluded.status, ");
    sql.text("archived_at = null, job_title = excluded.job_title where m.archived_at is not null");
    tx.execute(sql).await?;
    Ok(())
}

/// Brings a membership up to what the directory wants. The name is the directory's to say where the domain is the company's.
async fn keep_up(tx: &Tx, company: CompanyId, user_id: Uuid, person: &Person) -> Outcome<()> {
    let mut sql =
        Sql::new("update public.team_members m set status = case when w.active then 'active' when m.status = 'active' then 'suspended' ");
    sql.text("else m.status end, archived_at = case when w.active then null else m.archived_at end, job_title = w.title from (select ");
    sql.bind(person.active).text("::boolean as active, ").bind(person.title.clone()).text("::text as title) w where m.company_id = ");
    sql.bind(company).text("::uuid and m.user_id = ").bind(user_id).text("::uuid and ((m.status = 'active' and m.archived_at is null) ");
    sql.text("<> w.active or m.job_title is distinct from w.title)");
    tx.execute(sql).await?;
    let Some(name) = &person.name else { return Ok(()) };
    let mut sql = Sql::new("update public.users p set name = ");
    sql.bind(name.as_str()).text("::text from auth.users u where u.id = p.id and p.id = ").bind(user_id).text("::uuid and p.name <> ");
    sql.bind(name.as_str()).text("::text and app.owns_domain(").bind(company).text("::uuid, split_part(u.email_key, '@', 2))");
    tx.execute(sql).await?;
    Ok(())
}

/// Writes what the directory says.
async fn write(tx: &Tx, (company, id): (CompanyId, Uuid), user_id: Option<Uuid>, person: &Person) -> Outcome<()> {
    let mut sql = Sql::new("insert into auth.scim_users as s (company_id, id, user_id, user_name_key, email_key, attributes) values (");
    sql.bind(company).text("::uuid, ").bind(id).text("::uuid, ").bind(user_id).text("::uuid, lower(");
    sql.bind(person.user_name.as_str()).text("::text), ").bind(person.email.as_ref().map(|email| email.as_str().to_owned()));
    sql.text("::text, ").bind(Value::Object(person.attributes.clone()));
    sql.text(
        "::jsonb) on conflict (company_id, id) do update set user_name_key = excluded.user_name_key, email_key = excluded.email_key,
           attributes = excluded.attributes, version = s.version + 1, updated_at = now()
         where s.attributes <> excluded.attributes",
    );
    tx.execute(sql).await?;
    Ok(())
}

fn status(active: bool) -> &'static str {
    if active { "active" } else { "suspended" }
}

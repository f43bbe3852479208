//! Invitations by mail: made, sent again, looked at and accepted, by somebody who has an account or gets one by it.
//!
//! Invariant: the token goes to the invited mailbox and to nobody else, the inviter included. So whoever comes with it reads that mailbox,
//! and the account that he makes has a confirmed address. Who may invite whom, and whether there is a seat, the database says.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use kernel::{CompanyId, Error, Kind, Result, Secret, UserId};
use outbound::Channel;
use outbound::templates::{Brand, Template, Values};
use postgres::{Access, Row, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::{by, path_id};
use crate::Auth;
use crate::errors::{bad_request, session_not_found, unprocessable};
use crate::hooks::Newcomer;
use crate::input::{Body, Caller, Device, Email, Params, check_metadata};
use crate::one_time::{self, Account};
use crate::sessions::{self, Lifetime, NewSession};
use crate::users::queries::{Change, NewUser, change, create, note_length, prove_email};
use crate::users::ways_in;

/// Whom to invite, as what.
#[derive(Deserialize)]
pub(crate) struct Wish {
    email: String,
    role: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    role_id: Option<Uuid>,
    #[serde(default)]
    department_id: Option<Uuid>,
}

pub(crate) async fn create_invitation(
    State(auth): State<Auth>,
    (caller, device): (Caller, Device),
    Path(company): Path<String>,
    Params(back): Params<one_time::Return>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Value>)> {
    one_time::require(&auth, Channel::Mail)?;
    let company = CompanyId(path_id(&company)?);
    let email = Email::parse(&wish.email)?;
    auth.limits().strict("invitation", email.as_str(), &device).await?;
    let (token, token_hash) = one_time::link_token()?;
    let tx = auth.begin(Access::Write, "invite somebody into a company").await?;
    let mut sql = Sql::new("select to_jsonb(i) - 'token_hash' as invitation from app.mail_invitation(");
    by(&mut sql, caller, company).bind(email.as_str()).text("::text, ").bind(wish.role).text("::text, ").bind(wish.name).text("::text, ");
    sql.bind(wish.role_id).text("::uuid, ").bind(wish.department_id).text("::uuid, ").bind(token_hash).text("::text) i");
    let made = invitation(&tx.query_one(sql).await?)?;
    send(&auth, &tx, &device, (&made, &token, back.redirect_to.as_deref())).await?;
    tx.commit().await?;
    one_time::sent(&auth);
    tracing::info!(user_id = %caller.user_id, company_id = %company, invitation_id = ?made.get("id"), "invited somebody");
    Ok((StatusCode::CREATED, Json(made)))
}

pub(crate) async fn resend_invitation(
    State(auth): State<Auth>,
    caller: Caller,
    Path((company, id)): Path<(String, String)>,
    Params(back): Params<one_time::Return>,
    device: Device,
) -> Result<Json<Value>> {
    one_time::require(&auth, Channel::Mail)?;
    let (company, id) = (CompanyId(path_id(&company)?), path_id(&id)?);
    let (token, token_hash) = one_time::link_token()?;
    let tx = auth.begin(Access::Write, "send an invitation again").await?;
    let mut sql = Sql::new("select to_jsonb(i) - 'token_hash' as invitation from app.renew_invitation(");
    by(&mut sql, caller, company).bind(id).text("::uuid, ").bind(token_hash).text("::text) i");
    let renewed = invitation(&tx.query_one(sql).await?)?;
    send(&auth, &tx, &device, (&renewed, &token, back.redirect_to.as_deref())).await?;
    tx.commit().await?;
    one_time::sent(&auth);
    Ok(Json(renewed))
}

fn invitation(row: &Row) -> Result<Value> {
    row.try_get("invitation").map_err(Error::internal)
}

/// Puts the mail into the outbox.
async fn send(auth: &Auth, tx: &Tx, device: &Device, what: (&Value, &Secret<String>, Option<&str>)) -> Result<()> {
    let (made, token, redirect_to) = what;
    let (id, to) = (made["company_id"].as_str().unwrap_or_default(), made["email"].as_str().unwrap_or_default());
    let mut sql = Sql::new("select ");
    sql.text(Brand::COLUMNS).text(
        ",      coalesce((select left(u.raw_user_meta_data ->> 'locale', 20) from auth.users u
                           where u.deleted_at is null and not u.is_sso_user and u.email_key = lower(btrim(",
    );
    sql.bind(to).text("::text))), '') as locale, (select u.name from public.users u where u.id = app.caller()) as inviter");
    sql.text(" from public.companies c where c.id = ").bind(id).text("::text::uuid");
    let row = tx.query_one(sql).await?;
    let text = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
    let brand = Brand::from_row(&row)?;
    let values = Values {
        email: to.to_owned(),
        inviter: text("inviter")?.unwrap_or_default(),
        link: link(auth, token, redirect_to).into(),
        minutes: auth.config().companies.invitation_hours.saturating_mul(60),
        ..Values::default()
    };
    let locale = text("locale")?.unwrap_or_default();
    let message = one_time::require(auth, Channel::Mail)?.templates().render(Template::CompanyInvitation, &locale, &brand, &values)?;
    one_time::post(auth, tx, device, one_time::Post { company_id: id.parse().ok(), purpose: "company_invitation", to, message: &message })
        .await
}

/// Returns where the link of the mail leads: a page of the site, which finds the token where no server and no other page reads it.
pub(crate) fn link(auth: &Auth, token: &Secret<String>, redirect_to: Option<&str>) -> Url {
    let mut target = one_time::return_target(auth, redirect_to);
    let fragment =
        Serializer::new(String::new()).append_pair("invitation_token", token.expose()).append_pair("type", "company_invitation").finish();
    target.set_fragment(Some(&fragment));
    target
}

/// A token that came by mail.
#[derive(Deserialize)]
pub(crate) struct Presented {
    token: Secret<String>,
    /// Of the account that is to be.
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    data: Option<Map<String, Value>>,
}

/// Tells whoever has the token what he is invited to, and whether he has to sign in for it.
pub(crate) async fn look_at_invitation(State(auth): State<Auth>, Body(presented): Body<Presented>) -> Result<Json<Value>> {
    let tx = auth.begin_unread("look at an invitation").await?;
    let mut sql = Sql::new(
        "select jsonb_build_object('email', i.email, 'name', i.name, 'role', i.role, 'expires_at', i.expires_at, 'company_name', c.name,
                  'company_logo', coalesce(c.logo_url, c.logo), 'inviter', (select u.name from public.users u where u.id = i.invited_by),
                  'has_account', exists (select from auth.users u where u.email_key = i.email_key and u.deleted_at is null
                                            and not u.is_sso_user and u.email_confirmed_at is not null)) as invitation
           from app.open_invitation(",
    );
    sql.bind(presented.token.expose().as_str()).text("::text) i join public.companies c on c.id = i.company_id");
    let found = invitation(&tx.query_one(sql).await?)?;
    tx.rollback().await?;
    Ok(Json(found))
}

pub(crate) async fn accept_invitation(
    State(auth): State<Auth>,
    caller: Option<Caller>,
    device: Device,
    Body(presented): Body<Presented>,
) -> Result<Json<Value>> {
    auth.limits().strict("invitation", presented.token.expose(), &device).await?;
    let answer = match caller {
        Some(caller) => as_member(&auth, caller, &presented).await?,
        None => Box::pin(as_newcomer(&auth, device, presented)).await?,
    };
    metrics::counter!("auth_invitations_accepted_total").increment(1);
    Ok(Json(answer))
}

/// Somebody who is signed in.
async fn as_member(auth: &Auth, caller: Caller, presented: &Presented) -> Result<Value> {
    let session = caller.session()?;
    let tx = auth.begin(Access::Write, "accept an invitation").await?;
    if !sessions::queries::lock_live(&tx, caller, Lifetime::of(auth)).await? {
        return Err(session_not_found());
    }
    let member = accept(&tx, caller.user_id, Some(session.0), presented.token.expose()).await?;
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, company_id = ?member.get("company_id"), "accepted an invitation");
    Ok(json!({ "member": member }))
}

/// Somebody who has no account yet, or none whose address is known to be his.
async fn as_newcomer(auth: &Auth, device: Device, presented: Presented) -> Result<Value> {
    let password = presented.password.filter(|password| !password.expose().is_empty());
    let password = password.ok_or_else(|| bad_request("validation_failed", "Signup requires a valid password"))?;
    auth.passwords().check_choice(password.expose())?;
    let mut metadata = presented.data.unwrap_or_default();
    metadata.insert("email_verified".to_owned(), Value::Bool(true));
    check_metadata(&metadata, auth.config().user_metadata_bytes_max)?;
    let is_long = auth.config().companies.is_long(password.expose());
    let hash = auth.passwords().hash(password).await?;
    let tx = auth.begin(Access::Write, "accept an invitation with a new account").await?;
    let mut sql = Sql::new("select i.email, i.is_mailed from app.open_invitation(");
    sql.bind(presented.token.expose().as_str()).text("::text) i");
    let row = tx.query_one(sql).await?;
    if !row.try_get::<_, bool>("is_mailed").map_err(Error::internal)? {
        let message = "This invitation did not come by mail: sign up with its address first";
        return Err(Error::new(Kind::Forbidden, "invitation_needs_sign_in", message));
    }
    let email = Email::parse(&row.try_get::<_, String>("email").map_err(Error::internal)?)?;
    let (user_id, is_new) = account(auth, &tx, &device, (&email, &hash, &metadata)).await?;
    let about = device.clone();
    note_length(&tx, user_id, is_long).await?;
    prove_email(&tx, user_id, auth.now()).await?;
    let member = accept(&tx, user_id, None, presented.token.expose()).await?;
    if must_sign_on(&tx, user_id).await? {
        tx.commit().await?;
        tracing::info!(%user_id, company_id = ?member.get("company_id"), "accepted an invitation of a company with its own sign-on");
        return Ok(json!({ "member": member }));
    }
    let new = NewSession { user_id, verified_hash: Some(&hash), renewed_hash: None, device, method: "password", provider: "email" };
    let session = sessions::open(auth, &tx, new).await?;
    let answer = session.answer(auth)?;
    tx.commit().await?;
    if is_new {
        auth.after_user(&about, user_id);
    }
    tracing::info!(%user_id, company_id = ?member.get("company_id"), "accepted an invitation with a new account");
    Ok(json!({ "member": member, "session": answer }))
}

/// Makes the account, or makes one that somebody began with this address the invited person's own. Tells whether it is new.
async fn account(auth: &Auth, tx: &Tx, device: &Device, new: (&Email, &str, &Map<String, Value>)) -> Result<(UserId, bool)> {
    let ((email, hash, metadata), now) = (new, auth.now());
    let taken = || unprocessable("user_already_exists", "User already registered");
    if let Some(account) = Account::by_email(tx, email, now).await? {
        if account.email_confirmed || account.phone_confirmed {
            return Err(taken());
        }
        let wish = Change { confirm_email: true, hash: Some(hash), user_metadata: Some(metadata), ..Change::default() };
        change(tx, account.id, &wish, now).await?;
        ways_in::take_unproved(tx, account.id, ways_in::Kept { password: true, ..ways_in::Kept::default() }, now).await?;
        return Ok((account.id, false));
    }
    let id = UserId::new_v7();
    let user = NewUser { id, email, hash: Some(hash), user_metadata: metadata, app_metadata: &Map::new(), confirmed: true, now };
    let newcomer = Newcomer { id, provider: "email", email: email.as_str(), phone: "", user_metadata: metadata };
    auth.before_user(tx, device, newcomer).await?;
    if create(tx, &user).await? { Ok((id, true)) } else { Err(taken()) }
}

/// Tells whether somebody has to sign in with the provider of his company from now on.
async fn must_sign_on(tx: &Tx, user_id: UserId) -> Result<bool> {
    let mut sql = Sql::new("select app.must_sign_on(");
    sql.bind(user_id).text("::uuid, '[]') as must");
    tx.query_one(sql).await?.try_get("must").map_err(Error::internal)
}

async fn accept(tx: &Tx, user_id: UserId, session: Option<Uuid>, token: &str) -> Result<Value> {
    let mut sql = Sql::new("select jsonb_build_object('company_id', m.company_id, 'id', m.id, 'user_id', m.user_id, 'role', m.role,");
    sql.text(" 'role_id', m.role_id, 'department_id', m.department_id, 'status', m.status) as member from app.accept_invitation_as(");
    sql.bind(user_id).text("::uuid, ").bind(session).text("::uuid, ").bind(token).text("::text) m");
    tx.query_one(sql).await?.try_get("member").map_err(Error::internal)
}

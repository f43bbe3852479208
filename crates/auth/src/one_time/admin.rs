//! `POST /invite` and `POST /admin/generate_link`: links that the operator's programs ask for.
//!
//! Invariant: both take the service key. A link that was generated is answered and not sent; what it lets in is the same as if it were.

use axum::Json;
use axum::extract::State;
use kernel::{Error, Kind, Result, Secret, UserId};
use outbound::Channel;
use outbound::templates::Template;
use postgres::{Access, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::deliver::{action_link, deliver, require, sent};
use super::queries::{self, NewToken};
use super::request::Return;
use super::secrets::Secrets;
use super::{Account, Delivery, Purpose, redirect};
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::hooks::Newcomer;
use crate::input::{Administrator, Body, Device, Email, Params, check_metadata};
use crate::users::User;
use crate::users::queries::{NewUser, create, find};
use crate::users::unproved::{self, Choice};

/// The bodies of both endpoints.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    #[serde(rename = "type")]
    kind: String,
    email: String,
    new_email: Option<String>,
    password: Option<Secret<String>>,
    data: Option<Map<String, Value>>,
    redirect_to: Option<String>,
}

pub(crate) async fn invite(
    State(auth): State<Auth>,
    admin: Administrator,
    Params(back): Params<Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<User>> {
    require(&auth, Channel::Mail)?;
    let email = Email::parse(&wish.email)?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let found = invited(&auth, &tx, &device, (&email, wish.data.unwrap_or_default())).await?;
    let account = &found.account;
    let delivery = Delivery {
        account: Some(account),
        purpose: Purpose::Confirmation,
        template: Template::Invite,
        kind: "invite",
        to: email.as_str(),
        new_email: "",
        redirect_to: back.redirect_to.as_deref(),
        is_last: true,
    };
    Box::pin(deliver(&auth, &tx, &device, delivery)).await?;
    let user = find(&tx, account.id).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    sent(&auth);
    found.tell(&auth, &device);
    tracing::info!(user_id = %user.id, "an account was invited with the service key");
    Ok(Json(user))
}

/// The account that a link is for.
struct Found {
    account: Account,
    is_new: bool,
}

impl Found {
    fn known(account: Account) -> Self {
        Self { account, is_new: false }
    }

    /// Tells the hook, after the commit, if the account was made for the link.
    fn tell(&self, auth: &Auth, device: &Device) {
        if self.is_new {
            auth.after_user(device, self.account.id);
        }
    }
}

/// Returns the account of an invitation, made if there is none yet.
async fn invited(auth: &Auth, tx: &Tx, device: &Device, (email, metadata): (&Email, Map<String, Value>)) -> Result<Found> {
    let found = open(auth, tx, device, (email, &Choice::none(), metadata)).await?;
    let mut sql = Sql::new("update auth.users u set invited_at = ");
    sql.bind(auth.now()).text("::timestamptz where u.id = ").bind(found.account.id).text("::uuid");
    tx.execute(sql).await?;
    Ok(found)
}

/// Returns an account whose address is not confirmed yet, made if there is none. Of one that is there nothing stays by which somebody else
/// could have prepared it.
async fn open(auth: &Auth, tx: &Tx, device: &Device, new: (&Email, &Choice, Map<String, Value>)) -> Result<Found> {
    let ((email, choice, metadata), now) = (new, auth.now());
    check_metadata(&metadata, auth.config().user_metadata_bytes_max)?;
    if let Some(account) = Account::by_email(tx, email, now).await? {
        if account.email_confirmed {
            return Err(exists());
        }
        unproved::hand_over(tx, email, choice, (&metadata, now)).await?;
        return Ok(Found::known(account));
    }
    let app_metadata = Map::new();
    let new = NewUser {
        id: UserId::new_v7(),
        email,
        hash: choice.hash(),
        user_metadata: &metadata,
        app_metadata: &app_metadata,
        confirmed: false,
        now,
    };
    let newcomer = Newcomer { id: new.id, provider: "email", email: email.as_str(), phone: "", user_metadata: &metadata };
    auth.before_user(tx, device, newcomer).await?;
    create(tx, &new).await?;
    choice.note(tx, new.id).await?;
    let account = Account::by_email(tx, email, now).await?.ok_or_else(not_found)?;
    Ok(Found { account, is_new: true })
}

fn exists() -> Error {
    unprocessable("email_exists", "A user with this email address has already been registered")
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "user_not_found", "User with this email not found")
}

/// What a link is to be for, and to whom.
struct Plan {
    found: Found,
    purpose: Purpose,
    /// The `type` of the link.
    kind: &'static str,
    sent_to: String,
    is_last: bool,
}

impl Plan {
    /// Returns with which `type` the token is used up: the one that was asked for, but of an account that was made by it.
    fn verification<'a>(&'a self, asked: &'a str) -> &'a str {
        if asked == "magiclink" { self.kind } else { asked }
    }
}

pub(crate) async fn generate_link(
    State(auth): State<Auth>,
    admin: Administrator,
    Params(back): Params<Return>,
    device: Device,
    Body(mut wish): Body<Wish>,
) -> Result<Json<Value>> {
    let email = Email::parse(&wish.email)?;
    let choice = match wish.password.take().filter(|password| !password.expose().is_empty()) {
        Some(password) if wish.kind == "signup" => {
            auth.passwords().check_choice(password.expose())?;
            Some(Choice::hashed(&auth, password).await?)
        }
        _ => None,
    };
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let plan = Box::pin(plan(&auth, &tx, &device, (&email, &wish, choice))).await?;
    let account = &plan.found.account;
    let config = &auth.config().one_time;
    let secrets = Secrets::make(&auth.keys().ring, config.code_digits, None)?;
    let new = NewToken {
        user_id: Some(account.id),
        purpose: plan.purpose,
        secrets: &secrets,
        sent_to: &plan.sent_to,
        is_last: plan.is_last,
        flow_id: None,
        seconds: config.mail_seconds,
        now: auth.now(),
    };
    queries::replace(&tx, &new).await?;
    let user = find(&tx, account.id).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    plan.found.tell(&auth, &device);
    tracing::info!(user_id = %user.id, purpose = plan.purpose.name(), "a link was generated with the service key");
    let redirect_to = back.redirect_to.as_deref().or(wish.redirect_to.as_deref());
    let mut answer = serde_json::to_value(user).map_err(Error::internal)?;
    if let Some(answer) = answer.as_object_mut() {
        answer.extend([
            ("action_link".to_owned(), json!(action_link(&auth, secrets.token.expose(), plan.kind, redirect_to))),
            ("email_otp".to_owned(), json!(secrets.code.expose())),
            ("hashed_token".to_owned(), json!(secrets.token.expose())),
            ("redirect_to".to_owned(), json!(redirect::target(&auth, redirect_to).as_str())),
            ("verification_type".to_owned(), json!(plan.verification(&wish.kind))),
        ]);
    }
    Ok(Json(answer))
}

async fn plan(auth: &Auth, tx: &Tx, device: &Device, (email, wish, choice): (&Email, &Wish, Option<Choice>)) -> Result<Plan> {
    let new = |choice| (email, choice, wish.data.clone().unwrap_or_default());
    let to_it = |found: Found, purpose, kind| Plan { sent_to: email.as_str().to_owned(), found, purpose, kind, is_last: true };
    let known = Account::by_email(tx, email, auth.now()).await?.map(Found::known);
    match (wish.kind.as_str(), known) {
        ("magiclink", Some(found)) => Ok(to_it(found, Purpose::Recovery, "magiclink")),
        ("magiclink", None) => Ok(to_it(open(auth, tx, device, new(&Choice::none())).await?, Purpose::Confirmation, "signup")),
        ("recovery", Some(found)) => Ok(to_it(found, Purpose::Recovery, "recovery")),
        ("invite", _) => {
            let metadata = wish.data.clone().unwrap_or_default();
            Ok(to_it(invited(auth, tx, device, (email, metadata)).await?, Purpose::Confirmation, "invite"))
        }
        ("signup", known) => {
            // Who signed up already needs none; by the link he gets in without the one that he, or somebody else, chose then.
            let choice = choice.or_else(|| known.map(|_| Choice::none()));
            let choice = choice.ok_or_else(|| bad_request("validation_failed", "Signup requires a valid password"))?;
            Ok(to_it(open(auth, tx, device, new(&choice)).await?, Purpose::Confirmation, "signup"))
        }
        ("email_change_current" | "email_change_new", Some(found)) => change(auth, tx, found.account, wish).await,
        ("recovery" | "email_change_current" | "email_change_new", None) => Err(not_found()),
        _ => Err(bad_request("validation_failed", "Invalid email action link type requested")),
    }
}

async fn change(auth: &Auth, tx: &Tx, account: Account, wish: &Wish) -> Result<Plan> {
    let both = auth.config().one_time.email_change_double;
    let is_new = wish.kind == "email_change_new";
    if !is_new && !both {
        return Err(bad_request("validation_failed", "Enable secure email change to generate link for current email"));
    }
    let new_email = Email::parse(wish.new_email.as_deref().unwrap_or_default())?;
    if Account::by_email(tx, &new_email, auth.now()).await?.is_some() {
        return Err(exists());
    }
    if account.new_email != new_email.as_str() {
        let mut sql = Sql::new("update auth.users u set email_change = ");
        sql.bind(new_email.as_str()).text("::text where u.id = ").bind(account.id).text("::uuid");
        tx.execute(sql).await?;
        queries::forget_changes(tx, account.id).await?;
    }
    let (purpose, sent_to) = if is_new {
        (Purpose::EmailChangeNew, new_email.as_str().to_owned())
    } else {
        (Purpose::EmailChangeCurrent, account.email.clone())
    };
    Ok(Plan { found: Found::known(account), purpose, kind: "email_change", sent_to, is_last: !both || auth.config().autoconfirm })
}

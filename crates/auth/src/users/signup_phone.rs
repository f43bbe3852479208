//! `POST /signup` with a telephone number.
//!
//! Invariant: as with an address, whoever does not hold the number is not told that it has an account.

use axum::Json;
use axum::response::{IntoResponse, Response};
use kernel::{Error, Result, Secret, UserId};
use postgres::{Access, Tx};
use serde_json::{Map, Value};

use super::queries::{find, moment};
use super::unproved::{self, Known};
use super::{StandIn, User};
use crate::errors::unprocessable;
use crate::hooks::Newcomer;
use crate::input::{Device, Phone, check_metadata};
use crate::one_time::NewPhoneUser;
use crate::{Auth, one_time, sessions};

/// Makes an account by its number; a code confirms it, unless the operator wants none.
pub(super) async fn sign_up(auth: &Auth, device: Device, phone: &Phone, given: (Secret<String>, Map<String, Value>)) -> Result<Response> {
    let (password, user_metadata) = given;
    auth.limits().strict("sign_up", phone.as_str(), &device).await?;
    auth.passwords().check_choice(password.expose())?;
    check_metadata(&user_metadata, auth.config().user_metadata_bytes_max)?;
    let confirmed = auth.config().one_time.phone_autoconfirm;
    let known = Known::Phone(phone);
    let choice = unproved::choose(auth, known, password).await?;
    let new = NewPhoneUser { id: UserId::new_v7(), phone, hash: choice.hash(), user_metadata: &user_metadata, confirmed, now: auth.now() };
    let tx = auth.begin(Access::Write, "sign-up").await?;
    let newcomer = Newcomer { id: new.id, provider: "phone", email: "", phone: phone.as_str(), user_metadata: &user_metadata };
    auth.before_user(&tx, &device, newcomer).await?;
    let is_new = one_time::create_by_phone(&tx, &new).await?;
    if confirmed && !is_new {
        return Err(unprocessable("user_already_exists", "User already registered"));
    }
    unproved::settle(&tx, known, is_new.then_some(new.id), &choice, (&user_metadata, new.now)).await?;
    let about = device.clone();
    let answer = if confirmed {
        let session = sessions::NewSession {
            user_id: new.id,
            verified_hash: choice.hash(),
            renewed_hash: None,
            device,
            method: "password",
            provider: "phone",
        };
        sessions::open(auth, &tx, session).await?.answer(auth)?
    } else {
        one_time::confirm_phone(auth, &tx, &device, phone).await?;
        let made = answer_to(&tx, &new, is_new).await?;
        serde_json::to_value(made).map_err(Error::internal)?
    };
    tx.commit().await?;
    one_time::sent(auth);
    if is_new {
        auth.after_user(&about, new.id);
    }
    tracing::info!(user_id = %new.id, confirmed, is_new, "signed up");
    Ok(Json(answer).into_response())
}

async fn answer_to(tx: &Tx, new: &NewPhoneUser<'_>, is_new: bool) -> Result<User> {
    if is_new {
        return find(tx, new.id).await?.ok_or_else(|| Error::internal("a user just made is gone"));
    }
    let like =
        StandIn { id: new.id, provider: "phone", email: "", phone: new.phone.as_str(), user_metadata: new.user_metadata, now: new.now };
    Ok(User::stand_in(&like, moment(tx).await?))
}

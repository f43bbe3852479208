//! `/factors/recovery-codes`: ten codes on paper, each of which stands in once for a factor that was lost.
//!
//! Invariant: the codes are shown once and kept as hashes; there is one set, and none without another factor that was proved.

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State;
use kernel::{Error, Kind, Result};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::queries::{self, Factor, NewFactor};
use super::{check_typed, enroll, factor_not_found, locked, raise};
use crate::Auth;
use crate::errors::unprocessable;
use crate::input::{Body, Caller};
use crate::keys;

const SORT: &str = "recovery_code";
const NAME: &str = "Recovery codes";
/// Base 32 without the letters that look like others.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 80 bits: hashing them once is enough.
const CHARACTERS: usize = 16;

/// What the set is called.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    friendly_name: Option<String>,
}

/// A code, as somebody typed it.
#[derive(Deserialize)]
pub(crate) struct Presented {
    #[serde(default)]
    code: String,
}

pub(crate) async fn status(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    let tx = auth.begin_unread("count recovery codes").await?;
    locked(&tx, &auth, caller).await?;
    let factor = find(&tx, caller).await?.ok_or_else(factor_not_found)?;
    let answer = queries::count_codes(&tx, factor.id).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

pub(crate) async fn generate(State(auth): State<Auth>, caller: Caller, wish: Option<Body<Wish>>) -> Result<Json<Value>> {
    let name = wish.and_then(|Body(wish)| wish.friendly_name).filter(|name| !name.is_empty()).unwrap_or_else(|| NAME.to_owned());
    enroll::check_name(&name)?;
    let tx = opened(&auth, caller).await?;
    let factors = queries::of_user(&tx, caller.user_id).await?;
    if factors.iter().any(|factor| factor.sort == SORT) {
        return Err(unprocessable("mfa_verified_factor_exists", "There are recovery codes already, regenerate them to get new ones"));
    }
    if !factors.iter().any(|factor| factor.verified) {
        return Err(unprocessable("mfa_recovery_codes_sole_factor", "Recovery codes cannot be the only factor"));
    }
    if factors.iter().any(|factor| factor.friendly_name == name) {
        return Err(enroll::name_taken(&name));
    }
    let id = Uuid::now_v7();
    let new = NewFactor { id, sort: SORT, friendly_name: &name, verified: true, ..NewFactor::default() };
    queries::create(&tx, caller.user_id, new, auth.now()).await?;
    replace(tx, &auth, id, &name).await.map(Json)
}

pub(crate) async fn regenerate(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    let tx = opened(&auth, caller).await?;
    let factor = find(&tx, caller).await?.ok_or_else(factor_not_found)?;
    replace(tx, &auth, factor.id, &factor.friendly_name).await.map(Json)
}

pub(crate) async fn remove(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    let tx = auth.begin(Access::Write, "remove recovery codes").await?;
    let standing = locked(&tx, &auth, caller).await?;
    let factor = find(&tx, caller).await?.ok_or_else(factor_not_found)?;
    if !standing.proved {
        return Err(unprocessable("insufficient_aal", "AAL2 required to unenroll verified factor"));
    }
    queries::delete(&tx, caller.user_id, factor.id, auth.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": factor.id })))
}

pub(crate) async fn verify(State(auth): State<Auth>, caller: Caller, Body(presented): Body<Presented>) -> Result<Json<Value>> {
    if !auth.config().mfa.recovery_codes_enabled {
        return Err(unprocessable("mfa_recovery_codes_verify_not_enabled", "MFA verification is disabled for recovery codes"));
    }
    let wrong = || unprocessable("mfa_verification_failed", "Invalid recovery code entered");
    let now = auth.now();
    let tx = auth.begin(Access::Write, "prove a recovery code").await?;
    locked(&tx, &auth, caller).await?;
    check_typed(&presented.code)?;
    let factor = find(&tx, caller).await?.ok_or_else(wrong)?;
    if !queries::attempt(&tx, factor.id, now, &auth.config().mfa).await? {
        let error = Error::new(Kind::TooManyRequests, "mfa_recovery_codes_locked", "Too many wrong recovery codes. Try again later");
        return Err(error.with_retry_after(auth.config().mfa.attempts_seconds));
    }
    let is_right = queries::use_code(&tx, factor.id, &hash(&presented.code), now).await?;
    if let Some(rejected) = auth.factor_tried(&tx, (caller.user_id, factor.id), SORT, is_right).await? {
        tx.commit().await?;
        return Err(rejected);
    }
    if !is_right {
        tx.commit().await?;
        metrics::counter!("auth_factors_refused_total").increment(1);
        return Err(wrong());
    }
    queries::proved(&tx, caller, &factor, None, now).await?;
    raise(tx, &auth, caller, factor.id, "mfa/recovery_code").await.map(Json)
}

/// Opens a transaction of somebody who proved a factor, and may get codes.
async fn opened(auth: &Auth, caller: Caller) -> Result<Tx> {
    if !auth.config().mfa.recovery_codes_enabled {
        return Err(unprocessable("mfa_recovery_codes_enroll_not_enabled", "MFA enroll is disabled for recovery codes"));
    }
    let tx = auth.begin(Access::Write, "make recovery codes").await?;
    if !locked(&tx, auth, caller).await?.proved {
        return Err(Error::new(Kind::Forbidden, "insufficient_aal", "AAL2 required to generate recovery codes"));
    }
    Ok(tx)
}

async fn find(tx: &Tx, caller: Caller) -> Result<Option<Factor>> {
    Ok(queries::of_user(tx, caller.user_id).await?.into_iter().find(|factor| factor.sort == SORT))
}

async fn replace(tx: Tx, auth: &Auth, id: Uuid, name: &str) -> Result<Value> {
    let codes = (0..auth.config().mfa.recovery_codes).map(|_| code()).collect::<Result<Vec<_>>>()?;
    let hashes: Vec<String> = codes.iter().map(|code| hash(code)).collect();
    queries::set_codes(&tx, id, &hashes, auth.now()).await?;
    tx.commit().await?;
    Ok(json!({ "id": id, "type": SORT, "friendly_name": name, "total": codes.len(), "codes": codes }))
}

fn code() -> Result<String> {
    let bytes = keys::random(CHARACTERS).map_err(Error::internal)?;
    // 256 is a multiple of 32: every letter is as likely as every other.
    Ok(bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|letter| char::from(*letter)).collect())
}

/// Hashes a code; how it is grouped, in which case, and what looks like something else makes no difference.
fn hash(code: &str) -> String {
    let plain: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| canonical(c.to_ascii_lowercase())).collect();
    let digest = digest::digest(&digest::SHA256, plain.as_bytes());
    let half = |part: &[u8]| part.try_into().map_or(0, u128::from_be_bytes);
    let (first, second) = digest.as_ref().split_at(digest.as_ref().len() / 2);
    format!("{:032x}{:032x}", half(first), half(second))
}

fn canonical(letter: char) -> char {
    match letter {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = code().unwrap();
        assert!(code.len() == 16 && code.bytes().all(|letter| ALPHABET.contains(&letter)), "{code}");
        assert_ne!(code, self::code().unwrap());
        assert_eq!(hash("K4M9-x7qp 2AB8-HT3Z"), hash("k4m9x7qp2ab8ht3z"));
        assert_eq!(hash("oil0"), hash("0110"));
        assert_ne!(hash("k4m9x7qp2ab8ht3z"), hash("k4m9x7qp2ab8ht3y"));
        // SHA-256 of nothing.
        assert_eq!(hash(" - "), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}

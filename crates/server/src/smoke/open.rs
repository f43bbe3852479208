//! What anybody sees who has at most a key.

use kernel::Secret;
use serde_json::Value;

use super::caller::{Ask, Caller, body, told};
use super::{Fault, Seen, Wanted, wrong};

/// A token that nobody signed.
const MADE_UP: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.AAAA";
/// Rows that are a company's.
const ROWS: &str = "/rest/v1/customers?select=id&limit=1";
/// Members of a key that are for whoever signs.
const SECRET_MEMBERS: &[&str] = &["d", "k", "p", "q", "dp", "dq", "qi"];

pub(super) async fn live(caller: &Caller) -> Seen {
    let answer = caller.json(Ask::get("/health/live").without_key()).await?;
    if answer.get("status").and_then(Value::as_str) == Some("live") {
        Ok("it answers".to_owned())
    } else {
        wrong("this is another program")
    }
}

pub(super) async fn ready(caller: &Caller) -> Seen {
    let path = "/health/ready";
    let answer = caller.ask(Ask::get(path).without_key()).await?;
    let checks = body(path, &answer)?;
    let names = |good: bool| {
        let all = checks.get("checks").and_then(Value::as_object).into_iter().flatten();
        let chosen = all.filter(|(_, check)| (check.get("status").and_then(Value::as_str) == Some("ok")) == good);
        chosen.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    };
    if answer.status.is_success() { Ok(names(true)) } else { wrong(format!("not ready: {}", names(false))) }
}

pub(super) async fn version(caller: &Caller) -> Seen {
    let front = caller.json(Ask::get("/").without_key()).await?;
    let member = |name: &str| front.get(name).and_then(Value::as_str).unwrap_or_default();
    if member("name") != "thorbis" {
        return wrong("the front says that this is another program");
    }
    Ok(format!("{}, clients are sent to {}", member("version"), member("url")))
}

pub(super) async fn headers(caller: &Caller) -> Seen {
    let answer = caller.ask(Ask::get("/health/live").without_key()).await?;
    let has =
        |name: &str, value: &str| answer.headers.get(name).is_some_and(|found| found.to_str().is_ok_and(|found| found.contains(value)));
    let wanted = [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("x-request-id", "")];
    let missing: Vec<&str> = wanted.iter().filter(|(name, value)| !has(name, value)).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok("x-content-type-options, cache-control, x-request-id".to_owned());
    }
    wrong(format!("missing, or changed on the way: {}", missing.join(", ")))
}

pub(super) async fn keys(caller: &Caller) -> Seen {
    let answer = caller.json(Ask::get("/auth/v1/.well-known/jwks.json").without_key()).await?;
    let keys = answer.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if keys.is_empty() {
        return wrong("there is no key");
    }
    let secret = |key: &Value| SECRET_MEMBERS.iter().any(|name| key.get(name).is_some());
    if keys.iter().any(secret) { wrong("a key has members that are secret") } else { Ok(format!("{} public", keys.len())) }
}

pub(super) async fn settings(caller: &Caller) -> Seen {
    let answer = caller.json(Ask::get("/auth/v1/settings")).await?;
    let ways = answer.get("external").and_then(Value::as_object).ok_or_else(|| Fault::Wrong("no ways are named".to_owned()))?;
    let on: Vec<&str> = ways.iter().filter(|(_, on)| on.as_bool() == Some(true)).map(|(name, _)| name.as_str()).collect();
    Ok(on.join(", "))
}

pub(super) async fn refusal(caller: &Caller) -> Seen {
    caller.refused(Ask::get(ROWS).without_key(), &[401]).await?;
    caller.refused(Ask::get(ROWS).without_key().with(MADE_UP), &[401]).await?;
    caller.refused(Ask::get("/auth/v1/admin/users").with(MADE_UP), &[401, 403]).await?;
    Ok("without a token, and with one that was made up".to_owned())
}

pub(super) async fn anon_key(caller: &Caller) -> Seen {
    caller.anon_key()?;
    // Who is known and may not is told so by PostgreSQL; an unknown key never gets there.
    let answer = caller.refused(Ask::get(ROWS), &[401]).await?;
    let code = body(ROWS, &answer)?;
    if code.get("code").and_then(Value::as_str) == Some("42501") {
        Ok("known, and reads no rows".to_owned())
    } else {
        wrong(told(ROWS, &answer))
    }
}

pub(super) async fn service_key(caller: &Caller, wanted: &Wanted) -> Seen {
    let key = wanted.service_key.as_ref().map(Secret::expose).ok_or(Fault::Nothing("no service key was given"))?;
    caller.json(Ask::get("/auth/v1/admin/users?per_page=1").with(key)).await?;
    let buckets = caller.json(Ask::get("/storage/v1/bucket").with(key)).await?;
    Ok(format!("accounts, {} buckets", buckets.as_array().map_or(0, Vec::len)))
}

//! Whose directory asks.
//!
//! Invariant: a token is looked up at every request by its digest, so that one that was taken back is good for nothing from then on;
//! no other credential opens these routes. Directories of many companies come from the same addresses: a good one is counted by its
//! company alone, so that nobody who asks from there without one uses up what it may.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use kernel::{CompanyId, Error, Secret};
use postgres::{Access, Row, Sql, Tx};
use uuid::Uuid;

use super::error::{Outcome, Refused};
use super::secret;
use crate::Auth;
use crate::input::Device;

/// The directory of a company.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directory {
    pub(super) company: CompanyId,
}

impl Directory {
    /// Opens a transaction for its company.
    pub(super) async fn begin(self, auth: &Auth, access: Access) -> Outcome<Tx> {
        Ok(auth.begin_in(self.company, (access, "a directory provisions members")).await?)
    }
}

impl FromRequestParts<Auth> for Directory {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Outcome<Self> {
        if !auth.config().scim.enabled {
            return Err(Refused::new(StatusCode::NOT_FOUND, "This server provisions no members"));
        }
        let Some(row) = find(parts, auth).await? else {
            let device = Device::from_request_parts(parts, auth).await?;
            auth.limits().stranger(&device, auth.now()).await?;
            return Err(unknown());
        };
        let company = CompanyId(row.try_get::<_, Uuid>("company_id").map_err(Error::internal)?);
        auth.limits().directory(company, auth.now()).await?;
        if row.try_get("is_stale").map_err(Error::internal)? {
            note_use(auth, company, row.try_get("id").map_err(Error::internal)?).await?;
        }
        Ok(Self { company })
    }
}

/// Finds the token that a request shows, if it is good.
async fn find(parts: &Parts, auth: &Auth) -> Outcome<Option<Row>> {
    let Some(token) = bearer(parts) else { return Ok(None) };
    let mut sql = Sql::new("select t.id, t.company_id, coalesce(t.last_used_at, '-infinity') < ");
    sql.bind(auth.now()).text("::timestamptz - interval '1 minute' as is_stale from public.scim_tokens t ");
    sql.text(
        "join public.companies c on c.id = t.company_id and c.deleted_at is null and c.archived_at is null and c.suspended_at is null ",
    );
    sql.text("where t.revoked_at is null and t.token_hash = ").bind(secret::hash(token.expose()));
    sql.text("::text and t.expires_at > ").bind(auth.now()).text("::timestamptz");
    Ok(auth.read_one(sql, "look up a directory's token").await?)
}

async fn note_use(auth: &Auth, company: CompanyId, token: Uuid) -> Outcome<()> {
    let tx = auth.begin_in(company, (Access::Write, "note that a directory's token was used")).await?;
    let mut sql = Sql::new("update public.scim_tokens t set last_used_at = ");
    sql.bind(auth.now()).text("::timestamptz where t.company_id = ").bind(company).text("::uuid and t.id = ").bind(token).text("::uuid");
    tx.execute(sql).await?;
    Ok(tx.commit().await?)
}

fn bearer(parts: &Parts) -> Option<Secret<String>> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = only.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(secret::PREFIX)).then(|| Secret::new(token.to_owned()))
}

fn unknown() -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, "The token of the directory is not good")
}

//! `POST /companies/{id}/domains/{domain}/verify`: whether an e-mail domain says itself that it is the company's.
//!
//! Invariant: the name server is asked between two transactions, never inside one; the second asks again whether the caller may, and whether
//! the proof is still the same.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use kernel::{CompanyId, Error, Kind, Result};
use postgres::{Access, Sql};
use serde_json::{Value, json};

use super::{CompaniesConfig, by, path_id};
use crate::Auth;
use crate::input::Caller;

/// Below the domain.
const LABEL: &str = "_thorbis-challenge";

pub(crate) async fn verify_domain(
    State(auth): State<Auth>,
    caller: Caller,
    Path((company, id)): Path<(String, String)>,
) -> Result<Json<Value>> {
    let (company, id) = (CompanyId(path_id(&company)?), path_id(&id)?);
    let tx = auth.begin(Access::Write, "begin to verify a domain").await?;
    let mut sql = Sql::new("select d.domain, d.proof, d.verified_at is not null as verified from app.begin_domain_check(");
    by(&mut sql, caller, company).bind(id).text("::uuid) d");
    let row = tx.query_one(sql).await?;
    let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
    let (domain, proof) = (text("domain")?, text("proof")?);
    tx.commit().await?;

    let name = format!("{LABEL}.{domain}");
    let found = texts(&auth.config().companies, &name).await?;
    if !found.contains(&proof) {
        let error = Error::new(Kind::Unprocessable, "domain_not_proved", "The domain does not say yet that it is the company's");
        let hint = format!("Add a TXT record {name} with the text {proof}");
        return Err(error.with_details(json!({ "name": name, "text": proof, "found": found.len() })).with_hint(hint));
    }
    let tx = auth.begin(Access::Write, "verify a domain").await?;
    let mut sql = Sql::new("select to_jsonb(d) as domain from app.confirm_domain(");
    by(&mut sql, caller, company).bind(id).text("::uuid, ").bind(proof).text("::text) d");
    let verified: Value = tx.query_one(sql).await?.try_get("domain").map_err(Error::internal)?;
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, company_id = %company, domain, "a domain was verified");
    Ok(Json(verified))
}

/// Returns the texts of a name. Asks anew each time: whoever has just added a record does not wait for a cache.
async fn texts(config: &CompaniesConfig, name: &str) -> Result<Vec<String>> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if config.dns_servers.is_empty() {
        TokioResolver::builder(provider).map_err(|error| unavailable(error.to_string()))?
    } else {
        let servers = config.dns_servers.iter().filter_map(|server| server.parse().ok()).map(name_server).collect();
        TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers), provider)
    };
    let options = builder.options_mut();
    options.timeout = Duration::from_millis(config.dns_time_ms.into());
    options.attempts = 1;
    options.cache_size = 0;
    let resolver = builder.build().map_err(|error| unavailable(error.to_string()))?;
    match resolver.txt_lookup(format!("{name}.")).await {
        Ok(lookup) => Ok(lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::TXT(text) => Some(text.to_string()),
                _ => None,
            })
            .collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => Err(unavailable(error.to_string())),
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
}

fn unavailable(cause: String) -> Error {
    Error::new(Kind::Unavailable, "dns_unavailable", "The name server of the domain does not answer")
        .with_retry_after(30)
        .with_source(cause)
}

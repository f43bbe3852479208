//! Tokens that other issuers made: who somebody is, they may say; what he may do, our own rows do.
//!
//! Invariant: the issuer is one that is configured, exactly; the algorithm is one that it may use and that its key is for. Membership is
//! read when the transaction opens, as for everybody.

pub(crate) mod config;
mod keys;
mod people;
mod second_factor;
mod token;

use std::sync::Arc;
use std::time::Duration;

use kernel::{AssuranceLevel, Principal, Result, Subject};
use moka::future::Cache;
use outbound::http::{Bounds, Http, HttpOptions};

use crate::tokens::{TokenError, fingerprint};
use crate::{Auth, Refusal};

use config::{IssuerConfig, IssuersConfig};
use keys::{IssuerKeys, Known};
use token::Told;

/// No token is remembered longer.
const REMEMBERED_SECONDS: u64 = 600;

/// The issuers that are accepted beside ourselves.
pub(crate) struct Issuers {
    list: Vec<Issuer>,
    remembered: Cache<[u8; 32], Arc<Told>>,
}

struct Issuer {
    config: IssuerConfig,
    keys: IssuerKeys,
}

impl Issuers {
    pub(crate) fn new(config: &IssuersConfig, cache_bytes_max: u64) -> Result<Self> {
        let bytes_max = usize::try_from(config.answer_bytes_max).unwrap_or(usize::MAX);
        let bounds = Bounds { bytes_max, time: Duration::from_millis(config.fetch_time_ms.into()) };
        let http = if config.list.is_empty() { None } else { Some(Http::new(HttpOptions { bounds, private_allowed: false })?) };
        let list = http.into_iter().flat_map(|http| {
            let of = move |issuer: &IssuerConfig| Issuer { config: issuer.clone(), keys: IssuerKeys::new(issuer, config, http.clone()) };
            config.list.iter().map(of)
        });
        let weight = |_: &[u8; 32], told: &Arc<Told>| u32::try_from(told.claims.len() + 512).unwrap_or(u32::MAX);
        let remembered =
            Cache::builder().max_capacity(cache_bytes_max).weigher(weight).time_to_live(Duration::from_secs(REMEMBERED_SECONDS)).build();
        Ok(Self { list: list.collect(), remembered })
    }

    /// Returns the issuer that a token says it is of, if it is one of these.
    fn of(&self, token: &str) -> Option<&Issuer> {
        if self.list.is_empty() {
            return None;
        }
        let claimed = token::claimed_issuer(token)?;
        self.list.iter().find(|issuer| issuer.config.issuer == claimed)
    }
}

impl Auth {
    /// Returns whom a token stands for that we did not make; `refused` where nobody of ours made it either.
    pub(crate) async fn identify_outside(&self, token: &str, refused: TokenError) -> Result<Principal, Refusal> {
        let issuer = if refused == TokenError::TooLarge { None } else { self.issuers().of(token) };
        let Some(issuer) = issuer else { return Err(refused.into()) };
        let told = self.told(issuer, token).await?;
        let (user_id, company_id) = people::find(self, &issuer.config, &told).await.map_err(Refusal::Request)?;
        let subject = Subject::User { user_id, session_id: None };
        let assurance = if told.is_proved { AssuranceLevel::Two } else { AssuranceLevel::One };
        let principal = Principal::vouch(self.authority(), subject, Arc::clone(&told.claims)).with_assurance(assurance);
        Ok(principal.in_company(company_id).with_claimed_company(company_id))
    }

    async fn told(&self, issuer: &Issuer, token: &str) -> Result<Arc<Told>, Refusal> {
        let now = self.now();
        let known = issuer.keys.current(now).await.map_err(Refusal::Request)?;
        let remembered = self.issuers().remembered.get(&fingerprint(known.generation, token)).await;
        if let Some(told) = remembered.filter(|told| told.external_id.starts_with(&issuer.config.external_id_prefix)) {
            told.check_time(now.as_second())?;
            return Ok(told);
        }
        let algorithm = token::algorithm(token).ok_or(TokenError::Header)?;
        if !issuer.config.accepts(&algorithm) {
            return Err(TokenError::Algorithm.into());
        }
        let (told, known) = match open(issuer, &known, token, now.as_second()) {
            // It may be a new one.
            Err(TokenError::UnknownKey) => {
                let others = issuer.keys.others(known.generation, now).await.ok_or(TokenError::UnknownKey)?;
                (open(issuer, &others, token, now.as_second())?, others)
            }
            opened => (opened?, known),
        };
        let told = Arc::new(told);
        self.issuers().remembered.insert(fingerprint(known.generation, token), Arc::clone(&told)).await;
        Ok(told)
    }
}

fn open(issuer: &Issuer, known: &Known, token: &str, now: i64) -> Result<Told, TokenError> {
    let claims = known.set.open(token).map_err(token::refused)?;
    Told::from_claims(&issuer.config, &claims, now)
}

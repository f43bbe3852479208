//! A supplier's catalogue, fetched page by page.
//!
//! Invariant: the company's secrets go to the address that it gave and nowhere else, whatever an answer says comes next.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{Error, Kind, Result};
use outbound::http::{Answer, Bounds, Call, Http, NamedBy, TIME_MAX};
use url::Url;

use super::catalogue::{Catalogue, Read, Shown};
use crate::TransfersConfig;

/// How long a supplier that is too busy is left alone at least and at most.
const PAUSE_LEAST: Duration = Duration::from_secs(30);
const PAUSE_MOST: Duration = Duration::from_hours(1);

/// What a supplier is asked with.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) key: Option<String>,
    pub(super) secret: Option<String>,
}

/// Where the reading of a catalogue is.
pub(super) struct Pages<'a> {
    http: &'a Http,
    catalogue: &'a Catalogue,
    keys: Keys,
    first: Url,
    next: Option<Url>,
    read: u32,
    read_max: u32,
    bounds: Bounds,
}

/// Why there is no page.
pub(super) enum Stopped {
    /// It will be the same next time.
    Refused(Error),
    /// The supplier is too busy, or not there.
    Later(Duration, String),
}

impl<'a> Pages<'a> {
    pub(super) fn of(http: &'a Http, catalogue: &'a Catalogue, endpoint: &str, keys: Keys, config: &TransfersConfig) -> Result<Self> {
        let invalid = || Error::new(Kind::Unprocessable, "integration_not_described", "The integration has no address that can be fetched");
        let mut first = Url::parse(endpoint).ok().filter(|url| http.is_allowed(url)).ok_or_else(invalid)?;
        if !catalogue.page.is_empty() {
            first.query_pairs_mut().append_pair(&catalogue.page, "1");
        }
        let bounds = Bounds { bytes_max: config.supplier_page_bytes_max, time: TIME_MAX };
        Ok(Self { http, catalogue, keys, next: Some(first.clone()), first, read: 0, read_max: config.supplier_pages_max, bounds })
    }

    /// Returns the items of the next page; none after the last.
    pub(super) async fn next(&mut self) -> std::result::Result<Option<Vec<Read>>, Stopped> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if self.read >= self.read_max {
            let message = format!("The catalogue has more than {} pages", self.read_max);
            return Err(Stopped::Refused(Error::new(Kind::Unprocessable, "supplier_too_large", message)));
        }
        self.read += 1;
        let answer = self.http.send(self.call(&url).map_err(Stopped::Refused)?).await;
        let answer = answer.map_err(|fault| Stopped::Later(PAUSE_LEAST, format!("the supplier gave no answer: {fault}")))?;
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let (items, next) = self.catalogue.page(&answer.body).map_err(Stopped::Refused)?;
        self.next = self.following(&url, next, items.is_empty()).map_err(Stopped::Refused)?;
        Ok(Some(items))
    }

    fn call<'b>(&'b self, url: &'b Url) -> Result<Call<'b>> {
        let keys = (self.keys.key.as_deref(), self.keys.secret.as_deref());
        let missing = || Error::new(Kind::Unprocessable, "supplier_secret_missing", "The supplier's key is not there");
        let call = Call::get(url, NamedBy::Client).within(self.bounds);
        Ok(match (self.catalogue.auth, keys) {
            (Shown::None, _) => call,
            (Shown::Bearer, (Some(key), _)) => call.with_bearer(key),
            (Shown::Basic, (Some(key), secret)) => call.with_password(key, secret.unwrap_or_default()),
            (Shown::Header, (Some(key), _)) => {
                let name = HeaderName::try_from(self.catalogue.header.as_str());
                let (Ok(name), Ok(mut value)) = (name, HeaderValue::try_from(key)) else {
                    return Err(Error::new(Kind::Unprocessable, "integration_not_described", "The header of the key cannot be sent"));
                };
                value.set_sensitive(true);
                Call::bare(url, NamedBy::Client, HeaderMap::from_iter([(name, value)])).within(self.bounds)
            }
            (_, (None, _)) => return Err(missing()),
        })
    }

    /// Returns where the next page is. An address of somebody else's is none.
    fn following(&self, url: &Url, next: Option<String>, is_empty: bool) -> Result<Option<Url>> {
        if !self.catalogue.page.is_empty() {
            let mut next = self.first.clone();
            let others: Vec<(String, String)> =
                self.first.query_pairs().filter(|(name, _)| *name != *self.catalogue.page).map(owned).collect();
            next.query_pairs_mut().clear().extend_pairs(others).append_pair(&self.catalogue.page, &(self.read + 1).to_string());
            return Ok((!is_empty).then_some(next));
        }
        let Some(said) = next else { return Ok(None) };
        if !self.catalogue.cursor.is_empty() {
            let mut next = self.first.clone();
            next.query_pairs_mut().append_pair(&self.catalogue.cursor, &said);
            return Ok((next != *url).then_some(next));
        }
        let strange =
            || Error::new(Kind::Unprocessable, "supplier_unreadable", "The next page that the supplier names is not at its own address");
        let next = url.join(&said).ok().filter(|next| next.origin() == self.first.origin()).ok_or_else(strange)?;
        Ok((next != *url).then_some(next))
    }
}

fn owned((name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

fn refused(answer: &Answer) -> Stopped {
    let status = answer.status;
    if status.as_u16() == 429 || status.is_server_error() {
        let said = answer.headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let pause = Duration::from_secs(said.unwrap_or_default()).clamp(PAUSE_LEAST, PAUSE_MOST);
        return Stopped::Later(pause, format!("the supplier answered {status}"));
    }
    Stopped::Refused(Error::new(Kind::Unprocessable, "supplier_refused", format!("The supplier answered {status}")))
}

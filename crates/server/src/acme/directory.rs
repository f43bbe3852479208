//! What is said to the directory: an account, an order, its challenges, and the certificate in the end.
//!
//! Invariant: every request has a time limit and every answer a limit of bytes; only https is spoken.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error, ExternalAccountKey, HttpClient, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use jiff::{SignedDuration, Timestamp};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::error::AcmeError;
use super::pair::{self, Pair};
use super::served::{Answering, Certificates};
use super::stored::{self, Stored};
use crate::config::Acme;

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The pause before the first look at how the directory's own work goes; each is half as long again.
const LOOK_FIRST: Duration = Duration::from_millis(250);

/// The directory as this server asks it.
pub(super) struct Directory {
    config: Acme,
    client: reqwest::Client,
    told: Arc<Told>,
}

/// When the directory wants to be asked again, as its last answer said that was none.
#[derive(Default)]
struct Told(Mutex<Option<Timestamp>>);

impl Directory {
    pub(super) fn new(config: &Acme) -> Result<Self, AcmeError> {
        let tls = trust(config)?;
        let builder = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_millis(config.request_time_ms))
            .user_agent("Thorbis");
        let client = builder.build().map_err(|error| AcmeError::Unreachable { reason: error.to_string(), retry_at: None })?;
        Ok(Self { config: config.clone(), client, told: Arc::default() })
    }

    /// Orders a certificate. Returns it with its key, as a text and read.
    pub(super) async fn order(&self, stored: &Stored, served: &Certificates) -> Result<(String, Pair), AcmeError> {
        self.told.set(None);
        let account = self.account(stored).await?;
        let identifiers: Vec<Identifier> = self.config.domains.iter().cloned().map(Identifier::Dns).collect();
        let order = account.new_order(&NewOrder::new(&identifiers)).await.map_err(|error| self.failed(error));
        if let Err(AcmeError::Account(_)) = &order {
            // The next try makes another one.
            stored.forget_account();
        }
        let mut order = order?;
        let answering = self.answer(&mut order, served).await?;
        let status = order.poll_ready(&self.patience()).await;
        drop(answering);
        match status {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(self.refused(&mut order).await),
            // The order's own error names no name; that of a name says more.
            Err(error) => match self.failed(error) {
                AcmeError::Refused(_) => return Err(self.refused(&mut order).await),
                other => return Err(other),
            },
        }
        let (key, request) = pair::request(&self.config.domains).map_err(AcmeError::Unusable)?;
        order.finalize_csr(&request).await.map_err(|error| self.failed(error))?;
        let chain = order.poll_certificate(&self.patience()).await.map_err(|error| self.failed(error))?;
        let pem = format!("{}\n{}", key.trim_end(), chain);
        let pair = Pair::read(pem.as_bytes()).map_err(AcmeError::Unusable)?;
        if !pair.covers(&self.config.domains) {
            return Err(AcmeError::Unusable(format!("it is for {} alone", pair.names().join(", "))));
        }
        if pair.until() <= Timestamp::now() {
            return Err(AcmeError::Unusable(format!("it ended at {}", pair.until())));
        }
        Ok((pem, pair))
    }

    /// Returns the account that was kept, or makes one.
    async fn account(&self, stored: &Stored) -> Result<Account, AcmeError> {
        let kept = stored.account().unwrap_or_else(|error| {
            tracing::error!(code = error.code(), %error, "the stored account cannot be used; another one is made");
            None
        });
        let contact = self.config.contact.as_ref().map(|mail| format!("mailto:{mail}"));
        let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
        let builder = Account::builder_with_http(Box::new(self.asking()));
        let Some(mut kept) = kept else {
            let wanted = NewAccount { contact: &contacts, terms_of_service_agreed: self.config.terms_agreed, only_return_existing: false };
            let binding = self.binding();
            let made = builder.create(&wanted, self.config.directory_url.clone(), binding.as_ref()).await;
            let (account, credentials) = made.map_err(|error| self.failed(error))?;
            stored.keep_account(&stored::Account { contact: self.config.contact.clone(), credentials })?;
            tracing::info!(directory = self.config.directory_url, "an account for certificates was made");
            return Ok(account);
        };
        // It is taken by its text: the library gives no second one of it.
        let credentials = serde_json::to_value(&kept.credentials).and_then(serde_json::from_value);
        let credentials = credentials.map_err(|error| AcmeError::Stored(error.to_string()))?;
        let account = builder.from_credentials(credentials).await.map_err(|error| self.failed(error))?;
        if kept.contact != self.config.contact {
            account.update_contacts(&contacts).await.map_err(|error| self.failed(error))?;
            kept.contact.clone_from(&self.config.contact);
            stored.keep_account(&kept)?;
        }
        Ok(account)
    }

    fn binding(&self) -> Option<ExternalAccountKey> {
        let id = self.config.external_account_id.clone()?;
        Some(ExternalAccountKey::new(id, &self.config.binding_key()?))
    }

    /// Has every name that is not yet proved answered, and says so to the directory.
    async fn answer<'a>(&self, order: &mut Order, served: &'a Certificates) -> Result<Vec<Answering<'a>>, AcmeError> {
        let mut answering = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failed(error))?;
            let domain = authorization.identifier().to_string();
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                _ => return Err(AcmeError::Challenge { domain, reason: format!("its authorization is {:?}", authorization.status) }),
            }
            let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
            let mut challenge = challenge.ok_or_else(|| AcmeError::Refused(format!("it offers no tls-alpn-01 for {domain}")))?;
            let digest = challenge.key_authorization().digest();
            let key = pair::answer(&domain, digest.as_ref()).map_err(AcmeError::Unusable)?;
            answering.push(served.answer(&domain, key));
            challenge.set_ready().await.map_err(|error| self.failed(error))?;
        }
        Ok(answering)
    }

    /// Finds out which name the directory could not validate.
    async fn refused(&self, order: &mut Order) -> AcmeError {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            if let Err(error) = authorization.refresh().await {
                return self.failed(error);
            }
            if authorization.status == AuthorizationStatus::Valid || authorization.status == AuthorizationStatus::Pending {
                continue;
            }
            let said = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            let reason = said.map_or_else(|| "it does not say why".to_owned(), ToString::to_string);
            return AcmeError::Challenge { domain: authorization.identifier().to_string(), reason };
        }
        AcmeError::Refused("the order became invalid".to_owned())
    }

    fn patience(&self) -> RetryPolicy {
        RetryPolicy::new().initial_delay(LOOK_FIRST).backoff(1.5).timeout(Duration::from_secs(self.config.order_time_s))
    }

    fn failed(&self, error: Error) -> AcmeError {
        AcmeError::of(error, self.told.get())
    }

    fn asking(&self) -> Asking {
        Asking { client: self.client.clone(), told: Arc::clone(&self.told) }
    }
}

/// Sends requests for the library.
struct Asking {
    client: reqwest::Client,
    told: Arc<Told>,
}

impl HttpClient for Asking {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send + 'static>> {
        let (client, told) = (self.client.clone(), Arc::clone(&self.told));
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let request = reqwest::Request::try_from(Request::from_parts(parts, body.to_bytes())).map_err(other)?;
            let mut answer = client.execute(request).await.map_err(other)?;
            if !answer.status().is_success() {
                told.set(retry_at(answer.status(), answer.headers()));
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(other)? {
                if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err(Error::Str("an answer that is not too large"));
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = http::Response::new(Full::new(body.freeze()));
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response.into())
        })
    }
}

impl Told {
    fn set(&self, time: Option<Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    fn get(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Other(error.into())
}

/// Returns when an answer wants the next request: a number of seconds, or a date (RFC 9110, section 10.2.3).
fn retry_at(status: StatusCode, headers: &HeaderMap) -> Option<Timestamp> {
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<i64>() {
        Ok(seconds) => Timestamp::now().saturating_add(SignedDuration::from_secs(seconds.max(0))).ok(),
        Err(_) => jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp()),
    }
}

/// Returns whom the directory's own certificate is checked against.
fn trust(config: &Acme) -> Result<ClientConfig, AcmeError> {
    let broken = |error: rustls::Error| AcmeError::Unusable(error.to_string());
    let Some(file) = &config.directory_ca_file else { return outbound::tls::client().map_err(broken) };
    let invalid = |reason: String| AcmeError::Authorities { file: file.clone(), reason };
    let authorities = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut roots = RootCertStore::empty();
    for authority in authorities.map_err(|error| invalid(error.to_string()))? {
        roots.add(authority).map_err(|error| invalid(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("no certificate in it".to_owned()));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions();
    Ok(builder.map_err(broken)?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_asked_again_when_it_says_so() {
        let with = |text: &'static str| HeaderMap::from_iter([(header::RETRY_AFTER, http::HeaderValue::from_static(text))]);
        let now = Timestamp::now();
        let told = retry_at(StatusCode::TOO_MANY_REQUESTS, &with("120")).unwrap();
        assert!(told >= now + SignedDuration::from_secs(120) && told < now + SignedDuration::from_secs(130), "{told}");
        let date = retry_at(StatusCode::SERVICE_UNAVAILABLE, &with("Fri, 31 Dec 2027 23:59:59 GMT"));
        assert_eq!(date, Some("2027-12-31T23:59:59Z".parse().unwrap()));
        assert_eq!(retry_at(StatusCode::BAD_REQUEST, &with("120")), None);
        assert_eq!(retry_at(StatusCode::TOO_MANY_REQUESTS, &with("soon")), None);
    }
}

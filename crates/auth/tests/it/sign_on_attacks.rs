//! What a company's provider tries that a stranger runs: anybody founds a company, and its provider says what he likes.

use auth::AuthConfig;
use auth::config::ExternalConfig;
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::server::{Server, token};
use crate::sign_on::{company, described};

/// A server, and a stranger with a company and a provider of his own: its name, and his session.
async fn stranger(config: AuthConfig) -> (Server, Provider, String, Value) {
    let external = ExternalConfig { private_addresses_allowed: true, manual_linking_enabled: true, ..config.external };
    let (server, provider) = (Server::with(AuthConfig { external, ..config }).await, Provider::start().await);
    let (evil, eve) = company(&server, "evil").await;
    let made = server.call("POST", "/sign-on/providers", Some(token(&eve)), Some(described(&provider.url))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    server.sql("update public.sign_on_providers set joins = true").await;
    let name = format!("sso:{evil}:{}", made.body["id"].as_str().unwrap());
    (server, provider, name, eve)
}

#[tokio::test]
async fn a_companys_provider_brings_no_id_tokens() {
    let (server, provider, name, eve) = stranger(AuthConfig::default()).await;
    let ann = server.sign_up("ann@mail.example").await;
    server.sql("update auth.users set email_proved_at = now() where email = 'ann@mail.example'").await;
    provider.person(json!({ "sub": "1", "email": "ann@mail.example", "email_verified": true }));
    // Not into an account that it names, not into a new one, and not as another way into one's own.
    for email in ["ann@mail.example", "new@mail.example", "new@evil.example"] {
        provider.person(json!({ "sub": email, "email": email, "email_verified": true }));
        for links in [false, true] {
            let body = json!({ "provider": name, "id_token": provider.id_token(None), "link_identity": links });
            let answer = server.call("POST", "/token?grant_type=id_token", Some(token(&eve)), Some(body)).await;
            answer.refused(400, "provider_disabled", "The provider is not enabled");
        }
    }
    assert_eq!(server.ask("select count(*) from auth.identities where provider like 'sso:%'").await, "0");
    assert_eq!(server.user(&ann).await.ok()["identities"].as_array().unwrap().len(), 1);
}

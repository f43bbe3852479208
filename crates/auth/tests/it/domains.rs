//! Domains that say themselves whose they are, with a name server of the test's own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use auth::AuthConfig;
use auth::config::CompaniesConfig;
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::server::{Answer, Server, token};

/// A name server that has one text of every name that begins with `_thorbis-challenge`, once it is told it.
struct NameServer {
    address: SocketAddr,
    text: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let text = Arc::<Mutex<Option<String>>>::default();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (said, heard) = (Arc::clone(&text), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut bytes = [0_u8; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
                let answer = answer(&bytes[..length], said.lock().unwrap().as_deref(), &mut heard.lock().unwrap());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { address, text, asked }
    }
}

/// Answers a question as RFC 1035 has it: the header, the question again, and a TXT record that points at its name; without one that there is
/// no such name.
fn answer(query: &[u8], text: Option<&str>, asked: &mut Vec<String>) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let name = labels.join(".");
    let question = &query[12..at + 5];
    let text = text.filter(|_| name.to_lowercase().starts_with("_thorbis-challenge."));
    asked.push(name);
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, if text.is_some() { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(text.is_some()), 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(text) = text {
        let length = u8::try_from(text.len()).unwrap();
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
        answer.extend(text.as_bytes());
    }
    answer
}

async fn verify(server: &Server, who: &Value, company: &str, id: &str) -> Answer {
    server.sql("update public.company_domains set checked_at = null").await;
    server.call("POST", &format!("/companies/{company}/domains/{id}/verify"), Some(token(who)), None).await
}

#[tokio::test]
async fn a_domain_is_verified_by_its_own_record() {
    let names = NameServer::start().await;
    let companies = CompaniesConfig { dns_servers: vec![names.address.to_string()], dns_time_ms: 30_000, ..CompaniesConfig::default() };
    let server = Server::with(AuthConfig { companies, ..AuthConfig::default() }).await;
    let (ann, eve) = (server.sign_up("ann@example.com").await, server.sign_up("eve@example.com").await);
    let (acme, bolt) = (server.company("acme", &ann).await, server.company("bolt", &eve).await);
    for company in [&acme, &bolt] {
        server.sql(&format!("insert into public.company_domains (company_id, domain) values ('{company}', 'acme.example')")).await;
    }
    let column = |company: &str, what: &str| format!("select {what} from public.company_domains where company_id = '{company}'");
    let (id, proof) = (server.ask(&column(&acme, "id")).await, server.ask(&column(&acme, "proof")).await);

    let missing = verify(&server, &ann, &acme, &id).await;
    missing.refused(422, "domain_not_proved", "The domain does not say yet that it is the company's");
    assert_eq!(names.asked.lock().unwrap().last().unwrap().to_lowercase(), "_thorbis-challenge.acme.example");
    *names.text.lock().unwrap() = Some("something else".to_owned());
    assert_eq!(verify(&server, &ann, &acme, &id).await.body["code"], "domain_not_proved");
    let too_soon = server.call("POST", &format!("/companies/{acme}/domains/{id}/verify"), Some(token(&ann)), None).await;
    too_soon.refused(429, "domain_checked_recently", "The record was asked for a moment ago.");
    assert_eq!(server.ask(&column(&acme, "verified_at")).await, "null");

    *names.text.lock().unwrap() = Some(proof);
    assert_eq!(verify(&server, &eve, &acme, &id).await.body["code"], "company_not_member");
    assert_eq!(verify(&server, &eve, &bolt, &id).await.body["code"], "domain_not_found");
    let nobody = server.post(&format!("/companies/{acme}/domains/{id}/verify"), json!({})).await;
    assert_eq!((nobody.status, &nobody.body["code"]), (401, &json!("no_authorization")));
    assert_eq!(verify(&server, &ann, &acme, "x").await.body["code"], "validation_failed");
    let done = verify(&server, &ann, &acme, &id).await.ok();
    assert_eq!((&done["verified_by"], &done["domain"]), (&json!("dns"), &json!("acme.example")));
    assert_eq!(verify(&server, &ann, &acme, &id).await.ok()["verified_at"], done["verified_at"], "once is enough");

    // What proves it for one company proves nothing for another, and the domain is given away.
    let other = server.ask(&column(&bolt, "id")).await;
    assert_eq!(verify(&server, &eve, &bolt, &other).await.body["code"], "domain_not_proved");
    *names.text.lock().unwrap() = Some(server.ask(&column(&bolt, "proof")).await);
    assert_eq!(verify(&server, &eve, &bolt, &other).await.body["code"], "domain_taken");
    let member = format!("update public.team_members set role = 'manager' where company_id = '{bolt}'");
    server.sql(&format!("set session_replication_role = replica; {member}")).await;
    server.sql("update public.team_members set effective_permissions = ',members:read,' where role = 'manager'").await;
    assert_eq!(verify(&server, &eve, &bolt, &other).await.body["code"], "permission_denied");
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_is_said() {
    // Bound and never read.
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dns_servers = vec![silent.local_addr().unwrap().to_string()];
    let companies = CompaniesConfig { dns_servers, dns_time_ms: 100, ..CompaniesConfig::default() };
    let server = Server::with(AuthConfig { companies, ..AuthConfig::default() }).await;
    let ann = server.sign_up("ann@example.com").await;
    let acme = server.company("acme", &ann).await;
    server.sql(&format!("insert into public.company_domains (company_id, domain) values ('{acme}', 'acme.example')")).await;
    let id = server.ask("select id from public.company_domains").await;
    let refused = verify(&server, &ann, &acme, &id).await;
    refused.refused(503, "dns_unavailable", "The name server of the domain does not answer");
}

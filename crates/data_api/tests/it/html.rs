//! Texts that are shown as HTML are cleaned on every way in; everything else is kept byte for byte.

use serde_json::{Value, json};

use crate::server::{Caller, Said, Server};

const TABLES: &str = "
create table public.cards (
  company_id uuid not null default app.company_id(), id integer not null, notes text, plain text, points text[], lines jsonb,
  primary key (company_id, id));
comment on column public.cards.notes is 'html';
comment on column public.cards.points is 'html';
comment on column public.cards.lines is 'html(description)';
comment on column public.cards.plain is 'What is not shown as html';
select app.protect('public.cards', 'customers');
create view public.card_texts with (security_invoker = true) as select company_id, id, notes as words from public.cards;
grant select, insert, update on public.card_texts to authenticated;
create function public.note(p_text text, p_other text default '') returns text language sql stable as 'select p_text || p_other';
comment on function public.note is E'Gives the text back.\\n@html p_text';
grant execute on function public.note to authenticated;";

const BAD: &str = "<p onclick=\"x()\">a<script>alert(1)</script> <a href=\"javascript:x\">b</a></p>";
const GOOD: &str = "<p>a <a>b</a></p>";

async fn cards() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(TABLES).await;
    (server, ann)
}

async fn kept(server: &Server, ann: &Caller, column: &str) -> Value {
    server.get(ann, &format!("cards?select={column}&order=id")).await.ok()
}

#[tokio::test]
async fn every_way_in_is_clean() {
    let (server, ann) = Box::pin(cards()).await;
    let written = server.post(&ann, "cards", json!({ "id": 1, "notes": BAD, "plain": BAD }), "return=representation").await.ok();
    assert_eq!((&written[0]["notes"], &written[0]["plain"]), (&json!(GOOD), &json!(BAD)));
    server.post(&ann, "cards", json!([{ "id": 2, "notes": BAD }, { "id": 3, "notes": "5 > 4 & 3" }]), "").await.ok();
    server.post(&ann, "cards", json!({ "id": 3, "notes": BAD }), "resolution=merge-duplicates").await.ok();
    server.put(&ann, "cards?id=eq.4", json!({ "id": 4, "notes": BAD }), "").await.ok();
    server.patch(&ann, "cards?id=eq.2", json!({ "notes": format!("{BAD}!") }), "").await.ok();
    server.post(&ann, "card_texts", json!({ "id": 5, "words": BAD }), "").await.ok();
    let form = Said { header: Some(("content-type", "application/x-www-form-urlencoded")), ..Said::default() };
    let body = format!("id=6&notes={}", BAD.replace(' ', "+").replace('"', "%22"));
    let request = http::Request::builder()
        .method("POST")
        .uri("/rest/v1/cards")
        .header("authorization", format!("Bearer {}", ann.token.clone().unwrap()));
    let (name, kind) = form.header.unwrap();
    assert_eq!(server.send(request.header(name, kind).body(body.into()).unwrap()).await.status, 201);
    let found = kept(&server, &ann, "notes").await;
    let notes: Vec<&str> = found.as_array().unwrap().iter().map(|row| row["notes"].as_str().unwrap()).collect();
    assert_eq!(notes, [GOOD, &format!("{GOOD}!"), GOOD, GOOD, GOOD, GOOD]);
}

#[tokio::test]
async fn lists_lines_and_arguments_are_clean() {
    let (server, ann) = Box::pin(cards()).await;
    let lines = json!([{ "description": BAD, "sku": "<b>" }]);
    server.post(&ann, "cards", json!({ "id": 1, "points": [BAD, "plain"], "lines": lines }), "").await.ok();
    assert_eq!(
        kept(&server, &ann, "points,lines").await,
        json!([{ "points": [GOOD, "plain"], "lines": [{ "description": GOOD, "sku": "<b>" }] }])
    );
    let said = server.post(&ann, "rpc/note", json!({ "p_text": BAD, "p_other": "<b>" }), "").await.ok();
    assert_eq!(said, json!(format!("{GOOD}<b>")));
    assert_eq!(server.get(&ann, &format!("rpc/note?p_text={BAD}")).await.ok(), json!(GOOD));
}

//! `OPTIONS`: what can be done with a table, a view, a function and the root.

use http::Request;

use crate::server::{Caller, Said, Server};

const MORE: &str = "
create table public.plain (a integer);
create table public.keyed (id integer primary key, a integer);
create view public.shown as select id, a from public.keyed;
create view public.keyless as select a from public.keyed;
create view public.counted as select count(*) from public.keyed;
create materialized view public.kept as select id from public.keyed;
create view public.taken as select id, a + 1 as more from public.keyed;
create function public.take() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger take instead of insert on public.taken for each row execute function public.take();
create view public.fixed as select id, a * 2 as twice from public.keyed;
create rule nothing as on delete to public.fixed do instead nothing;
create function public.reads(a integer) returns integer language sql stable return a;
create function public.writes(a integer) returns integer language sql return a;
create function public.either(a integer) returns integer language sql immutable return a;
create function public.either(b text) returns text language sql volatile return b;";

async fn more() -> (Server, Caller) {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.table(MORE).await;
    (server, ann)
}

#[tokio::test]
async fn what_can_be_done_is_told() {
    let (server, ann) = Box::pin(more()).await;
    for (path, expected) in [
        ("customers", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("keyed", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("plain", "OPTIONS,GET,HEAD,POST,PATCH,DELETE"),
        // A view has the key of the table that it shows.
        ("shown", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("keyless", "OPTIONS,GET,HEAD,POST,PATCH,DELETE"),
        ("counted", "OPTIONS,GET,HEAD"),
        ("kept", "OPTIONS,GET,HEAD"),
        ("taken", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"),
        ("rpc/reads", "OPTIONS,GET,HEAD,POST"),
        ("rpc/reads?a=1", "OPTIONS,GET,HEAD,POST"),
        ("rpc/writes", "OPTIONS,POST"),
        ("rpc/either?a=1", "OPTIONS,GET,HEAD,POST"),
        ("rpc/either?b=x", "OPTIONS,POST"),
        ("rpc/either", "OPTIONS,GET,HEAD,POST"),
        ("", "OPTIONS,GET,HEAD"),
    ] {
        let answer = server.call(&ann, ("OPTIONS", path), None, Said::default()).await;
        assert_eq!((answer.status, answer.header("allow"), answer.text.as_str()), (200, expected, ""), "{path}");
    }
}

#[tokio::test]
async fn nobody_is_told_the_same_and_nothing_is_opened() {
    let (server, ann) = Box::pin(more()).await;
    let told = server.call(&Server::nobody(), ("OPTIONS", "keyed"), None, Said::default()).await;
    assert_eq!((told.status, told.header("allow")), (200, "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"));
    // A company that is not hers would be refused by any transaction.
    let stranger = ann.working_in("0192d6a0-0000-7000-8000-000000000000");
    server.get(&stranger, "customers").await.refused(403, "company_not_member");
    assert_eq!(server.call(&stranger, ("OPTIONS", "customers"), None, Said::default()).await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_not_there() {
    let (server, ann) = Box::pin(more()).await;
    for (path, status, code) in
        [("custmers", 404, "PGRST205"), ("rpc/read", 404, "PGRST202"), ("rpc/reads?b=1", 404, "PGRST202"), ("a/b", 404, "PGRST125")]
    {
        server.call(&ann, ("OPTIONS", path), None, Said::default()).await.refused(status, code);
    }
    let meant = server.call(&ann, ("OPTIONS", "custmers"), None, Said::default()).await;
    assert_eq!(meant.body["hint"], "Perhaps you meant the table 'public.customers'");
    let in_auth = Said { header: Some(("accept-profile", "auth")), ..Said::default() };
    server.call(&ann, ("OPTIONS", "customers"), None, in_auth).await.refused(406, "PGRST106");
}

#[tokio::test]
async fn the_root_is_there_with_and_without_a_slash() {
    let (server, ann) = Box::pin(more()).await;
    for uri in ["/rest/v1", "/rest/v1/"] {
        for (method, status) in [("OPTIONS", 200), ("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405)] {
            let token = format!("Bearer {}", ann.token.clone().unwrap());
            let request = Request::builder().method(method).uri(uri).header("authorization", token);
            let answer = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(answer.status, status, "{method} {uri}: {}", answer.text);
        }
    }
}

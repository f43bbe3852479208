//! Large results: the same answers as whole ones, and what becomes of those that nobody takes to their end.

use std::time::{Duration, Instant};

use axum::body::Body;
use data_api::DataApiConfig;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::server::{Answer, Caller, Said, Server};

const TABLES: &str = r#"
create table public.lots (
  company_id uuid not null default app.company_id(), id integer not null, "the ""word""" text, numbers integer[], document jsonb,
  primary key (company_id, id));
select app.protect('public.lots', 'customers');
create table public.parts_of (
  company_id uuid not null default app.company_id(), id integer not null, lot_id integer not null, primary key (company_id, id),
  foreign key (company_id, lot_id) references public.lots (company_id, id));
select app.protect('public.parts_of', 'customers');
create function public.some_lots() returns setof public.lots language sql stable as 'select * from public.lots where id < 4';
create function public.said_lots() returns setof public.lots language plpgsql stable as $$ begin
  perform set_config('response.headers', '[{"X-Said": "yes"}]', true); perform set_config('response.status', '203', true);
  return query select * from public.lots; end $$;
create function public.words() returns setof text language sql immutable as $$ values ('a "b"'), (null), ('c') $$;
create function public.lists() returns setof integer[] language sql immutable as $$ values ('{1,2}'::integer[]), (null), ('{}') $$;
create function public.pairs() returns setof record language sql immutable as $$ values (1, 'x'), (2, null) $$;
create function public.write_lot(number integer) returns setof public.lots language sql volatile
  as 'insert into public.lots (id) values (number) returning *';
grant execute on all functions in schema public to authenticated, service_role;"#;

/// Every result that allows 1000 rows is large.
fn config() -> DataApiConfig {
    DataApiConfig { rows_max: 1_000_000, stream_bytes_min: 1, stream_rows_min: 1000, stream_buffer_bytes: 1024, ..DataApiConfig::default() }
}

async fn lots(config: DataApiConfig) -> (Server, Caller) {
    let server = Server::with(config).await;
    let ann = server.owner("ann").await;
    server.table(TABLES).await;
    let insert = format!(
        r#"insert into public.lots select '{0}', n, case when n % 3 = 0 then E'a, "b"\nä' || n end, array[n, n + 1], jsonb_build_object('n', n)
             from generate_series(1, 9) n;
           insert into public.parts_of select '{0}', n, n % 4 + 1 from generate_series(1, 20) n"#,
        ann.company_id
    );
    server.db.superuser().await.batch_execute(&insert).await.unwrap();
    (server, ann)
}

/// Checks that a request gets the same answer row by row as whole, which it gets where it allows fewer rows.
async fn same(server: &Server, who: &Caller, path: &str, said: Said<'_>) -> Answer {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut large = server.get_with(who, path, said).await;
    let mut whole = server.get_with(who, &format!("{path}{separator}limit=999"), said).await;
    assert!(!whole.is_streamed, "{path}");
    // It names the limit.
    whole.headers.remove("content-location");
    large.headers.remove("content-location");
    if large.is_streamed {
        // How long it is nobody knows before its end.
        whole.headers.remove("content-length").unwrap();
    }
    assert_eq!((large.status, &large.headers, &large.text), (whole.status, &whole.headers, &whole.text), "{path} {said:?}");
    large
}

#[tokio::test]
async fn a_large_result_is_the_same_answer() {
    let (server, ann) = Box::pin(lots(config())).await;
    let (csv, stripped) = ("text/csv", "application/vnd.pgrst.array+json;nulls=stripped");
    for (path, accept, prefer) in [
        ("lots", "", ""),
        ("lots?order=id.desc", csv, ""),
        ("lots?order=id", stripped, ""),
        ("lots?id=gt.100", "", "count=exact"),
        ("lots?id=gt.100", csv, ""),
        ("lots?select=id,w:\"the %5C\"word%5C\"\"&order=id&offset=2", "", "count=exact"),
        ("lots?select=id,parts_of(id)&parts_of.order=id&order=id", "", ""),
        ("lots?select=id,...parts_of(part:id)&parts_of.order=id&order=id", csv, ""),
        ("parts_of?select=id,lots!inner(document->n)&lots.id=eq.2&order=id", "", "count=exact"),
        ("parts_of?select=lot_id,count()&order=lot_id", "", "count=exact"),
        ("lots?select=numbers,document", "", "count=estimated"),
        ("lots?select=id", "", "count=planned, timezone=Europe/Berlin"),
        ("rpc/some_lots?order=id", "", "count=exact"),
        ("rpc/some_lots?select=id,parts_of(id)&id=lt.3&order=id", "", ""),
        ("rpc/said_lots", csv, ""),
        ("rpc/words", "", "count=exact"),
        ("rpc/words", csv, ""),
        ("rpc/lists", "", ""),
    ] {
        let answer = same(&server, &ann, path, Said { prefer, accept, ..Said::default() }).await;
        assert!(answer.is_streamed && answer.status < 300, "{path}: {} {}", answer.status, answer.text);
    }
    let first = server.get(&ann, "lots?select=id,numbers&order=id").await;
    assert_eq!(first.header("content-range"), "0-8/*");
    assert!(first.text.starts_with("[{\"id\":1,\"numbers\":[1,2]}, \n {\"id\":2,\"numbers\":[2,3]}, \n "), "{}", first.text);
    let lists = server.get(&ann, "rpc/lists").await;
    assert_eq!((lists.is_streamed, lists.text.as_str()), (true, "[[1,2], null, \n []]"));
    let said = server.get(&ann, "rpc/said_lots").await;
    assert_eq!((said.status, said.header("x-said"), said.is_streamed), (203, "yes", true));
}

#[tokio::test]
async fn what_is_refused_or_small_or_one_is_answered_whole() {
    let (server, ann) = Box::pin(lots(config())).await;
    let bob = server.owner("bob").await;
    // Behind the end, what cannot be read, what is not there, whoever may not: said before anything is sent.
    let behind = same(&server, &ann, "lots?offset=10", Said { prefer: "count=exact", ..Said::default() }).await;
    behind.refused(416, "PGRST103");
    same(&server, &ann, "lots?select=document::integer", Said::default()).await.refused(400, "22023");
    same(&server, &ann, "lots?select=numbers->>0,id::boolean&id=in.(1,x)", Said::default()).await.refused(400, "22P02");
    same(&server, &Server::nobody(), "lots", Said::default()).await.refused(401, "42501");
    // Another company has none of these rows.
    for (path, accept, text) in [("lots", "", "[]"), ("lots", "text/csv", "\n"), ("rpc/some_lots", "", "[]")] {
        let answer = same(&server, &bob, path, Said { accept, ..Said::default() }).await;
        assert_eq!((answer.is_streamed, answer.text.as_str(), answer.header("content-range")), (true, text, "*/*"), "{path}");
    }
    let object = "application/vnd.pgrst.object+json";
    for (method, path, accept) in
        [("HEAD", "lots", ""), ("GET", "lots?id=eq.1", ""), ("GET", "lots?limit=999", ""), ("GET", "lots?id=eq.1&order=id", object)]
    {
        let answer = server.call(&ann, (method, path), None, Said { accept, ..Said::default() }).await;
        assert_eq!((answer.status, answer.is_streamed), (200, false), "{method} {path}");
    }
    // What a function writes is kept before anything is said of it.
    let written = server.call(&ann, ("POST", "rpc/write_lot"), Some(r#"{"number":77}"#.to_owned()), Said::default()).await;
    assert_eq!((written.status, written.is_streamed), (200, false), "{}", written.text);
    assert_eq!(server.get(&ann, "lots?id=eq.77&select=id").await.text, r#"[{"id":77}]"#);

    // The planner knows no better at first, and is told by what came.
    let (server, ann) = Box::pin(lots(DataApiConfig { stream_bytes_min: 1_000_000, ..config() })).await;
    let wide = "insert into public.lots select company_id, id + 100, repeat('x', 200000) from public.lots";
    assert!(!server.get(&ann, "lots?select=id").await.is_streamed);
    server.db.superuser().await.batch_execute(&format!("analyze public.lots; {wide}")).await.unwrap();
    let text = server.get(&ann, "lots").await;
    assert!(!text.is_streamed && text.text.len() > 1_000_000);
    let again = server.get(&ann, "lots").await;
    assert_eq!((again.is_streamed, again.text == text.text), (true, true));
    assert!(!server.get(&ann, "lots?select=id").await.is_streamed, "another shape");
}

/// Tells whether a statement of the data API is being sent whose client does not take it.
const HELD: &str = "select count(*) from pg_stat_activity
  where datname = current_database() and query like '%union all%' and state = 'active' and wait_event = 'ClientWrite'";
/// Whatever the statement does.
const RUNNING: &str = "select count(*) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and query like '%union all%' and state <> 'idle'";

async fn until(server: &Server, query: &str, count: i64) {
    let observer = server.db.superuser().await;
    let reached = async {
        while observer.query_one(query, &[]).await.unwrap().get::<_, i64>(0) != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap_or_else(|_| panic!("never {count}: {query}"));
}

/// Ann has 40 MB, and asks for them.
async fn many(config: DataApiConfig) -> (Server, Caller) {
    let (server, ann) = Box::pin(lots(config)).await;
    let insert = format!(
        "insert into public.lots (company_id, id, document)
         select '{}', n, to_jsonb(repeat(md5(n::text), 60)) from generate_series(1001, 21000) n",
        ann.company_id
    );
    server.db.superuser().await.batch_execute(&insert).await.unwrap();
    (server, ann)
}

async fn begun(server: &Server, who: &Caller) -> Response<Body> {
    let request = Request::get("/rest/v1/lots").header("authorization", format!("Bearer {}", who.token.as_deref().unwrap()));
    let mut response = server.raw(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 200);
    let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"[{\"company_id\":"));
    response
}

#[tokio::test]
async fn nothing_is_read_that_nobody_takes_and_who_leaves_ends_it() {
    let (server, ann) = Box::pin(many(DataApiConfig { streams_max: 1, stream_wait_ms: 100, ..config() })).await;
    let response = begun(&server, &ann).await;
    until(&server, HELD, 1).await;
    // There is one place; small results need none.
    let busy = server.get(&ann, "lots?select=id").await;
    busy.refused(503, "streams_busy");
    assert_eq!(busy.header("retry-after"), "1");
    assert_eq!(server.get(&ann, "lots?select=id&limit=1&order=id").await.text, r#"[{"id":1}]"#);
    drop(response);
    until(&server, RUNNING, 0).await;
    // Its place is free a moment after its statement has ended.
    let begun = Instant::now();
    let mut all = server.get(&ann, "lots?select=id").await;
    while all.status == 503 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", all.text);
        all = server.get(&ann, "lots?select=id").await;
    }
    assert_eq!((all.status, all.header("content-range"), all.body.as_array().unwrap().len()), (200, "0-20008/*", 20009));
}

#[tokio::test]
async fn half_a_result_never_looks_like_a_whole_one() {
    let (server, ann) = Box::pin(many(config())).await;
    // PostgreSQL ends the connection in the middle.
    let response = begun(&server, &ann).await;
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and query like '%union all%' and pid <> pg_backend_pid() and state = 'active'";
    until(&server, end, 1).await;
    let broken = response.into_body().collect().await.unwrap_err();
    assert_eq!(broken.to_string(), "the result broke off");
    // Taken at once, all of it comes.
    let whole = server.get_with(&ann, "lots?select=document&order=id", Said { accept: "text/csv", ..Said::default() }).await;
    assert_eq!(whole.text.len(), "document\n".len() + 9 * (12 + 1) + 20_000 * (1926 + 1) - 1);
}

#[tokio::test]
async fn whoever_takes_nothing_for_longer_than_he_may_gets_half_a_result() {
    let (server, ann) = Box::pin(many(DataApiConfig { stream_idle_ms: 400, ..config() })).await;
    let response = begun(&server, &ann).await;
    until(&server, RUNNING, 0).await;
    assert!(response.into_body().collect().await.is_err());
}

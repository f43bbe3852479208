//! The frames themselves: what a batch keeps, what a refusal in it undoes, and what becomes of answers that nobody waits for.

use std::time::{Duration, Instant};

use kernel::RequestContext;
use postgres::{Access, Database, Sql};
use testkit::Db;

use crate::caller;

const PATIENCE: Duration = Duration::from_mins(1);

async fn one_connection() -> (Db, Database) {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 1);
    (db, database)
}

fn rename(to: &str) -> Sql {
    let mut sql = Sql::new("update public.customers set last_name = ");
    sql.bind(to).text(" returning last_name");
    sql
}

async fn last_name(db: &Db) -> String {
    db.superuser().await.query_one("select last_name from public.customers", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_write_in_a_request_that_reads_is_refused_whether_known_or_not() {
    let (db, database) = one_connection().await;
    let (grant, context) = (caller::member(), RequestContext::default());
    database.run(&grant, &context, Access::Write, rename("before")).await.unwrap();
    for _ in ["known from the write", "known from the read"] {
        let refused = database.run(&grant, &context, Access::Read, rename("after")).await.unwrap_err();
        assert_eq!((refused.code(), refused.status().as_u16()), ("25006", 405));
        let refused = database.run_short(&grant, &context, rename("after")).await.unwrap_err();
        assert_eq!(refused.code(), "25006");
    }
    // Nor can a statement make its transaction one that writes.
    let mut forged = Sql::new("select set_config('transaction_read_only', 'off', true)");
    forged.text(" from public.customers");
    assert_eq!(database.run(&grant, &context, Access::Read, forged).await.unwrap_err().code(), "25001");
    assert_eq!(last_name(&db).await, "before");
    // It does not stay on the connection.
    database.run(&grant, &context, Access::Write, rename("after")).await.unwrap();
    assert_eq!(last_name(&db).await, "after");
}

#[tokio::test]
async fn a_refusal_undoes_the_whole_batch_and_keeps_its_words() {
    let (db, database) = one_connection().await;
    let (grant, context) = (caller::member(), RequestContext::default());
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "create function public.refuse() returns trigger language plpgsql as $$ begin
               raise exception using errcode = 'TH409', message = 'It is so.', detail = 'Here.', hint = 'Not so.', constraint = 'is_so';
             end $$;
             create constraint trigger late after update on public.customers deferrable initially deferred
               for each row when (new.last_name = 'late') execute function public.refuse()",
        )
        .await
        .unwrap();
    for to in ["late", "late"] {
        // It speaks after the statement, when the transaction is to end.
        let refused = database.run(&grant, &context, Access::Write, rename(to)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message(), refused.hint()), ("is_so", "It is so.", Some("Not so.")));
        assert_eq!(refused.details().unwrap(), "Here.");
        assert_eq!(last_name(&db).await, "");
    }
    let broken = database.run(&grant, &context, Access::Write, Sql::new("select 1 / 0")).await.unwrap_err();
    assert_eq!(broken.code(), "22012");
    let unknown = database.run(&grant, &context, Access::Read, Sql::new("select nothing")).await.unwrap_err();
    assert_eq!(unknown.code(), "42703");
    database.run(&grant, &context, Access::Write, rename("kept")).await.unwrap();
    assert_eq!((last_name(&db).await.as_str(), database.pool_status().size), ("kept", 1));
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_given_up() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| {
        options.size_max = 1;
        options.abandoned = Duration::from_millis(20);
    });
    let (grant, context) = (caller::member(), RequestContext::default());
    let begun = Instant::now();
    let slow = database.run(&grant, &context, Access::Write, Sql::new("select pg_sleep(200)::text"));
    assert!(tokio::time::timeout(Duration::from_millis(100), slow).await.is_err());
    // The same connection, and nobody else's answer.
    let answer = database.run(&grant, &context, Access::Read, Sql::new("select first_name from public.customers")).await.unwrap();
    assert_eq!(answer.rows[0].get::<_, String>(0), "Ben");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(database.pool_status().size, 1);
    let tx = database.begin(&grant, &context, Access::Write).await.unwrap();
    tx.query(rename("half")).await.unwrap();
    let slow = tx.query(Sql::new("select pg_sleep(200)::text"));
    assert!(tokio::time::timeout(Duration::from_millis(100), slow).await.is_err());
    drop(tx);
    database.run(&grant, &context, Access::Read, Sql::new("select 1")).await.unwrap();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(last_name(&db).await, "");
}

#[tokio::test]
async fn many_are_under_way_on_one_connection_and_one_of_them_fails() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| {
        options.size_max = 1;
        options.short_reads_max = 32;
    });
    for turn in 0..4 {
        let asked: Vec<_> = (0..22)
            .map(|number: i32| {
                let database = database.clone();
                tokio::spawn(async move {
                    let mut sql = Sql::new("select (12 / (");
                    // The same statement for all but one, which nobody has prepared.
                    sql.bind(number).text(if number == 7 { "::int - 7))::text || ' '" } else { "::int + 1))::text" });
                    let who = if number % 2 == 0 { caller::member() } else { caller::service() };
                    let answer = database.run_short(&who, &RequestContext::default(), sql).await?;
                    Ok::<_, kernel::Error>((answer.opened.member_role, answer.rows[0].get::<_, String>(0)))
                })
            })
            .collect();
        for (number, one) in asked.into_iter().enumerate() {
            match one.await.unwrap() {
                Ok((member_role, quotient)) => {
                    assert_eq!(quotient, (12 / (number + 1)).to_string(), "turn {turn}");
                    assert_eq!(member_role.is_some(), number % 2 == 0, "each has its own caller");
                }
                Err(error) => assert_eq!((number, error.code()), (7, "22012"), "turn {turn}"),
            }
        }
    }
    assert_eq!((database.pool_status().size, database.pool_status().available), (1, 1));
}

#[tokio::test]
async fn short_reads_let_a_transaction_in() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 1);
    let reads: Vec<_> = (0..50)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    database.run_short(&caller::member(), &RequestContext::default(), Sql::new("select 1")).await.unwrap();
                }
            })
        })
        .collect();
    let (grant, context) = (caller::member(), RequestContext::default());
    for _ in 0..3 {
        let begun = database.begin(&grant, &context, Access::Write);
        let tx = tokio::time::timeout(PATIENCE, begun).await.expect("whoever asked first is first").unwrap();
        tx.execute(rename("kept")).await.unwrap();
        tx.commit().await.unwrap();
    }
    for read in reads {
        read.await.unwrap();
    }
}

#[tokio::test]
async fn a_short_read_that_was_dropped_leaves_the_others_theirs() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| options.size_max = 1);
    let (grant, context) = (caller::member(), RequestContext::default());
    for turn in 0..50_i32 {
        let ask = |number: i32| {
            let mut sql = Sql::new("select ");
            sql.bind(number).text("::int4");
            database.run_short(&grant, &context, sql)
        };
        let mut dropped = Box::pin(ask(-1));
        let (kept, before) = (ask(turn), ask(turn + 1000));
        // Sent, and given up at once.
        let polled = futures_util::poll!(&mut dropped);
        drop(dropped);
        assert!(turn == 0 || polled.is_pending());
        let (kept, before) = futures_util::join!(kept, before);
        assert_eq!(kept.unwrap().rows[0].get::<_, i32>(0), turn);
        assert_eq!(before.unwrap().rows[0].get::<_, i32>(0), turn + 1000);
    }
    assert_eq!(database.pool_status().size, 1);
}

#[tokio::test]
async fn statements_beyond_the_limit_are_closed_at_postgresql() {
    let db = caller::database_with_a_member().await;
    let database = db.database_with(|options| {
        options.size_max = 1;
        options.statements_max = 3;
    });
    let (grant, context) = (caller::service(), RequestContext::default());
    let known = "select count(*)::int8 from pg_prepared_statements";
    for text in ["select 'a'", "select 'b'", "select 'c'", "select 'd'", "select 'e'", known, known] {
        database.run(&grant, &context, Access::Read, Sql::new(text)).await.unwrap();
    }
    let answer = database.run(&grant, &context, Access::Read, Sql::new(known)).await.unwrap();
    assert_eq!(answer.rows[0].get::<_, i64>(0), 3, "the opening, the last one and this one");
}

#[tokio::test]
async fn a_statement_whose_columns_change_is_prepared_anew() {
    let (db, database) = one_connection().await;
    let superuser = db.superuser().await;
    superuser.batch_execute("create table public.changing (a int4); grant select on public.changing to service_role").await.unwrap();
    let (grant, context) = (caller::service(), RequestContext::default());
    let read = || database.run(&grant, &context, Access::Read, Sql::new("select * from public.changing"));
    read().await.unwrap();
    superuser.batch_execute("alter table public.changing add b text; insert into public.changing values (1, 'x')").await.unwrap();
    let answer = read().await.unwrap();
    assert_eq!((answer.rows[0].len(), answer.rows[0].get::<_, String>("b")), (2, "x".to_owned()));
    superuser.batch_execute("alter table public.changing drop a").await.unwrap();
    let tx = database.begin(&grant, &context, Access::Read).await.unwrap();
    assert_eq!(tx.query(Sql::new("select * from public.changing")).await.unwrap_err().code(), "0A000");
    drop(tx);
    assert_eq!(read().await.unwrap().rows[0].len(), 1);
}

#[tokio::test]
async fn where_sessions_read_only_a_write_says_that_it_writes() {
    let (db, _) = one_connection().await;
    let change = "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$";
    db.superuser().await.batch_execute(change).await.unwrap();
    let database = db.database();
    let (grant, context) = (caller::member(), RequestContext::default());
    for to in ["once", "twice"] {
        let answer = database.run(&grant, &context, Access::Write, rename(to)).await.unwrap();
        assert_eq!(answer.rows[0].get::<_, String>(0), to);
        assert_eq!(database.run(&grant, &context, Access::Read, rename("never")).await.unwrap_err().code(), "25006");
    }
    assert_eq!(last_name(&db).await, "twice");
}

#[tokio::test]
async fn large_answers_and_large_values_go_through_whole() {
    let (_db, database) = one_connection().await;
    let large: String = (0..3_000_000_u32).map(|number| char::from(b'a' + u8::try_from(number % 26).unwrap())).collect();
    let mut sql = Sql::new("select ");
    sql.bind(large.as_str()).text("::text, g from generate_series(1, 3) g");
    let answer = database.run(&caller::service(), &RequestContext::default(), Access::Read, sql).await.unwrap();
    assert_eq!(answer.rows.len(), 3);
    for (row, number) in answer.rows.iter().zip(1..) {
        assert_eq!(row.get::<_, i32>(1), number);
        assert!(row.get::<_, &str>(0) == large, "nothing is missing in row {number}");
    }
}

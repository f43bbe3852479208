//! Tables of a project's own, whose policies only PostgreSQL knows.

use kernel::Subject;
use postgres::feed::FeedMode;
use postgres::migrate::{Bring, Migrator, Options, Project};
use realtime::changes::Wanted;
use serde_json::json;
use testkit::Db;

use crate::onlookers::{A, B, Node, Said, filtered, member, two_companies, wanted};

const TABLES: &str = "
create table public.todos (id bigint primary key, user_id uuid, task text, score numeric);
alter table public.todos enable row level security;
create policy mine on public.todos for select to authenticated using (user_id = (select auth.uid()));
create table public.news (id bigint primary key, headline text);
alter table public.news enable row level security;
create policy everybody on public.news for select to anon, authenticated using (true);
create table public.silent (id bigint primary key);
alter publication supabase_realtime add table public.todos, public.news;
";

async fn with_a_project() -> Db {
    let db = two_companies().await;
    let folder = std::env::temp_dir().join(format!("project_{}", uuid::Uuid::now_v7()));
    let files = folder.join("migrations");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("20250101000000_first.sql"), TABLES).unwrap();
    let project = Project::open(&folder).unwrap();
    Migrator::new(db.migrator_config()).bring(&project, Bring::default(), &Options::default()).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    db
}

#[tokio::test]
async fn rows_are_told_to_whom_their_policies_show_them() {
    let db = with_a_project().await;
    let client = db.superuser().await;
    let (ann, ben) = (member(&client, A, "viewer").await, member(&client, A, "viewer").await);
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let wishes = || vec![(1, wanted("todos")), (2, wanted("news"))];
    let mut mine = node.live(node.user(&ann), wishes()).await;
    let mut theirs = node.live(node.user(&ben), vec![(1, filtered("todos", "score=gte.1.5")), (2, wanted("news"))]).await;
    let mut anybody = node.live(node.viewer(Subject::Anonymous), vec![(5, wanted("news"))]).await;
    let refused = node.subscribe(node.user(&ann), vec![(1, wanted("silent"))], None).await.err().unwrap();
    assert_eq!(refused.code(), "realtime_table_unknown");
    client
        .batch_execute(&format!(
            "insert into public.todos values (1, '{ann}', 'hers', 1), (2, '{ben}', 'his', 1.5), (3, '{ben}', 'cheap', 1.25);
             insert into public.news values (1, 'all');
             delete from public.news; delete from public.todos;
             insert into public.news values (2, 'end')"
        ))
        .await
        .unwrap();
    let headline = |said: &Said| match said {
        Said::Change(ids, data) => {
            (ids.clone(), data["type"].as_str().unwrap().to_owned(), data["record"]["task"].clone(), data["record"]["headline"].clone())
        }
        other => panic!("{other:?}"),
    };
    let mut heard = [Vec::new(), Vec::new(), Vec::new()];
    for (onlooker, heard) in [&mut mine, &mut theirs, &mut anybody].into_iter().zip(&mut heard) {
        while heard.last().is_none_or(|(_, _, _, headline)| *headline != json!("end")) {
            heard.push(headline(&onlooker.next().await.0));
        }
    }
    let null = serde_json::Value::Null;
    let news = |id, sort: &str, headline: serde_json::Value| (vec![id], sort.to_owned(), null.clone(), headline);
    let common = |id| [news(id, "INSERT", json!("all")), news(id, "DELETE", null.clone()), news(id, "INSERT", json!("end"))];
    // The rows of todos were gone when it was asked who sees them, or not: they are told to nobody else.
    let (tasks, rest): (Vec<_>, Vec<_>) = heard[0].iter().cloned().partition(|(ids, ..)| ids == &[1]);
    assert!(tasks.iter().all(|(_, sort, task, _)| sort == "INSERT" && *task == json!("hers")), "{tasks:?}");
    assert_eq!(rest, common(2));
    let (tasks, rest): (Vec<_>, Vec<_>) = heard[1].iter().cloned().partition(|(ids, ..)| ids == &[1]);
    assert!(tasks.iter().all(|(_, sort, task, _)| sort == "INSERT" && *task == json!("his")), "{tasks:?}");
    assert_eq!(rest, common(2));
    assert_eq!(heard[2], common(5));
    // One that stays is told to its owner.
    client.batch_execute(&format!("insert into public.todos values (4, '{ben}', 'his', 12.50)")).await.unwrap();
    let told = theirs.change().await;
    assert_eq!((&told["record"]["id"], &told["record"]["score"]), (&json!(4), &json!(12.5)));
    assert_eq!(told["columns"][3], json!({"name": "score", "type": "numeric"}));
}

#[tokio::test]
async fn a_table_or_policy_that_changes_is_known_soon() {
    let db = with_a_project().await;
    let client = db.superuser().await;
    let ann = member(&client, A, "viewer").await;
    let node = Node::start(&db, FeedMode::Stream, |config| config.tables_ms = 100).await;
    let mut onlooker = node.live(node.user(&ann), vec![(1, wanted("news"))]).await;
    client.batch_execute("alter table public.news add column body text; insert into public.news values (1, 'one', 'text')").await.unwrap();
    assert_eq!(onlooker.change().await["record"]["body"], "text", "a column that is new is told at once");
    client.batch_execute("drop policy everybody on public.news").await.unwrap();
    let (Said::Ended(why), _) = onlooker.next().await else { panic!("nobody reads it any more") };
    assert!(why.contains("Please check Realtime is enabled"), "{why}");
}

/// A project that publishes files tells of them to whoever may read them, and to nobody else.
#[tokio::test]
async fn files_are_told_to_whom_their_policies_show_them() {
    let db = two_companies().await;
    let client = db.superuser().await;
    client.batch_execute("create publication supabase_realtime for table storage.objects").await.unwrap();
    let (ann, tom, ben) = (member(&client, A, "owner").await, member(&client, A, "technician").await, member(&client, B, "owner").await);
    let node = Node::start(&db, FeedMode::Stream, |_| ()).await;
    let files = || Wanted { schema: "storage".to_owned(), ..wanted("objects") };
    let mut hers = node.live(node.user(&ann), vec![(1, files())]).await;
    let mut his = node.live(node.user(&tom), vec![(1, files())]).await;
    let mut theirs = node.live(node.user(&ben), vec![(1, files())]).await;
    let refused = node.subscribe(node.viewer(Subject::Anonymous), vec![(1, files())], None).await.err().unwrap();
    assert_eq!(refused.code(), "realtime_table_unknown");
    let file = |company: &str, owner: &str, name: &str| {
        format!("insert into storage.objects (bucket_id, name, owner) values ('documents', '{company}/{name}', '{owner}')")
    };
    client
        .batch_execute(&format!(
            "set session_replication_role = replica; {}; {}; {}; update storage.objects set metadata = '{{}}' where name like '%/hers'",
            file(A, &ann, "hers"),
            file(A, &tom, "his"),
            file(B, &ben, "theirs"),
        ))
        .await
        .unwrap();
    let name = |change: serde_json::Value| format!("{} {}", change["type"].as_str().unwrap(), change["record"]["name"].as_str().unwrap());
    for expected in [format!("INSERT {A}/hers"), format!("INSERT {A}/his"), format!("UPDATE {A}/hers")] {
        assert_eq!(name(hers.change().await), expected, "whoever reads all files of the company hears of them");
    }
    assert_eq!(name(theirs.change().await), format!("INSERT {B}/theirs"));
    // What is last is of one alone, and the first that the others hear: nothing of the files of others came before.
    client
        .batch_execute(&format!("set session_replication_role = replica; {}; {}", file(A, &tom, "end"), file(B, &ben, "end")))
        .await
        .unwrap();
    assert_eq!(name(his.change().await), format!("INSERT {A}/his"), "his own he reads");
    assert_eq!(name(his.change().await), format!("INSERT {A}/end"));
    assert_eq!(name(hers.change().await), format!("INSERT {A}/end"));
    assert_eq!(name(theirs.change().await), format!("INSERT {B}/end"));
}

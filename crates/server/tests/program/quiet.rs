//! A server or a worker that is quiet: what others would hear of waits until one that is not comes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::json;

use crate::process::{Program, Way, command, folder, sql};
use crate::receiver::Receiver;

/// What leaves does so within this time, on a machine that has much to do.
const LEAVES_MAX: Duration = Duration::from_mins(2);
/// How often a server is asked something else before what it did not do is looked at.
const OTHER_REQUESTS: usize = 50;

fn start(folder: &Path, quiet: &str) -> Program {
    let settings = [
        ("THORBIS_QUIET", quiet),
        ("THORBIS_MESSAGING__WEBHOOKS__PRIVATE_ADDRESSES_ALLOWED", "true"),
        ("THORBIS_MESSAGING__WEBHOOKS__RETRY_SECONDS", "1,1,1,1,1,1,1,1,1,1"),
        ("THORBIS_MESSAGING__WEBHOOKS__POLL_INTERVAL_MS", "50"),
        ("THORBIS_BACKUP__ENABLED", "false"),
    ];
    Program::start_with(folder, &settings)
}

fn letters_that_left(folder: &Path) -> String {
    sql(folder, "select count(*) from app.outbox where status = 'sent'")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leaves_a_quiet_server_and_all_of_it_the_next_one() {
    let (folder, receiver) = (folder(), Receiver::new().await);
    let folder = folder.path();
    let server = tokio::task::block_in_place(|| start(folder, "true"));
    let way = Way::to(&server, folder);
    let post = |path: &str, body: serde_json::Value| {
        let asked = way.service(Method::POST, &format!("{}{path}", server.url)).json(&body);
        async move {
            let answer = asked.send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert!(status.is_success(), "{status} {text}");
        }
    };
    post("/api/v1/webhooks", json!({ "name": "Till", "url": receiver.url(), "events": ["customer.created"] })).await;
    // The receiver does not take the first two calls.
    for number in 1..=3 {
        post("/rest/v1/customers", json!({ "first_name": format!("told-{number}"), "phone": "+15550100" })).await;
    }
    post("/auth/v1/signup", json!({ "email": "ann@example.com", "password": "correct horse battery staple" })).await;
    post("/auth/v1/recover", json!({ "email": "ann@example.com" })).await;
    for _ in 0..OTHER_REQUESTS {
        assert_eq!(way.request(Method::GET, "customers?select=id&limit=1").send().await.unwrap().status(), 200);
    }
    assert!(receiver.told().taken.is_empty(), "a quiet server told somebody");
    tokio::task::block_in_place(|| {
        assert_eq!(letters_that_left(folder), "0");
        server.stop();
    });
    assert!(receiver.told().taken.is_empty(), "a quiet server told somebody at its end");

    let server = tokio::task::block_in_place(|| start(folder, "false"));
    let begun = Instant::now();
    tokio::task::block_in_place(|| {
        while receiver.told().taken.is_empty() || letters_that_left(folder) == "0" {
            assert!(begun.elapsed() < LEAVES_MAX, "what waited does not leave");
            std::thread::sleep(Duration::from_millis(50));
        }
        server.stop();
    });
}

/// Returns how many of our tasks wait and how many are done.
fn tasks(folder: &Path) -> String {
    let mine = "kind = 'refresh_reports' and payload = '{}' and label = 'mine'";
    let waiting = format!("select count(*) from app.tasks where {mine} and attempt = 0");
    let done = format!("select count(*) from app.done_tasks where {mine} and outcome = 'done'");
    sql(folder, &format!("select ({waiting}) || ' ' || ({done})"))
}

#[test]
fn a_quiet_worker_does_no_task_and_one_that_is_not_does_all_of_them() {
    let folder = folder();
    let folder = folder.path();
    let server = start(folder, "true");
    let put = "do $$ declare v_id uuid; begin for i in 1 .. 3 loop v_id := app.enqueue_task('refresh_reports');
               update app.tasks t set label = 'mine' where t.id = v_id; end loop; end $$";
    sql(folder, put);
    assert_eq!(tasks(folder), "3 0");

    // Until nothing is left would be for ever.
    let output = command(folder, &["worker", "--until-idle"]).env("THORBIS_QUIET", "true").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("quiet is set"), "{said}");
    let mut worker = command(folder, &["worker"]).env("THORBIS_QUIET", "true").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "quiet is set: no task is done, and all of them wait");
    kill(Pid::from_raw(i32::try_from(worker.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert!(worker.wait().unwrap().success());
    assert_eq!(tasks(folder), "3 0");

    let output = command(folder, &["worker", "--until-idle"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(tasks(folder), "0 3");
    server.stop();
}

//! A company that moves from one installation to another by its archive, a copy beside it, and the proof that a deleted one is gone.
//!
//! Invariant: both installations are real, each with a server and a PostgreSQL of its own; what is looked for was planted by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::object_store::{ACCESS_KEY, BUCKET, ObjectStore, SECRET_KEY};

use crate::bare::know_tls;
use crate::process::{Program, command, folder, sql};

const EMAIL: &str = "ann.archived@example.com";
const PASSWORD: &str = "correct horse battery staple";
/// What opens something, in places that an archive has rows of.
const SECRETS: [&str; 3] = ["planted-pin-7731", "planted-header-5520", "$argon2"];
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody who is signed in.
struct Member {
    url: String,
    token: String,
    client: Client,
}

impl Member {
    async fn of(url: &str, path: &str) -> Self {
        know_tls();
        let mut member = Self { url: url.to_owned(), token: String::new(), client: Client::builder().timeout(PATIENCE).build().unwrap() };
        member.enter(path, json!({ "email": EMAIL, "password": PASSWORD })).await;
        member
    }

    async fn enter(&mut self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, &format!("/auth/v1/{path}"), Some(body)).await;
        self.token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        answer
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).header("prefer", "return=representation");
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }
}

fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    run_with(folder, &[], arguments)
}

fn run_with(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let output = command(folder, arguments).envs(settings.iter().copied()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let (is_done, said) = run(folder, arguments);
    assert!(is_done, "{arguments:?}: {said}");
    said
}

fn refused(folder: &Path, arguments: &[&str], word: &str) {
    let (is_done, said) = run(folder, arguments);
    assert!(!is_done && said.contains(word), "{arguments:?}: {said}");
}

/// Makes a company with a job, a file and secrets; returns its id.
async fn founded(server: &Program, folder: &Path) -> String {
    let mut ann = Member::of(&server.url, "signup").await;
    let company = ann.ask(Method::POST, "/rest/v1/rpc/create_company_with_owner", Some(json!({ "name": "Archived Plumbing" }))).await;
    let id = company["id"].as_str().unwrap().to_owned();
    ann.enter("token?grant_type=password", json!({ "email": EMAIL, "password": PASSWORD })).await;
    let customer =
        ann.ask(Method::POST, "/rest/v1/customers", Some(json!({ "first_name": "Ben", "last_name": "Baker", "phone": "+15550100" }))).await;
    let job = json!({ "customer_id": customer[0]["id"], "title": "Fix the boiler", "status": "quoted" });
    ann.ask(Method::POST, "/rest/v1/jobs", Some(job)).await;
    ann.ask(Method::POST, &format!("/storage/v1/object/company-files/{id}/plan.txt"), Some(json!({ "plan": "the cellar" }))).await;
    sql(
        folder,
        &format!(
            "set role app_owner; update public.team_members set voicemail_pin = '{}' where company_id = '{id}';
             alter table public.webhooks disable trigger user; insert into public.webhooks (company_id, name, url, events, custom_headers)
             values ('{id}', 'theirs', 'https://example.com/hook', '{{job.created}}', '{{\"x-key\": \"{}\"}}');
             alter table public.webhooks enable trigger user",
            SECRETS[0], SECRETS[1]
        ),
    );
    id
}

fn unpacked(path: &Path) -> String {
    String::from_utf8_lossy(&zstd::decode_all(fs::File::open(path).unwrap()).unwrap()).into_owned()
}

/// What nobody may see of an import that failed.
fn is_untouched(folder: &Path, id: &str) {
    assert_eq!(sql(folder, &format!("select count(*) from public.companies where id = '{id}'")), "0");
    assert_eq!(sql(folder, &format!("select count(*) from auth.users where email = '{EMAIL}'")), "0");
    assert_eq!(sql(folder, "select count(*) from pg_trigger t where not t.tgisinternal and t.tgenabled = 'D'"), "0");
    let left = fs::read_dir(folder.join("data/files").join(id))
        .map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_file()).count());
    assert_eq!(left, 0);
}

/// Archives that are not whole, not what they were, or of something else.
fn refuses_damage(here: &Path, archive: &Path) {
    let content = fs::read(archive).unwrap();
    let damaged = here.join("damaged.thorbis");
    let attempt = |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        refused(here, &["companies", "import", damaged.to_str().unwrap()], "company_archive_invalid");
    };
    for place in [content.len() / 5, content.len() / 2, content.len() - 3] {
        let mut flipped = content.clone();
        flipped[place] ^= 0x10;
        attempt(&flipped);
    }
    attempt(&content[..content.len() / 2]);
    attempt(&content[..content.len() - 1]);
    attempt(b"");
    attempt(b"no archive");
}

/// An account with a member's address that never proved it gets nobody's place.
async fn keeps_strangers_out(target: &Program, here: &Path, path: &str) {
    Member::of(&target.url, "signup").await;
    refused(here, &["companies", "import", path], "company_archive_account");
    // Nor does one for which another issuer vouches: it is nobody's, and stays so.
    sql(here, &format!("update auth.users set is_sso_user = true, email_proved_at = now() where email = '{EMAIL}'"));
}

/// Puts somebody in a channel, as a server does for its sockets.
fn someone_is_present(folder: &Path, id: &str) {
    sql(
        folder,
        &format!(
            "select app.note_presences('01900000-0000-7000-8000-00000000000a', jsonb_build_array(jsonb_build_object(
               'company_id', '{id}', 'reference', 'r1', 'channel', 'company:{id}:board', 'metadata', '{{}}'::jsonb,
               'user_id', (select u.id from auth.users u where u.email = '{EMAIL}'))), '[]')"
        ),
    );
}

/// Writes the company into an archive, with passwords at last, and looks at what is in it and what is not.
fn exported(there: &Path, bucket: &[(&str, &str)], id: &str) -> PathBuf {
    let export = |arguments: &[&str]| run_with(there, bucket, arguments);
    someone_is_present(there, id);

    // Without passwords nothing that opens a door is in it.
    let archive = there.join("company.thorbis");
    let path = archive.to_str().unwrap();
    let (is_done, said) = export(&["company", "export", id, "--to", path]);
    assert!(is_done && said.contains("1 files with") && said.contains("1 accounts"), "{said}");
    let text = unpacked(&archive);
    assert!(text.contains("Fix the boiler") && text.contains("the cellar") && text.contains(EMAIL));
    assert!(SECRETS.iter().all(|secret| !text.contains(secret)));
    refused(there, &["companies", "export", id, "--to", path], "exists");
    refused(there, &["companies", "export", "no-such", "--to", "/dev/null/x"], "company_not_found");
    fs::remove_file(&archive).unwrap();
    let (is_done, said) = export(&["companies", "export", id, "--to", path, "--with-passwords"]);
    assert!(is_done, "{said}");
    assert!(fs::read_dir(there).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().ends_with(".partial")));
    // What is in the bucket is seen by whoever looks for what is left.
    sql(there, "select app.forget_presences('01900000-0000-7000-8000-00000000000a')");
    let (is_proved, said) = export(&["companies", "deletion-proof", id]);
    assert!(!is_proved && said.contains("files of the company: 1"), "{said}");
    let (is_proved, said) = export(&["companies", "deletion-proof", "01900000-0000-7000-8000-0000000000ff"]);
    assert!(!is_proved && said.contains("nothing is proved"), "{said}");
    archive
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_company_moves_to_another_installation_and_a_deleted_one_is_gone() {
    let (there, here) = (folder(), folder());
    let (there, here) = (there.path(), here.path());
    let settings = [("THORBIS_MAINTENANCE__UPKEEP_INTERVAL_MS", "200"), ("THORBIS_STORAGE__TRASH_DAYS", "0")];
    // Its files are in a bucket there, and in a folder here.
    let store = ObjectStore::start().await;
    let bucket = [
        ("THORBIS_BLOBS__S3__ENDPOINT", store.address()),
        ("THORBIS_BLOBS__S3__BUCKET", BUCKET),
        ("THORBIS_BLOBS__S3__ACCESS_KEY", ACCESS_KEY),
        ("THORBIS_BLOBS__S3__SECRET_KEY", SECRET_KEY),
    ];
    let (source, target) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let source = scope.spawn(|| Program::start_with(there, &bucket));
            let target = Program::start_with(here, &settings);
            (source.join().unwrap(), target)
        })
    });
    let id = founded(&source, there).await;
    let archive = tokio::task::block_in_place(|| exported(there, &bucket, &id));
    let path = archive.to_str().unwrap();
    refuses_damage(here, &archive);
    is_untouched(here, &id);

    // An import that breaks in the middle leaves nothing.
    sql(here, "set role app_owner; alter table public.jobs add constraint planted check (title <> 'Fix the boiler') not valid");
    refused(here, &["companies", "import", path], "planted");
    is_untouched(here, &id);
    sql(here, "set role app_owner; alter table public.jobs drop constraint planted");

    keeps_strangers_out(&target, here, path).await;
    let events = sql(here, "select count(*) from app.events");
    let said = done(here, &["companies", "import", path]);
    assert!(said.contains(&id) && said.contains("0 were here, 1 were made"), "{said}");
    assert_eq!(sql(here, "select count(*) from app.events"), events, "nothing happened anew");
    refused(here, &["companies", "import", path], "company_archive_exists");
    refused(here, &["companies", "import", path, "--new-ids"], "company_archive_exists");
    let said = done(here, &["companies", "import", path, "--new-ids", "--as-slug", "the-copy"]);
    assert!(said.contains("the-copy") && !said.contains(&id) && said.contains("1 were here, 0 were made"), "{said}");

    // The member signs in there and finds his job and his file; numbers go on.
    let ann = Member::of(&target.url, "token?grant_type=password").await;
    let jobs = ann.client.get(format!("{}/rest/v1/jobs?select=title,job_number", ann.url)).bearer_auth(&ann.token);
    let jobs: Value = jobs.header("x-company-id", &id).send().await.unwrap().json().await.unwrap();
    assert_eq!(jobs[0]["title"], "Fix the boiler", "{jobs}");
    let copy = sql(here, "select id from public.companies where slug = 'the-copy'");
    for company in [&id, &copy] {
        let file = ann.client.get(format!("{}/storage/v1/object/company-files/{company}/plan.txt", ann.url)).bearer_auth(&ann.token);
        let file: Value = file.header("x-company-id", company).send().await.unwrap().json().await.unwrap();
        assert_eq!(file["plan"], "the cellar", "{file}");
    }

    // The copy goes, with everything that is its own; the other stays as it is.
    refused(here, &["companies", "deletion-proof", "the-copy"], "something of it is left");
    let kept = here.join("kept.thorbis");
    done(here, &["companies", "export", &id, "--to", kept.to_str().unwrap()]);
    sql(
        here,
        "set role app_owner; update public.companies set deleted_at = now() - interval '31 days', permanent_delete_scheduled_at = now()
          where slug = 'the-copy'",
    );
    let begun = Instant::now();
    while !run(here, &["companies", "deletion-proof", &copy]).0 {
        assert!(begun.elapsed() < PATIENCE, "{}", run(here, &["companies", "deletion-proof", &copy]).1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let said = done(here, &["companies", "deletion-proof", &copy]);
    assert!(said.contains("gone for good") && said.contains("files of the company: 0") && said.contains("nothing of it is left"), "{said}");
    assert_eq!(sql(here, &format!("select count(*) from public.jobs where company_id = '{id}' and title = 'Fix the boiler'")), "1");
    let again = here.join("again.thorbis");
    done(here, &["companies", "export", &id, "--to", again.to_str().unwrap()]);
    let rows = |text: &str| text.lines().filter(|line| line.contains("Fix the boiler")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&unpacked(&kept)), rows(&unpacked(&again)));
    tokio::task::block_in_place(|| (source.stop(), target.stop()));
}

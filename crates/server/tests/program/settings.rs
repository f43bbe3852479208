//! `docs/configuration.md`: written from the code by `./dev generate`, and compared with it by every test run.
//!
//! Invariant: nothing there is believed: a key's words are those beside its field, its default is the program's, what is allowed is what
//! the program says when it is given something else, and its variable was set and found again.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use server::config::{Environment, Flags, Settings, Sources, load};

use crate::written::compare;

/// Where fields and their words are.
const SOURCES: &[&str] = &[
    "crates/server/src/config/mod.rs",
    "crates/server/src/config/acme.rs",
    "crates/auth/src/config.rs",
    "crates/auth/src/hooks/config.rs",
    "crates/auth/src/issuers/config.rs",
    "crates/auth/src/limits/config.rs",
    "crates/auth/src/external/config.rs",
    "crates/auth/src/oauth_server/config.rs",
    "crates/auth/src/webauthn/config.rs",
    "crates/auth/src/api_keys/config.rs",
    "crates/auth/src/companies/config.rs",
    "crates/auth/src/portal/config.rs",
    "crates/auth/src/security/config.rs",
    "crates/auth/src/support/config.rs",
    "crates/auth/src/scim/config.rs",
    "crates/data_api/src/config.rs",
    "crates/limits/src/config.rs",
    "crates/redis_link/src/config.rs",
    "crates/outbound/src/config.rs",
    "crates/postgres/src/feed/config.rs",
    "crates/postgres/src/replicas/config.rs",
    "crates/doctor/src/config.rs",
    "crates/queue/src/config.rs",
    "crates/queue/src/cron/config.rs",
    "crates/messaging/src/config.rs",
    "crates/blobs/src/config.rs",
    "crates/blobs/src/object_store/config.rs",
    "crates/realtime/src/config.rs",
    "crates/realtime/src/changes/config.rs",
    "crates/storage/src/config.rs",
    "crates/storage/src/image/config.rs",
    "crates/storage/src/parts/config.rs",
    "crates/storage/src/scan/config.rs",
    "crates/transfers/src/config.rs",
    "crates/operations/src/config.rs",
    "crates/archives/src/config.rs",
    "crates/messaging/src/inbound/config.rs",
    "crates/messaging/src/notifications/config.rs",
    "crates/cache/src/config.rs",
    "crates/observe/src/config.rs",
    "crates/observe/src/otlp/config.rs",
];
/// What is tried to hear what is allowed. Each is impossible for some keys.
const IMPOSSIBLE: [&str; 6] = ["\u{1}", "0", "1", "4294967295", "9223372036854775807", ""];
const SHORT_NAMES: [(&str, &str); 2] = [("database.url", "DATABASE_URL"), ("database.migrator_url", "MIGRATOR_URL")];

const HEAD: &str = "# Configuration

Made from the code by `./dev generate`. Nothing has to be set: the defaults are those of production. `thorbis config` prints what is in effect, secrets
redacted, and where each value was written.

Each source wins over the ones before it, key by key:

1. the defaults below;
2. a TOML file, named by `--config` or `THORBIS_CONFIG`;
3. environment variables: `THORBIS_`, then the key in capitals, with two underscores for each dot; lists with commas;
4. the command line: FLAGS.

A key that does not exist and a value that is impossible stop the start with the key's name, where it was written, and what is allowed. The same in
a file:

```toml
environment = \"development\"

[limits]
body_bytes_max = 20_000_000

[cors]
allowed_origins = [\"https://app.example.com\"]
```
";

/// One field: its key with dots and the words beside it.
struct Field {
    key: String,
    words: String,
}

/// One struct of the sources.
struct Struct {
    name: String,
    words: String,
    fields: Vec<(String, String, String)>,
}

/// Reads the structs: words, name and type of every public field.
fn structs() -> Vec<Struct> {
    let mut found: Vec<Struct> = Vec::new();
    for path in SOURCES {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        let (mut words, mut inside, mut is_skipped) = (Vec::new(), false, false);
        for line in text.lines().map(str::trim) {
            if let Some(said) = line.strip_prefix("/// ") {
                words.push(said.to_owned());
            } else if let Some(name) = line.strip_prefix("pub struct ").and_then(|rest| rest.strip_suffix(" {")) {
                found.push(Struct { name: name.to_owned(), words: std::mem::take(&mut words).join(" "), fields: Vec::new() });
                inside = true;
            } else if let (true, Some((name, sort))) = (inside, line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "))) {
                let field = (name.to_owned(), sort.trim_end_matches(',').to_owned(), std::mem::take(&mut words).join(" "));
                if !std::mem::take(&mut is_skipped) {
                    found.last_mut().unwrap().fields.push(field);
                }
            } else if line == "#[serde(skip)]" {
                is_skipped = true;
            } else if !line.starts_with("#[") {
                words.clear();
                inside = inside && line != "}";
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Walks from a struct to every key in it: sections with their words, and their fields.
fn walk(structs: &[Struct], name: &str, prefix: &str, sections: &mut Vec<(String, String, Vec<Field>)>) {
    let this = structs.iter().find(|known| known.name == name).unwrap_or_else(|| panic!("no struct {name}"));
    let at = sections.len();
    sections.push((prefix.to_owned(), this.words.clone(), Vec::new()));
    for (field, sort, words) in &this.fields {
        let key = if prefix.is_empty() { field.clone() } else { format!("{prefix}.{field}") };
        if structs.iter().any(|known| known.name == *sort) {
            walk(structs, sort, &key, sections);
        } else {
            sections[at].2.push(Field { key, words: words.clone() });
        }
    }
}

/// Returns every key and default as the program has them.
fn defaults(value: &Value, prefix: &str, found: &mut Vec<(String, Value)>) {
    for (name, inner) in value.as_object().unwrap() {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if inner.is_object() { defaults(inner, &key, found) } else { found.push((key, inner.clone())) }
    }
}

fn variable(key: &str) -> String {
    format!("THORBIS_{}", key.replace('.', "__").to_uppercase())
}

fn sources(variables: &[(&str, &str)]) -> Sources {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    // The superuser's defaults: those of a service.
    Sources { variables, is_root: true, ..Sources::default() }
}

/// Returns what the program says is allowed for a key.
fn allowed(key: &str, default: &Value) -> String {
    let mut said = Vec::new();
    for value in IMPOSSIBLE {
        let Err(faults) = load(&sources(&[(&variable(key), value)])) else { continue };
        for fault in faults.0.iter().filter(|fault| fault.key == key) {
            let (_, words) = fault.reason.split_once("allowed: ").unwrap_or(("", &fault.reason));
            // That it is a number is said by its range; what an enumeration is called in the code is nobody's concern.
            if !words.starts_with("a whole number, 0") && !words.starts_with("enum ") && !said.contains(&words.to_owned()) {
                said.push(words.to_owned());
            }
        }
    }
    // That it is a text, too, where something says which.
    if said.len() > 1 {
        said.retain(|words| words != "a text");
    }
    match default {
        _ if key == "auth.issuers.list" || key == "messaging.inbound.others" => "tables of a file".to_owned(),
        _ if !said.is_empty() => said.join("; "),
        Value::Number(_) => "a whole number".to_owned(),
        Value::Array(_) => "texts".to_owned(),
        _ if key.ends_with("_file") => "a path".to_owned(),
        _ => "a text".to_owned(),
    }
}

fn unit(key: &str) -> &'static str {
    let name = key.rsplit('.').next().unwrap();
    let units = [
        ("_ms", "ms"),
        ("_s", "s"),
        ("_seconds", "s"),
        ("_seconds_max", "s"),
        ("_minutes", "min"),
        ("_minutes_max", "min"),
        ("_days", "days"),
        ("bytes_max", "bytes"),
        ("bytes_min", "bytes"),
        ("_bytes", "bytes"),
        ("_kib", "KiB"),
        ("_mib", "MiB"),
    ];
    units.iter().find(|(ending, _)| name.ends_with(ending)).map_or("", |(_, unit)| unit)
}

fn shown(default: &Value) -> String {
    match default {
        Value::Null => "not set".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items
            .iter()
            .map(|item| format!("`{}`", item.as_str().map_or_else(|| item.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(", "),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// The flags that set keys, each with the key.
fn flags() -> [(&'static str, &'static str, Flags); 3] {
    let none = Flags::default;
    [
        ("--env", "environment", Flags { environment: Some(Environment::Development), ..none() }),
        ("--data", "data_directory", Flags { data_directory: Some("/data".into()), ..none() }),
        ("--listen", "listen.addresses", Flags { listen: vec!["127.0.0.1:1".parse().unwrap()], ..none() }),
    ]
}

fn document() -> String {
    let mut known = Vec::new();
    defaults(&serde_json::to_value(Settings::default()).unwrap(), "", &mut known);
    let mut sections = Vec::new();
    walk(&structs(), "Settings", "", &mut sections);
    let written = flags().map(|(flag, key, _)| format!("`{flag}` ({key})")).join(", ");
    let mut text = HEAD.replace("FLAGS", &written);
    for (section, words, fields) in &sections {
        match section.as_str() {
            "" => text.push_str("\n## Without a section\n"),
            name => write!(text, "\n## `[{name}]`\n\n{words}\n").unwrap(),
        }
        text.push_str("\n| key | default | unit | allowed | meaning |\n|---|---|---|---|---|\n");
        for Field { key, words } in fields {
            let default = &known.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("{key} is no key")).1;
            let allowed = allowed(key, default).replace('|', "\\|");
            let name = key.rsplit('.').next().unwrap();
            writeln!(text, "| `{name}`<br>`{}` | {} | {} | {allowed} | {words} |", variable(key), shown(default), unit(key)).unwrap();
        }
    }
    let listed: usize = sections.iter().map(|(_, _, fields)| fields.len()).sum();
    assert_eq!(listed, known.len(), "the program and its sources have different keys");
    text
}

#[test]
fn the_settings_are_documented_as_they_are() {
    compare("docs/configuration.md", &document());
}

#[test]
fn every_field_has_its_words() {
    let mut sections = Vec::new();
    walk(&structs(), "Settings", "", &mut sections);
    for field in sections.iter().flat_map(|(_, _, fields)| fields) {
        assert!(field.words.ends_with('.') && !field.words.contains('|'), "{}: {:?}", field.key, field.words);
    }
}

/// Something that a key without a default takes.
fn sample(key: &str, default: &Value) -> String {
    match (key, default) {
        ("database.url" | "database.migrator_url", _) => "postgres://ann@db.example/shop".to_owned(),
        (key, _) if key.starts_with("auth.external") && key.ends_with(".issuer") => "https://id.example.com".to_owned(),
        ("public_url" | "auth.one_time.site_url", _) => "https://api.example.com".to_owned(),
        ("cors.allowed_origins", _) => "https://app.example.com".to_owned(),
        (
            "data_api.plan_enabled"
            | "outbound.http_requests.private_addresses_allowed"
            | "auth.limits.by_address"
            | "auth.companies.mfa_required",
            _,
        ) => "true".to_owned(),
        ("backup.s3.endpoint" | "blobs.s3.endpoint", _) => "https://s3.example.com".to_owned(),
        ("redis.url", _) => "redis://:secret@cache.example.com:6379/0".to_owned(),
        ("alerts.in_app_company", _) => "01900000-0000-7000-8000-000000000001".to_owned(),
        ("storage.scan.address", _) => "unix:///run/clamav/clamd.ctl".to_owned(),
        ("sentry.dsn", _) => "https://key@errors.example.com/1".to_owned(),
        ("otlp.endpoint", _) => "https://traces.example.com".to_owned(),
        ("rates.mode", _) => "off".to_owned(),
        ("rates.shadow", _) => "read,export".to_owned(),
        ("auth.webauthn.rp_id", _) => "example.com".to_owned(),
        ("outbound.capture", _) => "false".to_owned(),
        ("tls.acme.contact", _) => "ops@example.com".to_owned(),
        ("tls.acme.external_account_key", _) => "c2VjcmV0".to_owned(),
        ("outbound.sms.twilio_account", _) => "AC1".to_owned(),
        ("outbound.sms.twilio_from", _) => "+15550100".to_owned(),
        (_, Value::Null) if key.rsplit('.').next() == Some("uri") => "pg-functions://postgres/public/a_hook".to_owned(),
        (_, Value::Null) => "/a/path/that/is/longer/than/32/bytes".to_owned(),
        (_, Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect::<Vec<_>>().join(",")
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

#[test]
fn every_key_has_a_variable() {
    let mut known = Vec::new();
    defaults(&serde_json::to_value(Settings::default()).unwrap(), "", &mut known);
    // What these keys need beside them.
    let beside = [
        ("DATABASE_URL", "postgres://ann@db.example/shop"),
        ("THORBIS_TLS__KEY_FILE", "/k"),
        ("THORBIS_TLS__CERTIFICATE_FILE", "/c"),
        ("THORBIS_TLS__ACME__EXTERNAL_ACCOUNT_ID", "ann"),
        ("THORBIS_TLS__ACME__EXTERNAL_ACCOUNT_KEY", "c2VjcmV0"),
        ("THORBIS_BLOBS__S3__BUCKET", "files"),
        ("THORBIS_BLOBS__S3__ACCESS_KEY", "ann"),
        ("THORBIS_BLOBS__S3__SECRET_KEY", "secret"),
        ("THORBIS_BACKUP__S3__BUCKET", "attic"),
        ("THORBIS_BACKUP__S3__ACCESS_KEY", "ann"),
        ("THORBIS_BACKUP__S3__SECRET_KEY", "secret"),
        ("THORBIS_OUTBOUND__MAIL__SMTP_LOGIN", "ann"),
        ("THORBIS_OUTBOUND__MAIL__SMTP_PASSWORD", "secret"),
        ("THORBIS_OUTBOUND__SMS__TWILIO_ACCOUNT", "AC1"),
        ("THORBIS_OUTBOUND__SMS__TWILIO_TOKEN", "secret"),
        ("THORBIS_OUTBOUND__SMS__TWILIO_FROM", "+15550100"),
    ];
    for (key, default) in &known {
        let (name, value) = (variable(key), sample(key, default));
        let mut variables = beside.to_vec();
        variables.retain(|(other, _)| *other != name);
        variables.push((&name, &value));
        let loaded = load(&sources(&variables)).unwrap_or_else(|faults| panic!("{key} = {value}: {faults}"));
        assert!(loaded.origin(key).contains(&name), "{key}: {}", loaded.origin(key));
    }
    for (key, name) in SHORT_NAMES {
        let loaded = load(&sources(&[beside[0], (name, "postgres://ann@db.example/shop")])).unwrap();
        assert!(loaded.origin(key).contains("short name"), "{key}: {}", loaded.origin(key));
    }
}

#[test]
fn every_flag_sets_its_key() {
    for (flag, key, flags) in flags() {
        let everywhere =
            [("THORBIS_ENVIRONMENT", "production"), ("THORBIS_DATA_DIRECTORY", "/x"), ("THORBIS_LISTEN__ADDRESSES", "[::1]:9")];
        let loaded = load(&Sources { flags, ..sources(&everywhere) }).unwrap();
        assert_eq!(loaded.origin(key), "from the command line", "{flag}");
    }
}

#[test]
fn a_file_with_all_the_defaults_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thorbis.toml");
    std::fs::write(&file, toml::to_string(&Settings::default()).unwrap()).unwrap();
    let flags = Flags { config: Some(file.clone()), ..Flags::default() };
    let loaded = load(&Sources { flags, ..sources(&[]) }).unwrap();
    assert_eq!(serde_json::to_value(&loaded.settings).unwrap(), serde_json::to_value(Settings::default()).unwrap());
    assert_eq!(loaded.origin("limits.body_bytes_max"), format!("in {}", file.display()));
}

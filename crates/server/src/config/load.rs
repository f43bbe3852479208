//! Puts the configuration together: defaults, then the file, then the environment, then flags.
//!
//! Invariant: the later source wins key by key, and every key remembers where it was written.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Num, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::fault::origin_of;
use super::{Environment, Fault, Faults, Settings, rules, text};

/// How the variables of the environment begin.
pub(super) const PREFIX: &str = "THORBIS_";
/// How the environment is called as a source.
pub(super) const ENVIRONMENT: &str = "the environment";
/// How the defaults are called as a source.
pub(super) const DEFAULT: &str = "default";
/// Names the file, so it is no key of it.
const FILE_VARIABLE: &str = "THORBIS_CONFIG";

/// What the command line can set.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`: the TOML file.
    pub config: Option<PathBuf>,
    /// `--env`.
    pub environment: Option<Environment>,
    /// `--data`.
    pub data_directory: Option<PathBuf>,
    /// `--listen`, each time it is given.
    pub listen: Vec<SocketAddr>,
}

/// Where to read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The environment's variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The command line.
    pub flags: Flags,
    /// Whether the process is the superuser: his data folder is the machine's.
    pub is_root: bool,
}

/// The configuration and its sources.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective settings.
    pub settings: Settings,
    figment: Figment,
}

impl Sources {
    /// Takes the environment of this process.
    pub fn of_process(flags: Flags) -> Self {
        Self { variables: std::env::vars_os().collect(), flags, is_root: nix::unistd::geteuid().is_root() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(key, _)| key == name)?;
        found.1.to_str().filter(|value| !value.is_empty())
    }

    /// Returns the machine's folder for the superuser, the user's own one otherwise.
    fn default_data_directory(&self) -> PathBuf {
        if self.is_root {
            return Settings::default().data_directory;
        }
        if let Some(home) = self.variable("XDG_DATA_HOME") {
            return PathBuf::from(home).join("thorbis");
        }
        match self.variable("HOME") {
            Some(home) => PathBuf::from(home).join(".local/share/thorbis"),
            None => Settings::default().data_directory,
        }
    }
}

impl Loaded {
    /// Returns where the value of a key was written: `default`, or the file, variable or flag.
    pub fn origin(&self, key: &str) -> String {
        origin_of(&self.figment, key)
    }
}

/// Reads and checks the configuration, or says all that is wrong with it.
pub fn load(sources: &Sources) -> Result<Loaded, Faults> {
    let defaults = Settings { data_directory: sources.default_data_directory(), ..Settings::default() };
    let mut figment = Figment::from(Named { name: DEFAULT, values: Serialized::defaults(defaults) });
    let variables = from_variables(sources, |key| figment.find_value(key).ok())?;
    let file = sources.flags.config.clone().or_else(|| sources.variable(FILE_VARIABLE).map(PathBuf::from));
    if let Some(file) = file {
        figment = figment.merge(Toml::file_exact(file));
    }
    figment = figment.merge(Fixed { name: ENVIRONMENT, values: variables });
    figment = figment.merge(Fixed { name: "the command line", values: from_flags(&sources.flags) });
    let settings: Settings = figment.extract().map_err(|error| Faults::from_figment(error, &figment))?;
    let faults: Vec<Fault> =
        rules::broken(&settings).into_iter().map(|(key, reason)| Fault { origin: origin_of(&figment, &key), key, reason }).collect();
    if faults.is_empty() { Ok(Loaded { settings, figment }) } else { Err(Faults(faults)) }
}

/// The defaults under their own name: the library would call them after a line of our source.
struct Named<P> {
    name: &'static str,
    values: P,
}

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        self.values.data()
    }
}

struct Fixed {
    name: &'static str,
    values: Dict,
}

impl Provider for Fixed {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Reads the environment; a text stands for what the default of its key is.
fn from_variables(sources: &Sources, default: impl Fn(&str) -> Option<Value>) -> Result<Dict, Faults> {
    let mut values = Dict::new();
    for (short, key) in [("DATABASE_URL", "database.url"), ("MIGRATOR_URL", "database.migrator_url")] {
        if let Some(value) = sources.variable(short) {
            insert(&mut values, key, Value::from(value));
        }
    }
    for (name, value) in &sources.variables {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        if name == FILE_VARIABLE {
            continue;
        }
        let key = key.to_lowercase().replace("__", ".");
        let Some(value) = value.to_str() else {
            let origin = format!("from the environment, {name}");
            return Err(Faults(vec![Fault { key, origin, reason: "allowed: UTF-8".to_owned() }]));
        };
        let value = match default(&key) {
            Some(Value::Array(_, items)) => text::list_from_environment(value, matches!(items.first(), Some(Value::Num(..)))),
            Some(Value::Num(_, Num::F32(_) | Num::F64(_))) => text::fraction_from_environment(value),
            _ => text::from_environment(value),
        };
        insert(&mut values, &key, value);
    }
    Ok(values)
}

fn from_flags(flags: &Flags) -> Dict {
    let mut values = Dict::new();
    match flags.environment {
        Some(Environment::Development) => insert(&mut values, "environment", Value::from("development")),
        Some(Environment::Production) => insert(&mut values, "environment", Value::from("production")),
        None => {}
    }
    if let Some(folder) = &flags.data_directory {
        insert(&mut values, "data_directory", Value::from(folder.to_string_lossy().into_owned()));
    }
    if !flags.listen.is_empty() {
        let addresses: Vec<String> = flags.listen.iter().map(ToString::to_string).collect();
        insert(&mut values, "listen.addresses", Value::from(addresses));
    }
    values
}

/// Puts a value at a key with dots. A section that is already a plain value is replaced: the type check names it later.
fn insert(values: &mut Dict, key: &str, value: Value) {
    let Some((section, rest)) = key.split_once('.') else {
        values.insert(key.to_owned(), value);
        return;
    };
    let mut inner = match values.remove(section) {
        Some(Value::Dict(_, inner)) => inner,
        _ => Dict::new(),
    };
    insert(&mut inner, rest, value);
    values.insert(section.to_owned(), Value::from(inner));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Sources {
        let variables = variables.iter().map(|(key, value)| (OsString::from(key), OsString::from(value))).collect();
        Sources { variables, ..Sources::default() }
    }

    fn refused(sources: &Sources) -> String {
        load(sources).unwrap_err().to_string()
    }

    #[test]
    fn the_later_source_wins() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thorbis.toml");
        std::fs::write(&file, "environment = \"development\"\n[limits]\nbody_bytes_max = 5\nconnections_max = 6\n").unwrap();
        let mut sources = with(&[("THORBIS_LIMITS__BODY_BYTES_MAX", "7"), ("THORBIS_ENVIRONMENT", "development")]);
        sources.flags.config = Some(file.clone());
        sources.flags.environment = Some(Environment::Production);
        let loaded = load(&sources).unwrap();
        assert_eq!(loaded.settings.limits.connections_max, 6);
        assert_eq!(loaded.settings.limits.body_bytes_max, 7);
        assert_eq!(loaded.settings.environment, Environment::Production);
        assert_eq!(loaded.origin("limits.connections_max"), format!("in {}", file.display()));
        assert_eq!(loaded.origin("limits.body_bytes_max"), "from the environment, THORBIS_LIMITS__BODY_BYTES_MAX");
        assert_eq!(loaded.origin("environment"), "from the command line");
        assert_eq!(loaded.origin("log.filter"), "default");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_what_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thorbis.toml");
        std::fs::write(&file, "[cors]\nallowed_origin = [\"https://a.example\"]\n").unwrap();
        let mut sources = with(&[]);
        sources.flags.config = Some(file.clone());
        let text = refused(&sources);
        assert!(text.contains("`cors.allowed_origin`"), "{text}");
        assert!(text.contains(&format!("in {}", file.display())), "{text}");
        assert!(text.contains("allowed here: allowed_origins"), "{text}");

        let text = refused(&with(&[("THORBIS_LIMIT__BODY", "1")]));
        assert!(text.contains("`limit` (from the environment, THORBIS_LIMIT"), "{text}");
        assert!(text.contains("limits, rates, proxies, cors"), "{text}");
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_allowed() {
        let text = refused(&with(&[("THORBIS_LIMITS__CONNECTIONS_MAX", "many")]));
        assert!(text.contains("`limits.connections_max` (from the environment, THORBIS_LIMITS__CONNECTIONS_MAX)"), "{text}");
        assert!(text.contains("found a text, allowed: a whole number, 0 or more"), "{text}");
        let text = refused(&with(&[("THORBIS_MIGRATE_AT_START", "1")]));
        assert!(text.contains("`migrate_at_start`") && text.contains("found a number, allowed: true or false"), "{text}");
        let text = refused(&with(&[("THORBIS_DATABASE__POOL_SIZE", "0")]));
        assert!(text.contains("`database.pool_size`") && text.contains("allowed: 1 to 10000"), "{text}");
        let text = refused(&with(&[("THORBIS_ENVIRONMENT", "staging")]));
        assert!(text.contains("allowed: development, production"), "{text}");
        let text = refused(&with(&[("THORBIS_LISTEN__ADDRESSES", "127.0.0.1:1,nowhere")]));
        assert!(text.contains("`listen.addresses`") && text.contains("\"nowhere\": allowed: address:port"), "{text}");
    }

    #[test]
    fn a_secret_in_a_wrong_place_is_not_shown() {
        let text = refused(&with(&[("THORBIS_LIMITS__CONNECTIONS_MAX", "hunter2hunter2")]));
        assert!(!text.contains("hunter2"), "{text}");
        let text = refused(&with(&[("DATABASE_URL", "mysql://u:hunter2@h/d")]));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("`database.url`") && text.contains("postgres://"), "{text}");
    }

    #[test]
    fn a_secret_of_digits_stays_as_written() {
        let digits = "0123456789".repeat(4);
        let loaded = load(&with(&[("THORBIS_AUTH__JWT_SECRET", &digits)])).unwrap();
        assert_eq!(loaded.settings.auth.jwt_secret.unwrap().expose(), &digits);
        assert_eq!(text::from_environment("007"), Value::from("007"));
        let loaded = load(&with(&[("THORBIS_AUTH__AUDIENCES", "[\"a\", b]"), ("THORBIS_AUTH__PASSWORD__LENGTH_MIN", "12")])).unwrap();
        assert_eq!(loaded.settings.auth.audiences, ["a", "b"]);
        assert_eq!(loaded.settings.auth.password.length_min, 12);
        let loaded = load(&with(&[("THORBIS_SENTRY__SAMPLE_RATE", "0.25"), ("THORBIS_SENTRY__TRACES_SAMPLE_RATE", "1")])).unwrap();
        let shares = [loaded.settings.sentry.sample_rate, loaded.settings.sentry.traces_sample_rate];
        assert_eq!(shares.map(|share| share.to_string()), ["0.25", "1"]);
        let loaded = load(&with(&[("THORBIS_AUTH__AUDIENCES", "7, b"), ("THORBIS_LISTEN__ADDRESSES", "[::1]:7,127.0.0.1:8")])).unwrap();
        assert_eq!(loaded.settings.auth.audiences, ["7", "b"]);
        assert_eq!(loaded.settings.listen.addresses, ["[::1]:7".parse().unwrap(), "127.0.0.1:8".parse().unwrap()]);
    }

    #[test]
    fn the_data_folder_follows_the_user() {
        let user = with(&[("HOME", "/home/ann")]);
        assert_eq!(load(&user).unwrap().settings.data_directory, PathBuf::from("/home/ann/.local/share/thorbis"));
        let user = with(&[("HOME", "/home/ann"), ("XDG_DATA_HOME", "/data")]);
        assert_eq!(load(&user).unwrap().settings.data_directory, PathBuf::from("/data/thorbis"));
        let root = Sources { is_root: true, ..with(&[("HOME", "/root")]) };
        assert_eq!(load(&root).unwrap().settings.data_directory, PathBuf::from("/var/lib/thorbis"));
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let mut sources = with(&[]);
        sources.flags.config = Some("/nonexistent/thorbis.toml".into());
        assert!(refused(&sources).contains("/nonexistent/thorbis.toml"));
    }
}

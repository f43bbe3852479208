//! What was written where: the file, the environment, the database. The later wins, setting by setting.
//!
//! Invariant: what nobody knows is told in the log once it is read, and so is what has no effect; nothing is passed over in silence.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file;
use super::settings::{self, Effect, PREFIX, SETTINGS, Setting};
use crate::config::{Fault, Faults};

const APP_PREFIX: &str = "PGRST_APP_SETTINGS_";
const APP: &str = "app.settings.";

/// Where to read from: neither can change while the program runs, but the file's content can.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) file: Option<PathBuf>,
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    written: BTreeMap<&'static str, Written>,
    /// Settings for SQL, by their full names.
    app: BTreeMap<String, String>,
    /// Names that nobody knows, and where they stand.
    unknown: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Written {
    value: String,
    origin: String,
}

impl Sources {
    /// Returns a variable of the environment; nothing for one that is empty.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(key, _)| key == name)?;
        found.1.to_str().filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Reads the file and the environment.
    pub(crate) fn read(&self) -> Result<Values, Faults> {
        let mut values = Values::default();
        if let Some(file) = &self.file {
            self.read_file(file, &mut values)?;
        }
        for (name, value) in &self.variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let origin = format!("from the environment, {name}");
            let Some(value) = value.to_str() else {
                return Err(Faults(vec![Fault { key: name.to_owned(), origin, reason: "allowed: UTF-8".to_owned() }]));
            };
            if let Some(own) = name.strip_prefix(APP_PREFIX) {
                values.app.insert(format!("{APP}{}", own.to_lowercase()), value.to_owned());
            } else if let Some(setting) = by_variable(name) {
                values.insert(setting, value, origin);
            } else {
                values.unknown.push((name.to_owned(), "in the environment".to_owned()));
            }
        }
        Ok(values)
    }

    fn read_file(&self, file: &Path, values: &mut Values) -> Result<(), Faults> {
        let place = file.display();
        let fault = |key: String, origin: String, reason: String| Faults(vec![Fault { key, origin, reason }]);
        let text = std::fs::read_to_string(file).map_err(|error| fault(String::new(), format!("in {place}"), error.to_string()))?;
        let lines = file::lines(&text, &|name| self.variable(name))
            .map_err(|unreadable| fault(unreadable.key, format!("in {place}, line {}", unreadable.line), unreadable.why.to_owned()))?;
        for line in lines {
            let origin = format!("in {place}, line {}", line.number);
            if line.key.starts_with(APP) {
                values.app.insert(line.key, line.value);
            } else if let Some(setting) = settings::by_name(&line.key) {
                values.insert(setting, &line.value, origin);
            } else {
                values.unknown.push((line.key, origin));
            }
        }
        Ok(())
    }
}

/// An earlier name has its variable, too.
fn by_variable(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable() == name || setting.older_names.iter().any(|older| settings::variable(older) == name))
}

impl Values {
    fn insert(&mut self, setting: &'static Setting, value: &str, origin: String) {
        self.written.insert(setting.name, Written { value: value.to_owned(), origin });
    }

    /// Takes what the database says, by names such as `pgrst.db_schemas`.
    pub(crate) fn take_from_database(&mut self, said: &[(String, String)]) {
        for (name, value) in said {
            let known = SETTINGS.iter().find(|setting| setting.in_database().as_deref() == Some(name));
            match known {
                Some(setting) => self.insert(setting, value, format!("in the database, {name}")),
                None => self.unknown.push((name.clone(), "in the database".to_owned())),
            }
        }
    }

    /// Returns what was written for a setting; an empty text is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(|written| written.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns what was written, or the default; nothing where both are empty.
    pub(super) fn effective(&self, name: &str) -> Option<&str> {
        let default = || settings::by_name(name).map(|setting| setting.default).filter(|default| !default.is_empty());
        self.get(name).or_else(default)
    }

    /// Returns where a setting was written.
    pub(super) fn origin(&self, name: &str) -> String {
        self.written.get(name).map_or_else(|| "default".to_owned(), |written| written.origin.clone())
    }

    pub(super) fn app(&self) -> Vec<(String, String)> {
        self.app.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Takes over what only a start reads.
    pub(super) fn keep_from_start(&mut self, start: &Self) {
        for setting in SETTINGS.iter().filter(|setting| !setting.is_reloadable()) {
            self.written.remove(setting.name);
            if let Some(written) = start.written.get(setting.name) {
                self.written.insert(setting.name, written.clone());
            }
        }
    }

    /// Says in the log what is not known and what has no effect.
    pub(super) fn tell(&self) {
        for (name, origin) in &self.unknown {
            tracing::warn!("the setting {name} ({origin}) is not known here and has no effect");
        }
        for (setting, written) in SETTINGS.iter().filter_map(|setting| Some((setting, self.written.get(setting.name)?))) {
            if let Effect::Nothing(why) = setting.effect
                && written.value != setting.default
            {
                tracing::warn!("the setting {} ({}) has no effect: {why}", setting.name, written.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &Path, variables: &[(&str, &str)]) -> Sources {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        Sources { file: Some(file.to_owned()), variables }
    }

    #[test]
    fn the_database_wins_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("postgrest.conf");
        let text = "db-schema = \"one\"\nmax-rows = 5\ndb-anon-role = \"anon\"\njwt-aud = \"file\"\napp.settings.a = \"1\"\nwhat = 1\n";
        std::fs::write(&file, text).unwrap();
        let variables = [("PGRST_DB_MAX_ROWS", "7"), ("PGRST_JWT_AUD", "env"), ("PGRST_APP_SETTINGS_My_Key", "2"), ("PGRST_WHAT", "1")];
        let mut values = sources(&file, &variables).read().unwrap();
        values.take_from_database(
            &[("pgrst.jwt_aud", "database"), ("pgrst.db_uri", "x")].map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        assert_eq!(values.get("db-schemas"), Some("one"), "by its earlier name");
        assert_eq!(
            (values.get("db-max-rows"), values.origin("db-max-rows").as_str()),
            (Some("7"), "from the environment, PGRST_DB_MAX_ROWS")
        );
        assert_eq!((values.get("jwt-aud"), values.origin("jwt-aud").as_str()), (Some("database"), "in the database, pgrst.jwt_aud"));
        assert_eq!(values.origin("db-anon-role"), format!("in {}, line 3", file.display()));
        assert_eq!((values.effective("db-pool"), values.origin("db-pool").as_str()), (Some("10"), "default"));
        let app: Vec<String> = values.app().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(app, ["app.settings.a=1", "app.settings.my_key=2"]);
        let unknown: Vec<&str> = values.unknown.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(unknown, ["what", "PGRST_WHAT", "pgrst.db_uri"], "the database cannot say where the database is");
    }

    #[test]
    fn a_reload_leaves_what_only_a_start_reads() {
        let read = |port: &str, aud: &str| {
            let variables = [("PGRST_SERVER_PORT", port), ("PGRST_JWT_AUD", aud)];
            let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value))).to_vec();
            Sources { file: None, variables }.read().unwrap()
        };
        let mut values = read("1", "new");
        values.keep_from_start(&read("2", "old"));
        assert_eq!((values.get("server-port"), values.get("jwt-aud")), (Some("2"), Some("new")));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_without_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("postgrest.conf");
        std::fs::write(&file, "jwt-secret = \"hunter2").unwrap();
        let told = sources(&file, &[]).read().unwrap_err().to_string();
        assert!(told.contains("`jwt-secret`") && told.contains("line 1") && !told.contains("hunter2"), "{told}");
        assert!(sources(Path::new("/nonexistent/a.conf"), &[]).read().unwrap_err().to_string().contains("/nonexistent/a.conf"));
    }
}

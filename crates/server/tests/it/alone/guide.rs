//! `docs/data-api-alone.md` and the list of settings in the code say the same.

use server::alone::settings::{Effect, Reach, SETTINGS, Setting};

fn guide() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/data-api-alone.md")).unwrap()
}

/// Returns a setting as the guide's table has it.
fn row(setting: &Setting) -> String {
    let older: Vec<String> = setting.older_names.iter().map(|older| format!(", earlier `{older}`")).collect();
    let names = format!("`{}`{}", setting.name, older.concat());
    let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
    let place = if setting.in_database().is_some() { "database, too" } else { "" };
    let reload = if setting.is_reloadable() { "reload" } else { "start" };
    let (has_effect, words) = match setting.effect {
        Effect::Works(words) => ("yes", words),
        Effect::Nothing(why) => ("**no**", why),
    };
    format!("| {names} | {default} | {place} | {reload} | {has_effect} | {words} |")
}

#[test]
fn every_setting_stands_in_the_guide_as_it_is() {
    let expected: Vec<String> = SETTINGS.iter().map(row).collect();
    let text = guide();
    if std::env::var_os("UPDATE").is_some() {
        let (head, rest) = text.split_once("|---|---|---|---|---|---|\n").unwrap();
        let behind: Vec<&str> = rest.lines().skip_while(|line| line.starts_with('|')).collect();
        let text = format!("{head}|---|---|---|---|---|---|\n{}\n{}\n", expected.join("\n"), behind.join("\n"));
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/data-api-alone.md"), text).unwrap();
    }
    let text = guide();
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_word_of_the_table_is_a_sentence() {
    for setting in SETTINGS {
        let (Effect::Works(words) | Effect::Nothing(words)) = setting.effect;
        assert!(words.ends_with('.') && !words.contains('|'), "{}: {words}", setting.name);
    }
    assert!(SETTINGS.iter().any(|setting| setting.reach == Reach::Database));
}

//! What notifications say: the company's own texts, else the program's, in the language of who reads.
//!
//! Invariant: what a person or company wrote is escaped wherever HTML is made, a subject stays one line, and every text fits where it is
//! shown. A company's text that cannot be used is replaced by the program's, and that is noted.

use std::collections::BTreeMap;

use kernel::{Error, Result};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Deserialize;
use serde_json::Value;

use crate::rendering;

const MAIL: &str = "mail.html";
/// Steps that one text may take; the longest of ours takes a few hundred.
const FUEL: u64 = 20_000;
const SUBJECT_MAX: usize = 200;
const SHORT_MAX: usize = 500;
const MAIL_MAX: usize = 20_000;

/// The program's texts of one language: a table for each topic, and `layout`.
type Language = BTreeMap<String, BTreeMap<String, String>>;

/// The texts of all languages.
pub(crate) struct Texts {
    environment: Environment<'static>,
    languages: BTreeMap<&'static str, Language>,
}

/// What is to be said to somebody.
pub(crate) struct Saying<'a> {
    pub(crate) topic: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) locale: &'a str,
    /// What texts may name.
    pub(crate) params: &'a Value,
    /// The company's own texts by language.
    pub(crate) templates: &'a Value,
}

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) html: Option<String>,
    /// What was wrong with the company's own text.
    pub(crate) note: Option<String>,
}

/// A company's own text.
#[derive(Deserialize)]
struct Own {
    subject: Option<String>,
    body: String,
}

/// One message in a digest.
#[derive(Deserialize)]
pub(crate) struct Item {
    subject: Option<String>,
    body: String,
}

impl Texts {
    /// Reads the program's own.
    pub(crate) fn load() -> Result<Self> {
        let mut languages = BTreeMap::new();
        for (locale, text) in [
            ("en", include_str!("../../templates/en.toml")),
            ("de", include_str!("../../templates/de.toml")),
            ("es", include_str!("../../templates/es.toml")),
        ] {
            languages.insert(locale, toml::from_str(text).map_err(Error::internal)?);
        }
        let mut environment = Environment::new();
        // What a text names and an event does not have is empty.
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_auto_escape_callback(|name| if name == MAIL { AutoEscape::Html } else { AutoEscape::None });
        environment.set_fuel(Some(FUEL));
        environment.add_template(MAIL, include_str!("../../templates/mail.html")).map_err(Error::internal)?;
        Ok(Self { environment, languages })
    }

    /// Writes a notification.
    pub(crate) fn say(&self, saying: &Saying<'_>) -> Result<Said> {
        let locale = saying.locale.replace('_', "-");
        let near = locale.split('-').next().unwrap_or_default();
        let mut note = None;
        for wanted in [locale.as_str(), near, "en"] {
            if let Some(own) = saying.templates.get(wanted) {
                let own: Own = Own::deserialize(own).map_err(Error::internal)?;
                match self.own(saying, wanted, &own) {
                    Ok(said) => return Ok(Said { note, ..said }),
                    Err(error) => note = Some(format!("the company's text in {wanted} cannot be used: {error}")),
                }
            }
            if let Some(language) = self.languages.get(wanted) {
                return Ok(Said { note, ..self.ours(saying, wanted, language)? });
            }
        }
        Err(Error::internal("there are no texts in English"))
    }

    /// Writes the mail of a digest: what it lists, and how many there are.
    pub(crate) fn digest(&self, locale: &str, company: &str, items: &[Item], total: i64) -> Result<Said> {
        let near = locale.split(['-', '_']).next().unwrap_or_default();
        let (near, language) = self.languages.get_key_value(near).or_else(|| self.languages.get_key_value("en")).ok_or_else(nothing)?;
        let more = total.saturating_sub(i64::try_from(items.len()).unwrap_or(i64::MAX));
        let params = serde_json::json!({ "company": company, "total": total, "more": more });
        let subject = self.render(ours(language, "layout", "digest")?, &params).map_err(Error::internal)?;
        let mut body = String::new();
        for item in items {
            body.push_str(&one_line(item.subject.as_deref().unwrap_or_default()));
            body.push('\n');
            body.extend(item.body.lines().next().unwrap_or_default().chars().take(SUBJECT_MAX));
            body.push_str("\n\n");
        }
        if more > 0 {
            body.push_str(&self.render(ours(language, "layout", "more")?, &params).map_err(Error::internal)?);
        }
        self.fit("email", near, &params, (&subject, &body))
    }

    fn own(&self, saying: &Saying<'_>, locale: &str, own: &Own) -> Result<Said, String> {
        // Looked at before any of it is done.
        if let Some(fault) = own.subject.iter().chain([&own.body]).find_map(|text| rendering::fault(text)) {
            return Err(fault);
        }
        let body = self.render(&own.body, saying.params).map_err(|error| error.to_string())?;
        if body.trim().is_empty() {
            return Err("it says nothing".to_owned());
        }
        let subject = match &own.subject {
            Some(subject) => self.render(subject, saying.params).map_err(|error| error.to_string())?,
            None => String::new(),
        };
        self.fit(saying.channel, locale, saying.params, (&subject, &body)).map_err(|error| error.message().to_owned())
    }

    fn ours(&self, saying: &Saying<'_>, locale: &str, language: &Language) -> Result<Said> {
        let say = |section: &str, key: &str| self.render(ours(language, section, key)?, saying.params).map_err(Error::internal);
        let subject = say(saying.topic, "subject")?;
        let short = say(saying.topic, "short")?;
        let body = match saying.channel {
            "email" => format!("{short}\n\n{}", say("layout", "details")?),
            "sms" => format!("{subject}: {short}"),
            _ => short,
        };
        self.fit(saying.channel, locale, saying.params, (&subject, &body))
    }

    /// Makes it fit where it is shown; a mail gets its other half.
    fn fit(&self, channel: &str, locale: &str, params: &Value, (subject, body): (&str, &str)) -> Result<Said> {
        let subject = cut(&one_line(subject), SUBJECT_MAX);
        let body = cut(body.trim(), if channel == "email" { MAIL_MAX } else { SHORT_MAX });
        let body = if body.is_empty() { if subject.is_empty() { "…".to_owned() } else { subject.clone() } } else { body };
        let html = if channel == "email" { Some(self.html(locale, params, &subject, &body)?) } else { None };
        // What is too long as HTML is sent as text.
        Ok(Said { subject, body, html: html.filter(|html| html.chars().count() <= MAIL_MAX), note: None })
    }

    fn html(&self, locale: &str, params: &Value, subject: &str, body: &str) -> Result<String> {
        let footer = self.languages.get(locale).or_else(|| self.languages.get("en")).ok_or_else(nothing)?;
        let paragraphs: Vec<Vec<&str>> = body.split("\n\n").map(|part| part.trim().lines().collect()).collect();
        let company = params.get("company").and_then(Value::as_str).unwrap_or_default();
        let template = self.environment.get_template(MAIL).map_err(Error::internal)?;
        template
            .render(context! { locale, subject, company, paragraphs, footer => ours(footer, "layout", "footer")? })
            .map_err(Error::internal)
    }

    fn render(&self, text: &str, params: &Value) -> std::result::Result<String, minijinja::Error> {
        rendering::render(&self.environment, text, params, 4 * MAIL_MAX)
    }
}

fn ours<'a>(language: &'a Language, section: &str, key: &str) -> Result<&'a str> {
    language.get(section).and_then(|texts| texts.get(key)).map(String::as_str).ok_or_else(nothing)
}

fn nothing() -> Error {
    Error::internal("there is no text of this topic")
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn say(channel: &str, locale: &str, templates: &Value) -> Said {
        let params = json!({ "company": "Ann & Co", "number": "J-1", "title": "Fix <b>boiler</b>", "customer": "Ben", "starts": "", "actor": "Ann" });
        Texts::load().unwrap().say(&Saying { topic: "job_assigned", channel, locale, params: &params, templates }).unwrap()
    }

    #[test]
    fn every_language_says_every_topic() {
        let texts = Texts::load().unwrap();
        let topics: Vec<&String> = texts.languages["en"].keys().collect();
        for (locale, language) in &texts.languages {
            assert_eq!(language.keys().collect::<Vec<_>>(), topics, "{locale}");
            for topic in topics.iter().filter(|topic| **topic != "layout") {
                for channel in ["in_app", "email", "sms", "push"] {
                    let said = texts.say(&Saying { topic, channel, locale, params: &json!({}), templates: &json!({}) }).unwrap();
                    assert!(!said.subject.is_empty() && !said.body.is_empty(), "{locale} {topic}");
                }
            }
        }
    }

    #[test]
    fn a_mail_says_more_than_a_telephone_and_escapes() {
        let said = say("in_app", "en-US", &json!({}));
        assert_eq!((said.subject.as_str(), said.body.as_str()), ("You lead job J-1", "Fix <b>boiler</b> for Ben"));
        assert_eq!(said.html, None);
        let said = say("email", "en", &json!({}));
        assert_eq!(said.body, "Fix <b>boiler</b> for Ben\n\nNumber: J-1\nCustomer: Ben\nBy: Ann");
        let html = said.html.unwrap();
        assert!(html.contains("Fix &lt;b&gt;boiler&lt;&#x2f;b&gt; for Ben") && html.contains("Ann &amp; Co"), "{html}");
        assert!(html.contains("Number: J-1<br>Customer: Ben"), "{html}");
        assert_eq!(say("sms", "de-AT", &json!({})).body, "Sie leiten den Auftrag J-1: Fix <b>boiler</b> für Ben");
        assert_eq!(say("push", "fr", &json!({})).subject, "You lead job J-1", "a language that nobody wrote");
    }

    #[test]
    fn a_companys_own_text_goes_first_in_the_language_of_the_reader() {
        let own = json!({ "es": { "subject": "{{ number }}\r\nBcc: x", "body": "{% if customer %}Para {{ customer }}{% endif %}{{ nothing }}" },
                          "en": { "subject": null, "body": "{{ title" } });
        let said = say("email", "es-MX", &own);
        assert_eq!((said.subject.as_str(), said.body.as_str(), said.note), ("J-1  Bcc: x", "Para Ben", None));
        let said = say("email", "en", &own);
        assert_eq!(said.subject, "You lead job J-1");
        assert!(said.note.unwrap().starts_with("the company's text in en cannot be used"));
        let loops =
            json!({ "en": { "subject": "", "body": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}" } });
        assert!(say("in_app", "en", &loops).note.unwrap().contains("is none of"));
        let long = json!({ "en": { "subject": "s".repeat(400), "body": "b".repeat(900) } });
        let said = say("in_app", "en", &long);
        assert_eq!((said.subject.chars().count(), said.body.chars().count()), (200, 500));
    }

    #[test]
    fn a_digest_lists_what_fits_and_counts_the_rest() {
        let items: Vec<Item> =
            serde_json::from_value(json!([{ "subject": "One", "body": "First <i>\nmore" }, { "subject": null, "body": "Second" }]))
                .unwrap();
        let said = Texts::load().unwrap().digest("de-CH", "Ann", &items, 5).unwrap();
        assert_eq!(said.subject, "5 Nachrichten von Ann");
        assert_eq!(said.body, "One\nFirst <i>\n\n\nSecond\n\nUnd 3 weitere.");
        assert!(said.html.unwrap().contains("First &lt;i&gt;"));
    }
}

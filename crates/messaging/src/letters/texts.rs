//! What letters say: the company's own texts, else the program's, with the values that they print.
//!
//! Invariant: values are text and never template; they are escaped wherever HTML is made, and a subject stays one line. A text takes as many
//! steps and letters as it may and no more.

use std::collections::BTreeMap;

use kernel::{Error, Kind, Result, shown_amount};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};
use outbound::templates::Brand;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::rendering;

const LAYOUT: &str = "letter.html";
/// Steps that one text may take; ours take a few dozen.
const FUEL: u64 = 20_000;
const SUBJECT_MAX: usize = 200;
const TEXT_MAX: usize = 20_000;
/// Bytes of a text while it is written: its letters, each as long as it may be.
const BYTES_MAX: usize = 4 * TEXT_MAX;
/// Names that are told to be missing at once.
const MISSING_MAX: usize = 20;

/// A text.
#[derive(Clone, Deserialize)]
struct Letter {
    subject: String,
    body: String,
}

/// A company's own text.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Own {
    pub(super) locale: String,
    pub(super) subject: Option<String>,
    pub(super) body: String,
}

/// The program's texts by language and name, and what renders.
pub(crate) struct Letters {
    strict: Environment<'static>,
    lenient: Environment<'static>,
    languages: BTreeMap<&'static str, BTreeMap<String, Letter>>,
}

/// A letter that is to be said.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) own: Option<&'a Own>,
    pub(super) locale: &'a str,
    pub(super) names: Map<String, Value>,
    pub(super) is_strict: bool,
    pub(super) brand: &'a Brand,
}

/// What is said.
pub(super) struct Said {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// An amount as a row has it.
#[derive(Deserialize)]
struct Amount {
    minor: i64,
    currency: String,
}

impl Letters {
    /// Reads the program's own.
    pub(crate) fn load() -> Result<Self> {
        let mut languages = BTreeMap::new();
        for (locale, text) in [
            ("en", include_str!("../../templates/letters/en.toml")),
            ("de", include_str!("../../templates/letters/de.toml")),
            ("es", include_str!("../../templates/letters/es.toml")),
        ] {
            languages.insert(locale, toml::from_str(text).map_err(Error::internal)?);
        }
        // A condition asks whether something is known; what is printed has to be.
        Ok(Self { strict: environment(UndefinedBehavior::SemiStrict)?, lenient: environment(UndefinedBehavior::Lenient)?, languages })
    }

    pub(super) fn say(&self, wanted: Wanted<'_>) -> Result<Said> {
        let Wanted { name, own, locale, names, is_strict, brand } = wanted;
        let near = locale.split(['-', '_']).next().unwrap_or_default();
        let language = self.languages.get_key_value(near).or_else(|| self.languages.get_key_value("en"));
        let ours = language.and_then(|(locale, letters)| letters.get(name).map(|letter| (*locale, letter)));
        let (locale, subject, body) = match (own, ours) {
            (Some(own), ours) => {
                let subject = own.subject.as_deref().or_else(|| ours.map(|(_, letter)| letter.subject.as_str()));
                (own.locale.as_str(), subject.unwrap_or("{{ company }}"), own.body.as_str())
            }
            (None, Some((locale, letter))) => (locale, letter.subject.as_str(), letter.body.as_str()),
            (None, None) => {
                let message = format!("There is no template {:?}.", cut(name));
                return Err(Error::new(Kind::Unprocessable, "template_unknown", message));
            }
        };
        let names = known(names, locale);
        // What a company wrote is looked at before any of it is done.
        if let Some(fault) = own.and_then(|own| own.subject.iter().chain([&own.body]).find_map(|text| rendering::fault(text))) {
            return Err(unusable(name, fault));
        }
        let subject = one_line(&self.render(name, subject, &names, is_strict)?);
        let text = self.render(name, body, &names, is_strict)?.trim().to_owned();
        for (part, letters, most) in [("subject", subject.chars().count(), SUBJECT_MAX), ("text", text.chars().count(), TEXT_MAX)] {
            if letters == 0 || letters > most {
                return Err(unusable(name, format!("its {part} has {letters} letters, and may have 1 to {most}")));
            }
        }
        let html = self.html(locale, brand, &subject, &text)?;
        // What is too long as HTML is sent as text.
        let html = if html.chars().count() > TEXT_MAX { String::new() } else { html };
        Ok(Said { subject, text, html })
    }

    fn render(&self, name: &str, text: &str, names: &Map<String, Value>, is_strict: bool) -> Result<String> {
        let environment = if is_strict { &self.strict } else { &self.lenient };
        match rendering::render(environment, text, names, BYTES_MAX) {
            Ok(said) => Ok(said),
            Err(error) if error.kind() == ErrorKind::UndefinedError => {
                let missing = self.missing(text, names);
                let message = format!("The template {:?} needs {}.", cut(name), missing.join(", "));
                let error = Error::new(Kind::Unprocessable, "template_variable_missing", message);
                Err(error.with_details(json!({ "template": cut(name), "missing": missing })))
            }
            Err(error) => Err(unusable(name, error)),
        }
    }

    /// Finds the names that a text prints and nothing is known of: those without which it does not come to its end, whatever the others are.
    fn missing(&self, text: &str, names: &Map<String, Value>) -> Vec<String> {
        let Ok(template) = self.strict.template_from_str(text) else { return vec![] };
        let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().filter(|name| !names.contains_key(name)).collect();
        unknown.sort_unstable();
        unknown.truncate(MISSING_MAX);
        let is_printed = |name: &&String| {
            let mut others = names.clone();
            others.extend(unknown.iter().filter(|other| other != name).map(|other| (other.clone(), Value::from(""))));
            rendering::render(&self.strict, text, &others, BYTES_MAX).is_err_and(|error| error.kind() == ErrorKind::UndefinedError)
        };
        let printed: Vec<String> = unknown.iter().filter(is_printed).cloned().collect();
        if printed.is_empty() { unknown } else { printed }
    }

    fn html(&self, locale: &str, brand: &Brand, subject: &str, text: &str) -> Result<String> {
        let paragraphs: Vec<Vec<&str>> =
            text.split("\n\n").map(|part| part.trim().lines().collect()).filter(|lines: &Vec<&str>| !lines.is_empty()).collect();
        let (logo, color, company) = (brand.shown_logo(), brand.shown_color(), brand.name.as_deref().unwrap_or_default());
        let template = self.lenient.get_template(LAYOUT).map_err(Error::internal)?;
        template.render(context! { locale, subject, company, logo, color, paragraphs }).map_err(Error::internal)
    }
}

fn environment(undefined: UndefinedBehavior) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|name| if name == LAYOUT { AutoEscape::Html } else { AutoEscape::None });
    environment.set_fuel(Some(FUEL));
    environment.add_template(LAYOUT, include_str!("../../templates/letters/letter.html")).map_err(Error::internal)?;
    Ok(environment)
}

/// Returns what is known, as it is shown in a language: amounts as people read them, and nothing that is null.
fn known(names: Map<String, Value>, locale: &str) -> Map<String, Value> {
    let shown = |value: Value| match value {
        Value::Null => None,
        Value::Object(_) | Value::Array(_) => {
            let amount = Amount::deserialize(value).ok()?;
            Some(Value::from(shown_amount(amount.minor, &amount.currency, locale)))
        }
        value => Some(value),
    };
    names.into_iter().filter_map(|(name, value)| shown(value).map(|value| (name, value))).collect()
}

fn unusable(name: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Unprocessable, "template_unusable", format!("The template {:?} cannot be used: {why}", cut(name)))
}

fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::LETTERS;
    use super::*;

    fn say(name: &str, own: Option<&Own>, locale: &str, names: &Value, is_strict: bool) -> Result<Said> {
        let brand = Brand {
            name: Some("Ann & Co".to_owned()),
            logo: Some("https://ann.example.com/logo.png".to_owned()),
            color: Some("#aa0000".to_owned()),
            locale: None,
        };
        let names = names.as_object().unwrap().clone();
        Letters::load().unwrap().say(Wanted { name, own, locale, names, is_strict, brand: &brand })
    }

    fn own(subject: &str, body: &str) -> Own {
        Own { locale: "en".to_owned(), subject: Some(subject.to_owned()), body: body.to_owned() }
    }

    #[test]
    fn every_language_prints_what_a_letter_is_said_to_print() {
        let letters = Letters::load().unwrap();
        for (locale, language) in &letters.languages {
            assert_eq!(language.keys().map(String::as_str).collect::<Vec<_>>(), LETTERS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
            for (name, printed) in LETTERS {
                let of = |names: &[&str]| Value::Object(names.iter().map(|name| ((*name).to_owned(), Value::from("x"))).collect());
                say(name, None, locale, &of(printed), true).unwrap_or_else(|error| panic!("{locale} {name}: {error:?}"));
                for absent in *printed {
                    let rest: Vec<&str> = printed.iter().copied().filter(|other| other != absent).collect();
                    let refused = say(name, None, locale, &of(&rest), true).err().unwrap();
                    assert_eq!(refused.code(), "template_variable_missing", "{locale} {name} {absent}");
                    assert_eq!(refused.message(), format!("The template {name:?} needs {absent}."), "{locale}");
                }
            }
        }
    }

    #[test]
    fn a_letter_reads_as_its_reader_does_and_carries_the_company() {
        let names = json!({ "company": "Ann & Co", "recipient": "Ben", "number": "E-7", "title": "New <b>boiler</b>", "valid_until": null,
                            "amount": { "minor": 123_450, "currency": "EUR" }, "link": "https://ann.example.com/e?a=1&b=2" });
        let said = say("estimate", None, "en-US", &names, true).unwrap();
        assert_eq!(said.subject, "Estimate E-7 from Ann & Co");
        assert_eq!(
            said.text,
            "Dear Ben,\n\nhere is our estimate E-7: New <b>boiler</b>.\n\nTotal: 1,234.50 EUR\n\nSee it, and answer it, here:\n\
             https://ann.example.com/e?a=1&b=2\n\nAnn & Co"
        );
        for part in [
            "New &lt;b&gt;boiler",
            "Ann &amp; Co",
            "src=\"https:&#x2f;&#x2f;ann.example.com&#x2f;logo.png\"",
            "color:#aa0000",
            "a=1&amp;b=2\" style",
            "<html lang=\"en\">",
        ] {
            assert!(said.html.contains(part), "{part}: {}", said.html);
        }
        let said = say("estimate", None, "de-AT", &names, true).unwrap();
        assert_eq!(said.subject, "Angebot E-7 von Ann & Co");
        assert!(said.text.contains("Summe: 1.234,50 EUR"), "{}", said.text);
        assert_eq!(
            say("estimate", None, "fr", &names, true).unwrap().subject,
            "Estimate E-7 from Ann & Co",
            "a language that nobody wrote"
        );
    }

    #[test]
    fn a_companys_own_text_goes_first_and_is_held_to_what_it_prints() {
        let offer = own("For {{ recipient }}", "{% if discount %}{{ discount }} % off{% else %}{{ reason }}{% endif %} until {{ day }}");
        let names = json!({ "recipient": "Ben\r\nBcc: x", "discount": 10, "day": "{{ company }}" });
        let said = say("spring", Some(&offer), "de", &names, true).unwrap();
        assert_eq!((said.subject.as_str(), said.text.as_str()), ("For Ben  Bcc: x", "10 % off until {{ company }}"));
        let refused = say("spring", Some(&offer), "de", &json!({ "recipient": "Ben" }), true).err().unwrap();
        assert_eq!((refused.code(), refused.message()), ("template_variable_missing", "The template \"spring\" needs day, reason."));
        let said = say("spring", Some(&offer), "de", &json!({ "recipient": "Ben" }), false).unwrap();
        assert_eq!(said.text, "until", "where nobody asks for more");
        let unsaid = Own { subject: None, ..own("", "Hello") };
        assert_eq!(
            say("estimate", Some(&unsaid), "en", &json!({ "company": "Ann", "number": 7 }), true).unwrap().subject,
            "Estimate 7 from Ann"
        );
        assert_eq!(say("spring", Some(&unsaid), "en", &json!({ "company": "Ann" }), true).unwrap().subject, "Ann");
    }

    #[test]
    fn what_cannot_be_a_letter_is_none() {
        let loops = own("s", "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}");
        let long = own("s", "{{ a }}");
        for (own, names) in [
            (&loops, json!({})),
            (&own("s", "{{ broken"), json!({})),
            (&own("s", "   "), json!({})),
            (&long, json!({ "a": "b".repeat(20_001) })),
            (&own("{{ a }}", "b"), json!({ "a": "s".repeat(201) })),
        ] {
            let refused = say("spring", Some(own), "en", &names, true).err().unwrap();
            assert_eq!(refused.code(), "template_unusable", "{refused:?}");
        }
        assert_eq!(say("spring", None, "en", &json!({}), true).err().unwrap().code(), "template_unknown");
    }
}

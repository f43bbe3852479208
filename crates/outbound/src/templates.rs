//! What messages say: texts by language, one layout for all, both replaceable by files of the operator.
//!
//! Invariant: what a person or company wrote is escaped wherever HTML is made, and a subject stays one line. A template that cannot be
//! understood stops the start, not a message.

use std::collections::BTreeMap;
use std::path::Path;

use kernel::{Error, Result};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;
use toml::Table;

use crate::Message;
use crate::config::MailConfig;

const LAYOUT_HTML: &str = "layout.html";
const LAYOUT_TEXT: &str = "layout.txt";
const DAY_MINUTES: u32 = 24 * 60;

/// The reason of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Template {
    /// A new account's address.
    Confirmation,
    /// A sign-in without a password.
    MagicLink,
    /// A forgotten password.
    Recovery,
    /// An account that somebody else made.
    Invite,
    /// A seat in a company.
    CompanyInvitation,
    /// Another address.
    EmailChange,
    /// A code before something that matters.
    Reauthentication,
    /// A code by SMS.
    Sms,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Confirmation,
        Self::MagicLink,
        Self::Recovery,
        Self::Invite,
        Self::CompanyInvitation,
        Self::EmailChange,
        Self::Reauthentication,
        Self::Sms,
    ];

    /// Returns its name in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::MagicLink => "magic_link",
            Self::Recovery => "recovery",
            Self::Invite => "invite",
            Self::CompanyInvitation => "company_invitation",
            Self::EmailChange => "email_change",
            Self::Reauthentication => "reauthentication",
            Self::Sms => "sms",
        }
    }
}

/// In whose name a message is.
#[derive(Clone, Debug, Default)]
pub struct Brand {
    /// The company's name; the server's own without.
    pub name: Option<String>,
    /// The address of its logo.
    pub logo: Option<String>,
    /// Its colour, `#rrggbb`.
    pub color: Option<String>,
    /// The language in which it writes to whoever chose none.
    pub locale: Option<String>,
}

/// What differs from message to message.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Values {
    /// The address of the account.
    pub email: String,
    /// The address that it is to have.
    pub new_email: String,
    /// The code; empty without.
    pub code: String,
    /// The link; empty without.
    pub link: String,
    /// Who invites; empty where nobody does.
    pub inviter: String,
    /// For how long both are good.
    pub minutes: u32,
}

/// The texts of all languages, and the layout.
pub struct Templates {
    environment: Environment<'static>,
    texts: BTreeMap<String, Table>,
    brand: String,
    locale: String,
}

impl Templates {
    /// Reads the program's own and the operator's, and tries each.
    pub fn load(config: &MailConfig) -> Result<Self> {
        let mut texts = BTreeMap::new();
        for (locale, text) in [("en", include_str!("../templates/en.toml")), ("es", include_str!("../templates/es.toml"))] {
            texts.insert(locale.to_owned(), parse(locale, text)?);
        }
        let mut layouts = BTreeMap::from([
            (LAYOUT_HTML, include_str!("../templates/layout.html").to_owned()),
            (LAYOUT_TEXT, include_str!("../templates/layout.txt").to_owned()),
        ]);
        if let Some(folder) = &config.templates_directory {
            replace(folder, &mut texts, &mut layouts)?;
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| if name == LAYOUT_HTML { AutoEscape::Html } else { AutoEscape::None });
        environment.set_fuel(Some(100_000));
        for (name, text) in layouts {
            environment.add_template_owned(name, text).map_err(|error| unusable(name, error))?;
        }
        let templates = Self { environment, texts, brand: config.brand.clone(), locale: config.locale.clone() };
        templates.try_all()?;
        Ok(templates)
    }

    /// Writes a message. Who chose no language, or an unknown one, reads the company's, or the server's own.
    pub fn render(&self, template: Template, locale: &str, brand: &Brand, values: &Values) -> Result<Message> {
        let locale = self.known(locale).or_else(|| self.known(brand.locale.as_deref()?)).unwrap_or(&self.locale);
        let name = one_line(brand.name.as_deref().unwrap_or(&self.brand));
        let inner = context! { brand => name, days => values.minutes / DAY_MINUTES, ..minijinja::Value::from_serialize(values) };
        let say = |section: &str, key: &str| self.say(locale, section, key, &inner);
        let section = template.name();
        if template == Template::Sms {
            let text = one_line(&say(section, "text")?);
            return Ok(Message { sender_name: name, subject: String::new(), text, html: String::new(), payload: None });
        }
        let subject = one_line(&say(section, "subject")?);
        let button = say(section, "button")?;
        let alone = values.link.is_empty() || button.is_empty();
        let outer = context! {
            locale, subject, brand => name, link => values.link, code => values.code,
            logo => brand.shown_logo(),
            color => brand.shown_color(),
            lead => say(section, "lead")?,
            code_label => say("layout", if alone { "code_alone" } else { "code" })?,
            expiry => say("layout", if values.minutes < 2 * DAY_MINUTES { "expiry" } else { "expiry_days" })?,
            texts => context! { button, unasked => say("layout", "unasked")? },
        };
        let layout = |name: &str| {
            let template = self.environment.get_template(name).map_err(|error| unusable(name, error))?;
            template.render(&outer).map_err(|error| unusable(name, error))
        };
        let (text, html) = (layout(LAYOUT_TEXT)?, layout(LAYOUT_HTML)?);
        Ok(Message { sender_name: name, subject, text, html, payload: None })
    }

    /// Returns the languages there are.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// `de-AT` is `de` where there is nothing closer.
    fn known<'a>(&self, wanted: &'a str) -> Option<&'a str> {
        let wanted = if self.texts.contains_key(wanted) { wanted } else { wanted.split(['-', '_']).next().unwrap_or_default() };
        self.texts.contains_key(wanted).then_some(wanted)
    }

    fn say(&self, locale: &str, section: &str, key: &str, values: &minijinja::Value) -> Result<String> {
        let found = |locale: &str| self.texts.get(locale)?.get(section)?.get(key)?.as_str();
        // What an operator's language does not say is said in the server's own.
        let text = found(locale).or_else(|| found(&self.locale)).or_else(|| found("en"));
        let text = text.ok_or_else(|| Error::internal(format!("no text {section}.{key}")))?;
        self.environment.render_str(text, values).map_err(|error| unusable(key, error))
    }

    fn try_all(&self) -> Result<()> {
        if !self.texts.contains_key(&self.locale) {
            return Err(Error::internal(format!("outbound.mail.locale: there are no texts in {:?}", self.locale)));
        }
        let values = Values { code: "123456".to_owned(), link: "https://example.com/".to_owned(), minutes: 60, ..Values::default() };
        for locale in self.locales() {
            for template in Template::ALL {
                self.render(template, locale, &Brand::default(), &values)?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").field("locales", &self.texts.keys()).finish_non_exhaustive()
    }
}

/// Takes the files of a folder: `layout.html`, `layout.txt`, and `<language>.toml`, whose texts go before those that are there.
fn replace(folder: &Path, texts: &mut BTreeMap<String, Table>, layouts: &mut BTreeMap<&'static str, String>) -> Result<()> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| unusable(&path.display().to_string(), error));
    for entry in std::fs::read_dir(folder).map_err(|error| unusable(&folder.display().to_string(), error))? {
        let path = entry.map_err(|error| unusable(&folder.display().to_string(), error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((_, layout)) = layouts.iter_mut().find(|(known, _)| **known == name) {
            *layout = read(&path)?;
        } else if let Some(locale) = name.strip_suffix(".toml") {
            let known = texts.entry(locale.to_owned()).or_default();
            for (section, given) in parse(name, &read(&path)?)? {
                match (known.get_mut(&section).and_then(toml::Value::as_table_mut), given) {
                    (Some(known), toml::Value::Table(given)) => known.extend(given),
                    (_, given) => drop(known.insert(section, given)),
                }
            }
        }
    }
    Ok(())
}

fn parse(name: &str, text: &str) -> Result<Table> {
    text.parse().map_err(|error: toml::de::Error| unusable(name, error.message()))
}

fn unusable(name: &str, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("the template {name} cannot be used: {error:#}"))
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values {
            email: "ann@example.com".to_owned(),
            code: "123456".to_owned(),
            link: "https://api.example.com/auth/v1/verify?token=t&type=recovery".to_owned(),
            minutes: 60,
            ..Values::default()
        }
    }

    fn load(config: &MailConfig) -> Templates {
        Templates::load(config).unwrap()
    }

    #[test]
    fn a_mail_says_the_same_as_text_and_as_html() {
        let templates = load(&MailConfig::default());
        let message = templates.render(Template::Recovery, "en", &Brand::default(), &values()).unwrap();
        assert_eq!(message.subject, "Choose a new password");
        assert_eq!(
            message.text,
            "Somebody, probably you, asked to choose a new password for ann@example.com at Thorbis.\n\n\
             Choose a new password:\nhttps://api.example.com/auth/v1/verify?token=t&type=recovery\n\n\
             Or enter this code: 123456\n\n\
             It is good for 60 minutes and works once.\nIf you did not ask for this, you need not do anything.\n\nThorbis"
        );
        assert!(message.html.contains("<strong>123456</strong>"));
        assert!(message.html.contains("verify?token=t&amp;type=recovery"));
        let code = templates.render(Template::Reauthentication, "en", &Brand::default(), &values()).unwrap();
        assert!(code.text.contains("Your code: 123456") && !code.text.contains("verify"));
        let sms = templates.render(Template::Sms, "es-MX", &Brand::default(), &values()).unwrap();
        assert_eq!((sms.text.as_str(), sms.html.as_str()), ("123456 es su código para Thorbis.", ""));
        assert_eq!(templates.render(Template::Sms, "xx", &Brand::default(), &values()).unwrap().text, "123456 is your code for Thorbis.");
    }

    #[test]
    fn who_chose_no_language_reads_the_companys() {
        let templates = load(&MailConfig::default());
        let of = |locale: &str| Brand { locale: Some(locale.to_owned()), ..Brand::default() };
        let said = |own: &str, brand: Brand| templates.render(Template::Sms, own, &brand, &values()).unwrap().text;
        let (english, spanish) = ("123456 is your code for Thorbis.", "123456 es su código para Thorbis.");
        assert_eq!(said("", of("es")), spanish);
        assert_eq!(said("", of("es_MX")), spanish);
        assert_eq!(said("en", of("es")), english, "who chose one reads that");
        assert_eq!(said("xx", of("es")), spanish, "and who chose one that is not known reads the company's");
        assert_eq!(said("", of("xx")), english);
    }

    #[test]
    fn what_a_company_wrote_stays_text() {
        let templates = load(&MailConfig::default());
        let brand = Brand {
            name: Some("<script>\r\nBcc: x</script>".to_owned()),
            logo: Some("javascript:alert(1)".to_owned()),
            color: Some("red;background:url(x)".to_owned()),
            locale: None,
        };
        let message = templates.render(Template::MagicLink, "en", &brand, &values()).unwrap();
        assert!(!message.html.contains("<script>") && message.html.contains("&lt;script&gt;"));
        assert!(!message.html.contains("javascript:") && !message.html.contains("url(x)"));
        assert_eq!(message.sender_name, "<script>  Bcc: x</script>");
        let braces = Brand { name: Some("{{ code }}{% for a in range(9) %}".to_owned()), ..Brand::default() };
        let message = templates.render(Template::MagicLink, "en", &braces, &values()).unwrap();
        assert!(message.text.contains("sign in to {{ code }}{% for a in range(9) %}."));
    }

    #[test]
    fn an_operator_says_it_in_other_words_and_languages() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fr.toml"), "[magic_link]\nsubject = \"Votre lien\"\n").unwrap();
        std::fs::write(folder.path().join("en.toml"), "[magic_link]\nbutton = \"Go\"\n").unwrap();
        std::fs::write(folder.path().join("layout.txt"), "{{ lead }} {{ texts.button }} {{ link }}").unwrap();
        let config = MailConfig { templates_directory: Some(folder.path().to_owned()), ..MailConfig::default() };
        let templates = load(&config);
        assert_eq!(templates.locales().collect::<Vec<_>>(), ["en", "es", "fr"]);
        let message = templates.render(Template::MagicLink, "fr-CA", &Brand::default(), &values()).unwrap();
        assert_eq!(message.subject, "Votre lien");
        assert!(message.text.starts_with("With this link you sign in to Thorbis. Go https://"), "{}", message.text);
        std::fs::write(folder.path().join("layout.html"), "{{ nothing }}").unwrap();
        let error = Templates::load(&config).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("the template layout.html cannot be used"), "{cause}");
    }
}

//! Mails of a company to one of its customers or members: as somebody worded them, or by a template with what it is to say.
//!
//! Invariant: nobody else is written to, looked at when the mail is written and not only when it was asked for. A template that leaves open
//! what it prints makes no mail, unless whoever asked said that this may be so.

mod texts;

use kernel::{CompanyId, Error, Kind, Result};
use outbound::Message;
use outbound::templates::Brand;
use postgres::{Sql, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Messaging;
pub(crate) use texts::Letters;
use texts::{Own, Wanted};

/// The program's own templates, each with the names that it prints whatever its conditions say.
pub const LETTERS: &[(&str, &[&str])] = &[
    ("appointment", &["company", "starts", "title"]),
    ("estimate", &["amount", "company", "number", "title"]),
    ("invoice", &["amount", "company", "number"]),
];

/// A mail that is to be written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mail {
    /// The address of a customer or member.
    pub to: String,
    /// What it says, where it has no template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The name of a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What the template prints: texts, numbers, true and false, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Map<String, Value>>,
    /// In which language; that of whoever gets it without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Whether a name that nothing is known of makes no mail; it does unless this is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// The estimate that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_id: Option<Uuid>,
    /// The invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<Uuid>,
    /// The appointment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_id: Option<Uuid>,
}

/// What the database says of it.
#[derive(Deserialize)]
struct Opened {
    is_known: bool,
    is_there: bool,
    locale: String,
    names: Map<String, Value>,
    own: Option<Own>,
}

impl Messaging {
    /// Writes a mail of the company that the transaction is of.
    pub async fn letter(&self, tx: &Tx, company_id: CompanyId, mail: &Mail) -> Result<Message> {
        let mut sql = Sql::new("select ");
        sql.text(Brand::COLUMNS).text(", app.open_letter(c.id, ").bind(json!(mail)).text("::jsonb)::text as opened ");
        sql.text("from public.companies c where c.id = ").bind(company_id).text("::uuid");
        let row = tx.query_one(sql).await?;
        let brand = Brand::from_row(&row)?;
        let opened: String = row.try_get("opened").map_err(Error::internal)?;
        let opened: Opened = serde_json::from_str(&opened).map_err(Error::internal)?;
        if !opened.is_known {
            return Err(Error::new(Kind::Unprocessable, "recipient_unknown", "The address is of no customer or member of the company."));
        }
        let sender_name = brand.name.clone().unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let Some(name) = &mail.template else {
            let (Some(subject), Some(text)) = (mail.subject.clone(), mail.text.clone()) else {
                return Err(Error::new(Kind::Unprocessable, "template_unknown", "A mail has subject and text, or a template."));
            };
            return Ok(Message { sender_name, subject, text, html: String::new(), payload: None });
        };
        if !opened.is_there {
            return Err(Error::new(
                Kind::Unprocessable,
                "template_row_unknown",
                "What the letter is about is not there, or another customer's.",
            ));
        }
        let mut names = opened.names;
        // What whoever asked says goes before what the row says.
        names.extend(mail.variables.clone().unwrap_or_default());
        let wanted =
            Wanted { name, own: opened.own.as_ref(), locale: &opened.locale, names, is_strict: mail.strict.unwrap_or(true), brand: &brand };
        let said = self.letters().say(wanted)?;
        Ok(Message { sender_name, subject: said.subject, text: said.text, html: said.html, payload: None })
    }
}

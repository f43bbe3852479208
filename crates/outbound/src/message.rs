//! A message as it goes out.

use serde::{Deserialize, Serialize};

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// To an e-mail address.
    Mail,
    /// To a telephone number.
    Sms,
}

impl Channel {
    /// Returns its name in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }

    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "mail" => Some(Self::Mail),
            "sms" => Some(Self::Sms),
            _ => None,
        }
    }
}

/// What a message says. An SMS has only the text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The name that stands beside the sender's address.
    pub sender_name: String,
    /// The subject of a mail.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same for programs that show HTML; empty without.
    pub html: String,
    /// What a hook is told instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<serde_json::Value>,
}

impl std::fmt::Debug for Message {
    /// What it says may let somebody in.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("subject", &self.subject).finish_non_exhaustive()
    }
}

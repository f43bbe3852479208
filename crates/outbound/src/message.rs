//! A message as it goes out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// To an e-mail address.
    Mail,
    /// To a telephone number.
    Sms,
    /// To a device that somebody registered.
    Push,
}

impl Channel {
    /// Returns its name in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
            Self::Push => "push",
        }
    }

    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Mail, Self::Sms, Self::Push].into_iter().find(|channel| channel.as_str() == name)
    }
}

/// What a message says. An SMS has only the text; to a device the subject is the title.
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
    pub payload: Option<Value>,
}

impl std::fmt::Debug for Message {
    /// What it says may let somebody in.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// How soon a device has to be woken for a message, in the words of RFC 8030.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// When it is charged and on a good network.
    VeryLow,
    /// When it is charged or on a good network.
    Low,
    /// When it is awake.
    #[default]
    Normal,
    /// At once, also with little power.
    High,
}

impl Urgency {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VeryLow => "very-low",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// What goes to a device beside title and text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Push {
    /// The page that a click opens.
    pub url: Option<String>,
    /// What the application reads.
    pub data: Map<String, Value>,
    /// For how many seconds a push service keeps it for a device that is away.
    pub ttl_seconds: Option<u32>,
    /// How soon the device has to be woken.
    pub urgency: Urgency,
    /// A later message of the same key takes the place of one that was not delivered yet; letters, digits, `-` and `_`, 32 at most.
    pub collapse_key: Option<String>,
}

impl Push {
    /// For how long a push service keeps a message at most: four weeks.
    pub const TTL_SECONDS_MAX: u32 = 2_419_200;

    /// Returns what is impossible about it.
    pub fn fault(&self) -> Option<&'static str> {
        let is_key =
            |key: &String| (1..=32).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !self.collapse_key.iter().all(is_key) {
            return Some("a collapse key has 1 to 32 letters, digits, - and _");
        }
        (self.ttl_seconds > Some(Self::TTL_SECONDS_MAX)).then_some("a push service keeps a message for 2419200 seconds at most")
    }
}

/// A message as it waits, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Packed {
    #[serde(flatten)]
    pub(crate) message: Message,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) push: Option<Push>,
    /// Where whoever gets a mail can say that he wants no more of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsubscribe: Option<String>,
}

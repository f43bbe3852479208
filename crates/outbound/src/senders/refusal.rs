//! Why a message was not sent, and what follows from that.
//!
//! Invariant: a reason never repeats what the message says.

use std::time::Duration;

/// Why a message was not sent.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// For the log and the table.
    pub(crate) reason: String,
    /// What the provider calls it, for the log of attempts.
    pub(crate) code: Option<String>,
    pub(crate) fault: Fault,
}

/// Whose fault it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nobody is there who could get it: no other provider helps, and the address is written to no more for this reason.
    Recipient(Lasting),
    /// This provider takes this message never; another one may.
    Message,
    /// Not this time: the next provider may, and this one later, as soon as it said.
    Passing(Option<Duration>),
    /// The provider is down, or takes nothing of ours for so long: it is left alone for a while.
    Provider(Option<Duration>),
}

/// How an address is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lasting {
    /// There is none.
    Bounce,
    /// Whoever has it said a word by which he gets no more.
    Stop,
    /// The device has taken it back.
    Device,
}

impl Lasting {
    /// Returns its word on the list of those who are not written to.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Bounce => Some("bounce"),
            Self::Stop => Some("stop"),
            Self::Device => None,
        }
    }
}

impl Refusal {
    pub(crate) fn new(fault: Fault, reason: &impl ToString) -> Self {
        Self { reason: reason.to_string(), code: None, fault }
    }

    pub(crate) fn passing(reason: &impl ToString) -> Self {
        Self::new(Fault::Passing(None), reason)
    }

    pub(crate) fn lasting(reason: &impl ToString) -> Self {
        Self::new(Fault::Message, reason)
    }

    pub(crate) fn coded(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into().chars().take(60).collect()), ..self }
    }

    /// Tells whether another attempt would end the same way.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.fault, Fault::Recipient(_) | Fault::Message)
    }
}

//! What went wrong on a connection: PostgreSQL refused, or the connection itself broke.

use std::fmt;
use std::io;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorResponseBody;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// PostgreSQL said no.
    Refused(Box<Refusal>),
    /// The connection broke, or was never there.
    Broken(io::Error),
    /// What was to be sent cannot be said in the protocol, and was not sent.
    Unsayable(io::Error),
}

/// PostgreSQL's error, field by field.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) severity: String,
    pub(crate) state: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) constraint: Option<String>,
    /// Where in PostgreSQL it was raised: a word that no language changes.
    pub(crate) routine: Option<String>,
    /// How many statements of its batch had passed before.
    pub(crate) passed: usize,
}

impl Fault {
    /// The connection ended before the answer.
    pub(crate) fn ended() -> Self {
        Self::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, "the database connection ended"))
    }
}

impl Refusal {
    /// Tells whether a prepared statement is no longer what it was: nothing of it ran, and prepared anew it will.
    pub(crate) fn is_stale(&self) -> bool {
        match self.state.as_str() {
            "26000" => true,
            "0A000" => self.routine.as_deref() == Some("RevalidateCachedQuery"),
            _ => false,
        }
    }

    pub(crate) fn of(body: &ErrorResponseBody) -> io::Result<Self> {
        let mut refusal = Self::default();
        let mut fields = body.fields();
        while let Some(field) = fields.next()? {
            // PostgreSQL says it in the encoding of the database when it cannot convert it.
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' => refusal.severity = value,
                b'C' => refusal.state = value,
                b'M' => refusal.message = value,
                b'D' => refusal.detail = Some(value),
                b'H' => refusal.hint = Some(value),
                b's' => refusal.schema = Some(value),
                b't' => refusal.table = Some(value),
                b'c' => refusal.column = Some(value),
                b'n' => refusal.constraint = Some(value),
                b'R' => refusal.routine = Some(value),
                _ => {}
            }
        }
        Ok(refusal)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.severity, self.message, self.state)?;
        if let Some(detail) = &self.detail {
            write!(f, "; {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Broken(cause) | Self::Unsayable(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Broken(cause) | Self::Unsayable(cause) => Some(cause),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self::Broken(cause)
    }
}

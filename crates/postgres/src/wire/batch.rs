//! Statements in frames: what is sent together with one `Sync`, and what comes back.
//!
//! Invariant: a batch is one transaction where none is open. PostgreSQL skips what stands behind a refusal, and keeps nothing of the batch.

use std::io;
use std::iter;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend::{self, BindError};

use super::statements::{Lesson, Saying, Statements};
use crate::row::{Column, Row};
use crate::sql::Param;

/// A statement of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// Whose plan it is; none for statements that run before anybody is anybody.
    pub(crate) role: &'a str,
    pub(crate) text: &'a str,
    pub(crate) values: &'a [Param],
    /// Whether it is worth a name.
    pub(crate) kept: bool,
}

impl<'a> Step<'a> {
    /// A statement without values that is not worth a name.
    pub(crate) fn once(text: &'a str) -> Self {
        Self { role: "", text, values: &[], kept: false }
    }
}

/// What one statement gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) columns: Option<Arc<[Column]>>,
    pub(crate) values: Vec<Bytes>,
    /// Rows touched.
    pub(crate) affected: u64,
}

impl Part {
    /// Returns its rows.
    pub(crate) fn rows(self) -> Vec<Row> {
        let columns = self.columns.unwrap_or_else(|| Arc::from([]));
        self.values.into_iter().map(|values| Row::new(Arc::clone(&columns), values)).collect()
    }
}

/// What is known of a statement's answer before it comes.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Its columns, where PostgreSQL does not say them again.
    pub(super) columns: Option<Arc<[Column]>>,
    /// What is to be learned from the answer.
    pub(super) lesson: Option<Lesson>,
}

/// Writes a batch and its `Sync`. Writes nothing where it fails.
pub(super) fn write(steps: &[Step<'_>], statements: &mut Statements, out: &mut BytesMut) -> io::Result<Vec<Expected>> {
    let begun = out.len();
    let mut expected: Vec<Expected> = Vec::with_capacity(steps.len());
    let written = closed(statements, out).and_then(|()| {
        steps.iter().try_for_each(|step| {
            let one = said(step, statements, out)?;
            expected.push(one);
            Ok(())
        })
    });
    if let Err(cause) = written {
        out.truncate(begun);
        for lesson in expected.iter().filter_map(|expected| expected.lesson.as_ref()) {
            statements.not_learned(lesson, false);
        }
        return Err(cause);
    }
    frontend::sync(out);
    Ok(expected)
}

fn closed(statements: &mut Statements, out: &mut BytesMut) -> io::Result<()> {
    statements.take_unwanted().iter().try_for_each(|name| frontend::close(b'S', name, out))
}

fn said(step: &Step<'_>, statements: &mut Statements, out: &mut BytesMut) -> io::Result<Expected> {
    let saying = if step.kept { statements.saying(step.role, step.text) } else { Saying::Once };
    match saying {
        Saying::Known(name, columns) => {
            bind(name, step.values, out)?;
            frontend::execute("", 0, out)?;
            Ok(Expected { columns: Some(Arc::clone(columns)), lesson: None })
        }
        Saying::Once => prepared("", step, out).map(|()| Expected::default()),
        Saying::New(name) => {
            let lesson = Lesson { role: step.role.into(), text: step.text.into(), name };
            match prepared(&lesson.name, step, out) {
                Ok(()) => Ok(Expected { columns: None, lesson: Some(lesson) }),
                Err(cause) => {
                    statements.not_learned(&lesson, false);
                    Err(cause)
                }
            }
        }
    }
}

/// Values come in text form and take the type of the place where they stand.
fn prepared(name: &str, step: &Step<'_>, out: &mut BytesMut) -> io::Result<()> {
    frontend::parse(name, step.text, iter::empty(), out)?;
    frontend::describe(b'S', name, out)?;
    bind(name, step.values, out)?;
    frontend::execute("", 0, out)
}

fn bind(name: &str, values: &[Param], out: &mut BytesMut) -> io::Result<()> {
    let written = frontend::bind(
        "",
        name,
        iter::empty(),
        values,
        |value, out| match value.as_str() {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        },
        // All columns in the binary format.
        iter::once(1),
        out,
    );
    written.map_err(|error| match error {
        BindError::Serialization(cause) => cause,
        BindError::Conversion(cause) => io::Error::other(cause),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn tags(bytes: &[u8]) -> String {
        let (mut rest, mut tags) = (bytes, String::new());
        while let Some((&tag, after)) = rest.split_first() {
            tags.push(char::from(tag));
            let length = u32::from_be_bytes(*after.first_chunk::<4>().unwrap());
            rest = &after[usize::try_from(length).unwrap()..];
        }
        tags
    }

    fn kept<'a>(text: &'a str, values: &'a [Param]) -> Step<'a> {
        Step { role: "anon", text, values, kept: true }
    }

    #[test]
    fn a_batch_is_prepared_at_first_and_bound_from_then_on_with_one_sync() {
        let mut statements = Statements::new(NonZeroUsize::new(10));
        let values = [Param::from(7_i64), Param::from(None::<String>)];
        let steps = [kept("select $1", &values[..1]), kept("select $1, $2", &values)];
        let mut out = BytesMut::new();
        let expected = write(&steps, &mut statements, &mut out).unwrap();
        assert_eq!(tags(&out), "PDBEPDBES");
        for one in expected {
            statements.learned(&one.lesson.unwrap(), &Arc::from([]));
        }
        out.clear();
        let expected = write(&steps, &mut statements, &mut out).unwrap();
        assert_eq!(tags(&out), "BEBES");
        assert!(expected.iter().all(|expected| expected.columns.is_some() && expected.lesson.is_none()));
    }

    #[test]
    fn a_value_is_bound_as_its_text_and_null_as_null() {
        let mut out = BytesMut::new();
        bind("s1", &[Param::from("'; drop"), Param::from(None::<String>)], &mut out).unwrap();
        let expected = b"B\0\0\0\x1f\0s1\0\0\0\0\x02\0\0\0\x07'; drop\xff\xff\xff\xff\0\x01\0\x01";
        assert_eq!(&out[..], &expected[..]);
    }

    #[test]
    fn what_had_to_go_is_closed_before_the_next_batch() {
        let mut statements = Statements::new(NonZeroUsize::new(1));
        let mut out = BytesMut::new();
        let first = write(&[kept("a", &[])], &mut statements, &mut out).unwrap();
        statements.learned(first[0].lesson.as_ref().unwrap(), &Arc::from([]));
        out.clear();
        write(&[kept("b", &[])], &mut statements, &mut out).unwrap();
        assert_eq!(tags(&out), "PDBES", "it is used to the end of this batch");
        out.clear();
        write(&[Step::once("c")], &mut statements, &mut out).unwrap();
        assert_eq!(tags(&out), "CPDBES");
    }

    #[test]
    fn what_cannot_be_said_is_not_said_in_part() {
        let mut statements = Statements::new(NonZeroUsize::new(10));
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(write(&[kept("select 1", &[]), kept("select '\0'", &[])], &mut statements, &mut out).is_err());
        assert_eq!(&out[..], b"before");
        let mut out = BytesMut::new();
        write(&[kept("select 1", &[])], &mut statements, &mut out).unwrap();
        assert_eq!(tags(&out), "PDBES", "it was never sent");
    }
}

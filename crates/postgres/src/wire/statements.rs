//! The prepared statements of one connection, by role and text: a plan made for one role is thrown away when another runs it.
//!
//! Invariant: bounded; what is no longer kept here is closed at PostgreSQL with the next batch. A statement counts as known only when
//! PostgreSQL has said that it is: until then others say it without a name.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use crate::row::Column;

/// Role and text of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    role: Box<str>,
    text: Box<str>,
}

/// A statement as PostgreSQL knows it.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It was sent to be prepared, and PostgreSQL has not said yet that it is.
    Coming(String),
    /// Its name and columns.
    Ready(String, Arc<[Column]>),
}

/// How a statement is to be said.
#[derive(Debug)]
pub(super) enum Saying<'a> {
    /// PostgreSQL knows it.
    Known(&'a str, &'a Arc<[Column]>),
    /// By that new name, to be kept if all goes well.
    New(String),
    /// Without a name, for this once.
    Once,
}

/// The statements of a connection.
#[derive(Debug)]
pub(super) struct Statements {
    known: Option<LruCache<Key, Known>>,
    /// Names that PostgreSQL still knows and nobody will use any more.
    unwanted: Vec<String>,
    last: u64,
}

impl Statements {
    /// Keeps so many; none behind a pooler.
    pub(super) fn new(statements_max: Option<NonZeroUsize>) -> Self {
        Self { known: statements_max.map(LruCache::new), unwanted: Vec::new(), last: 0 }
    }

    /// Says how a statement is to be said, and remembers that it is about to be prepared.
    pub(super) fn saying(&mut self, role: &str, text: &str) -> Saying<'_> {
        let Some(known) = &mut self.known else { return Saying::Once };
        let wanted = (role, text);
        let place: &dyn Place = &wanted;
        // Looked up twice: what is returned from the middle of a function stays borrowed to its end.
        match known.get(place) {
            Some(Known::Coming(_)) => return Saying::Once,
            Some(Known::Ready(..)) => {}
            None => {
                self.last = self.last.wrapping_add(1);
                let name = format!("s{}", self.last);
                let gone = known.push(Key { role: role.into(), text: text.into() }, Known::Coming(name.clone()));
                if let Some((_, Known::Ready(old, _))) = gone {
                    self.unwanted.push(old);
                }
                return Saying::New(name);
            }
        }
        match self.known.as_ref().and_then(|known| known.peek(place)) {
            Some(Known::Ready(name, columns)) => Saying::Known(name, columns),
            _ => Saying::Once,
        }
    }

    /// PostgreSQL said that it knows a statement now, with these columns.
    pub(super) fn learned(&mut self, lesson: &Lesson, columns: &Arc<[Column]>) {
        match self.coming(lesson) {
            Some(known) => *known = Known::Ready(lesson.name.clone(), Arc::clone(columns)),
            // It had to go before it was there.
            None => self.unwanted.push(lesson.name.clone()),
        }
    }

    /// A statement was not prepared, or PostgreSQL does not say what it returns.
    pub(super) fn not_learned(&mut self, lesson: &Lesson, is_there: bool) {
        if self.coming(lesson).is_some() {
            self.forget(&lesson.role, &lesson.text);
        }
        if is_there {
            self.unwanted.push(lesson.name.clone());
        }
    }

    /// A statement is not what it was: it is prepared anew the next time.
    pub(super) fn forget(&mut self, role: &str, text: &str) {
        let wanted = (role, text);
        let place: &dyn Place = &wanted;
        if let Some(Known::Ready(name, _)) = self.known.as_mut().and_then(|known| known.pop(place)) {
            self.unwanted.push(name);
        }
    }

    /// Takes the names that are to be closed.
    pub(super) fn take_unwanted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unwanted)
    }

    fn coming(&mut self, lesson: &Lesson) -> Option<&mut Known> {
        let wanted = (&*lesson.role, &*lesson.text);
        let place: &dyn Place = &wanted;
        let known = self.known.as_mut()?.peek_mut(place)?;
        matches!(known, Known::Coming(name) if *name == lesson.name).then_some(known)
    }
}

/// A statement that is being prepared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Lesson {
    pub(super) role: Box<str>,
    pub(super) text: Box<str>,
    pub(super) name: String,
}

/// Role and text, owned or not: so that looking one up copies nothing.
trait Place {
    fn parts(&self) -> (&str, &str);
}

impl Place for Key {
    fn parts(&self) -> (&str, &str) {
        (&self.role, &self.text)
    }
}

impl Place for (&str, &str) {
    fn parts(&self) -> (&str, &str) {
        (self.0, self.1)
    }
}

impl Hash for dyn Place + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn Place + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Place + '_ {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl<'a> Borrow<dyn Place + 'a> for Key {
    fn borrow(&self) -> &(dyn Place + 'a) {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(kept: usize) -> Statements {
        Statements::new(NonZeroUsize::new(kept))
    }

    fn lesson(role: &str, text: &str, name: &str) -> Lesson {
        Lesson { role: role.into(), text: text.into(), name: name.to_owned() }
    }

    fn none() -> Arc<[Column]> {
        Arc::from([])
    }

    #[test]
    fn a_statement_is_known_by_role_and_text_when_postgresql_has_said_so() {
        let mut statements = statements(10);
        assert!(matches!(statements.saying("anon", "select 1"), Saying::New(name) if name == "s1"));
        assert!(matches!(statements.saying("anon", "select 1"), Saying::Once), "it may still fail");
        statements.learned(&lesson("anon", "select 1", "s1"), &none());
        assert!(matches!(statements.saying("anon", "select 1"), Saying::Known("s1", _)));
        assert!(matches!(statements.saying("member", "select 1"), Saying::New(name) if name == "s2"));
    }

    #[test]
    fn the_least_used_one_is_closed_when_there_are_too_many() {
        let mut statements = statements(2);
        for (text, name) in [("a", "s1"), ("b", "s2")] {
            assert!(matches!(statements.saying("", text), Saying::New(_)));
            statements.learned(&lesson("", text, name), &none());
        }
        assert!(matches!(statements.saying("", "a"), Saying::Known("s1", _)));
        assert!(matches!(statements.saying("", "c"), Saying::New(name) if name == "s3"));
        assert_eq!(statements.take_unwanted(), ["s2"]);
        assert_eq!(statements.take_unwanted(), Vec::<String>::new());
        assert!(matches!(statements.saying("", "a"), Saying::Known("s1", _)));
    }

    #[test]
    fn one_that_had_to_go_before_it_was_there_is_closed_when_it_is() {
        let mut statements = statements(1);
        assert!(matches!(statements.saying("", "a"), Saying::New(_)));
        assert!(matches!(statements.saying("", "b"), Saying::New(_)));
        assert_eq!(statements.take_unwanted(), Vec::<String>::new(), "nobody knows yet whether it will be there");
        statements.learned(&lesson("", "a", "s1"), &none());
        assert_eq!(statements.take_unwanted(), ["s1"]);
    }

    #[test]
    fn one_that_failed_is_prepared_anew() {
        let mut statements = statements(3);
        for (is_there, closed) in [(false, vec![]), (true, vec!["s2".to_owned()])] {
            let Saying::New(name) = statements.saying("", "a") else { panic!("it failed before") };
            statements.not_learned(&lesson("", "a", &name), is_there);
            assert_eq!(statements.take_unwanted(), closed);
        }
    }

    #[test]
    fn one_that_is_no_longer_what_it_was_is_closed_and_prepared_anew() {
        let mut statements = statements(3);
        assert!(matches!(statements.saying("", "a"), Saying::New(_)));
        statements.learned(&lesson("", "a", "s1"), &none());
        statements.forget("", "a");
        assert_eq!(statements.take_unwanted(), ["s1"]);
        assert!(matches!(statements.saying("", "a"), Saying::New(name) if name == "s2"));
    }

    #[test]
    fn behind_a_pooler_nothing_has_a_name() {
        let mut statements = Statements::new(None);
        assert!(matches!(statements.saying("", "a"), Saying::Once));
        assert!(matches!(statements.saying("", "a"), Saying::Once));
    }
}

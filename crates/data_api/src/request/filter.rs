//! What must hold of one field: `not.in.(1,2)`, `like(any).{a*,b*}`, `fts(english).cat`.

use kernel::Result;

use super::cursor::Cursor;
use super::syntax::{Field, Filter, FullText, IsValue, Operation, Operator, Quantifier};

/// What an error says could have come.
const EXPECTED: &str = "\"not\" or operator (eq, gt, ...)";

/// How the end of a value is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ends {
    /// The value is all that is left.
    WithTheText,
    /// The value is one of several between commas, in brackets.
    WithTheItem,
}

/// Tells whether a value of the query string begins as a filter does: with an operator and a dot.
pub(super) fn looks_like_filter(text: &str) -> bool {
    let mut text = text;
    while let Some(rest) = text.strip_prefix("not.") {
        text = rest;
    }
    let name_end = text.find(['.', '(']).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    is_operator(name) && (rest.starts_with('.') || (rest.starts_with('(') && rest.contains(").")))
}

/// Reads an operator and its value for a field.
pub(super) fn filter(cursor: &Cursor<'_>, field: Field, ends: Ends, in_values_max: usize) -> Result<Filter> {
    let negated = cursor.eat("not.");
    let mark = cursor.mark();
    let name = cursor.take_while(|c| c.is_ascii_alphabetic());
    if !is_operator(name) {
        cursor.back_to(mark);
        return Err(cursor.failed(EXPECTED));
    }
    let operation = match name {
        "in" => {
            cursor.expect(".")?;
            Operation::In(list(cursor, in_values_max)?)
        }
        "is" => {
            cursor.expect(".")?;
            Operation::Is(is_value(cursor)?)
        }
        "isdistinct" => {
            cursor.expect(".")?;
            Operation::IsDistinct(value(cursor, ends)?)
        }
        _ => match (full_text(name), operator(name)) {
            (Some(how), _) => {
                let configuration = parameter(cursor)?.map(str::to_owned);
                cursor.expect(".")?;
                Operation::FullText(how, configuration, value(cursor, ends)?)
            }
            (None, Some(operator)) => compared(cursor, operator, ends)?,
            (None, None) => return Err(cursor.failed(EXPECTED)),
        },
    };
    Ok(Filter { field, negated, operation })
}

fn compared(cursor: &Cursor<'_>, operator: Operator, ends: Ends) -> Result<Operation> {
    let mark = cursor.mark();
    let quantifier = match parameter(cursor)? {
        None => None,
        Some("any") if takes_quantifier(operator) => Some(Quantifier::Any),
        Some("all") if takes_quantifier(operator) => Some(Quantifier::All),
        Some(_) => {
            cursor.back_to(mark);
            return Err(cursor.failed("\".\""));
        }
    };
    cursor.expect(".")?;
    let mut text = value(cursor, ends)?;
    if matches!(operator, Operator::Like | Operator::Ilike) {
        text = text.replace('*', "%");
    }
    Ok(match quantifier {
        None => Operation::Compare(operator, text),
        Some(quantifier) => Operation::Quantified(operator, quantifier, text),
    })
}

/// Reads `(word)`, if it comes next.
fn parameter<'a>(cursor: &Cursor<'a>) -> Result<Option<&'a str>> {
    if !cursor.eat("(") {
        return Ok(None);
    }
    let word = cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '.');
    cursor.expect(")")?;
    Ok(Some(word))
}

fn value(cursor: &Cursor<'_>, ends: Ends) -> Result<String> {
    if ends == Ends::WithTheText {
        return Ok(cursor.take_while(|_| true).to_owned());
    }
    let mark = cursor.mark();
    if cursor.peek() == Some('"') {
        let value = cursor.quoted()?;
        if cursor.at_end() || matches!(cursor.peek(), Some(',' | ')')) {
            return Ok(value);
        }
        cursor.back_to(mark);
    }
    if cursor.eat("{") {
        cursor.take_while(|c| !matches!(c, '{' | '}'));
        if cursor.eat("}") {
            return Ok(cursor.since(mark).to_owned());
        }
        cursor.back_to(mark);
    }
    Ok(cursor.take_while(|c| !matches!(c, ',' | ')')).to_owned())
}

/// Reads `(a,"b,c",d)`.
fn list(cursor: &Cursor<'_>, values_max: usize) -> Result<Vec<String>> {
    cursor.expect("(")?;
    // Behind the bracket as in the dialect; before and behind a comma they are a part of the value, which most types pass over.
    cursor.skip_spaces();
    let mut values = Vec::new();
    if cursor.eat(")") {
        return Ok(values);
    }
    loop {
        if values.len() >= values_max {
            return Err(cursor.too_much("values", values_max));
        }
        values.push(value(cursor, Ends::WithTheItem)?);
        if cursor.eat(")") {
            return Ok(values);
        }
        cursor.expect(",")?;
    }
}

fn is_value(cursor: &Cursor<'_>) -> Result<IsValue> {
    let mark = cursor.mark();
    let word = cursor.take_while(|c| c.is_ascii_alphabetic() || c == '_').to_ascii_lowercase();
    match word.as_str() {
        "null" => Ok(IsValue::Null),
        "not_null" => Ok(IsValue::NotNull),
        "true" => Ok(IsValue::True),
        "false" => Ok(IsValue::False),
        "unknown" => Ok(IsValue::Unknown),
        _ => {
            cursor.back_to(mark);
            Err(cursor.failed("isVal: (null, not_null, true, false, unknown)"))
        }
    }
}

fn is_operator(name: &str) -> bool {
    matches!(name, "in" | "is" | "isdistinct") || full_text(name).is_some() || operator(name).is_some()
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "eq" => Operator::Eq,
        "neq" => Operator::Neq,
        "gt" => Operator::Gt,
        "gte" => Operator::Gte,
        "lt" => Operator::Lt,
        "lte" => Operator::Lte,
        "like" => Operator::Like,
        "ilike" => Operator::Ilike,
        "match" => Operator::Match,
        "imatch" => Operator::Imatch,
        "cs" => Operator::Contains,
        "cd" => Operator::ContainedIn,
        "ov" => Operator::Overlaps,
        "sl" => Operator::StrictlyLeft,
        "sr" => Operator::StrictlyRight,
        "nxr" => Operator::NotRight,
        "nxl" => Operator::NotLeft,
        "adj" => Operator::Adjacent,
        _ => return None,
    })
}

fn full_text(name: &str) -> Option<FullText> {
    Some(match name {
        "fts" => FullText::Query,
        "plfts" => FullText::Plain,
        "phfts" => FullText::Phrase,
        "wfts" => FullText::WebSearch,
        _ => return None,
    })
}

fn takes_quantifier(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::Like
            | Operator::Ilike
            | Operator::Gt
            | Operator::Gte
            | Operator::Lt
            | Operator::Lte
            | Operator::Match
            | Operator::Imatch
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(bool, Operation)> {
        let cursor = Cursor::new("filter", text);
        let field = Field { name: "a".to_owned(), path: Vec::new() };
        let filter = filter(&cursor, field, Ends::WithTheText, 3)?;
        cursor.end()?;
        Ok((filter.negated, filter.operation))
    }

    fn text(value: &str) -> String {
        value.to_owned()
    }

    #[test]
    fn every_operator_has_its_word() {
        for (words, operator) in [
            ("eq", Operator::Eq),
            ("neq", Operator::Neq),
            ("gt", Operator::Gt),
            ("gte", Operator::Gte),
            ("lt", Operator::Lt),
            ("lte", Operator::Lte),
            ("match", Operator::Match),
            ("imatch", Operator::Imatch),
            ("cs", Operator::Contains),
            ("cd", Operator::ContainedIn),
            ("ov", Operator::Overlaps),
            ("sl", Operator::StrictlyLeft),
            ("sr", Operator::StrictlyRight),
            ("nxr", Operator::NotRight),
            ("nxl", Operator::NotLeft),
            ("adj", Operator::Adjacent),
        ] {
            assert_eq!(read(&format!("{words}.a.b,c)*")).unwrap(), (false, Operation::Compare(operator, text("a.b,c)*"))));
        }
        assert_eq!(read("like.*a*").unwrap(), (false, Operation::Compare(Operator::Like, text("%a%"))));
        assert_eq!(read("not.ilike.a*").unwrap(), (true, Operation::Compare(Operator::Ilike, text("a%"))));
        assert_eq!(read("isdistinct.7").unwrap(), (false, Operation::IsDistinct(text("7"))));
        assert_eq!(read("eq.").unwrap(), (false, Operation::Compare(Operator::Eq, text(""))));
    }

    #[test]
    fn lists_quantifiers_and_text_search() {
        let list = |values: &[&str]| Operation::In(values.iter().map(|value| text(value)).collect());
        assert_eq!(read(r#"in.(1,"a,b",c d)"#).unwrap().1, list(&["1", "a,b", "c d"]));
        assert_eq!(read(r#"in.("say \"hi\"","\\")"#).unwrap().1, list(&["say \"hi\"", "\\"]));
        assert_eq!(read("in.()").unwrap().1, list(&[]));
        assert_eq!(read("like(any).{a*,b*}").unwrap().1, Operation::Quantified(Operator::Like, Quantifier::Any, text("{a%,b%}")));
        assert_eq!(read("gt(all).{1,2}").unwrap().1, Operation::Quantified(Operator::Gt, Quantifier::All, text("{1,2}")));
        assert_eq!(read("fts(english).cat").unwrap().1, Operation::FullText(FullText::Query, Some(text("english")), text("cat")));
        assert_eq!(read("wfts.fat cat").unwrap().1, Operation::FullText(FullText::WebSearch, None, text("fat cat")));
    }

    #[test]
    fn is_takes_five_words_in_any_case() {
        for (word, value) in [
            ("null", IsValue::Null),
            ("NOT_NULL", IsValue::NotNull),
            ("True", IsValue::True),
            ("false", IsValue::False),
            ("unknown", IsValue::Unknown),
        ] {
            assert_eq!(read(&format!("is.{word}")).unwrap(), (false, Operation::Is(value)));
        }
    }

    #[test]
    fn what_is_no_filter_is_an_error_with_its_place() {
        for bad in ["lke.x", "eq", "in.(1", "in.1", "is.nil", "neq(any).{1}", "like(some).{1}", "", "not.x.1", "in.(1,2,3,4)", "in.(1)2"] {
            let error = read(bad).unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "PGRST100"), "{bad}");
        }
        let error = read("lke.x").unwrap_err();
        assert_eq!(error.message(), "\"failed to parse filter (lke.x)\" (line 1, column 1)");
        assert_eq!(error.details().unwrap(), "unexpected \"l\" expecting \"not\" or operator (eq, gt, ...)");
    }

    #[test]
    fn an_argument_may_look_like_anything_but_a_filter() {
        for filter in ["eq.1", "not.in.(1)", "like(any).{a}", "fts(english).x"] {
            assert!(looks_like_filter(filter), "{filter}");
        }
        for argument in ["", "1", "equal", "3.14", "ann@example.com", "2026-01-01", "eq"] {
            assert!(!looks_like_filter(argument), "{argument}");
        }
    }
}

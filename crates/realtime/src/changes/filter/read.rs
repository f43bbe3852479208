//! A filter as clients write it: `column=operator.value`, more behind commas.

use std::cmp::Ordering;

use kernel::Result;

use super::refused;

/// A condition as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::changes) struct Parsed {
    pub(in crate::changes) column: Box<str>,
    pub(in crate::changes) is_negated: bool,
    pub(in crate::changes) operator: Operator,
    /// One, but for a list.
    pub(in crate::changes) values: Vec<Box<str>>,
}

/// What is asked of a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::changes) enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    In,
    Like,
    Ilike,
    Match,
    Imatch,
    Is,
    IsDistinct,
}

const OPERATORS: [(&str, Operator); 13] = [
    ("eq", Operator::Eq),
    ("neq", Operator::Neq),
    ("lt", Operator::Lt),
    ("lte", Operator::Lte),
    ("gt", Operator::Gt),
    ("gte", Operator::Gte),
    ("in", Operator::In),
    ("like", Operator::Like),
    ("ilike", Operator::Ilike),
    ("match", Operator::Match),
    ("imatch", Operator::Imatch),
    ("is", Operator::Is),
    ("isdistinct", Operator::IsDistinct),
];

impl Operator {
    fn named(name: &str) -> Option<Self> {
        OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
    }

    /// Returns its name.
    pub(in crate::changes) fn name(self) -> &'static str {
        OPERATORS.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// Tells whether its values are of the column's type.
    pub(in crate::changes) fn takes_values(self) -> bool {
        !matches!(self, Self::Like | Self::Ilike | Self::Match | Self::Imatch | Self::Is)
    }

    /// Tells whether a value that stands so to the wanted one is taken.
    pub(super) fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            _ => false,
        }
    }
}

/// Reads a filter with at most so many conditions, and values of a list.
pub(in crate::changes) fn read(text: &str, conditions_max: usize, values_max: usize) -> Result<Vec<Parsed>> {
    let parts = split(text);
    if parts.len() > conditions_max {
        return Err(refused(format!("a filter has at most {conditions_max} conditions")));
    }
    parts.into_iter().map(|part| condition(part, values_max)).collect()
}

fn condition(text: &str, values_max: usize) -> Result<Parsed> {
    let unreadable =
        || refused(format!("a condition is written column=operator.value, such as status=eq.open, and not {}", shortened(text)));
    let (column, rest) = text.split_once('=').ok_or_else(unreadable)?;
    let (is_negated, rest) = rest.strip_prefix("not.").map_or((false, rest), |rest| (true, rest));
    let (name, value) = rest.split_once('.').ok_or_else(unreadable)?;
    let operator = Operator::named(name).ok_or_else(|| {
        let known: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
        refused(format!("{} is no operator: there are {}", shortened(name), known.join(", ")))
    })?;
    let values = match operator {
        Operator::In => {
            let inner = value.strip_prefix('(').and_then(|value| value.strip_suffix(')'));
            let values = list(inner.ok_or_else(|| refused("a list is written in.(a,b)".to_owned()))?);
            if values.len() > values_max {
                return Err(refused(format!("a list has at most {values_max} values")));
            }
            values
        }
        Operator::Is => vec![value.to_ascii_lowercase().into()],
        _ => vec![unquoted(value)],
    };
    let column = column.trim();
    let column = column.strip_prefix('"').and_then(|column| column.strip_suffix('"')).unwrap_or(column);
    Ok(Parsed { column: column.into(), is_negated, operator, values })
}

/// Cuts at commas behind which another condition begins; any other comma is part of a value.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth, mut is_quoted, mut is_escaped) = (Vec::new(), 0, 0_u32, false, false);
    // A value is quoted from its beginning on; any other quotation mark is part of it.
    let mut begins_value = true;
    for (place, c) in text.char_indices() {
        if is_quoted {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => is_quoted = false,
                _ => {}
            }
            continue;
        }
        match c {
            '"' if begins_value => is_quoted = true,
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                let next = place.saturating_add(1);
                if text.get(next..).is_some_and(begins) {
                    parts.extend(text.get(begin..place));
                    begin = next;
                }
            }
            _ => {}
        }
        begins_value = matches!(c, '.' | '(' | ',') || begins_value && c == ' ';
    }
    parts.extend(text.get(begin..));
    parts
}

/// Tells whether a text begins with a condition.
fn begins(text: &str) -> bool {
    let Some((column, rest)) = text.split_once('=') else { return false };
    let rest = rest.strip_prefix("not.").unwrap_or(rest);
    let is_name = !column.is_empty() && column.trim().trim_matches('"').chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name && rest.split_once('.').is_some_and(|(name, _)| Operator::named(name).is_some())
}

/// Takes the quotation marks off a value that stands in them, with the backslashes inside.
fn unquoted(text: &str) -> Box<str> {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return text.into() };
    let (mut value, mut rest) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(_)) => value.extend(rest.next()),
            // It ends before its end, or the last quotation mark is one of its own.
            ('"', _) | ('\\', None) => return text.into(),
            _ => value.push(c),
        }
    }
    value.into()
}

/// Reads the values of a list. One that stands in quotes may have commas, and is taken as it is; of any other the spaces around it are
/// none of it, and NULL is no value.
fn list(text: &str) -> Vec<Box<str>> {
    let (mut values, mut value, mut is_quoted, mut was_quoted) = (Vec::new(), String::new(), false, false);
    if text.trim().is_empty() {
        return values;
    }
    let mut end = |value: String, was_quoted: bool| {
        if was_quoted {
            values.push(value.into());
        } else if !value.trim().eq_ignore_ascii_case("null") {
            values.push(value.trim().into());
        }
    };
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' if is_quoted => is_quoted = false,
            '"' if value.trim().is_empty() && !was_quoted => {
                value.clear();
                (is_quoted, was_quoted) = (true, true);
            }
            '\\' if is_quoted => value.extend(rest.next()),
            ',' if !is_quoted => {
                end(std::mem::take(&mut value), was_quoted);
                was_quoted = false;
            }
            // Behind the closing quotation mark.
            c if c.is_whitespace() && was_quoted && !is_quoted => {}
            other => value.push(other),
        }
    }
    end(value, was_quoted);
    values
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, bool, Operator, Vec<String>)> {
        let all = read(text, 10, 3).unwrap();
        let owned = |values: Vec<Box<str>>| values.into_iter().map(String::from).collect();
        all.into_iter().map(|one| (one.column.into(), one.is_negated, one.operator, owned(one.values))).collect()
    }

    #[test]
    fn conditions_are_read_as_clients_write_them() {
        let one = |column: &str, is_negated, operator, values: &[&str]| {
            (column.to_owned(), is_negated, operator, values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(parsed("status=eq.open"), [one("status", false, Operator::Eq, &["open"])]);
        assert_eq!(parsed("a=not.in.(1,\"2,3\",\"q\\\"\")"), [one("a", true, Operator::In, &["1", "2,3", "q\""])]);
        assert_eq!(
            parsed("a=gte.1,b=is.NULL,c=like.*x*"),
            [one("a", false, Operator::Gte, &["1"]), one("b", false, Operator::Is, &["null"]), one("c", false, Operator::Like, &["*x*"])]
        );
        assert_eq!(parsed("name=eq.Smith, John"), [one("name", false, Operator::Eq, &["Smith, John"])]);
        assert_eq!(parsed("name=eq.a=b,c=d"), [one("name", false, Operator::Eq, &["a=b,c=d"])]);
        assert_eq!(parsed("name=eq."), [one("name", false, Operator::Eq, &[""])]);
        assert_eq!(parsed("a=in.()"), [one("a", false, Operator::In, &[])]);
    }

    #[test]
    fn quotation_marks_are_none_of_the_value() {
        let values = |text: &str| parsed(text).into_iter().map(|(column, .., values)| (column, values.join("|"))).collect::<Vec<_>>();
        let is =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(column, value)| ((*column).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
        for (text, expected) in [
            ("name=eq.\"a,b\"", is(&[("name", "a,b")])),
            ("name=eq.\"a,b=eq.1\",b=neq.\"2\"", is(&[("name", "a,b=eq.1"), ("b", "2")])),
            // A backslash takes the next as it is.
            (r#"name=eq."say \"hi\", b=eq.1",c=eq.2"#, is(&[("name", "say \"hi\", b=eq.1"), ("c", "2")])),
            (r#"name=like."50\\""#, is(&[("name", "50\\")])),
            // One in the middle of a value is its own: inches.
            ("name=eq.5\" pipe,b=eq.1", is(&[("name", "5\" pipe"), ("b", "1")])),
            ("name=eq.\"", is(&[("name", "\"")])),
            ("name=eq.\"a\"b\"", is(&[("name", "\"a\"b\"")])),
            ("name=eq.\"\"", is(&[("name", "")])),
        ] {
            assert_eq!(values(text), expected, "{text}");
        }
    }

    #[test]
    fn spaces_around_values_of_a_list_and_null_are_none_of_them() {
        for (text, expected) in [
            ("a=in.(open, closed)", vec!["open", "closed"]),
            ("a=in.( open , \" closed \" )", vec!["open", " closed "]),
            ("a=in.(1,NULL, null,\"NULL\")", vec!["1", "NULL"]),
            ("a=in.(5\" pipe, x)", vec!["5\" pipe", "x"]),
            ("a=in.( )", vec![]),
            ("a=in.(x, \"y)\\\"z\")", vec!["x", "y)\"z"]),
        ] {
            assert_eq!(parsed(text).pop().unwrap().3, expected, "{text}");
        }
        assert_eq!(parsed("a=in.(1, \"),b=eq.2\"),c=eq.3").len(), 2);
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "status",
            "status=open",
            "status=foo.open",
            "a=in.1,2",
            "a=in.(1,2,3,4)",
            "a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1,a=eq.1",
        ] {
            let error = read(text, 10, 3).unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "realtime_filter_invalid"), "{text}");
        }
    }
}

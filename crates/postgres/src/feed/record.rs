//! A row in the text form that PostgreSQL gives a record: `(a,"b ""c""",)`.

use kernel::Cell;

/// Reads the values; nothing where it is not a record.
pub(super) fn cells(record: &str) -> Option<Vec<Cell>> {
    let inner = record.strip_prefix('(')?.strip_suffix(')')?;
    let mut cells = Vec::new();
    let mut rest = inner.chars().peekable();
    loop {
        let mut text: Option<String> = None;
        loop {
            match rest.next() {
                Some('"') => quoted(&mut rest, text.get_or_insert_default())?,
                Some('\\') => text.get_or_insert_default().push(rest.next()?),
                end @ (Some(',') | None) => {
                    cells.push(text.map_or(Cell::Null, |text| Cell::Text(text.into())));
                    if end.is_none() {
                        return Some(cells);
                    }
                    break;
                }
                Some(other) => text.get_or_insert_default().push(other),
            }
        }
    }
}

/// Reads on up to the quote that ends; a quote is written twice.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, text: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '"' if rest.peek() == Some(&'"') => {
                rest.next();
                text.push('"');
            }
            '"' => return Some(()),
            '\\' => text.push(rest.next()?),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_as_they_went_in() {
        let text = |text: &str| Cell::Text(text.into());
        for (record, expected) in [
            ("(1,t)", vec![text("1"), text("t")]),
            ("(,\"\",a)", vec![Cell::Null, text(""), text("a")]),
            (
                "(\"a,b\",\"he said \"\"no\"\"\",\"back\\\\slash\",)",
                vec![text("a,b"), text("he said \"no\""), text("back\\slash"), Cell::Null],
            ),
            ("(\"{\"\"a\"\": [1, 2]}\",\"(x,y)\",ünï)", vec![text("{\"a\": [1, 2]}"), text("(x,y)"), text("ünï")]),
            ("(\"two\nlines\")", vec![text("two\nlines")]),
        ] {
            assert_eq!(cells(record).unwrap(), expected, "{record}");
        }
        for nonsense in ["", "1,2", "(\"open)", "(a"] {
            assert_eq!(cells(nonsense), None, "{nonsense}");
        }
    }
}

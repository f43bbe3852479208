//! A column, or a path into its JSON: `address->lines->0->>text`.

use kernel::Result;

use super::cursor::Cursor;
use super::syntax::{EmbedPath, Field, PathOperand, PathStep};

/// Reads a column's name and the path behind it.
pub(super) fn field(cursor: &Cursor<'_>) -> Result<Field> {
    let name = cursor.name()?;
    Ok(Field { name, path: path(cursor)? })
}

/// Reads the names of embeds, and the field behind the last dot.
pub(super) fn embedded_field(cursor: &Cursor<'_>) -> Result<(EmbedPath, Field)> {
    let mut names = Vec::new();
    loop {
        let name = cursor.name()?;
        if !cursor.eat(".") {
            return Ok((names, Field { name, path: path(cursor)? }));
        }
        names.push(name);
    }
}

/// Reads steps as long as there are arrows.
pub(super) fn path(cursor: &Cursor<'_>) -> Result<Vec<PathStep>> {
    let mut steps = Vec::new();
    loop {
        let as_text = if cursor.eat("->>") {
            true
        } else if cursor.eat("->") {
            false
        } else {
            return Ok(steps);
        };
        steps.push(PathStep { as_text, operand: operand(cursor)? });
    }
}

fn operand(cursor: &Cursor<'_>) -> Result<PathOperand> {
    let mark = cursor.mark();
    let sign = if cursor.eat("-") { "-" } else { "" };
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    let ends = cursor.at_end() || ["->", "::", ".", ",", ")"].iter().any(|token| cursor.rest().starts_with(token));
    if let (true, Ok(index)) = (ends, format!("{sign}{digits}").parse()) {
        return Ok(PathOperand::Index(index));
    }
    cursor.back_to(mark);
    if cursor.peek() == Some('"') {
        return cursor.quoted().map(PathOperand::Key);
    }
    let mut key = String::new();
    loop {
        key.push_str(cursor.take_while(|c| !matches!(c, '(' | '-' | ':' | '.' | ',' | '>' | ')')));
        let is_dash = cursor.rest().starts_with('-') && !cursor.rest().starts_with("->");
        if !is_dash {
            break;
        }
        cursor.eat("-");
        key.push('-');
    }
    if key.is_empty() { Err(cursor.failed("a key or an index")) } else { Ok(PathOperand::Key(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_keys_and_indexes() {
        let cursor = Cursor::new("x", r#"data->a-b->0->-1->"x y"->>2nd"#);
        let field = field(&cursor).unwrap();
        let key = |text: &str| PathOperand::Key(text.to_owned());
        let operands: Vec<_> = field.path.iter().map(|step| step.operand.clone()).collect();
        assert_eq!(operands, [key("a-b"), PathOperand::Index(0), PathOperand::Index(-1), key("x y"), key("2nd")]);
        assert_eq!(field.path.iter().map(|step| step.as_text).collect::<Vec<_>>(), [false, false, false, false, true]);
    }

    #[test]
    fn embeds_stand_before_the_field() {
        let (path, field) = embedded_field(&Cursor::new("x", "jobs.customer.name->>first")).unwrap();
        assert_eq!((path, field.name.as_str(), field.path.len()), (vec!["jobs".to_owned(), "customer".to_owned()], "name", 1));
    }
}

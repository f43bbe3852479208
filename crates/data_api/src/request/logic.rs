//! Trees of conditions: `(a.eq.1,or(b.is.null,not.and(c.gt.2,d.lt.3)))`.

use kernel::Result;

use super::ParseLimits;
use super::cursor::Cursor;
use super::field::field;
use super::filter::{Ends, filter};
use super::syntax::{Condition, LogicOperator};

/// Reads what stands behind `and=` or `or=`.
pub(super) fn tree(text: &str, operator: LogicOperator, negated: bool, limits: &ParseLimits) -> Result<Condition> {
    let cursor = Cursor::new("logic tree", text);
    let children = children(&cursor, limits, 1)?;
    cursor.end()?;
    Ok(Condition::Logic { negated, operator, children })
}

/// Returns the operator of `and` and `or`.
pub(super) fn operator(word: &str) -> Option<LogicOperator> {
    match word {
        "and" => Some(LogicOperator::And),
        "or" => Some(LogicOperator::Or),
        _ => None,
    }
}

fn children(cursor: &Cursor<'_>, limits: &ParseLimits, depth: usize) -> Result<Vec<Condition>> {
    if depth > limits.logic_depth_max {
        return Err(cursor.too_much("levels", limits.logic_depth_max));
    }
    cursor.expect("(")?;
    let mut children = Vec::new();
    loop {
        if children.len() >= limits.conditions_max {
            return Err(cursor.too_much("conditions", limits.conditions_max));
        }
        cursor.skip_spaces();
        children.push(node(cursor, limits, depth)?);
        cursor.skip_spaces();
        if cursor.eat(")") {
            return Ok(children);
        }
        cursor.expect(",")?;
    }
}

fn node(cursor: &Cursor<'_>, limits: &ParseLimits, depth: usize) -> Result<Condition> {
    let mark = cursor.mark();
    let negated = cursor.eat("not.");
    let word = cursor.take_while(|c| c.is_ascii_alphabetic());
    if let Some(operator) = operator(word).filter(|_| cursor.peek() == Some('(')) {
        return Ok(Condition::Logic { negated, operator, children: children(cursor, limits, depth.saturating_add(1))? });
    }
    // A column may be called `not` or `or`, too.
    cursor.back_to(mark);
    let field = field(cursor)?;
    cursor.expect(".")?;
    filter(cursor, field, Ends::WithTheItem, limits.in_values_max).map(Condition::Filter)
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{Operation, Operator};
    use super::*;

    fn read(text: &str) -> Result<Condition> {
        tree(text, LogicOperator::Or, false, &ParseLimits::default())
    }

    /// Shows a tree the way it would be said.
    fn said(condition: &Condition) -> String {
        match condition {
            Condition::Filter(filter) => {
                let value = match &filter.operation {
                    Operation::Compare(Operator::Eq, value) => format!("={value}"),
                    Operation::In(values) => format!(" in {values:?}"),
                    other => format!(" {other:?}"),
                };
                format!("{}{}{value}", if filter.negated { "!" } else { "" }, filter.field.name)
            }
            Condition::Logic { negated, operator, children } => {
                let parts: Vec<String> = children.iter().map(said).collect();
                format!("{}{operator:?}[{}]", if *negated { "!" } else { "" }, parts.join("; "))
            }
        }
    }

    #[test]
    fn trees_nest() {
        for (text, expected) in [
            ("(a.eq.1,b.eq.2)", "Or[a=1; b=2]"),
            ("(a.eq.1,and(b.eq.2,not.or(c.eq.3,d.eq.4)))", "Or[a=1; And[b=2; !Or[c=3; d=4]]]"),
            (r#"(a.not.eq.1, b.in.(1,"x,y)"),c.eq."q,)")"#, r#"Or[!a=1; b in ["1", "x,y)"]; c=q,)]"#),
            ("(a.eq.{1,2},b.eq.)", "Or[a={1,2}; b=]"),
            ("(or.eq.1,not.eq.2)", "Or[or=1; not=2]"),
        ] {
            assert_eq!(read(text).map(|tree| said(&tree)).map_err(|error| error.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_tree_is_an_error() {
        let deep = format!("{}a.eq.1{}", "(and".repeat(200), ")".repeat(200));
        for bad in ["", "a.eq.1", "()", "(a.eq.1", "(a.eq.1))", "(a)", "(a.xx.1)", "(and())", deep.as_str()] {
            assert_eq!(read(bad).unwrap_err().code(), "PGRST100", "{bad}");
        }
    }
}

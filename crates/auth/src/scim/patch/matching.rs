//! Whether an element of a list fulfils the condition of a path.

use std::borrow::Cow;

use serde_json::Value;

use crate::scim::error::{Outcome, Refused};
use crate::scim::filter::{Filter, Literal, Name, Operator};
use crate::scim::schema::{Attribute, Kind};

/// Tells whether an element does.
pub(super) fn matches(list: &'static Attribute, filter: &Filter, element: &Value) -> Outcome<bool> {
    match filter {
        Filter::And(left, right) => Ok(matches(list, left, element)? && matches(list, right, element)?),
        Filter::Or(left, right) => Ok(matches(list, left, element)? || matches(list, right, element)?),
        Filter::Not(inner) => Ok(!matches(list, inner, element)?),
        Filter::Present(name) => Ok(element.get(attribute(list, name)?.name).is_some()),
        Filter::Compare(name, operator, literal) => {
            let attribute = attribute(list, name)?;
            compare(attribute, element.get(attribute.name), *operator, literal)
        }
        Filter::Within(..) => Err(unknown(list)),
    }
}

/// Returns what a condition says that an element has, where it says no more: what a missing element is made of.
pub(super) fn equalities(list: &'static Attribute, filter: &Filter) -> Option<Vec<(&'static Attribute, Value)>> {
    match filter {
        Filter::And(left, right) => {
            let (mut left, right) = (equalities(list, left)?, equalities(list, right)?);
            left.extend(right);
            Some(left)
        }
        Filter::Compare(name, Operator::Equal, literal) => {
            let value = match literal {
                Literal::Text(text) => Value::String(text.clone()),
                Literal::Boolean(boolean) => Value::Bool(*boolean),
                Literal::Number(_) | Literal::Null => return None,
            };
            Some(vec![(attribute(list, name).ok()?, value)])
        }
        _ => None,
    }
}

fn attribute(list: &'static Attribute, name: &Name) -> Outcome<&'static Attribute> {
    let plain = name.schema.is_none() && name.sub.is_none();
    list.sub(&name.attribute).filter(|_| plain).ok_or_else(|| unknown(list))
}

fn unknown(list: &'static Attribute) -> Refused {
    Refused::filter(format!("The condition names something that {} does not have", list.name))
}

fn compare(attribute: &'static Attribute, value: Option<&Value>, operator: Operator, literal: &Literal) -> Outcome<bool> {
    let mismatch = || Refused::filter(format!("{} cannot be compared by {operator} with {literal}", attribute.name));
    if attribute.kind == Kind::Boolean {
        let wanted = match literal {
            Literal::Boolean(wanted) => *wanted,
            Literal::Text(text) if text.eq_ignore_ascii_case("true") => true,
            Literal::Text(text) if text.eq_ignore_ascii_case("false") => false,
            _ => return Err(mismatch()),
        };
        let is = value.and_then(Value::as_bool).unwrap_or_default() == wanted;
        return match operator {
            Operator::Equal => Ok(is),
            Operator::NotEqual => Ok(!is),
            _ => Err(mismatch()),
        };
    }
    let Literal::Text(wanted) = literal else { return Err(mismatch()) };
    let fold = |text| if attribute.exact { Cow::Borrowed(text) } else { Cow::Owned(str::to_lowercase(text)) };
    let wanted = fold(wanted.as_str());
    let Some(value) = value.and_then(Value::as_str).map(fold) else { return Ok(operator == Operator::NotEqual) };
    Ok(match operator {
        Operator::Equal => value == wanted,
        Operator::NotEqual => value != wanted,
        Operator::Contains => value.contains(&*wanted),
        Operator::StartsWith => value.starts_with(&*wanted),
        Operator::EndsWith => value.ends_with(&*wanted),
        Operator::Greater => value > wanted,
        Operator::GreaterOrEqual => value >= wanted,
        Operator::Less => value < wanted,
        Operator::LessOrEqual => value <= wanted,
    })
}

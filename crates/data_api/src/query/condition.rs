//! Conditions: what must hold of a row.
//!
//! Invariant: a value is bound without a type, so that PostgreSQL reads it as the type of what stands on the other side.

use postgres::Sql;

use super::embed;
use super::field::{self, Place};
use crate::plan::{Deleted, Walls};
use crate::request::{Condition, Filter, FullText, IsValue, LogicOperator, Operation, Operator, Quantifier};

/// The word before the next condition.
#[derive(Debug, Default)]
pub(super) struct Where(bool);

impl Where {
    /// Writes the word.
    pub(super) fn next(&mut self, sql: &mut Sql) {
        sql.text(if self.0 { "\n   and " } else { "\n where " });
        self.0 = true;
    }
}

/// Writes `where` and all that must hold, if anything must.
pub(super) fn all(sql: &mut Sql, place: &Place<'_>, walls: Option<Walls<'_>>, conditions: &[&Condition]) {
    let mut before = Where::default();
    if let Some(walls) = walls {
        apart(sql, place, walls, &mut before);
    }
    rest(sql, place, conditions, &mut before);
}

/// Writes what keeps rows apart.
pub(super) fn apart(sql: &mut Sql, place: &Place<'_>, walls: Walls<'_>, before: &mut Where) {
    if let Some(column) = walls.tenant_column {
        before.next(sql);
        place.column(sql, column);
        sql.text(" = (select app.company_id())");
    }
    if walls.deleted != Deleted::Shown {
        before.next(sql);
        undeleted(sql, place, walls.deleted);
    }
}

/// Writes the request's conditions, and that there is what must be embedded.
pub(super) fn rest(sql: &mut Sql, place: &Place<'_>, conditions: &[&Condition], before: &mut Where) {
    for condition in conditions {
        before.next(sql);
        one(sql, place, condition);
    }
    for embed in place.embeds.iter().filter(|embed| embed.is_inner()) {
        before.next(sql);
        embed::exists(sql, place, embed);
    }
}

/// Writes that a row is not marked as deleted, or may be seen all the same.
pub(super) fn undeleted(sql: &mut Sql, place: &Place<'_>, deleted: Deleted<'_>) {
    let Deleted::ForRestorersOf(noun) = deleted else {
        place.column(sql, "deleted_at");
        sql.text(" is null");
        return;
    };
    sql.text("(");
    place.column(sql, "deleted_at");
    sql.text(" is null or (select app.has_permission(").bind(format!("{noun}:restore")).text(")))");
}

/// Writes one condition.
fn one(sql: &mut Sql, place: &Place<'_>, condition: &Condition) {
    match condition {
        Condition::Filter(it) => filter(sql, place, it),
        Condition::Logic { negated, operator, children } => {
            sql.text(if *negated { "not (" } else { "(" });
            let mut separator = "";
            for child in children {
                sql.text(separator);
                separator = match operator {
                    LogicOperator::And => " and ",
                    LogicOperator::Or => " or ",
                };
                one(sql, place, child);
            }
            sql.text(")");
        }
    }
}

fn filter(sql: &mut Sql, place: &Place<'_>, filter: &Filter) {
    let field = &filter.field;
    let embed = place.embeds.iter().find(|embed| filter.may_ask_for_presence() && embed.name() == field.name);
    if let Some(embed) = embed {
        let is_null = filter.operation == Operation::Is(IsValue::Null);
        if is_null != filter.negated {
            sql.text("not ");
        }
        embed::exists(sql, place, embed);
        return;
    }
    sql.text(if filter.negated { "not (" } else { "(" });
    match &filter.operation {
        Operation::FullText(how, configuration, query) => full_text(sql, place, filter, (*how, configuration.as_deref(), query)),
        operation => {
            place.field(sql, field);
            let reader = place.reader(field);
            match operation {
                Operation::Compare(operator, value) => {
                    sql.text(infix(*operator));
                    read(sql, reader, value)
                }
                Operation::Quantified(operator, quantifier, values) => {
                    sql.text(infix(*operator)).text(quantified(*quantifier)).bind(values.as_str()).text(")")
                }
                Operation::In(values) if reader.is_some() && !values.is_empty() => {
                    let mut separator = " = any(array[";
                    for value in values {
                        read(sql.text(separator), reader, value);
                        separator = ", ";
                    }
                    sql.text("])")
                }
                Operation::In(values) => sql.text(" = any(").bind(array_literal(values)).text(")"),
                Operation::Is(value) => sql.text(is(*value)),
                Operation::IsDistinct(value) => {
                    sql.text(" is distinct from ");
                    read(sql, reader, value)
                }
                Operation::FullText(..) => sql,
            };
        }
    }
    sql.text(")");
}

/// Writes a value, read by its domain's own cast where there is one.
fn read<'s>(sql: &'s mut Sql, reader: Option<&(String, String)>, value: &str) -> &'s mut Sql {
    field::called(sql, reader, |sql| {
        sql.bind(value);
    });
    sql
}

fn full_text(sql: &mut Sql, place: &Place<'_>, filter: &Filter, (how, configuration, query): (FullText, Option<&str>, &str)) {
    // What is no column is computed, and of a type that only PostgreSQL knows: it is searched as it is.
    let is_vector = filter.field.path.is_empty() && place.base_type(&filter.field.name).is_none_or(|base| base == "tsvector");
    let with_configuration = |sql: &mut Sql| {
        if let Some(name) = configuration {
            sql.bind(name).text("::regconfig, ");
        }
    };
    if is_vector {
        place.field(sql, &filter.field);
    } else {
        sql.text("to_tsvector(");
        with_configuration(sql);
        place.field(sql, &filter.field);
        sql.text(")");
    }
    sql.text(match how {
        FullText::Query => " @@ to_tsquery(",
        FullText::Plain => " @@ plainto_tsquery(",
        FullText::Phrase => " @@ phraseto_tsquery(",
        FullText::WebSearch => " @@ websearch_to_tsquery(",
    });
    with_configuration(sql);
    sql.bind(query).text("::text)");
}

fn infix(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => " = ",
        Operator::Neq => " <> ",
        Operator::Gt => " > ",
        Operator::Gte => " >= ",
        Operator::Lt => " < ",
        Operator::Lte => " <= ",
        Operator::Like => " like ",
        Operator::Ilike => " ilike ",
        Operator::Match => " ~ ",
        Operator::Imatch => " ~* ",
        Operator::Contains => " @> ",
        Operator::ContainedIn => " <@ ",
        Operator::Overlaps => " && ",
        Operator::StrictlyLeft => " << ",
        Operator::StrictlyRight => " >> ",
        Operator::NotRight => " &< ",
        Operator::NotLeft => " &> ",
        Operator::Adjacent => " -|- ",
    }
}

fn quantified(quantifier: Quantifier) -> &'static str {
    match quantifier {
        Quantifier::Any => "any(",
        Quantifier::All => "all(",
    }
}

fn is(value: IsValue) -> &'static str {
    match value {
        IsValue::Null => " is null",
        IsValue::NotNull => " is not null",
        IsValue::True => " is true",
        IsValue::False => " is false",
        IsValue::Unknown => " is unknown",
    }
}

/// Writes values as PostgreSQL writes an array, each in quotes.
fn array_literal(values: &[String]) -> String {
    let mut literal = String::from("{");
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        literal.push('"');
        for c in value.chars() {
            if c == '"' || c == '\\' {
                literal.push('\\');
            }
            literal.push(c);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

#[cfg(test)]
mod tests {
    use super::array_literal;

    #[test]
    fn an_array_keeps_its_values_apart() {
        let values = ["a,b", r#"say "hi""#, r"back\slash", "", "NULL", "{}"].map(str::to_owned);
        assert_eq!(array_literal(&values), r#"{"a,b","say \"hi\"","back\\slash","","NULL","{}"}"#);
        assert_eq!(array_literal(&[]), "{}");
    }
}

//! What Mailpit's search understands, as a condition on messages `m`.
//!
//! Words are looked for in subject, text and addresses; `to:`, `from:`, `subject:` and `tag:` in one of them; `is:read` and `is:unread`
//! by what was looked at. A `-` or `!` in front says that it is not so. Quotes keep words together.

use postgres::Sql;

/// Where a word is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Any,
    To,
    From,
    Subject,
    Tag,
    Is,
}

#[derive(PartialEq, Eq, Debug)]
struct Term {
    field: Field,
    text: String,
    is_negated: bool,
}

/// Returns the condition for a query.
pub(super) fn condition(query: &str) -> Sql {
    let mut sql = Sql::new("true");
    for Term { field, text, is_negated } in terms(query) {
        sql.text(if is_negated { " and not (" } else { " and (" });
        match (field, text.as_str()) {
            (Field::Is, "read") => drop(sql.text("m.is_read")),
            (Field::Is, "unread") => drop(sql.text("not m.is_read")),
            (Field::Is, _) => drop(sql.text("false")),
            (Field::To, _) => holds(&mut sql, "strpos(lower(m.recipient), lower(", text),
            (Field::From, _) => holds(&mut sql, "strpos(lower(m.sender), lower(", text),
            (Field::Subject, _) => holds(&mut sql, "strpos(lower(m.subject), lower(", text),
            (Field::Tag, _) => holds(&mut sql, "strpos(m.channel || ' ' || m.purpose, lower(", text),
            (Field::Any, _) => {
                holds(&mut sql, "strpos(lower(concat_ws(' ', m.subject, m.body_text, m.recipient, m.sender)), lower(", text);
            }
        }
        sql.text(")");
    }
    sql
}

fn holds(sql: &mut Sql, start: &'static str, text: String) {
    sql.text(start).bind(text).text("::text)) > 0");
}

fn terms(query: &str) -> Vec<Term> {
    words(query).into_iter().filter_map(|word| term(&word)).collect()
}

/// Splits at spaces outside of quotes, and takes the quotes away.
fn words(query: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    // U+0000 is no character that PostgreSQL could find.
    for c in query.chars().filter(|c| *c != '\0') {
        match c {
            '"' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

fn term(word: &str) -> Option<Term> {
    let (is_negated, word) = match word.strip_prefix(['-', '!']) {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let fields = [
        ("to:", Field::To),
        ("addressed:", Field::To),
        ("from:", Field::From),
        ("subject:", Field::Subject),
        ("tag:", Field::Tag),
        ("is:", Field::Is),
    ];
    let named = fields.iter().find_map(|(prefix, field)| Some((*field, word.strip_prefix(prefix)?)));
    let (field, text) = named.unwrap_or((Field::Any, word));
    (!text.is_empty()).then(|| Term { field, text: text.to_owned(), is_negated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fields_quotes_and_negations_are_understood() {
        let term = |field, text: &str, is_negated| Term { field, text: text.to_owned(), is_negated };
        assert_eq!(
            terms(r#"to:ann@example.com subject:"choose a" -is:read !tag:sms "#),
            [
                term(Field::To, "ann@example.com", false),
                term(Field::Subject, "choose a", false),
                term(Field::Is, "read", true),
                term(Field::Tag, "sms", true)
            ]
        );
        assert_eq!(terms(" \"\" to: "), []);
        let (text, values) = condition("x' or true -to:b").render();
        assert!(!text.contains("x'"));
        assert_eq!(values.len(), 4);
    }
}

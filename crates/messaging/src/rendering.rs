//! Texts that a company wrote, rendered: what they may say, and how much comes of it.
//!
//! Invariant: a text prints names, and asks whether something is known; it repeats and computes nothing, so that what comes of it is no more than
//! its letters and the values that it prints, and that has a limit while it is written.

use std::io::{Error, Write};

use minijinja::{Environment, ErrorKind};
use serde::Serialize;

/// What opens and closes a part that is no text.
const PARTS: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
/// What a condition may be made of beside names.
const WORDS: [&str; 9] = ["==", "!=", "<", ">", "<=", ">=", "and", "or", "not"];

/// Returns what a text of a company's has that none may have.
pub(crate) fn fault(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some((at, (open, close))) = PARTS.iter().filter_map(|part| rest.find(part.0).map(|at| (at, *part))).min() {
        let inside = rest.get(at.saturating_add(open.len())..).unwrap_or_default();
        let Some((inside, behind)) = inside.split_once(close) else { return Some(format!("{open} is not closed")) };
        let said = inside.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
        let is_fine = match open {
            "{{" => is_name(said),
            "{%" => is_statement(said),
            _ => true,
        };
        if !is_fine {
            let said: String = said.chars().take(80).collect();
            return Some(format!("{open} {said} {close} is none of {{{{ name }}}}, {{% if name %}}, {{% else %}} and {{% endif %}}"));
        }
        rest = behind;
    }
    None
}

/// Renders a text into no more than so many bytes.
pub(crate) fn render(
    environment: &Environment<'_>,
    text: &str,
    names: &impl Serialize,
    bytes_max: usize,
) -> Result<String, minijinja::Error> {
    let template = environment.template_from_str(text)?;
    let mut page = Page { bytes: Vec::new(), bytes_max };
    template.render_captured_to(names, &mut page)?;
    let said = String::from_utf8(page.bytes).map_err(|error| minijinja::Error::new(ErrorKind::WriteFailure, error.to_string()))?;
    // PostgreSQL's text has no zero, and neither has a mail.
    Ok(said.replace('\0', "\u{fffd}"))
}

fn is_name(said: &str) -> bool {
    !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

fn is_statement(said: &str) -> bool {
    match said.split_once(char::is_whitespace) {
        None => matches!(said, "else" | "endif"),
        Some(("if" | "elif", condition)) => {
            condition.split_whitespace().all(|word| WORDS.contains(&word) || is_name(word) || is_literal(word))
        }
        Some(_) => false,
    }
}

/// Tells whether a word is a text in quotes with nothing in it that could end anything.
fn is_literal(word: &str) -> bool {
    let inside = |quote: char| word.strip_prefix(quote).and_then(|word| word.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).is_some_and(|text| !text.contains(['"', '\'', '\\', '{', '}', '%', '#']))
}

/// What is written, as long as there is room.
struct Page {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > self.bytes_max {
            return Err(Error::other("it says too much"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_prints_names_and_asks_for_them() {
        for text in [
            "Dear {{ name }}",
            "{{name}} {{- customer.name -}} {# said by Ann: {{ x * 9 }} #}",
            "{% if discount %}{{ discount }}{% elif status == \"paid\" and not late %}x{%- else -%}y{% endif %}",
            "100 % { } } %} #}",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_repeats_and_computes_nothing() {
        for text in [
            "{% for i in range(5000) %}x{% endfor %}",
            "{{ \"x\" * 100000000 }}",
            "{% set a = a ~ a %}",
            "{% if \"x\" * 100000000 %}{% endif %}",
            "{% if a ~ a %}{% endif %}",
            "{{ name|upper }}",
            "{{ range(9) }}",
            "{{ [1, 2] }}",
            "{{ a[0] }}",
            "{{ \"}}\" * 99 }}",
            "{{ '\"}}' ~ 'x' }}",
            "{% if \"%}\" * 99 %}{% endif %}",
            "{% raw %}{{ x * 9 }}{% endraw %}",
            "{% macro m() %}{% endmacro %}",
            "{% include \"letter.html\" %}",
            "{%- for i in x -%}{% endfor %}",
            "{{ name",
            "{{ }}",
            "{% if a %}{{ \"\\\"}}\" }}{% endif %}",
        ] {
            assert!(fault(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_comes_of_a_text_has_a_limit_while_it_is_written() {
        let mut environment = Environment::new();
        environment.set_fuel(Some(20_000));
        let names = serde_json::json!({ "name": "x".repeat(1000), "zero": "\0" });
        let of = |text: &str| render(&environment, text, &names, 2000);
        assert_eq!(of("{{ name }}{{ name }}").unwrap().len(), 2000);
        assert_eq!(of("{{ zero }}").unwrap(), "\u{fffd}");
        assert_eq!(of("{{ name }}{{ name }}.").unwrap_err().kind(), ErrorKind::WriteFailure);
        assert!(of("{% for i in range(5000) %}{{ name }}{% endfor %}").is_err());
    }
}

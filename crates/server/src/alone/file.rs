//! A PostgREST configuration file: lines of `key = value`.
//!
//! Invariant: what cannot be read is told with its line; nothing of a value is, it may be a secret.

/// One line that says something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) key: String,
    pub(super) value: String,
}

/// A line that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) why: &'static str,
}

/// Reads the lines. A value is a quoted text, in which `$(NAME)` is a variable of the environment, or a bare word.
pub(super) fn lines(text: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<Vec<Line>, Unreadable> {
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let unreadable = |key: &str, why| Unreadable { line: number, key: key.to_owned(), why };
        let (key, value) = line.split_once('=').ok_or_else(|| unreadable("", "allowed: key = value"))?;
        let key = key.trim().to_owned();
        let value = read(value.trim(), variable).map_err(|why| unreadable(&key, why))?;
        lines.push(Line { number, key, value });
    }
    Ok(lines)
}

fn read(text: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let word = text.split('#').next().unwrap_or_default().trim();
        return if word.is_empty() { Err("allowed: a text in quotation marks, a number, true or false") } else { Ok(word.to_owned()) };
    };
    let mut value = String::new();
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                let behind = rest.as_str().trim_start();
                return if behind.is_empty() || behind.starts_with('#') { Ok(value) } else { Err("something stands behind the text") };
            }
            '\\' => value.push(match rest.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => break,
            }),
            '$' => match rest.next() {
                Some('$') => value.push('$'),
                Some('(') => {
                    let (name, behind) = rest.as_str().split_once(')').ok_or("`$(` without `)`")?;
                    value.push_str(&variable(name).ok_or("it names a variable that is not in the environment")?);
                    rest = behind.chars();
                }
                _ => return Err("`$` stands before `(NAME)`, or is written `$$`"),
            },
            other => value.push(other),
        }
    }
    Err("a quotation mark is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let variable = |name: &str| (name == "MINE").then(|| "from here".to_owned());
        lines(text, &variable).unwrap().into_iter().map(|line| (line.key, line.value)).collect()
    }

    #[test]
    fn keys_and_values_are_read() {
        let text = r#"
            # the database
            db-uri       = "postgres://user:pass@host:5432/dbname"   # and more
            server-port = 3000 # a number
            jwt-secret = "{ \"alg\":\"RS256\" }"
            jwt-secret-is-base64 = false
            app.settings.mine = "is $(MINE), for $$5"
            empty = ""
        "#;
        let expected = [
            ("db-uri", "postgres://user:pass@host:5432/dbname"),
            ("server-port", "3000"),
            ("jwt-secret", r#"{ "alg":"RS256" }"#),
            ("jwt-secret-is-base64", "false"),
            ("app.settings.mine", "is from here, for $5"),
            ("empty", ""),
        ];
        assert_eq!(values(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line() {
        for (text, line) in
            [("a", 1), ("\na =", 2), ("a = \"b", 1), ("a = \"b\" c", 1), ("a = \"$b\"", 1), ("a = \"$(NONE)\"", 1), ("a = \"$(b\"", 1)]
        {
            assert_eq!(lines(text, &|_| None).unwrap_err().line, line, "{text}");
        }
    }
}

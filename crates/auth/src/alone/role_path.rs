//! Where in a token the role is: a JSON path (RFC 9535, it begins with `$`), or the dialect's older form of one (it begins with `.`).
//!
//! Invariant: the first value that the path finds is the role. A text stands for itself, anything else for its JSON.

use serde_json::Value;
use serde_json_path::JsonPath;

/// A path that can be walked.
#[derive(Clone, Debug)]
pub struct RolePath {
    text: String,
    form: Form,
}

/// A path that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("failed to parse role-claim-key value ({0})")]
pub struct PathError(String);

#[derive(Clone, Debug)]
enum Form {
    Standard(Box<JsonPath>),
    Older(Vec<Step>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// A member of an object.
    Key(String),
    /// An element of an array.
    Index(usize),
    /// The first text of an array that compares so.
    First(Comparison, String),
    /// A part of a text; negative places count from its end.
    Slice(Option<i64>, Option<i64>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Equal,
    Other,
    Begins,
    Ends,
    Contains,
}

/// The longer ones first: `==` is a part of `==^`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("==^", Comparison::Ends),
    ("^==", Comparison::Begins),
    ("*==", Comparison::Contains),
    ("==", Comparison::Equal),
    ("!=", Comparison::Other),
];

/// The usual place.
impl Default for RolePath {
    fn default() -> Self {
        Self { text: ".role".to_owned(), form: Form::Older(vec![Step::Key("role".to_owned())]) }
    }
}

impl RolePath {
    /// Reads a path in either form.
    pub fn read(text: &str) -> Result<Self, PathError> {
        let refused = || PathError(text.to_owned());
        let form = if text.starts_with('$') {
            Form::Standard(Box::new(JsonPath::parse(text).map_err(|_unreadable| refused())?))
        } else {
            Form::Older(steps(text).ok_or_else(refused)?)
        };
        Ok(Self { text: text.to_owned(), form })
    }

    /// Tells whether it is written in the older form.
    pub fn is_older(&self) -> bool {
        matches!(self.form, Form::Older(_))
    }

    /// Returns it as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the role that the claims name.
    pub(super) fn find(&self, claims: &Value) -> Option<String> {
        match &self.form {
            Form::Standard(path) => path.query(claims).first().map(role),
            Form::Older(steps) => walk(claims, steps),
        }
    }
}

fn role(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn walk(value: &Value, steps: &[Step]) -> Option<String> {
    let Some((step, rest)) = steps.split_first() else { return Some(role(value)) };
    match step {
        Step::Key(name) => walk(value.as_object()?.get(name)?, rest),
        Step::Index(place) => walk(value.as_array()?.get(*place)?, rest),
        Step::First(comparison, text) => {
            walk(value.as_array()?.iter().find(|item| item.as_str().is_some_and(|item| comparison.holds(item, text)))?, rest)
        }
        Step::Slice(from, to) => walk(&Value::String(slice(value.as_str()?, *from, *to)), rest),
    }
}

impl Comparison {
    fn holds(self, item: &str, text: &str) -> bool {
        match self {
            Self::Equal => item == text,
            Self::Other => item != text,
            Self::Begins => item.starts_with(text),
            Self::Ends => item.ends_with(text),
            Self::Contains => item.contains(text),
        }
    }
}

fn slice(text: &str, from: Option<i64>, to: Option<i64>) -> String {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let place = |place: i64| if place < 0 { place.saturating_add(length).max(0) } else { place.min(length) };
    let (from, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(length)));
    let taken = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    text.chars().skip(usize::try_from(from).unwrap_or(0)).take(taken).collect()
}

/// Reads the older form: `.name`, `."any name"`, `[1]`, `[?(@ == "text")]`, `[1:-1]`, one after another.
fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (step, behind) = step(rest)?;
        steps.push(step);
        rest = behind;
    }
    (!steps.is_empty()).then_some(steps)
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        if let Some((name, rest)) = quoted(rest) {
            return Some((Step::Key(name.to_owned()), rest));
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_$@".contains(c))).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        return (!name.is_empty()).then(|| (Step::Key(name.to_owned()), rest));
    }
    if let Some(rest) = text.strip_prefix("[?(@") {
        let rest = rest.trim_start();
        let (sign, comparison) = COMPARISONS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        let (wanted, rest) = quoted(rest.strip_prefix(sign)?.trim_start())?;
        return Some((Step::First(*comparison, wanted.to_owned()), rest.strip_prefix(")]")?));
    }
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    match inside.split_once(':') {
        Some((from, to)) => Some((Step::Slice(bound(from)?, bound(to)?), rest)),
        None => Some((Step::Index(inside.parse().ok()?), rest)),
    }
}

#[expect(clippy::option_option, reason = "left out and unreadable are two different things")]
fn bound(text: &str) -> Option<Option<i64>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(path: &str, claims: &Value) -> Option<String> {
        RolePath::read(path).unwrap_or_else(|refused| panic!("{refused}")).find(claims)
    }

    #[test]
    fn both_forms_lead_to_the_role() {
        let claims = json!({
            "role": "plain", "postgrest": { "roles": ["other", "author"], "wlcg": ["/groupa", "/groupb/"] },
            "https://www.example.com/role": { "key": "linked" }, "number": 7
        });
        for (path, role) in [
            (".role", "plain"),
            ("$.role", "plain"),
            (".postgrest.roles[1]", "author"),
            ("$.postgrest.roles[1]", "author"),
            ("$['postgrest']['roles'][-1]", "author"),
            (r#"."https://www.example.com/role".key"#, "linked"),
            (r#"$["https://www.example.com/role"].key"#, "linked"),
            (r#".postgrest.roles[?(@ == "author")]"#, "author"),
            (r#".postgrest.roles[?(@ != "other")]"#, "author"),
            (r#".postgrest.roles[?(@ ^== "aut")]"#, "author"),
            (r#".postgrest.roles[?(@ ==^ "hor")]"#, "author"),
            (r#".postgrest.roles[?(@ *== "utho")]"#, "author"),
            (r#"$.postgrest.roles[?@ == "author"]"#, "author"),
            (r#"$.postgrest.roles[?search(@, "^aut")]"#, "author"),
            (".postgrest.wlcg[0][1:]", "groupa"),
            (".postgrest.wlcg[1][1:-1]", "groupb"),
            (".postgrest.wlcg[1][:3]", "/gr"),
            (".postgrest.wlcg[0][5:2]", ""),
            (".number", "7"),
        ] {
            assert_eq!(found(path, &claims).as_deref(), Some(role), "{path}");
        }
        for path in [".nothing", "$.nothing", ".role.deeper", ".postgrest.roles[2]", r#".postgrest.roles[?(@ == "x")]"#, "$.role[0]"] {
            assert_eq!(found(path, &claims), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "role", ".", ".a b", ".a[", ".a[x]", ".a[?(@ = \"b\")]", ".a[?(@ == b)]", "$.", "$.a[", "$role"] {
            assert_eq!(RolePath::read(path).unwrap_err().to_string(), format!("failed to parse role-claim-key value ({path})"));
        }
        assert!(RolePath::read(".role").unwrap().is_older() && !RolePath::read("$.role").unwrap().is_older());
    }
}

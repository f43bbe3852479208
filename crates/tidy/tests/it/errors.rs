//! Every code that the product can answer stands in `docs/errors.md` with its statuses and a sentence, and nothing else does.
//!
//! Invariant: a code is found where an error is made. Who makes errors in another way is named in [`ELSEWHERE`], so that none is missed.

use std::collections::{BTreeMap, BTreeSet};

use tidy::{Source, expect_none, root, sources};

const DOCUMENT: &str = "docs/errors.md";

/// Crates whose errors reach nobody: tools of tests.
const TOOLS: &[&str] = &["crates/testkit/", "crates/proof/", "crates/tidy/", "crates/load/"];

/// Files in which an error is made of a code that is in a variable, and how its codes are found.
const ELSEWHERE: &[(&str, &str)] = &[
    ("crates/auth/src/alone/error.rs", "a code of the dialect, found as such"),
    ("crates/auth/src/errors.rs", "the callers of bad_request and unprocessable name it"),
    ("crates/auth/src/tokens/error.rs", "a code of the dialect, found as such"),
    ("crates/auth/src/unavailable.rs", "the table beside it"),
    ("crates/data_api/src/failure.rs", "it had the code before"),
    ("crates/postgres/src/error.rs", "PostgreSQL said it: db/ or a SQLSTATE"),
    ("crates/queue/src/coalesce.rs", "it had the code before"),
    ("crates/postgres/src/migrate/error.rs", "a constant of the file"),
    ("crates/server/src/middleware/refusal.rs", "the list beside it"),
];

/// Code to the statuses it is answered with. No status: the code is for who runs commands, or its place says it.
type Codes = BTreeMap<String, BTreeSet<u16>>;

/// What one file can answer, and findings about errors whose code cannot be seen.
fn collect(source: &Source, constants: &BTreeMap<(String, String), String>, codes: &mut Codes) -> Vec<String> {
    let text = without_tests(&source.text);
    let mut found = vec![];
    if source.has_extension("sql") {
        raised(&text, codes);
        composed(&text, codes);
        return found;
    }
    for (kind, code) in made(&text) {
        let name = code.rsplit("::").next().unwrap_or(code);
        if let Some(code) = literal(code) {
            codes.entry(code.to_owned()).or_default().extend(status(kind));
        } else if let Some(code) = constants.get(&(krate(&source.path), name.to_owned())) {
            codes.entry(code.clone()).or_default().extend(status(kind));
        } else if ELSEWHERE.iter().all(|(path, _)| *path != source.path) {
            found.push(format!("{}: the code of an error is in `{code}`, where it cannot be seen", source.path));
        }
    }
    let refused = text.split("CliError::refused(").skip(1).filter_map(|rest| literal(rest.split(',').next()?));
    refused.for_each(|code| _ = codes.entry(code.to_owned()).or_default());
    for (call, status) in [("bad_request(", 400), ("unprocessable(", 422)] {
        let said = text.split(call).skip(1).filter_map(|rest| literal(rest.split([',', ')']).next()?));
        said.for_each(|code| _ = codes.entry(code.to_owned()).or_default().insert(status));
    }
    let strings: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    for code in strings.iter().filter(|string| string.len() == 8 && string.starts_with("PGRST")) {
        codes.entry((*code).to_owned()).or_default();
    }
    match source.path.as_str() {
        "crates/auth/src/unavailable.rs" => {
            for line in source.text.lines().filter(|line| line.trim_start().starts_with("(MethodFilter::")) {
                let parts: Vec<&str> = line.split(", ").collect();
                let status = parts[2].parse().unwrap();
                codes.entry(literal(parts[3]).unwrap().to_owned()).or_default().insert(status);
            }
        }
        "crates/postgres/src/cluster/error.rs" | "crates/server/src/middleware/refusal.rs" => {
            strings.iter().filter(|string| is_code(string)).for_each(|code| _ = codes.entry((*code).to_owned()).or_default());
        }
        path if ELSEWHERE.iter().any(|(file, _)| *file == path) => {
            let own = self::constants(std::slice::from_ref(source));
            for code in own.into_values() {
                codes.entry(code).or_default();
            }
        }
        // What a start says ends with its code: "the keys cannot be used (keys_unusable)".
        path if path.starts_with("crates/server/src/") => {
            let named = strings.iter().flat_map(|string| string.split('(').skip(1)).filter_map(|rest| rest.split(')').next());
            named.filter(|code| is_code(code)).for_each(|code| _ = codes.entry(code.to_owned()).or_default());
        }
        _ => {}
    }
    found
}

/// Leaves the tests of a file away, and makes every space one.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(str::split_whitespace).collect();
    code.join(" ").replace("( ", "(")
}

/// Finds `Error::new(kind, code, …)` and returns the two.
fn made(text: &str) -> Vec<(&str, &str)> {
    let calls = text.match_indices("::new(").map(|(at, call)| &text[at + call.len()..]);
    calls.filter_map(two_arguments).filter(|(kind, _)| *kind == "kind" || kind.contains("Kind::")).collect()
}

fn two_arguments(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    let mut cuts = vec![];
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => cuts.push(at),
            _ => {}
        }
        if cuts.len() == 2 {
            return Some((text[..cuts[0]].trim(), text[cuts[0] + 1..at].trim()));
        }
    }
    None
}

fn literal(text: &str) -> Option<&str> {
    text.trim().strip_prefix('"')?.strip_suffix('"')
}

fn is_code(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn status(kind: &str) -> Option<u16> {
    let name = kind.rsplit("Kind::").next()?;
    let known = [
        ("BadRequest", 400),
        ("Unauthenticated", 401),
        ("Forbidden", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("TooLarge", 413),
        ("Unprocessable", 422),
        ("TooManyRequests", 429),
        ("Internal", 500),
        ("Unavailable", 503),
        ("Timeout", 504),
    ];
    let number = name.strip_prefix("Status(").and_then(|rest| rest.strip_suffix(')')?.parse().ok());
    number.or_else(|| known.iter().find(|(known, _)| *known == name).map(|(_, status)| *status))
}

/// Finds `raise exception using errcode = 'TH403', constraint = 'the_code'`, and the same with the dialect's own `PT`.
fn raised(text: &str, codes: &mut Codes) {
    let value = |statement: &str, name: &str| Some(statement.split_once(&format!("{name} = '"))?.1.split('\'').next()?.to_owned());
    for statement in text.split("raise exception using").skip(1).filter_map(|rest| rest.split(';').next()) {
        let status = value(statement, "errcode")
            .and_then(|state| state.strip_prefix("TH").or_else(|| state.strip_prefix("PT"))?.parse::<u16>().ok());
        if let (Some(status), Some(code)) = (status, value(statement, "constraint")) {
            codes.entry(code).or_default().insert(status);
        }
    }
}

/// Finds codes that begin with what one row is called: `guard_status('job')` and the words that its table refuses, `check_figures('invoice', …`.
fn composed(text: &str, codes: &mut Codes) {
    let noun = |rest: &str| rest.split('\'').next().map(str::to_owned);
    let mut refused: Vec<&str> = vec![];
    for statement in text.split(';') {
        if statement.contains("app.declare_statuses('") {
            let words = statement.split("\": {\"instead\"").map(|before| before.rsplit('"').next().unwrap_or_default());
            refused = words.collect();
            // What stands behind the last of them is no word.
            _ = refused.pop();
        }
        if let Some(noun) = statement.split_once("app.guard_status('").and_then(|(_, rest)| noun(rest)) {
            let words = refused.drain(..).map(|word| format!("status_{word}"));
            for end in words.chain(["transition_invalid", "requirement_missing"].map(str::to_owned)) {
                codes.entry(format!("{noun}_{end}")).or_default().insert(422);
            }
        }
        if let Some(noun) = statement.split_once("app.check_figures('").and_then(|(_, rest)| noun(rest)) {
            codes.entry(format!("{noun}_figures_computed")).or_default().insert(422);
        }
    }
}

fn krate(path: &str) -> String {
    path.split('/').nth(1).unwrap_or_default().to_owned()
}

/// Finds `const NAME: &str = "the_code"`, by crate and name.
fn constants(sources: &[Source]) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for source in sources {
        for line in source.text.lines().filter_map(|line| Some(line.split_once("const ")?.1)) {
            if let Some((name, value)) = line.split_once(": &str = ")
                && let Some(code) = literal(value.trim_end_matches(';')).filter(|code| is_code(code))
            {
                found.insert((krate(&source.path), name.to_owned()), code.to_owned());
            }
        }
    }
    found
}

/// Reads the rows of the document's tables: `` | `code` | 403, 404 | sentence | ``.
fn documented(text: &str) -> (Codes, Vec<String>) {
    let (mut codes, mut found) = (Codes::new(), vec![]);
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, statuses @ .., sentence] = cells.as_slice() else { continue };
        let code = code.trim_matches('`').to_owned();
        if sentence.len() < 10 || !sentence.ends_with('.') {
            found.push(format!("{DOCUMENT}: {code} has no sentence"));
        }
        let statuses = statuses.iter().flat_map(|cell| cell.split(", ")).filter_map(|status| status.parse().ok()).collect();
        if codes.insert(code.clone(), statuses).is_some() {
            found.push(format!("{DOCUMENT}: {code} stands there twice"));
        }
    }
    (codes, found)
}

fn compare(codes: &Codes, documented: &Codes) -> Vec<String> {
    let missing = codes.keys().filter(|code| !documented.contains_key(*code)).map(|code| format!("{DOCUMENT}: {code} is missing"));
    let spare = documented.keys().filter(|code| !codes.contains_key(*code)).map(|code| format!("{DOCUMENT}: nothing answers {code}"));
    let other = codes.iter().filter_map(|(code, statuses)| {
        let said = documented.get(code)?;
        // A code whose place does not say its status may have any; what only commands say has none in the document.
        (!statuses.is_empty() && !said.is_empty() && said != statuses)
            .then(|| format!("{DOCUMENT}: {code} is answered with {statuses:?}, not {said:?}"))
    });
    missing.chain(spare).chain(other).collect()
}

#[test]
fn every_code_is_documented() {
    let sources: Vec<Source> = sources().unwrap();
    let product = |source: &&Source| {
        let rust = source.path.contains("/src/") && source.has_extension("rs") && !source.path.ends_with("/tests.rs");
        (rust || source.path.starts_with("db/")) && TOOLS.iter().all(|tool| !source.path.starts_with(tool))
    };
    let constants = constants(&sources);
    let mut codes = Codes::new();
    let mut found: Vec<String> = sources.iter().filter(product).flat_map(|source| collect(source, &constants, &mut codes)).collect();
    assert!(codes.len() > 100, "only {} codes were found", codes.len());
    let (documented, wrong) = documented(&std::fs::read_to_string(root().join(DOCUMENT)).unwrap());
    found.extend(wrong);
    found.extend(compare(&codes, &documented));
    expect_none("errors", &found);
}

#[test]
fn codes_are_found_where_they_are_made() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let read = |source: &Source| {
        let mut codes = Codes::new();
        let found = collect(source, &constants(std::slice::from_ref(source)), &mut codes);
        (codes.into_iter().map(|(code, statuses)| (code, statuses.into_iter().collect())).collect::<Vec<(String, Vec<u16>)>>(), found)
    };
    let text = "const LATE: &str = \"too_late\";\n\
        fn a() { Error::new(\n  Kind::Status(418),\n  \"tea_pot\",\n  f(1, 2)) }\n\
        fn b() { Error::new(Kind::Timeout, LATE, \"x\"); bad_request(\"bad_json\", \"y\"); \"PGRST301\" }\n\
        #[cfg(test)]\nmod tests { Error::new(Kind::Conflict, \"not_real\", \"z\") }";
    let (codes, found) = read(&source("crates/auth/src/a.rs", text));
    let expected = [("PGRST301", vec![]), ("bad_json", vec![400]), ("tea_pot", vec![418]), ("too_late", vec![504])];
    assert_eq!(codes, expected.map(|(code, statuses)| (code.to_owned(), statuses)));
    assert!(found.is_empty());
    let hidden = read(&source("crates/auth/src/a.rs", "Error::new(Kind::Conflict, code, message)"));
    assert_eq!(hidden.1.len(), 1);
    let sql = "raise exception using errcode = 'TH403', constraint = 'not_yours',\n  message = 'x';\nraise exception using errcode = '22023', message = 'y';
               raise exception using errcode = 'PT409', constraint = 'too_many'";
    let expected = [("not_yours".to_owned(), vec![403]), ("too_many".to_owned(), vec![409])];
    assert_eq!(read(&source("db/code/a.sql", sql)).0, expected);
    let start = read(&source("crates/server/src/start/a.rs", "#[error(\"the keys cannot be used (keys_unusable): {0}\")]"));
    assert_eq!(start.0, [("keys_unusable".to_owned(), vec![])]);
}

#[test]
fn a_document_that_says_something_else_is_found() {
    let codes = Codes::from([("a_b".to_owned(), BTreeSet::from([403])), ("c_d".to_owned(), BTreeSet::new())]);
    let said = |text: &str| {
        let (documented, mut found) = documented(text);
        found.extend(compare(&codes, &documented));
        found.len()
    };
    assert_eq!(said("| `a_b` | 403 | Not allowed here. |\n| `c_d` | Something went wrong. |"), 0);
    assert_eq!(said("| `a_b` | 404 | Not allowed here. |\n| `c_d` | Something went wrong. |"), 1);
    assert_eq!(said("| `a_b` | 403 | Not allowed here. |"), 1);
    assert_eq!(said("| `a_b` | 403 | no |\n| `c_d` | Something went wrong. |\n| `e_f` | Nobody says this. |"), 2);
}

//! The grammar by its examples, and by trees that chance makes.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    let (schema, rest) = text.rsplit_once(':').map_or((None, text), |(schema, rest)| (Some(schema.to_owned()), rest));
    let (attribute, sub) = rest.split_once('.').map_or((rest, None), |(attribute, sub)| (attribute, Some(sub.to_owned())));
    Name { schema, attribute: attribute.to_owned(), sub }
}

fn compare(path: &str, operator: Operator, text: &str) -> Filter {
    Filter::Compare(name(path), operator, Literal::Text(text.to_owned()))
}

fn and(left: Filter, right: Filter) -> Filter {
    Filter::And(Box::new(left), Box::new(right))
}

fn or(left: Filter, right: Filter) -> Filter {
    Filter::Or(Box::new(left), Box::new(right))
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    use Operator::{Contains, Equal, Greater, StartsWith};
    let employee = || compare("userType", Equal, "Employee");
    let mails = |path: &str| compare(path, Contains, "example.com");
    let work = || compare("type", Equal, "work");
    for (text, tree) in [
        (r#"userName eq "bjensen""#, compare("userName", Equal, "bjensen")),
        (r#"name.familyName co "O'Malley""#, compare("name.familyName", Contains, "O'Malley")),
        (r#"userName sw "J""#, compare("userName", StartsWith, "J")),
        (
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
            compare("urn:ietf:params:scim:schemas:core:2.0:User:userName", StartsWith, "J"),
        ),
        ("title pr", Filter::Present(name("title"))),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, compare("meta.lastModified", Greater, "2011-05-13T04:42:34Z")),
        (r#"title pr and userType eq "Employee""#, and(Filter::Present(name("title")), employee())),
        (r#"title pr or userType eq "Intern""#, or(Filter::Present(name("title")), compare("userType", Equal, "Intern"))),
        (r#"schemas eq "urn:x""#, compare("schemas", Equal, "urn:x")),
        (
            r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
            and(employee(), or(mails("emails"), compare("emails.value", Contains, "example.org"))),
        ),
        (
            r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.com")"#,
            and(compare("userType", Operator::NotEqual, "Employee"), Filter::Not(Box::new(or(mails("emails"), mails("emails.value"))))),
        ),
        (r#"userType eq "Employee" and (emails.type eq "work")"#, and(employee(), compare("emails.type", Equal, "work"))),
        (
            r#"emails[type eq "work" and value co "example.com"] or ims[type eq "xmpp"]"#,
            or(
                Filter::Within(name("emails"), Box::new(and(work(), mails("value")))),
                Filter::Within(name("ims"), Box::new(compare("type", Equal, "xmpp"))),
            ),
        ),
        // Without brackets `and` binds before `or`, and words are read in any letters.
        ("a pr OR b pr And c pr", or(Filter::Present(name("a")), and(Filter::Present(name("b")), Filter::Present(name("c"))))),
        ("active eq True", Filter::Compare(name("active"), Equal, Literal::Boolean(true))),
        ("title eq null", Filter::Compare(name("title"), Equal, Literal::Null)),
        ("a ge 12.5", Filter::Compare(name("a"), Operator::GreaterOrEqual, Literal::Number(serde_json::Number::from_f64(12.5).unwrap()))),
        // What a directory sends that is known for it.
        (
            r#"emails[type eq "work"].value eq "a@b.c""#,
            Filter::Within(name("emails"), Box::new(and(work(), compare("value", Equal, "a@b.c")))),
        ),
        ("not (not (a pr))", Filter::Not(Box::new(Filter::Not(Box::new(Filter::Present(name("a"))))))),
        (r#"nothing eq "x\"\\\u00e9""#, compare("nothing", Equal, "x\"\\é")),
    ] {
        assert_eq!(parse(text).unwrap(), tree, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = format!("{}a pr{}", "(".repeat(100), ")".repeat(100));
    for text in [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq bjensen",
        r#"userName xx "a""#,
        r#"eq "a""#,
        "(a pr",
        "a pr)",
        "a pr and",
        "and a pr",
        "a pr b pr",
        "not a pr",
        r#"emails[type eq "work""#,
        "emails[phones[a pr]]",
        r#"a.b.c eq "x""#,
        "a.b[c pr]",
        r#"a: eq "x""#,
        r#"userName eq "a" "b""#,
        "userName eq 'a'",
        r#"userName eq ["a"]"#,
        r#"userName eq {"a":1}"#,
        "a eq 1e999",
        "1a pr",
        "é pr",
        r#"a eq "x\u0000""#,
        "emails[type eq \"work\"].",
        "a\tpr",
        "not",
        "a pr or",
        &deep,
    ] {
        let refused = parse(text).err().unwrap_or_else(|| panic!("{text:?} was taken"));
        assert!(format!("{refused:?}").contains("invalidFilter"), "{text}");
    }
}

#[test]
fn paths_of_changes_are_read() {
    let plain = |path: &str| Target { name: name(path), within: None, sub: None };
    let work = || Some(compare("type", Operator::Equal, "work"));
    for (text, target) in [
        ("members", plain("members")),
        ("name.familyName", plain("name.familyName")),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            plain("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"),
        ),
        (r#"addresses[type eq "work"]"#, Target { name: name("addresses"), within: work(), sub: None }),
        (
            r#"members[value eq "2819c223-7f76-453a-919d-413861904646"]"#,
            Target {
                name: name("members"),
                within: Some(compare("value", Operator::Equal, "2819c223-7f76-453a-919d-413861904646")),
                sub: None,
            },
        ),
        (
            r#"addresses[type eq "work"].streetAddress"#,
            Target { name: name("addresses"), within: work(), sub: Some("streetAddress".to_owned()) },
        ),
    ] {
        assert_eq!(parse_path(text).unwrap(), target, "{text}");
    }
    for text in
        ["", "members[", "members[value eq 1", "a.b.c", "a b", "members[value pr].a.b", "name.familyName[a pr]", "members[value pr] x"]
    {
        let refused = parse_path(text).err().unwrap_or_else(|| panic!("{text:?} was taken"));
        assert!(format!("{refused:?}").contains("invalidPath"), "{text}");
    }
}

#[test]
fn no_tree_is_deeper_than_a_stack() {
    let chain = |word: &str, conditions: usize| vec!["a pr"; conditions].join(word);
    let long = |text: &str| format!("{:?}", parse(text).unwrap_err());
    for word in [" or ", " and "] {
        assert!(parse(&chain(word, 256)).is_ok());
        for conditions in [257, 1_000_000] {
            assert!(long(&chain(word, conditions)).contains("at most 256 conditions"));
        }
    }
    // However they are spread over brackets and negations.
    assert!(long(&vec![format!("not (emails[{}])", chain(" or ", 20)); 20].join(" and ")).contains("at most 256 conditions"));
    let path = |conditions: usize| parse_path(&format!("members[{}]", chain(" or ", conditions)));
    assert!(path(256).is_ok() && path(257).is_err());
    for text in [format!("members[{}]", chain(" or ", 1_000_000)), "a".repeat(4097), format!("members[{}", "(".repeat(100_000))] {
        let refused = format!("{:?}", parse_path(&text).unwrap_err());
        assert!(refused.contains("invalidPath") && refused.len() < 300, "{refused}");
    }
}

fn names() -> impl Strategy<Value = Name> {
    let part = || "[$]?[a-zA-Z][a-zA-Z0-9_-]{0,8}";
    let schema = proptest::option::of("urn:[a-z]{1,5}(:[a-z0-9.]{1,5}){0,3}");
    (schema, part(), proptest::option::of(part())).prop_map(|(schema, attribute, sub)| Name { schema, attribute, sub })
}

fn literals() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(|text| Literal::Text(text.replace('\0', ""))),
        any::<bool>().prop_map(Literal::Boolean),
        any::<i64>().prop_map(|number| Literal::Number(number.into())),
        any::<i32>().prop_map(|eighths| Literal::Number(serde_json::Number::from_f64(f64::from(eighths) / 8.0).unwrap())),
        Just(Literal::Null),
    ]
}

fn filters(inside: bool) -> BoxedStrategy<Filter> {
    let operators = (0..OPERATORS.len()).prop_map(|at| OPERATORS[at].1);
    let leaf = prop_oneof![
        names().prop_map(Filter::Present),
        (names(), operators, literals()).prop_map(|(name, operator, literal)| Filter::Compare(name, operator, literal)),
    ];
    let leaf = if inside {
        leaf.boxed()
    } else {
        let within = (names(), filters(true)).prop_map(|(name, inner)| Filter::Within(Name { sub: None, ..name }, Box::new(inner)));
        prop_oneof![3 => leaf, 1 => within].boxed()
    };
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| and(left, right)),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| or(left, right)),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(filter in filters(false)) {
        prop_assert_eq!(parse(&filter.to_string()).unwrap(), filter);
    }

    #[test]
    fn nothing_makes_it_panic(text in any::<String>(), near in r#"([a-z.:$]{1,4}| |eq|pr|and|or|not|[(\["'\])]|\\u00|-1|true){0,30}"#) {
        for text in [&text, &near] {
            if let Ok(filter) = parse(text) {
                prop_assert_eq!(parse(&filter.to_string()).unwrap(), filter);
            }
            let _read = parse_path(text);
        }
    }
}

//! Calls of functions with what names rows of the other company, several requests as one, and the description of everything.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use serde_json::{Map, Value, json};

use super::asked::{COMPANY_B, FORMS, One, WORD_B};
use super::known::Function;

impl One<'_> {
    pub(super) fn call(&mut self) {
        let known = self.known;
        let function: &Function = known.functions.choose(&mut self.random).expect("there are functions");
        self.asked.about = format!("rpc/{}", function.name);
        self.asked.path = format!("/rest/v1/rpc/{}", function.name);
        let mut arguments = Map::new();
        for (name, kind) in &function.arguments {
            let value = self.argument(name, kind);
            arguments.insert(name.clone(), value);
        }
        let is_get = !self.is_kept && self.chance(30);
        self.asked.method = if is_get { "GET" } else { "POST" };
        if function.schema != "public" {
            self.header(if is_get { "accept-profile" } else { "content-profile" }, &function.schema);
        }
        if is_get {
            for (name, value) in arguments {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.say(&name, &text);
            }
        } else {
            self.body(&Value::Object(arguments));
        }
        if function.gives_rows && self.chance(30) {
            let more = self.word(&["limit", "offset"]);
            self.say(&more, "1");
        }
        if self.chance(20) {
            self.header("prefer", "count=exact");
        }
        if self.chance(5) {
            let form = self.word(&FORMS);
            self.header("accept", &form);
        }
    }

    /// Returns an id of a row that an argument of this name may mean.
    pub(super) fn id_for(&mut self, name: &str) -> String {
        let noun = name.trim_start_matches("p_").trim_end_matches("_id");
        let of = self.known.relations.iter().filter(|relation| noun.len() > 2 && relation.name.starts_with(noun));
        let fitting: Vec<String> = of.flat_map(|relation| &relation.rows).filter_map(|row| row["id"].as_str()).map(str::to_owned).collect();
        match self.pick(&fitting) {
            Some(id) if self.chance(70) => id,
            _ => self.id(),
        }
    }

    pub(super) fn argument(&mut self, name: &str, kind: &str) -> Value {
        let id = if self.chance(15) { COMPANY_B.to_owned() } else { self.id_for(name) };
        match kind {
            "uuid" => json!(id),
            "uuid[]" => json!([id, self.id()]),
            "text[]" => json!([id]),
            // What is kept has no words of B in it.
            "text" | "character varying" | "citext" if self.is_kept => {
                let texts = [id, "viewer".to_owned(), "correction".to_owned(), "public.customers".to_owned(), "own".to_owned()];
                json!(self.pick(&texts))
            }
            "text" | "character varying" | "citext" => {
                let canary = self.pick(&self.known.canaries).unwrap_or_default();
                let texts =
                    [id, canary, WORD_B.to_owned(), "viewer".to_owned(), String::new(), "customer".to_owned(), "company-b".to_owned()];
                json!(self.pick(&texts))
            }
            "jsonb" | "json" => {
                let (one, other) = (json!({ "id": id, "quantity": 1, "customer_id": self.id() }), json!({ "jobs:read": true }));
                self.pick(&[json!([one.clone()]), one, other, json!({}), json!([])]).unwrap_or_default()
            }
            "boolean" => json!(true),
            "date" | "timestamp with time zone" | "timestamp without time zone" => json!(self.word(&["2024-06-01", "2026-12-01"])),
            "integer" | "bigint" | "smallint" | "numeric" | "double precision" | "real" => json!(self.word(&["1", "10", "100"])),
            "interval" => json!("1 day"),
            _ => json!({ "id": id, "company_id": COMPANY_B }),
        }
    }

    /// Several requests as one; a later one uses what an earlier one answered.
    pub(super) fn batch(&mut self) {
        self.asked.method = "POST";
        let mut steps = Vec::new();
        for number in 0..self.random.random_range(1..4) {
            let (relation, row) = self.relation("x-unused");
            self.asked.headers.retain(|(name, _)| *name != "x-unused");
            self.query.clear();
            self.one_of_b(relation, row.as_ref());
            let query = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            let path = format!("/{}?{query}", relation.name);
            steps.push(match self.random.random_range(0..5) {
                0 => json!({ "id": format!("s{number}"), "method": "PATCH", "path": path, "headers": { "prefer": "return=representation" },
                             "body": self.row(relation, row.as_ref(), true) }),
                1 => json!({ "id": format!("s{number}"), "method": "DELETE", "path": path }),
                2 => json!({ "id": format!("s{number}"), "method": "POST", "path": format!("/{}", relation.name),
                             "headers": { "prefer": "return=representation" }, "body": self.row(relation, row.as_ref(), false) }),
                3 if number > 0 => {
                    json!({ "id": format!("s{number}"), "method": "GET", "path": format!("/{}?id=eq.${{s0/0/id}}", relation.name) })
                }
                _ => json!({ "id": format!("s{number}"), "method": "GET", "path": path }),
            });
        }
        self.query.clear();
        self.asked.headers.clear();
        self.asked.path = "/batch/v1".to_owned();
        self.asked.about = "batch".to_owned();
        self.body(&json!({ "requests": steps }));
    }

    /// What there is, and what can be done with it.
    pub(super) fn root(&mut self) {
        self.asked.is_exact = true;
        self.asked.about = "root".to_owned();
        if self.chance(40) {
            self.relation("accept-profile");
            self.asked.method = "OPTIONS";
            return;
        }
        self.asked.method = "GET";
        self.asked.path = "/rest/v1/".to_owned();
        let form = self.word(&["application/openapi+json", "application/openapi+json;version=3.1", "application/json"]);
        self.header("accept", &form);
    }
}

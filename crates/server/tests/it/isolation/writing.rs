//! Requests that write: rows of the other company entered, merged, changed and deleted as if they were one's own.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::Rng as _;
use serde_json::{Map, Value, json};

use super::asked::{COMPANY_A, COMPANY_B, MARK_B, One, WORD_B};
use super::known::{Relation, is_id};

impl One<'_> {
    /// Makes a row out of one of B.
    pub(super) fn row(&mut self, relation: &Relation, row: Option<&Value>, is_change: bool) -> Map<String, Value> {
        let mut made = Map::new();
        for column in &relation.columns {
            let is_given = if is_change { column.is_updated && self.chance(30) } else { column.is_inserted && !self.chance(10) };
            let Some(value) = row.and_then(|row| row.get(&column.name)).filter(|_| is_given) else { continue };
            let says = |text: &str| self.known.canaries.iter().any(|canary| !is_id(canary) && text.contains(canary.as_str()));
            let is_word = |text: &str| text.contains(WORD_B) || says(text);
            let value = match value {
                // What is kept has no words of B in it: they would be found in A's rows.
                Value::String(text) if self.is_kept && is_word(text) => json!(if text.contains('@') { "own@example.com" } else { "own" }),
                Value::Object(_) if self.is_kept => json!({}),
                Value::Array(_) if self.is_kept && is_word(&value.to_string()) => json!([]),
                other => other.clone(),
            };
            made.insert(column.name.clone(), value);
        }
        match self.random.random_range(0..4) {
            choice @ 0..2 if relation.has_company => {
                made.insert("company_id".to_owned(), json!(if choice == 0 { COMPANY_A } else { COMPANY_B }));
            }
            _ => _ = made.remove("company_id"),
        }
        if !is_change && self.chance(40) {
            made.remove("id");
        }
        made
    }

    pub(super) fn write(&mut self) {
        let (relation, row) = self.relation("content-profile");
        let method = self.pick(&["POST", "POST", "PATCH", "PATCH", "PUT", "DELETE"]).unwrap_or_default();
        let each = self.chance(20);
        self.asked.method = method;
        match method {
            "POST" => self.insert(relation, row.as_ref()),
            "PATCH" if each => {
                self.say("on_conflict", "id");
                let mut one = self.row(relation, row.as_ref(), true);
                one.insert("id".to_owned(), row.as_ref().map_or(Value::Null, |row| row["id"].clone()));
                self.body(&json!([one]));
            }
            "PATCH" => {
                self.one_of_b(relation, row.as_ref());
                let change = self.row(relation, row.as_ref(), true);
                self.body(&Value::Object(change));
            }
            "PUT" => {
                let id = row.as_ref().and_then(|row| row["id"].as_str()).map_or_else(|| self.id(), str::to_owned);
                self.say("id", &format!("eq.{id}"));
                let mut full = self.row(relation, row.as_ref(), false);
                full.insert("id".to_owned(), json!(id));
                self.body(&Value::Object(full));
            }
            _ => self.one_of_b(relation, row.as_ref()),
        }
        let wanted =
            self.word(&["", "return=representation", "return=representation", "return=headers-only", "return=minimal,count=exact"]);
        self.header("prefer", &wanted);
        if self.chance(20) {
            self.header("prefer", "handling=strict,max-affected=1");
        }
        if self.chance(15) {
            self.header("prefer", "deleted=include");
        }
        if self.chance(30) && wanted == "return=representation" {
            self.select(relation);
        }
        if self.chance(4) {
            let key = format!("{:x}", self.random.random::<u64>());
            self.header("idempotency-key", &key);
        }
        if self.chance(10) {
            self.header("accept", "application/vnd.pgrst.object+json");
        }
    }

    /// Says which row is meant: one of B.
    pub(super) fn one_of_b(&mut self, relation: &Relation, row: Option<&Value>) {
        let named = ["id", "user_id", "job_id", "customer_id", "company_id"].into_iter();
        let of = |name: &str| row.and_then(|row| row[name].as_str()).filter(|id| id.contains(MARK_B)).map(str::to_owned);
        let known: Vec<(String, String)> = named.filter_map(|name| Some((name.to_owned(), of(name)?))).collect();
        if let Some((name, id)) = self.pick(&known) {
            let said = self.word(&["eq.", "eq.", "in.("]);
            let end = if said == "in.(" { ")" } else { "" };
            self.say(&name, &format!("{said}{id}{end}"));
        } else {
            let id = self.id();
            let name =
                relation.columns.iter().find(|column| column.kind == "uuid").map_or_else(|| "id".to_owned(), |column| column.name.clone());
            self.say(&name, &format!("eq.{id}"));
        }
    }

    pub(super) fn insert(&mut self, relation: &Relation, row: Option<&Value>) {
        let one = self.row(relation, row, false);
        if self.chance(35) {
            let resolution = self.word(&["resolution=merge-duplicates", "resolution=ignore-duplicates"]);
            self.header("prefer", &resolution);
            if self.chance(60) {
                let on = self.word(&["id", "company_id,id", "company_id", "slug", "email", "name"]);
                self.say("on_conflict", &on);
            }
        }
        if self.chance(15) {
            let columns: Vec<String> = one.keys().map(|key| format!("\"{key}\"")).collect();
            self.say("columns", &columns.join(","));
            self.header("prefer", "missing=default");
        }
        match self.random.random_range(0..10) {
            0..2 => {
                let mut other = one.clone();
                other.insert("id".to_owned(), json!(uuid::Builder::from_random_bytes(self.random.random()).into_uuid()));
                self.body(&json!([one, other]));
            }
            2 => {
                let fields: Vec<(String, String)> =
                    one.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
                let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
                self.header("content-type", "application/x-www-form-urlencoded");
                self.asked.body = Some(pairs.join("&"));
            }
            _ => self.body(&Value::Object(one)),
        }
    }

    pub(super) fn body(&mut self, value: &Value) {
        self.header("content-type", "application/json");
        self.asked.body = Some(value.to_string());
    }
}

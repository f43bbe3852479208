//! Requests that read: conditions that name rows of the other company, what is selected and embedded, orders, parts, counts and forms.

use rand::Rng as _;
use serde_json::Value;

use super::asked::{FORMS, MARK_B, One, WORD_B};
use super::known::Relation;

impl<'a> One<'a> {
    pub(super) fn read(&mut self) {
        self.asked.method = if self.chance(6) { "HEAD" } else { "GET" };
        self.asked.is_exact = true;
        let (relation, row) = self.relation("accept-profile");
        for _ in 0..self.random.random_range(0..3) {
            self.condition("", relation, row.as_ref());
        }
        self.select(relation);
        let is_grouped = self.query.iter().any(|(name, value)| name == "select" && value.contains("()"));
        if !is_grouped && self.chance(30) {
            let column = self.column(relation);
            let how = self.word(&["", ".desc", ".asc.nullslast", ".desc.nullsfirst"]);
            self.say("order", &format!("{column}{how}"));
        }
        if self.chance(15) {
            let number = self.random.random_range(0..5);
            let bound = self.word(&["limit", "offset"]);
            self.say(&bound, &number.to_string());
        }
        if self.chance(8) {
            self.header("range", "0-3");
        }
        if self.chance(35) {
            let count = self.word(&["count=exact", "count=exact", "count=planned", "count=estimated"]);
            self.asked.is_exact &= count == "count=exact";
            self.header("prefer", &count);
        }
        if self.chance(8) {
            self.header("prefer", "deleted=include");
        }
        if self.chance(25) {
            let form = self.word(&FORMS);
            self.asked.is_exact &= !form.contains("plan");
            self.header("accept", &form);
        }
    }

    pub(super) fn column(&mut self, relation: &Relation) -> String {
        self.pick(&relation.columns).map(|column| column.name).unwrap_or_default()
    }

    pub(super) fn select(&mut self, relation: &'a Relation) {
        let (one, other) = (self.column(relation), self.column(relation));
        let mut items = match self.random.random_range(0..9) {
            0..3 => "*".to_owned(),
            3 => format!("{one},x:{other}"),
            4 => format!("{one}::text,{other}"),
            5 => "count()".to_owned(),
            6 => format!("{one},count()"),
            7 => format!("{one}.count(),x:{other}.max()"),
            _ => String::new(),
        };
        if self.chance(45)
            && let Some(embed) = self.embed(relation, 0)
        {
            items = if items.is_empty() { embed } else { format!("{items},{embed}") };
        }
        if !items.is_empty() {
            self.say("select", &items);
        }
    }

    /// Writes an embed of something that is related, and what is asked of it.
    pub(super) fn embed(&mut self, relation: &'a Relation, depth: usize) -> Option<String> {
        let known = self.known;
        let here: Vec<(String, String, &Relation)> = known
            .relations
            .iter()
            .flat_map(|other| other.keys.iter().map(move |key| (key, other)))
            .filter(|((_, target, _), other)| other.name == relation.name || *target == relation.name)
            .filter_map(|((key, target, column), other)| {
                let away = if other.name == relation.name { known.relation(target)? } else { other };
                Some((key.clone(), column.clone(), away))
            })
            .collect();
        let (key, column, away) = self.pick(&here)?;
        let name = &away.name;
        let inner = if depth == 0 && self.chance(25) { self.embed(away, 1) } else { None };
        let wanted = self.column(away);
        let items = match (self.random.random_range(0..4), inner) {
            (_, Some(inner)) => format!("*,{inner}"),
            (0, None) => wanted.clone(),
            (1, None) => "count()".to_owned(),
            (2, None) => String::new(),
            _ => "*".to_owned(),
        };
        let (named, written) = match self.random.random_range(0..7) {
            0 => (name.clone(), format!("{name}({items})")),
            1 => (name.clone(), format!("{name}!{key}({items})")),
            2 => (name.clone(), format!("{name}!{key}!inner({items})")),
            3 => ("x".to_owned(), format!("x:{name}!{column}({items})")),
            4 => (key.clone(), format!("{key}({items})")),
            5 => (name.clone(), format!("...{name}!{key}({wanted})")),
            _ => (column.clone(), format!("{column}({items})")),
        };
        if depth == 0 {
            let row = self.pick(&away.rows);
            match self.random.random_range(0..8) {
                0..3 => self.condition(&format!("{named}."), away, row.as_ref()),
                3 => self.say(&named, "is.null"),
                4 => self.say(&named, "not.is.null"),
                5 => self.say(&format!("{named}.limit"), "2"),
                6 => self.say("order", &format!("{named}({wanted})")),
                _ => {}
            }
        }
        Some(written)
    }

    /// Says a condition that names something of B.
    pub(super) fn condition(&mut self, before: &str, relation: &Relation, row: Option<&Value>) {
        let Some((column, value)) = self.foreign(relation, row) else { return };
        let kind = relation.columns.iter().find(|known| known.name == column).map(|known| known.kind.clone()).unwrap_or_default();
        let said = self.operation(&kind, &value);
        match self.random.random_range(0..8) {
            0 => {
                let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
                self.say(&format!("{before}or"), &format!("({column}.eq.\"{quoted}\",{column}.is.null)"));
            }
            1 => self.say(&format!("{before}not.and"), &format!("({column}.is.null,{column}.not.is.null)")),
            2 => self.say(&format!("{before}{column}"), &format!("not.{said}")),
            _ => self.say(&format!("{before}{column}"), &said),
        }
    }

    pub(super) fn operation(&mut self, kind: &str, value: &str) -> String {
        let begins: String = value.chars().take(9).collect();
        let said: Vec<String> = match kind {
            "uuid" => {
                ["eq.@", "neq.@", "in.(@)", "gte.@", "lte.@", "isdistinct.@", "eq(any).{@}"].map(|text| text.replace('@', value)).to_vec()
            }
            "uuid[]" | "text[]" => ["cs.{@}", "ov.{@}", "cd.{@}"].map(|text| text.replace('@', value)).to_vec(),
            "json" | "jsonb" => vec!["not.is.null".to_owned(), format!("cs.{{\"note\":\"{WORD_B}\"}}")],
            "text" | "citext" | "character varying" => {
                let mut said: Vec<String> =
                    ["eq.@", "gte.@", "in.(\"@\")", "plfts.@", "wfts.@", "phfts.@"].map(|text| text.replace('@', value)).to_vec();
                said.extend(["like.@*", "ilike.@*", "match.^@", "imatch.^@", "like(any).{@*}"].map(|text| text.replace('@', &begins)));
                said
            }
            _ => ["eq.@", "gte.@", "lt.@"].map(|text| text.replace('@', value)).to_vec(),
        };
        self.pick(&said).unwrap_or_default()
    }

    /// Chooses a column and what a row of B says in it, the company's own sometimes.
    pub(super) fn foreign(&mut self, relation: &Relation, row: Option<&Value>) -> Option<(String, String)> {
        let said = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Array(values) => values.first().and_then(Value::as_str).map(str::to_owned),
            Value::Number(number) => Some(number.to_string()),
            Value::Object(_) => Some(String::new()),
            Value::Null | Value::Bool(_) => None,
        };
        if let Some(row) = row {
            let all: Vec<(String, String)> =
                row.as_object()?.iter().filter_map(|(name, value)| Some((name.clone(), said(value)?))).collect();
            let telling: Vec<(String, String)> =
                all.iter().filter(|(_, value)| value.contains(MARK_B) || value.contains(WORD_B)).cloned().collect();
            return if !telling.is_empty() && self.chance(75) { self.pick(&telling) } else { self.pick(&all) };
        }
        let ids: Vec<String> = relation.columns.iter().filter(|column| column.kind == "uuid").map(|column| column.name.clone()).collect();
        Some((self.pick(&ids)?, self.id()))
    }
}

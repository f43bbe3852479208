//! How relations lead to each other, found from foreign keys: directly, through views over the tables that have them, through junctions.
//!
//! Invariant: a key counts for a view only if the view shows all its columns as they are. Where the company's column leads both sides of
//! a key, or a junction's own key, everything is decided as if it were not there, and the join still has it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use super::lineage::Lineage;
use super::model::{Cardinality, Junction, Relation, Relationship};

/// Ways in which a view may show one key, by showing its columns more than once.
const FACES_MAX: usize = 16;

/// A foreign key of any table, by numbers.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    name: String,
    table: u32,
    table_name: String,
    columns: Vec<i16>,
    column_names: Vec<String>,
    target: u32,
    target_columns: Vec<i16>,
    #[serde(default)]
    named_only: bool,
}

/// The columns of a primary key or a unique constraint.
#[derive(Debug, Deserialize)]
pub(super) struct UniqueKey {
    table: u32,
    primary: bool,
    columns: Vec<i16>,
}

/// All keys, and the companies' columns of declared tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys<'a> {
    pub(super) references: &'a [Reference],
    pub(super) uniques: &'a [UniqueKey],
    pub(super) tenants: &'a HashMap<u32, i16>,
}

/// Schema and name.
type Name = (String, String);

/// How a relation shows the columns of a table: it is the table, or a view of it.
#[derive(Debug)]
struct Face<'a> {
    relation: &'a Relation,
    columns: HashMap<i16, Vec<&'a str>>,
}

/// A key that points from one relation to another.
#[derive(Debug)]
struct Pointer<'a> {
    constraint: &'a str,
    legacy_prefix: Option<String>,
    origin: &'a Relation,
    target: &'a Relation,
    columns: Vec<(&'a str, &'a str)>,
    named: Vec<(&'a str, &'a str)>,
    is_unique: bool,
    named_only: bool,
}

/// Finds all relationships, by the relation they begin at.
pub(super) fn of<'a>(
    relations: impl Iterator<Item = &'a Relation>,
    keys: Keys<'_>,
    lineage: &Lineage,
) -> BTreeMap<Name, Vec<Relationship>> {
    let faces = faces(relations, lineage);
    let pointers: Vec<Pointer<'_>> = keys.references.iter().flat_map(|reference| pointers(reference, keys, &faces)).collect();
    let mut found: BTreeMap<Name, Vec<Relationship>> = BTreeMap::new();
    let mut junctions: BTreeMap<Name, Vec<&Pointer<'_>>> = BTreeMap::new();
    for pointer in &pointers {
        found.entry(name(pointer.origin)).or_default().push(pointer.forward());
        found.entry(name(pointer.target)).or_default().push(pointer.backward());
        if !pointer.is_unique {
            junctions.entry(name(pointer.origin)).or_default().push(pointer);
        }
    }
    for pointers in junctions.values() {
        let Some(key) = pointers.first().and_then(|pointer| junction_key(pointer.origin, keys, &faces)) else { continue };
        let inside: Vec<&&Pointer<'_>> = pointers.iter().filter(|pointer| pointer.is_inside(&key)).collect();
        for first in &inside {
            for second in inside.iter().filter(|second| second.constraint != first.constraint) {
                found.entry(name(first.target)).or_default().push(first.through(second));
            }
        }
    }
    for relationships in found.values_mut() {
        relationships.sort();
        relationships.dedup();
    }
    found
}

/// Returns the keys of views: the primary keys of the tables below them, as far as a view shows all columns of one.
pub(super) fn of_views<'a>(
    relations: impl Iterator<Item = &'a Relation>,
    uniques: &[UniqueKey],
    lineage: &Lineage,
) -> HashMap<Name, Vec<String>> {
    let faces = faces(relations, lineage);
    let mut found: HashMap<Name, Vec<String>> = HashMap::new();
    for primary in uniques.iter().filter(|key| key.primary) {
        for view in faces.get(&primary.table).into_iter().flatten().filter(|face| face.relation.is_view()) {
            let key = found.entry(name(view.relation)).or_default();
            for column in view.ways(&primary.columns).into_iter().next().unwrap_or_default() {
                if !key.iter().any(|known| known == column) {
                    key.push(column.to_owned());
                }
            }
        }
    }
    found
}

fn name(relation: &Relation) -> Name {
    (relation.schema.clone(), relation.name.clone())
}

/// Returns what shows each table.
fn faces<'a>(relations: impl Iterator<Item = &'a Relation>, lineage: &Lineage) -> HashMap<u32, Vec<Face<'a>>> {
    let mut faces: HashMap<u32, Vec<Face<'a>>> = HashMap::new();
    for relation in relations {
        let mut tables: HashMap<u32, HashMap<i16, Vec<&str>>> = HashMap::new();
        // A view's columns are numbered without gaps: none can be dropped.
        for (column, place) in relation.columns.iter().zip(1..) {
            let origin = if relation.is_view() { lineage.origin((relation.oid, place)) } else { Some((relation.oid, column.number)) };
            if let Some((table, number)) = origin {
                tables.entry(table).or_default().entry(number).or_default().push(&column.name);
            }
        }
        for (table, columns) in tables {
            faces.entry(table).or_default().push(Face { relation, columns });
        }
    }
    // Two of one name are told apart by the schema; the order must not depend on the map.
    for shown in faces.values_mut() {
        shown.sort_by(|left, right| (&left.relation.schema, &left.relation.name).cmp(&(&right.relation.schema, &right.relation.name)));
    }
    faces
}

impl<'a> Face<'a> {
    /// Returns every way in which all these columns are shown.
    fn ways(&self, numbers: &[i16]) -> Vec<Vec<&'a str>> {
        numbers.iter().fold(vec![Vec::new()], |ways, number| {
            let names = self.columns.get(number).map_or(&[][..], Vec::as_slice);
            let longer = ways.iter().flat_map(|way| {
                names.iter().map(move |name| {
                    let mut way = way.clone();
                    way.push(*name);
                    way
                })
            });
            longer.take(FACES_MAX).collect()
        })
    }
}

fn pointers<'a>(reference: &'a Reference, keys: Keys<'_>, faces: &HashMap<u32, Vec<Face<'a>>>) -> Vec<Pointer<'a>> {
    let none: &[Face<'a>] = &[];
    let is_unique = is_unique(reference, keys);
    let tenant = tenant_position(reference, keys);
    let others: Vec<&String> =
        reference.column_names.iter().enumerate().filter(|(at, _)| Some(*at) != tenant).map(|(_, name)| name).collect();
    let legacy_prefix = match others.as_slice() {
        [column] => Some(format!("{}_{column}_", reference.table_name)),
        _ => None,
    };
    let mut pointers = Vec::new();
    for face in faces.get(&reference.table).map_or(none, Vec::as_slice) {
        for target in faces.get(&reference.target).map_or(none, Vec::as_slice) {
            for here in face.ways(&reference.columns) {
                for there in target.ways(&reference.target_columns) {
                    let columns: Vec<(&str, &str)> = here.iter().copied().zip(there).collect();
                    let named = columns.iter().enumerate().filter(|(at, _)| Some(*at) != tenant).map(|(_, pair)| *pair).collect();
                    pointers.push(Pointer {
                        constraint: &reference.name,
                        legacy_prefix: legacy_prefix.clone(),
                        origin: face.relation,
                        target: target.relation,
                        columns,
                        named,
                        is_unique,
                        named_only: reference.named_only,
                    });
                }
            }
        }
    }
    pointers
}

/// Returns where in a key of several columns the company's column of one side points at that of the other.
fn tenant_position(reference: &Reference, keys: Keys<'_>) -> Option<usize> {
    let (here, there) = (keys.tenants.get(&reference.table)?, keys.tenants.get(&reference.target)?);
    let mut pairs = reference.columns.iter().zip(&reference.target_columns);
    pairs.position(|pair| pair == (here, there)).filter(|_| reference.columns.len() > 1)
}

/// Tells whether the columns that point are a key of their own table.
fn is_unique(reference: &Reference, keys: Keys<'_>) -> bool {
    let whole: BTreeSet<i16> = reference.columns.iter().copied().collect();
    let mut sets = vec![whole.clone()];
    if let Some(tenant) = tenant_position(reference, keys).and_then(|at| reference.columns.get(at)) {
        let mut rest = whole;
        rest.remove(tenant);
        sets.push(rest);
    }
    let mut unique = keys.uniques.iter().filter(|key| key.table == reference.table);
    unique.any(|key| sets.contains(&key.columns.iter().copied().collect()))
}

/// Returns the columns of a junction's key, without the company's where it leads others; none where there is no key.
fn junction_key<'a>(junction: &'a Relation, keys: Keys<'_>, faces: &HashMap<u32, Vec<Face<'a>>>) -> Option<BTreeSet<&'a str>> {
    let mut key: BTreeSet<&str> = BTreeSet::new();
    for primary in keys.uniques.iter().filter(|key| key.primary) {
        let shown = faces.get(&primary.table).and_then(|faces| faces.iter().find(|face| std::ptr::eq(face.relation, junction)));
        key.extend(shown.and_then(|face| face.ways(&primary.columns).into_iter().next()).unwrap_or_default());
    }
    if key.len() > 1 {
        junction.tenant_column().map(|tenant| key.remove(tenant));
    }
    (!key.is_empty()).then_some(key)
}

fn owned<'a>(pairs: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(here, there)| ((*here).to_owned(), (*there).to_owned())).collect()
}

fn turned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(here, there)| ((*there).to_owned(), (*here).to_owned())).collect()
}

impl Pointer<'_> {
    fn is_self(&self) -> bool {
        std::ptr::eq(self.origin, self.target)
    }

    fn forward(&self) -> Relationship {
        Relationship {
            schema: self.target.schema.clone(),
            relation: self.target.name.clone(),
            is_self: self.is_self(),
            cardinality: if self.is_unique { Cardinality::OneToOne } else { Cardinality::ManyToOne },
            constraint: self.constraint.to_owned(),
            forward: true,
            columns: owned(&self.columns),
            named: owned(&self.named),
            legacy_prefix: self.legacy_prefix.clone(),
            target_is_view: self.target.is_view(),
            named_only: self.named_only,
            junction: None,
        }
    }

    fn backward(&self) -> Relationship {
        Relationship {
            schema: self.origin.schema.clone(),
            relation: self.origin.name.clone(),
            cardinality: if self.is_unique { Cardinality::OneToOne } else { Cardinality::OneToMany },
            forward: false,
            columns: turned(&self.columns),
            named: turned(&self.named),
            target_is_view: self.origin.is_view(),
            ..self.forward()
        }
    }

    /// Tells whether what people name of the key is a part of the junction's own.
    fn is_inside(&self, key: &BTreeSet<&str>) -> bool {
        self.named.iter().all(|(column, _)| key.contains(column))
    }

    /// Leads from what this key points at to what another of the same junction points at.
    fn through(&self, other: &Self) -> Relationship {
        let columns = |pairs: &[(&str, &str)]| pairs.iter().map(|(junction, _)| (*junction).to_owned()).collect();
        Relationship {
            schema: other.target.schema.clone(),
            relation: other.target.name.clone(),
            is_self: std::ptr::eq(self.target, other.target),
            cardinality: Cardinality::ManyToMany,
            constraint: self.constraint.to_owned(),
            forward: true,
            columns: Vec::new(),
            named: Vec::new(),
            legacy_prefix: None,
            target_is_view: other.target.is_view(),
            named_only: self.named_only || other.named_only,
            junction: Some(Junction {
                schema: self.origin.schema.clone(),
                relation: self.origin.name.clone(),
                target_constraint: other.constraint.to_owned(),
                origin: turned(&self.columns),
                target: turned(&other.columns),
                origin_named: columns(&self.named),
                target_named: columns(&other.named),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Catalog;
    use super::*;

    fn relation(oid: u32, kind: &str, name: &str, columns: &[&str]) -> Value {
        let column = |(number, name): (usize, &&str)| {
            json!({ "name": name, "number": number + 1, "type": { "schema": "pg_catalog", "name": "uuid", "base": "uuid", "shape": "scalar" },
                    "formatted_type": "uuid", "nullable": true, "has_default": false, "generated": false, "identity_always": false,
                    "comment": null })
        };
        json!({ "oid": oid, "schema": "public", "name": name, "kind": kind, "insertable": true, "updatable": true, "deletable": true,
                "comment": null, "columns": columns.iter().enumerate().map(column).collect::<Vec<_>>(), "primary_key": [], "uniques": [],
                "foreign_keys": [] })
    }

    fn reference(name: &str, (table, columns, names): (u32, &[i16], &[&str]), (target, there): (u32, &[i16])) -> Value {
        let table_name = name.split("__").next().unwrap();
        json!({ "name": name, "table": table, "table_name": table_name, "columns": columns, "column_names": names, "target": target,
                "target_columns": there })
    }

    /// Customers with jobs, settings and tags, all of a company; a view of jobs without their company; companies.
    fn catalog() -> Catalog {
        let entry = |number: u32, column: u32| {
            format!(
                "{{TARGETENTRY :expr {{VAR}} :resno {number} :resname x :ressortgroupref 0 :resorigtbl 2 :resorigcol {column} :resjunk false}}"
            )
        };
        let view = |oid: u32, columns: &[u32]| {
            let entries: String = columns.iter().zip(1..).map(|(column, number)| entry(number, *column)).collect();
            json!({ "oid": oid, "rule": format!("({{QUERY :targetList ({entries})}})") })
        };
        let document = json!({
            "relations": [
                relation(1, "table", "customers", &["company_id", "id"]),
                relation(2, "table", "jobs", &["company_id", "id", "customer_id", "billed_to", "parent_id"]),
                relation(3, "table", "settings", &["company_id", "customer_id"]),
                relation(4, "table", "tags", &["company_id", "id"]),
                relation(5, "table", "customer_tags", &["company_id", "customer_id", "tag_id"]),
                relation(6, "table", "companies", &["id"]),
                relation(8, "view", "open_jobs", &["tenant_id", "id", "customer"]),
                relation(9, "view", "job_names", &["id", "customer"]),
            ],
            "functions": [], "has_declarations": true,
            "views": [view(8, &[1, 2, 3]), view(9, &[2, 3])],
            "references": [
                reference("jobs__customer", (2, &[1, 3], &["company_id", "customer_id"]), (1, &[1, 2])),
                reference("jobs__billed_to", (2, &[1, 4], &["company_id", "billed_to"]), (1, &[1, 2])),
                reference("jobs__parent", (2, &[1, 5], &["company_id", "parent_id"]), (2, &[1, 2])),
                reference("jobs__company", (2, &[1], &["company_id"]), (6, &[1])),
                reference("settings__customer", (3, &[1, 2], &["company_id", "customer_id"]), (1, &[1, 2])),
                reference("customer_tags__customer", (5, &[1, 2], &["company_id", "customer_id"]), (1, &[1, 2])),
                reference("customer_tags__tag", (5, &[1, 3], &["company_id", "tag_id"]), (4, &[1, 2])),
                reference("customer_tags__company", (5, &[1], &["company_id"]), (6, &[1])),
            ],
            "unique_keys": [
                { "table": 2, "primary": true, "columns": [1, 2] },
                { "table": 3, "primary": true, "columns": [1, 2] },
                { "table": 5, "primary": true, "columns": [1, 2, 3] },
            ],
        });
        let declared = |oid: u32, name: &str, tenant: &str| {
            json!({ "schema": "public", "relation": name, "oid": oid, "tenant_number": 1, "noun": name, "soft_delete": false,
                    "tenant_column": tenant, "assigned_column": null, "own_column": null, "verbs": [],
                    "has_own_policies": false })
        };
        let mut declarations: Vec<Value> = [(1, "customers"), (2, "jobs"), (3, "settings"), (4, "tags"), (5, "customer_tags")]
            .map(|(oid, name)| declared(oid, name, "company_id"))
            .to_vec();
        declarations.push(declared(6, "companies", "id"));
        Catalog::from_documents(&document.to_string(), Some(&json!(declarations).to_string())).unwrap()
    }

    fn seen(catalog: &Catalog, from: &str) -> Vec<(String, Cardinality, String)> {
        let of = |it: &Relationship| {
            let named: Vec<String> = it.named.iter().map(|(here, there)| format!("{here}={there}")).collect();
            (it.relation.clone(), it.cardinality, named.join(","))
        };
        catalog.relationships("public", from).iter().map(of).collect()
    }

    fn expected(rows: &[(&str, Cardinality, &str)]) -> Vec<(String, Cardinality, String)> {
        rows.iter().map(|(to, cardinality, named)| ((*to).to_owned(), *cardinality, (*named).to_owned())).collect()
    }

    #[test]
    fn the_company_leads_keys_and_is_not_named() {
        use Cardinality::{ManyToMany, ManyToOne, OneToMany, OneToOne};
        let catalog = catalog();
        assert_eq!(
            seen(&catalog, "customers"),
            expected(&[
                ("customer_tags", OneToMany, "id=customer_id"),
                ("jobs", OneToMany, "id=billed_to"),
                ("jobs", OneToMany, "id=customer_id"),
                ("open_jobs", OneToMany, "id=customer"),
                ("settings", OneToOne, "id=customer_id"),
                ("tags", ManyToMany, ""),
            ])
        );
        assert_eq!(
            seen(&catalog, "customer_tags"),
            expected(&[
                ("companies", ManyToOne, "company_id=id"),
                ("customers", ManyToOne, "customer_id=id"),
                ("tags", ManyToOne, "tag_id=id"),
            ])
        );
        let jobs = &catalog.relationships("public", "customers")[2];
        assert_eq!(jobs.columns, [("company_id", "company_id"), ("id", "customer_id")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(jobs.legacy_prefix.as_deref(), Some("jobs_customer_id_"));
    }

    #[test]
    fn a_table_that_points_at_itself_leads_both_ways() {
        let catalog = catalog();
        let own: Vec<(Cardinality, bool)> =
            catalog.relationships("public", "jobs").iter().filter(|it| it.is_self).map(|it| (it.cardinality, it.forward)).collect();
        assert_eq!(own, [(Cardinality::OneToMany, false), (Cardinality::ManyToOne, true)]);
    }

    #[test]
    fn a_view_has_the_keys_that_it_shows_whole() {
        let catalog = catalog();
        assert_eq!(
            seen(&catalog, "open_jobs"),
            expected(&[
                ("companies", Cardinality::ManyToOne, "tenant_id=id"),
                ("customers", Cardinality::ManyToOne, "customer=id"),
                // What points at the table below points at the view, too.
                ("jobs", Cardinality::OneToMany, "id=parent_id"),
            ])
        );
        assert_eq!(seen(&catalog, "job_names"), [], "without its company's column no key is whole");
    }

    #[test]
    fn a_junction_knows_its_columns_on_both_sides() {
        let catalog = catalog();
        let tags = catalog.relationships("public", "customers").last().unwrap().clone();
        let junction = tags.junction.unwrap();
        assert_eq!((tags.constraint.as_str(), junction.target_constraint.as_str()), ("customer_tags__customer", "customer_tags__tag"));
        assert_eq!((junction.origin_named, junction.target_named), (vec!["customer_id".to_owned()], vec!["tag_id".to_owned()]));
        assert_eq!(junction.target[1], ("id".to_owned(), "tag_id".to_owned()));
        // The key that everything of a company has is no bridge between companies and tags.
        assert!(catalog.relationships("public", "companies").iter().all(|it| it.junction.is_none()));
    }
}

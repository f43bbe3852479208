//! Tables and views: what is read of a row, what is written of a new one and of one that changes, and where rows lead.

use postgres::catalog::{Cardinality, Column, Relation, RelationKind, Relationship};

use super::names::{Types, block, field, optional, quoted};

/// Tells under which word a relation stands.
pub(super) fn kind(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable => "Tables",
        RelationKind::View | RelationKind::MaterializedView => "Views",
    }
}

pub(super) fn tables(types: Types<'_>, schema: &str) -> Vec<String> {
    relations(types, schema, "Tables").into_iter().map(|relation| table(types, relation)).collect()
}

pub(super) fn views(types: Types<'_>, schema: &str) -> Vec<String> {
    relations(types, schema, "Views").into_iter().map(|relation| view(types, relation)).collect()
}

fn relations<'a>(types: Types<'a>, schema: &str, wanted: &str) -> Vec<&'a Relation> {
    let mut found: Vec<&Relation> = types.catalog.relations(schema).filter(|relation| kind(relation) == wanted).collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

fn columns(relation: &Relation) -> Vec<&Column> {
    let mut columns: Vec<&Column> = relation.columns.iter().collect();
    columns.sort_by(|left, right| left.name.cmp(&right.name));
    columns
}

fn table(types: Types<'_>, relation: &Relation) -> String {
    let columns = columns(relation);
    let written = |column: &Column| {
        let written = types.written(&column.data_type);
        if column.nullable { format!("{written} | null") } else { written }
    };
    let row: Vec<String> = columns.iter().map(|column| field(10, &column.name, &written(column))).collect();
    let insert = columns.iter().map(|column| match column {
        column if column.generated || column.identity_always => optional(10, &column.name, "never"),
        column if column.nullable || column.has_default || column.default.is_some() => optional(10, &column.name, &written(column)),
        column => field(10, &column.name, &written(column)),
    });
    let update = columns.iter().map(|column| {
        let is_computed = column.generated || column.identity_always;
        optional(10, &column.name, &if is_computed { "never".to_owned() } else { written(column) })
    });
    let (insert, update): (Vec<String>, Vec<String>) = (insert.collect(), update.collect());
    let parts = [block(8, "Row", &row), block(8, "Insert", &insert), block(8, "Update", &update), relationships(types, relation)];
    block(6, &relation.name, &parts)
}

/// Of a view PostgreSQL does not say what is never null.
fn view(types: Types<'_>, relation: &Relation) -> String {
    let columns = columns(relation);
    let members = |write: fn(usize, &str, &str) -> String| {
        columns.iter().map(|column| write(10, &column.name, &format!("{} | null", types.written(&column.data_type)))).collect::<Vec<_>>()
    };
    let mut parts = vec![block(8, "Row", &members(field))];
    if relation.insertable {
        parts.push(block(8, "Insert", &members(optional)));
    }
    if relation.updatable {
        parts.push(block(8, "Update", &members(optional)));
    }
    parts.push(relationships(types, relation));
    block(6, &relation.name, &parts)
}

/// Lists the keys that point from here to what is written, too. The client knows the relations of one schema at a time.
fn relationships(types: Types<'_>, relation: &Relation) -> String {
    let all = types.catalog.relationships(&relation.schema, &relation.name);
    let points = |it: &&Relationship| it.forward && it.cardinality != Cardinality::ManyToMany && it.schema == relation.schema;
    let mut found: Vec<&Relationship> = all.iter().filter(points).collect();
    found.sort_by_key(|it| (&it.constraint, it.target_is_view, &it.relation));
    let of = |it: &&Relationship| {
        let list = |names: Vec<String>| format!("[{}]", names.join(", "));
        let here = list(it.named.iter().map(|(here, _)| quoted(here)).collect());
        let there = list(it.named.iter().map(|(_, there)| quoted(there)).collect());
        let members = [
            field(12, "foreignKeyName", &quoted(&it.constraint)),
            field(12, "columns", &here),
            field(12, "isOneToOne", if it.cardinality == Cardinality::OneToOne { "true" } else { "false" }),
            field(12, "referencedRelation", &quoted(&it.relation)),
            field(12, "referencedColumns", &there),
        ];
        format!("          {{\n{}          }},\n", members.concat())
    };
    if found.is_empty() {
        return "        Relationships: []\n".to_owned();
    }
    format!("        Relationships: [\n{}        ]\n", found.iter().map(of).collect::<String>())
}

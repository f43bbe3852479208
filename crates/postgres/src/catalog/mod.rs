//! What the database holds: relations, keys, functions, and how tables were declared.
//!
//! Invariant: a catalog is one moment of the database and never changes; whoever wants a newer one reads it anew. It says what is
//! there and never what somebody may do with it: rights are decided by PostgreSQL at every statement.

mod lineage;
mod model;
mod reach;
mod relationships;
mod renewal;

use std::collections::HashMap;

use kernel::{Error, Grant, RequestContext, Result};
use serde::Deserialize;

use crate::{Access, Database, Sql, Tx};

use lineage::{Lineage, Place, View};
use relationships::{Reference, UniqueKey};
use renewal::Marks;

pub use model::{
    Argument, Cardinality, Column, CompositeType, Constraint, DataType, Declaration, EnumType, Expression, ForeignKey, Function, Junction,
    Mask, MediaHandler, Member, Relation, RelationKind, Relationship, ReturnKind, Returns, TypeName, TypeShape, Volatility,
};
pub use reach::Reach;

/// Reads what the schemas of a JSON array of names hold, or what changed of it, as one text column `document`.
const DOCUMENT: &str = include_str!("catalog.sql");
/// Reads what tells a changed catalog from an unchanged one, as one text column.
const FINGERPRINT: &str = include_str!("fingerprint.sql");
/// Reads what tells a changed relation or function from an unchanged one, as one text column `document`.
const MARKS: &str = include_str!("marks.sql");
/// Reads how tables were declared, as one text column `document`. Only where the document has declarations.
const DECLARATIONS: &str = include_str!("declarations.sql");

/// Everything that some schemas hold.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Catalog {
    schemas: HashMap<String, Schema>,
    enums: Vec<EnumType>,
    composites: Vec<CompositeType>,
    handlers: Vec<MediaHandler>,
    geojson_schema: Option<String>,
    constraints: Vec<Constraint>,
    statement_timeouts: HashMap<String, String>,
    is_declared: bool,
    marks: Marks,
}

/// What one schema holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Schema {
    relations: HashMap<String, Relation>,
    functions: HashMap<String, Vec<Function>>,
    comment: Option<String>,
    /// By the relation they begin at.
    relationships: HashMap<String, Vec<Relationship>>,
}

/// What [`DOCUMENT`] gave, before the declarations are known.
#[derive(Debug, Deserialize)]
struct Document {
    relations: Vec<Relation>,
    functions: Vec<Function>,
    #[serde(default)]
    comments: Option<HashMap<String, Option<String>>>,
    #[serde(default)]
    enums: Vec<EnumType>,
    #[serde(default)]
    composites: Vec<CompositeType>,
    #[serde(default)]
    constraints: Vec<Constraint>,
    #[serde(default)]
    views: Vec<View>,
    #[serde(default)]
    origin_comments: Vec<OriginComment>,
    #[serde(default)]
    references: Vec<Reference>,
    #[serde(default)]
    unique_keys: Vec<UniqueKey>,
    #[serde(default)]
    handlers: Vec<MediaHandler>,
    #[serde(default)]
    geojson_schema: Option<String>,
    #[serde(default)]
    statement_timeouts: Option<HashMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct HasDeclarations {
    /// A database without our migrations has none.
    has_declarations: bool,
}

/// What is said of a column that views show.
#[derive(Debug, Deserialize)]
struct OriginComment {
    oid: u32,
    number: i16,
    comment: String,
}

#[derive(Deserialize)]
struct Declared {
    schema: String,
    relation: String,
    #[serde(default)]
    oid: u32,
    /// The tenant column's number.
    tenant_number: Option<i16>,
    #[serde(flatten)]
    declaration: Declaration,
}

impl Catalog {
    /// Returns what is another text after every change of the catalog. One cheap statement. The grant is the server's own.
    pub async fn fingerprint(database: &Database, grant: &Grant) -> Result<String> {
        let answer = database.run(grant, &RequestContext::default(), Access::Read, Sql::new(FINGERPRINT)).await?;
        let row = answer.rows.first().ok_or_else(|| Error::internal("the catalog has no fingerprint"))?;
        row.try_get(0).map_err(Error::internal)
    }

    /// Reads what these schemas hold. The grant is the server's own.
    pub async fn load(database: &Database, grant: &Grant, schemas: &[String]) -> Result<Self> {
        Self::read(database, grant, schemas, None).await
    }

    /// Reads what changed since this one was read, and returns what reading everything would.
    pub async fn renewed(&self, database: &Database, grant: &Grant, schemas: &[String]) -> Result<Self> {
        Self::read(database, grant, schemas, Some(self)).await
    }

    async fn read(database: &Database, grant: &Grant, schemas: &[String], before: Option<&Self>) -> Result<Self> {
        let tx = database.begin(grant, &RequestContext::default(), Access::Read).await?;
        // To compile this statement takes many times as long as to run it.
        tx.query(Sql::new("select pg_catalog.set_config('jit', 'off', true)")).await?;
        // First: what is changed between the two is seen to be another one at the next look.
        let marks: Marks = serde_json::from_str(&text(&tx, Sql::new(MARKS)).await?).map_err(Error::internal)?;
        let since = before.and_then(|before| Some((before, marks.changed_since(&before.marks)?)));
        let changed = since.as_ref().map(|(_, changed)| serde_json::to_value(changed)).transpose().map_err(Error::internal)?;
        let (start, rest) = DOCUMENT.split_once("$1").unwrap_or((DOCUMENT, ""));
        let (middle, end) = rest.split_once("$2").unwrap_or((rest, ""));
        let mut statement = Sql::new(start);
        statement.bind(serde_json::json!(schemas)).text(middle).bind(changed).text(end);
        let document = text(&tx, statement).await?;
        let has: HasDeclarations = serde_json::from_str(&document).map_err(Error::internal)?;
        let declarations = if has.has_declarations && !database.is_alone() { Some(text(&tx, Sql::new(DECLARATIONS)).await?) } else { None };
        tx.rollback().await?;
        let mut document: Document = serde_json::from_str(&document).map_err(Error::internal)?;
        if let Some((before, changed)) = since {
            document = renewal::joined(before, &changed, document);
        }
        Ok(Self { marks, ..Self::from_document(document, declarations.as_deref())? })
    }

    /// Makes a catalog from what the database says: a JSON object with `relations` and `functions`, and a JSON array of declarations.
    pub fn from_documents(document: &str, declarations: Option<&str>) -> Result<Self> {
        Self::from_document(serde_json::from_str(document).map_err(Error::internal)?, declarations)
    }

    fn from_document(mut document: Document, declarations: Option<&str>) -> Result<Self> {
        document.functions.sort_by(|left, right| (&left.schema, &left.name, left.oid).cmp(&(&right.schema, &right.name, right.oid)));
        document
            .constraints
            .sort_by(|left, right| (&left.schema, &left.relation, &left.name).cmp(&(&right.schema, &right.relation, &right.name)));
        let mut schemas: HashMap<String, Schema> = HashMap::new();
        for relation in document.relations {
            schemas.entry(relation.schema.clone()).or_default().relations.insert(relation.name.clone(), relation);
        }
        for function in document.functions {
            schemas.entry(function.schema.clone()).or_default().functions.entry(function.name.clone()).or_default().push(function);
        }
        for (schema, comment) in document.comments.unwrap_or_default() {
            schemas.entry(schema).or_default().comment = comment;
        }
        let declared: Vec<Declared> = declarations.map_or(Ok(Vec::new()), serde_json::from_str).map_err(Error::internal)?;
        let lineage = Lineage::of(&document.views);
        let tenants: HashMap<Place, &Declaration> =
            declared.iter().filter_map(|declared| Some(((declared.oid, declared.tenant_number?), &declared.declaration))).collect();
        let comments: HashMap<Place, String> =
            document.origin_comments.into_iter().map(|origin| ((origin.oid, origin.number), origin.comment)).collect();
        for view in schemas.values_mut().flat_map(|schema| schema.relations.values_mut()) {
            // A view's columns are numbered without gaps: none can be dropped.
            for (column, number) in view.columns.iter_mut().zip(1..) {
                column.origin_comment = lineage.origin((view.oid, number)).and_then(|origin| comments.get(&origin).cloned());
                let said = [&column.origin_comment, &column.comment].into_iter().flatten();
                column.mask = said.filter(|_| declarations.is_some()).find_map(|comment| Mask::read(comment));
            }
            view.declaration = inherited(view, &lineage, &tenants);
        }
        let relations = schemas.values().flat_map(|schema| schema.relations.values());
        let mut view_keys = relationships::of_views(relations, &document.unique_keys, &lineage);
        for view in schemas.values_mut().flat_map(|schema| schema.relations.values_mut()).filter(|relation| relation.is_view()) {
            view.primary_key = view_keys.remove(&(view.schema.clone(), view.name.clone())).unwrap_or_default();
        }
        let tenant_numbers = declared.iter().filter_map(|declared| Some((declared.oid, declared.tenant_number?))).collect();
        for declared in declared {
            let schema = schemas.get_mut(&declared.schema);
            // A declared table may be in a schema that was not asked for.
            if let Some(relation) = schema.and_then(|schema| schema.relations.get_mut(&declared.relation)) {
                relation.declaration = Some(declared.declaration);
            }
        }
        let keys = relationships::Keys { references: &document.references, uniques: &document.unique_keys, tenants: &tenant_numbers };
        let relations = schemas.values().flat_map(|schema| schema.relations.values());
        for ((schema, relation), found) in relationships::of(relations, keys, &lineage) {
            schemas.entry(schema).or_default().relationships.insert(relation, found);
        }
        let Document { enums, composites, handlers, geojson_schema, constraints, statement_timeouts, .. } = document;
        let (statement_timeouts, is_declared) = (statement_timeouts.unwrap_or_default(), declarations.is_some());
        Ok(Self {
            schemas,
            enums,
            composites,
            handlers,
            geojson_schema,
            constraints,
            statement_timeouts,
            is_declared,
            marks: Marks::default(),
        })
    }

    /// Returns the relation of that name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.schemas.get(schema)?.relations.get(name)
    }

    /// Returns the aggregates that make whole answers, in a fixed order.
    pub fn media_handlers(&self) -> &[MediaHandler] {
        &self.handlers
    }

    /// Returns the schema whose `st_asgeojson` makes `GeoJSON` of a row, where there is one.
    pub fn geojson_schema(&self) -> Option<&str> {
        self.geojson_schema.as_deref()
    }

    /// Returns how long statements of a role may run where the database says so (`alter role ... set statement_timeout`).
    pub fn statement_timeout(&self, role: &str) -> Option<&str> {
        self.statement_timeouts.get(role).map(String::as_str)
    }

    /// Returns all functions of that name.
    pub fn functions(&self, schema: &str, name: &str) -> &[Function] {
        self.schemas.get(schema).and_then(|schema| schema.functions.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Returns the relations of a schema, in no order.
    pub fn relations(&self, schema: &str) -> impl Iterator<Item = &Relation> {
        self.schemas.get(schema).into_iter().flat_map(|schema| schema.relations.values())
    }

    /// Returns what a schema's comment says.
    pub fn comment(&self, schema: &str) -> Option<&str> {
        self.schemas.get(schema)?.comment.as_deref()
    }

    /// Returns all functions of a schema, in no order but that of those with one name.
    pub fn all_functions(&self, schema: &str) -> impl Iterator<Item = &Function> {
        self.schemas.get(schema).into_iter().flat_map(|schema| schema.functions.values().flatten())
    }

    /// Returns the types that have a list of values, of every schema, by their names.
    pub fn enums(&self) -> &[EnumType] {
        &self.enums
    }

    /// Returns the types of rows that belong to no table, by their names.
    pub fn composites(&self) -> &[CompositeType] {
        &self.composites
    }

    /// Returns the check, the key, or the foreign key with a comment, of that name; of several that of the named relation goes first.
    pub fn constraint(&self, schema: &str, relation: Option<&str>, name: &str) -> Option<&Constraint> {
        let of_name = || self.constraints.iter().filter(|it| it.name == name);
        of_name().find(|it| it.schema == schema && Some(it.relation.as_str()) == relation).or_else(|| of_name().next())
    }

    /// Tells whether tables were declared here: whether the database knows companies and permissions.
    pub fn is_declared(&self) -> bool {
        self.is_declared
    }

    /// Returns the list of values that a type has, or what is below its domains.
    pub fn values(&self, data_type: &DataType) -> Option<&[String]> {
        let is_it =
            |it: &&EnumType| it.name.name == data_type.base && (it.name.schema == data_type.schema || data_type.base != data_type.name);
        self.enums.iter().find(is_it).map(|it| it.values.as_slice())
    }

    /// Returns how the rows of a relation lead to others, in a fixed order.
    pub fn relationships(&self, schema: &str, relation: &str) -> &[Relationship] {
        self.schemas.get(schema).and_then(|schema| schema.relationships.get(relation)).map_or(&[], Vec::as_slice)
    }

    /// Returns the names of a schema's relations that lead to others, in no order.
    pub fn related_names(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.schemas.get(schema).into_iter().flat_map(|schema| schema.relationships.keys()).map(String::as_str)
    }

    /// Returns the names of a schema's functions, in no order.
    pub fn function_names(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.schemas.get(schema).into_iter().flat_map(|schema| schema.functions.keys()).map(String::as_str)
    }
}

/// Returns what a view has of the declaration of the table below it: whose rows they are. Which of them are deleted the view decides.
fn inherited(view: &Relation, lineage: &Lineage, tenants: &HashMap<Place, &Declaration>) -> Option<Declaration> {
    // A view's columns are numbered without gaps: none can be dropped.
    view.columns.iter().zip(1..).find_map(|(column, number)| {
        let declaration = *tenants.get(&lineage.origin((view.oid, number))?)?;
        Some(Declaration {
            noun: declaration.noun.clone(),
            soft_delete: false,
            tenant_column: Some(column.name.clone()),
            assigned_column: None,
            own_column: None,
            verbs: declaration.verbs.clone(),
            has_own_policies: declaration.has_own_policies,
        })
    })
}

async fn text(tx: &Tx, statement: Sql) -> Result<String> {
    tx.query_one(statement).await?.try_get("document").map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"relations":[{"schema":"public","name":"jobs","kind":"table","insertable":true,"updatable":true,
        "deletable":true,"comment":null,"columns":[{"name":"id","type":{"schema":"pg_catalog","name":"uuid","base":"uuid",
        "shape":"scalar"},"formatted_type":"uuid","nullable":false,"has_default":true,"generated":false,"identity_always":false,
        "comment":null}],"primary_key":["company_id","id"],"uniques":[["company_id","number"]],"foreign_keys":[]}],"functions":[],
        "has_declarations":true}"#;
    const DECLARED: &str = r#"[{"schema":"public","relation":"jobs","noun":"jobs","soft_delete":true,"tenant_column":"company_id",
        "assigned_column":"assigned_to","own_column":null,"verbs":["read"],"has_own_policies":false},
        {"schema":"other","relation":"jobs","noun":"x","soft_delete":false,"tenant_column":"c","assigned_column":null,"own_column":null,
        "verbs":[],"has_own_policies":true}]"#;

    #[test]
    fn a_declaration_finds_its_table() {
        let catalog = Catalog::from_documents(TEXT, Some(DECLARED)).unwrap();
        let jobs = catalog.relation("public", "jobs").unwrap();
        assert_eq!(jobs.declaration.as_ref().unwrap().noun, "jobs");
        assert_eq!(jobs.implied_key_column(), Some("company_id"));
        assert!(jobs.is_unique(&["id", "company_id"]) && jobs.is_unique(&["company_id", "number"]));
        assert!(!jobs.is_unique(&["id"]) && !jobs.is_unique(&["company_id"]));
        assert!(catalog.relation("other", "jobs").is_none());
        assert!(catalog.functions("public", "f").is_empty());
    }

    #[test]
    fn a_view_has_the_company_of_the_table_below() {
        let mut document: serde_json::Value = serde_json::from_str(TEXT).unwrap();
        let mut view = document["relations"][0].clone();
        view["oid"] = 8.into();
        view["name"] = "tasks".into();
        view["kind"] = "view".into();
        view["columns"][0]["name"] = "tenant_id".into();
        view["primary_key"] = serde_json::json!([]);
        document["relations"].as_array_mut().unwrap().push(view);
        let entry = "{TARGETENTRY :expr {VAR} :resno 1 :resname x :ressortgroupref 0 :resorigtbl 7 :resorigcol 3 :resjunk false}";
        document["views"] = serde_json::json!([{ "oid": 8, "rule": format!("({{QUERY :targetList ({entry})}})") }]);
        let mut declared: serde_json::Value = serde_json::from_str(DECLARED).unwrap();
        declared[0]["oid"] = 7.into();
        for (number, expected) in [(3, Some("tenant_id")), (4, None)] {
            declared[0]["tenant_number"] = number.into();
            let catalog = Catalog::from_documents(&document.to_string(), Some(&declared.to_string())).unwrap();
            let tasks = catalog.relation("public", "tasks").unwrap();
            assert_eq!((tasks.tenant_column(), tasks.implied_key_column()), (expected, None));
            assert!(tasks.declaration.as_ref().is_none_or(|declaration| declaration.noun == "jobs" && !declaration.soft_delete));
            assert_eq!(catalog.relation("public", "jobs").unwrap().tenant_column(), Some("company_id"));
        }
    }

    #[test]
    fn a_table_without_a_declaration_implies_nothing() {
        let catalog = Catalog::from_documents(TEXT, None).unwrap();
        let jobs = catalog.relation("public", "jobs").unwrap();
        assert_eq!((jobs.tenant_column(), jobs.implied_key_column()), (None, None));
    }
}

//! What the database holds: relations, keys, functions, and how tables were declared.
//!
//! Invariant: a catalog is one moment of the database and never changes; whoever wants a newer one reads it anew. It says what is
//! there and never what somebody may do with it: rights are decided by PostgreSQL at every statement.

mod model;

use std::collections::HashMap;

use kernel::{Error, Grant, RequestContext, Result};
use serde::Deserialize;

use crate::{Access, Database, Sql, Tx};

pub use model::{
    Argument, Column, DataType, Declaration, ForeignKey, Function, Relation, RelationKind, ReturnKind, Returns, TypeShape, Volatility,
};

/// Reads what the schemas of a JSON array of names hold, as one text column `document`.
const DOCUMENT: &str = include_str!("catalog.sql");
/// Reads how tables were declared, as one text column `document`. Only where the document has declarations.
const DECLARATIONS: &str = include_str!("declarations.sql");

/// Everything that some schemas hold.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    schemas: HashMap<String, Schema>,
}

/// What one schema holds.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    relations: HashMap<String, Relation>,
    functions: HashMap<String, Vec<Function>>,
}

/// What [`DOCUMENT`] gave, before the declarations are known.
#[derive(Debug, Deserialize)]
struct Document {
    relations: Vec<Relation>,
    functions: Vec<Function>,
}

#[derive(Debug, Deserialize)]
struct Marks {
    /// A database without our migrations has none.
    has_declarations: bool,
}

#[derive(Deserialize)]
struct Declared {
    schema: String,
    relation: String,
    #[serde(flatten)]
    declaration: Declaration,
}

impl Catalog {
    /// Reads what these schemas hold. The grant is the server's own.
    pub async fn load(database: &Database, grant: &Grant, schemas: &[String]) -> Result<Self> {
        let tx = database.begin(grant, &RequestContext::default(), Access::Read).await?;
        let (before, after) = DOCUMENT.split_once("$1").unwrap_or((DOCUMENT, ""));
        let mut statement = Sql::new(before);
        statement.bind(serde_json::json!(schemas)).text(after);
        let document = text(&tx, statement).await?;
        let marks: Marks = serde_json::from_str(&document).map_err(Error::internal)?;
        let declarations = if marks.has_declarations { Some(text(&tx, Sql::new(DECLARATIONS)).await?) } else { None };
        tx.rollback().await?;
        Self::from_documents(&document, declarations.as_deref())
    }

    /// Makes a catalog from what the database says: a JSON object with `relations` and `functions`, and a JSON array of declarations.
    pub fn from_documents(document: &str, declarations: Option<&str>) -> Result<Self> {
        let document: Document = serde_json::from_str(document).map_err(Error::internal)?;
        let mut schemas: HashMap<String, Schema> = HashMap::new();
        for relation in document.relations {
            schemas.entry(relation.schema.clone()).or_default().relations.insert(relation.name.clone(), relation);
        }
        for function in document.functions {
            schemas.entry(function.schema.clone()).or_default().functions.entry(function.name.clone()).or_default().push(function);
        }
        let declared: Vec<Declared> = declarations.map_or(Ok(Vec::new()), serde_json::from_str).map_err(Error::internal)?;
        for declared in declared {
            let schema = schemas.get_mut(&declared.schema);
            // A declared table may be in a schema that was not asked for.
            if let Some(relation) = schema.and_then(|schema| schema.relations.get_mut(&declared.relation)) {
                relation.declaration = Some(declared.declaration);
            }
        }
        Ok(Self { schemas })
    }

    /// Returns the relation of that name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.schemas.get(schema)?.relations.get(name)
    }

    /// Returns all functions of that name.
    pub fn functions(&self, schema: &str, name: &str) -> &[Function] {
        self.schemas.get(schema).and_then(|schema| schema.functions.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Returns the relations of a schema, in no order.
    pub fn relations(&self, schema: &str) -> impl Iterator<Item = &Relation> {
        self.schemas.get(schema).into_iter().flat_map(|schema| schema.relations.values())
    }

    /// Returns the names of a schema's functions, in no order.
    pub fn function_names(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.schemas.get(schema).into_iter().flat_map(|schema| schema.functions.keys()).map(String::as_str)
    }
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
        "assigned_column":"assigned_to","own_column":null,"verbs":["read"]},
        {"schema":"other","relation":"jobs","noun":"x","soft_delete":false,"tenant_column":"c","assigned_column":null,"own_column":null,
        "verbs":[]}]"#;

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
    fn a_table_without_a_declaration_implies_nothing() {
        let catalog = Catalog::from_documents(TEXT, None).unwrap();
        let jobs = catalog.relation("public", "jobs").unwrap();
        assert_eq!((jobs.tenant_column(), jobs.implied_key_column()), (None, None));
    }
}

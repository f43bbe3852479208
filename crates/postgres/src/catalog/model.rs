//! What a catalog consists of, as plain values.
//!
//! Invariant: names are as PostgreSQL keeps them, never quoted; a column's and an argument's type is named by schema and name, so
//! that it can be written as two quoted identifiers.

use serde::Deserialize;

/// A table, view, materialized view, foreign or partitioned table.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the catalog that stands by itself")]
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Relation {
    /// The number.
    #[serde(default)]
    pub(super) oid: u32,
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Whether it takes INSERT.
    pub insertable: bool,
    /// Whether it takes UPDATE.
    pub updatable: bool,
    /// Whether it takes DELETE.
    pub deletable: bool,
    /// The comment.
    pub comment: Option<String>,
    /// The columns in their order.
    pub columns: Vec<Column>,
    /// Whether it is a view whose rows are those of one table, each of them once.
    #[serde(default)]
    pub is_plain: bool,
    /// The primary key's columns in the key's order; empty without one. A view has the keys of the tables that it shows.
    pub primary_key: Vec<String>,
    /// The columns of every other unique index over plain columns and all rows.
    pub uniques: Vec<Vec<String>>,
    /// What it points at.
    pub foreign_keys: Vec<ForeignKey>,
    /// How `app.protect` declared it. A view that shows the company's column of a declared table has that column from there.
    #[serde(skip)]
    pub declaration: Option<Declaration>,
}

/// What a relation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// A table with its own rows.
    Table,
    /// A table whose rows are in partitions.
    PartitionedTable,
    /// A view.
    View,
    /// A view with stored rows.
    MaterializedView,
    /// A table elsewhere.
    ForeignTable,
}

/// A column.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are PostgreSQL's own marks of a column, one by one")]
pub struct Column {
    /// The name.
    pub name: String,
    /// The number.
    #[serde(default)]
    pub(super) number: i16,
    /// The type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// The type as people write it.
    pub formatted_type: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// What stands in for a value that is left out.
    #[serde(default)]
    pub default: Option<Expression>,
    /// Whether it has a default or is an identity.
    pub has_default: bool,
    /// Schema and name of the function that makes JSON of its values, where its domain has a cast of its own.
    #[serde(default)]
    pub to_json: Option<(String, String)>,
    /// Schema and name of the function that makes its values of JSON.
    #[serde(default)]
    pub from_json: Option<(String, String)>,
    /// Schema and name of the function that makes its values of text.
    #[serde(default)]
    pub from_text: Option<(String, String)>,
    /// Whether it is computed from others.
    pub generated: bool,
    /// Whether it is an identity that takes no value.
    pub identity_always: bool,
    /// The type without the length and scale of its values, and of a domain of PostgreSQL's types the one below.
    #[serde(default)]
    pub plain_type: String,
    /// Characters that it takes at most.
    #[serde(default)]
    pub max_length: Option<i32>,
    /// The comment of the table's column that a view's column is.
    #[serde(skip)]
    pub origin_comment: Option<String>,
    /// How its values are hidden from whoever may not read them whole, where tables are declared.
    #[serde(skip)]
    pub mask: Option<Mask>,
    /// The comment.
    pub comment: Option<String>,
}

/// What a column holds that few need whole: a kind that `app.mask` knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    /// The last digits of a card, the number of a cheque.
    Card,
    /// A number of the tax office.
    TaxId,
    /// The address of a machine.
    Ip,
    /// A signature.
    Signature,
}

impl Mask {
    /// Returns the kind.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::TaxId => "tax_id",
            Self::Ip => "ip",
            Self::Signature => "signature",
        }
    }

    /// Reads the first label of a comment. Who reads a row needs other labelled columns for his work, and has them.
    pub(super) fn read(comment: &str) -> Option<Self> {
        let label = comment.split_whitespace().next()?.strip_prefix("pii:")?;
        [Self::Card, Self::TaxId, Self::Ip, Self::Signature].into_iter().find(|mask| mask.kind() == label)
    }
}

/// An expression as PostgreSQL wrote it out. Only a catalog has one, so that nobody else's text becomes part of a statement.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Expression(String);

impl Expression {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A type.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct DataType {
    /// The schema.
    pub schema: String,
    /// The name in `pg_type`: `int4`, `_text`.
    pub name: String,
    /// The name of what is below its domains; the name itself where it is no domain.
    pub base: String,
    /// What values of it look like.
    pub shape: TypeShape,
    /// The type of an array's values.
    #[serde(default)]
    pub element: Option<TypeName>,
}

/// The name of a type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
pub struct TypeName {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
}

/// A type that has a list of values.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct EnumType {
    /// The name.
    #[serde(flatten)]
    pub name: TypeName,
    /// The values in their order.
    pub values: Vec<String>,
}

/// A type of rows that belongs to no table.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct CompositeType {
    /// The name.
    #[serde(flatten)]
    pub name: TypeName,
    /// The columns in their order.
    pub columns: Vec<Member>,
}

/// A column of a row that belongs to no table.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Member {
    /// The name; empty where it has none.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub data_type: DataType,
}

/// What values of a type look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeShape {
    /// One value.
    Scalar,
    /// A row.
    Composite,
    /// Several values of one type.
    Array,
    /// No real type.
    Pseudo,
}

/// A foreign key.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The columns that point.
    pub columns: Vec<String>,
    /// The schema of what they point at.
    pub foreign_schema: String,
    /// What they point at.
    pub foreign_relation: String,
    /// The columns that are pointed at, in the same order.
    pub foreign_columns: Vec<String>,
}

/// What a constraint says of itself.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Constraint {
    /// The schema of its relation.
    pub schema: String,
    /// The relation.
    pub relation: String,
    /// The name.
    pub name: String,
    /// The columns; none where it has only expressions.
    pub columns: Option<Vec<String>>,
    /// The comment.
    pub comment: Option<String>,
}

/// How `app.protect` declared a table.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Declaration {
    /// The noun of its permissions.
    pub noun: String,
    /// Whether rows are marked as deleted by `deleted_at`.
    pub soft_delete: bool,
    /// The column that holds the company; none for tables of no company.
    pub tenant_column: Option<String>,
    /// The column that says whom a row is assigned to.
    pub assigned_column: Option<String>,
    /// The column that says whose row it is.
    pub own_column: Option<String>,
    /// What members may do at all.
    pub verbs: Vec<String>,
    /// Whether what members read is also decided by policies that the declaration did not write.
    pub has_own_policies: bool,
}

/// An aggregate over rows that makes a whole answer of one media type.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct MediaHandler {
    /// The aggregate's schema.
    pub schema: String,
    /// The aggregate's name.
    pub name: String,
    /// The media type in small letters: the name of the domain that it gives.
    pub media: String,
    /// The name of the type below that domain.
    pub base: String,
    /// Schema and name of the relation whose rows it takes; none where it takes any.
    pub target: Option<(String, String)>,
}

/// A function.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Function {
    /// The number.
    #[serde(default)]
    pub(super) oid: u32,
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// What goes in.
    pub arguments: Vec<Argument>,
    /// What comes out.
    pub returns: Returns,
    /// The columns of what comes out, where the function itself names them.
    #[serde(default)]
    pub returned: Vec<Member>,
    /// Whether it may write.
    pub volatility: Volatility,
    /// Whether it runs with the rights of its owner.
    #[serde(default)]
    pub security_definer: bool,
    /// How many rows it says it gives; none where it gives one result.
    #[serde(default)]
    pub rows: f32,
    /// Settings that hold while it runs, each as `name=value`.
    #[serde(default)]
    pub settings: Vec<String>,
    /// The comment.
    pub comment: Option<String>,
}

/// An argument of a function.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Argument {
    /// The name; empty where it has none.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// The type as people write it.
    pub formatted_type: String,
    /// Whether it may be left out.
    pub has_default: bool,
    /// Whether it takes any number of values.
    pub variadic: bool,
}

/// What a function gives back.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Returns {
    /// The kind of one result.
    pub kind: ReturnKind,
    /// Whether it gives any number of them.
    #[serde(rename = "set")]
    pub is_set: bool,
    /// The type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// The schema of the relation whose rows it gives.
    pub schema: Option<String>,
    /// The relation whose rows it gives.
    pub relation: Option<String>,
}

/// The kind of one result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnKind {
    /// Nothing.
    Void,
    /// A value.
    Scalar,
    /// A row with known columns.
    Row,
    /// A row whose columns nobody declared.
    Record,
}

/// Whether a function may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    /// The same result for ever.
    Immutable,
    /// Reads.
    Stable,
    /// May write.
    Volatile,
}

/// How the rows of one relation lead to those of another: by a foreign key in this or that direction, or through a junction.
///
/// Where the company's column leads both sides of a key it is a part of `columns`, for the join, and not of `named`, for people.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked by itself")]
pub struct Relationship {
    /// The schema of the other relation.
    pub schema: String,
    /// The other relation.
    pub relation: String,
    /// Whether the other relation is the same one.
    pub is_self: bool,
    /// How many rows meet how many.
    pub cardinality: Cardinality,
    /// The foreign key's name; of a junction the one of the key that points here.
    pub constraint: String,
    /// Whether the key points from here to there.
    pub forward: bool,
    /// Columns here and there, in the key's order; empty where a junction is between.
    pub columns: Vec<(String, String)>,
    /// The same columns as people name them.
    pub named: Vec<(String, String)>,
    /// What names of the key begin with that are no longer its name: its table and column.
    pub legacy_prefix: Option<String>,
    /// Whether the other relation is a view.
    pub target_is_view: bool,
    /// Whether it is meant only where its key or column is named: the comment of the key begins with `@named_only`.
    pub named_only: bool,
    /// What is between.
    pub junction: Option<Junction>,
}

/// How many rows meet how many, seen from here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cardinality {
    /// One here, any number there.
    OneToMany,
    /// Any number here, one there.
    ManyToOne,
    /// One here, one there.
    OneToOne,
    /// Any number on both sides.
    ManyToMany,
}

/// A relation whose rows say which rows of two others belong together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Junction {
    /// The schema.
    pub schema: String,
    /// The name.
    pub relation: String,
    /// The name of the key that points there.
    pub target_constraint: String,
    /// Columns here and in the junction.
    pub origin: Vec<(String, String)>,
    /// Columns there and in the junction.
    pub target: Vec<(String, String)>,
    /// The junction's columns that point here, as people name them.
    pub origin_named: Vec<String>,
    /// The junction's columns that point there, as people name them.
    pub target_named: Vec<String>,
}

impl Relationship {
    /// Tells whether a row here meets at most one there.
    pub fn is_to_one(&self) -> bool {
        matches!(self.cardinality, Cardinality::ManyToOne | Cardinality::OneToOne)
    }
}

impl Relation {
    /// Tells whether it shows rows of others.
    pub fn is_view(&self) -> bool {
        matches!(self.kind, RelationKind::View | RelationKind::MaterializedView)
    }

    /// Returns the column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the column that holds the company, where the table was declared.
    pub fn tenant_column(&self) -> Option<&str> {
        self.declaration.as_ref()?.tenant_column.as_deref()
    }

    /// Returns the tenant column where it only leads the primary key: the rest is what clients call the key.
    pub fn implied_key_column(&self) -> Option<&str> {
        let tenant = self.tenant_column()?;
        let mut key = self.primary_key.iter();
        (key.next()? == tenant && key.next().is_some()).then_some(tenant)
    }

    /// Tells whether a unique index or the primary key is over exactly these columns, in whatever order.
    pub fn is_unique(&self, columns: &[&str]) -> bool {
        let is_over = |key: &Vec<String>| key.len() == columns.len() && key.iter().all(|column| columns.contains(&column.as_str()));
        is_over(&self.primary_key) || self.uniques.iter().any(is_over)
    }
}

//! What can be done with a relation or a function, as `OPTIONS` tells it.
//!
//! Invariant: it is what the database can do with it and not what the caller may: that is decided when he tries.

use kernel::Result;
use postgres::catalog::{Catalog, Function, Relation, Volatility};

use super::{call, relation};
use crate::request::Target;

/// What can be done with the root.
pub(crate) const OF_ROOT: &str = "OPTIONS,GET,HEAD";

/// Lists the methods. Of several functions with one name those count that take the named arguments; all of them where none is named.
pub(crate) fn methods(catalog: &Catalog, schema: &str, target: &Target, arguments: &[String]) -> Result<String> {
    match target {
        Target::Relation(name) => relation(catalog, schema, name).map(of_relation),
        Target::Function(name) => {
            let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let of_name = catalog.functions(schema, name).iter();
            let meant: Vec<&Function> = of_name.filter(|function| names.is_empty() || call::takes(function, &names)).collect();
            if meant.is_empty() {
                return Err(call::no_function(catalog, schema, name, &names, call::Searched::Names));
            }
            let only_post = meant.iter().all(|function| function.volatility == Volatility::Volatile);
            Ok(if only_post { "OPTIONS,POST" } else { "OPTIONS,GET,HEAD,POST" }.to_owned())
        }
    }
}

fn of_relation(relation: &Relation) -> String {
    let Relation { insertable, updatable, deletable, .. } = *relation;
    let has_key = !relation.primary_key.is_empty();
    [(true, OF_ROOT), (insertable, "POST"), (insertable && updatable && has_key, "PUT"), (updatable, "PATCH"), (deletable, "DELETE")]
        .into_iter()
        .filter_map(|(is_possible, methods)| is_possible.then_some(methods))
        .collect::<Vec<_>>()
        .join(",")
}

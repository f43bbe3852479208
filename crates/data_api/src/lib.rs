//! The data API: rows of the exposed schemas over HTTP, in the `PostgREST` dialect.

//! stub
mod syntax;
use bytes::Bytes;
pub(crate) use syntax::*;
pub(crate) struct ParseLimits {
    pub(crate) select_items_max: usize,
    pub(crate) conditions_max: usize,
    pub(crate) order_terms_max: usize,
    pub(crate) embed_depth_max: usize,
    pub(crate) in_values_max: usize,
    pub(crate) rows_max_in_body: usize,
    pub(crate) query_bytes_max: usize,
}
impl Default for ParseLimits {
    fn default() -> Self {
        Self {
            select_items_max: 1,
            conditions_max: 1,
            order_terms_max: 1,
            embed_depth_max: 1,
            in_values_max: 1,
            rows_max_in_body: 1,
            query_bytes_max: 256,
        }
    }
}
pub(crate) struct Wanted<'a> {
    pub(crate) target: Target,
    pub(crate) method: &'a http::Method,
    pub(crate) schemas: &'a [String],
    pub(crate) raw_query: &'a str,
    pub(crate) headers: &'a http::HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) limits: &'a ParseLimits,
}
pub(crate) fn parse(_wanted: Wanted<'_>) -> kernel::Result<ApiRequest> {
    Err(kernel::Error::internal("x"))
}

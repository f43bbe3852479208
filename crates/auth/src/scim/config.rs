//! What can be set about directories that provision members.

use serde::{Deserialize, Serialize};

/// The settings of SCIM.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScimConfig {
    /// Whether directories may provision members.
    pub enabled: bool,
    /// Resources of one answer where the request does not say how many.
    pub page_resources: u32,
    /// Resources of one answer at most, however many are asked for.
    pub page_resources_max: u32,
    /// The longest filter.
    pub filter_bytes_max: usize,
    /// Operations of one change.
    pub patch_operations_max: usize,
    /// Bytes that one change may compare: what its conditions and values say, times the elements of the lists that they are compared with.
    pub patch_compared_bytes_max: usize,
    /// Members of one group.
    pub group_members_max: usize,
    /// Groups of one company.
    pub groups_max: u32,
    /// The largest request body. It has room for the members of a group.
    pub body_bytes_max: usize,
    /// Tokens of one company that are good at the same time.
    pub tokens_max: u32,
    /// How long a token is good where whoever makes it does not say.
    pub token_days: u32,
    /// How long a token can be good.
    pub token_days_max: u32,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            page_resources: 100,
            page_resources_max: 500,
            filter_bytes_max: 8192,
            patch_operations_max: 1000,
            patch_compared_bytes_max: 1_000_000_000,
            group_members_max: 10_000,
            groups_max: 1000,
            body_bytes_max: 2 * 1024 * 1024,
            tokens_max: 5,
            token_days: 365,
            token_days_max: 1096,
        }
    }
}

impl ScimConfig {
    /// Returns what is impossible about the values.
    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 11] {
        [
            (!(1..=self.page_resources_max).contains(&self.page_resources), "scim.page_resources", "1 to page_resources_max"),
            (!(1..=5000).contains(&self.page_resources_max), "scim.page_resources_max", "1 to 5000"),
            (!(256..=65_536).contains(&self.filter_bytes_max), "scim.filter_bytes_max", "256 to 65536"),
            (!(1..=10_000).contains(&self.patch_operations_max), "scim.patch_operations_max", "1 to 10000"),
            (
                !(1_000_000..=10_000_000_000).contains(&self.patch_compared_bytes_max),
                "scim.patch_compared_bytes_max",
                "1000000 to 10000000000",
            ),
            (!(1..=100_000).contains(&self.group_members_max), "scim.group_members_max", "1 to 100000"),
            (!(1..=100_000).contains(&self.groups_max), "scim.groups_max", "1 to 100000"),
            (!(4096..=16 * 1024 * 1024).contains(&self.body_bytes_max), "scim.body_bytes_max", "4096 to 16777216"),
            (!(1..=100).contains(&self.tokens_max), "scim.tokens_max", "1 to 100"),
            (!(1..=self.token_days_max).contains(&self.token_days), "scim.token_days", "1 to token_days_max"),
            (!(1..=3660).contains(&self.token_days_max), "scim.token_days_max", "1 to 3660"),
        ]
    }
}

//! The auth API against a real PostgreSQL, through its router.

// `cfg(test)` tells clippy that the helpers in a module are tests, too.
#[cfg(test)]
mod account;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod anonymous;
#[cfg(test)]
mod api_keys;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod authenticator;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod code_factors;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod companies;
#[cfg(test)]
mod compatible;
#[cfg(test)]
mod custom_providers;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod domains;
#[cfg(test)]
mod external;
#[cfg(test)]
mod factors;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod handed_over;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod identities;
#[cfg(test)]
mod invitations;
#[cfg(test)]
mod issuers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod links;
#[cfg(test)]
mod mfa_switches;
#[cfg(test)]
mod newcomers;
#[cfg(test)]
mod oauth_attacks;
#[cfg(test)]
mod oauth_clients;
#[cfg(test)]
mod oauth_flow;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod portal;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod security;
#[cfg(test)]
mod security_keys;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod sign_on;
#[cfg(test)]
mod sign_on_attacks;
#[cfg(test)]
mod sign_up;
#[cfg(test)]
mod signing_keys;
#[cfg(test)]
mod support;
#[cfg(test)]
mod switched_off;
#[cfg(test)]
mod timing;
#[cfg(test)]
mod wire;

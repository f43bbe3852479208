//! Every route under /auth/v1, on one page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, patch, post};

use crate::external::custom;
use crate::{
    Auth, admin, api_keys, companies, documents, errors, external, factors, limits, oauth_server, one_time, origin, passkeys, portal,
    public_links, scim, security, sessions, support, unavailable, users,
};

/// Returns the routes, to be mounted where `auth.path` says.
pub fn router(auth: Auth) -> Router {
    let body_bytes_max = auth.config().body_bytes_max;
    let router = accounts().merge(of_companies()).merge(directories()).merge(programs()).merge(administration());
    unavailable::add(router)
        .fallback(errors::not_found)
        .method_not_allowed_fallback(errors::wrong_method)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(from_fn_with_state(auth.clone(), sessions::explain))
        .layer(from_fn_with_state(auth.clone(), limits::layer))
        .layer(from_fn(origin::remember))
        .layer(from_fn(errors::shape))
        .with_state(auth)
}

/// Signing in, and one's own account.
fn accounts() -> Router<Auth> {
    Router::new()
        .route("/signup", post(users::signup))
        .route("/token", post(sessions::token))
        .route("/otp", post(one_time::otp))
        .route("/magiclink", post(one_time::magic_link))
        .route("/recover", post(one_time::recover))
        .route("/resend", post(one_time::resend))
        // Programs that look at links in mails ask with HEAD, and must not use them up.
        .route("/verify", get(one_time::follow).head(errors::wrong_method).post(one_time::verify))
        .route("/reauthenticate", get(one_time::reauthenticate))
        .route("/logout", post(sessions::logout))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", delete(sessions::end))
        .route("/user", get(users::get).put(users::put))
        .route("/factors", post(factors::enroll))
        .route("/factors/{id}", delete(factors::unenroll))
        .route("/factors/{id}/challenge", post(factors::challenge))
        .route("/factors/{id}/verify", post(factors::verify))
        .route("/factors/recovery-codes", get(factors::status).post(factors::generate).delete(factors::remove))
        .route("/factors/recovery-codes/regenerate", post(factors::regenerate))
        .route("/factors/recovery-codes/verify", post(factors::verify_recovery_code))
        .route("/passkeys", get(passkeys::list))
        .route("/passkeys/{id}", patch(passkeys::rename).delete(passkeys::delete))
        .route("/passkeys/registration/options", post(passkeys::registration_options))
        .route("/passkeys/registration/verify", post(passkeys::register))
        .route("/passkeys/authentication/options", post(passkeys::sign_in_options))
        .route("/passkeys/authentication/verify", post(passkeys::sign_in))
        .route("/settings", get(documents::settings))
        .route("/health", get(documents::health))
        .route("/.well-known/jwks.json", get(documents::jwks))
        .route("/authorize", get(external::authorize))
        .route("/callback", get(external::callback).head(errors::wrong_method).post(external::posted_callback))
        .route("/user/identities/authorize", get(external::link_url))
        .route("/user/identities/{id}", delete(external::unlink))
        .route("/user/security", get(security::overview))
        .route("/user/security/events", get(security::history))
}

/// Companies, and who reaches them without being a member.
fn of_companies() -> Router<Auth> {
    Router::new()
        .route("/company", post(companies::choose))
        .route("/api-keys", post(api_keys::make))
        .route("/api-keys/{id}/rotate", post(api_keys::rotate))
        .route("/companies/{id}/invitations", post(companies::create_invitation))
        .route("/companies/{id}/invitations/{invitation}/resend", post(companies::resend_invitation))
        .route("/companies/{id}/domains/{domain}/verify", post(companies::verify_domain))
        .route("/invitations/look", post(companies::look_at_invitation))
        .route("/invitations/accept", post(companies::accept_invitation))
        .route("/links", post(public_links::make))
        .route("/portal/otp", post(portal::otp))
        .route("/portal/invite", post(portal::invite))
        .route("/portal/verify", get(portal::follow).head(errors::wrong_method).post(portal::verify))
        .route("/portal/session", get(portal::session))
        .route("/portal/logout", post(portal::logout))
}

/// Where a company's own directory and provider are set up, and the way to the provider.
fn directories() -> Router<Auth> {
    Router::new()
        .route("/sso", post(external::company_routes::begin))
        .route("/sso/callback/{company}", get(external::company_callback).head(errors::wrong_method))
        .route("/sign-on/providers", post(external::company_routes::add))
        .route("/scim/tokens", get(scim::tokens::list).post(scim::tokens::create))
        .route("/scim/tokens/{id}", delete(scim::tokens::revoke))
}

/// Programs of others that people let act for them.
fn programs() -> Router<Auth> {
    Router::new()
        .route("/oauth/authorize", get(oauth_server::authorize))
        .route("/oauth/authorizations/{id}", get(oauth_server::details))
        .route("/oauth/authorizations/{id}/consent", post(oauth_server::consent))
        .route("/oauth/token", post(oauth_server::token))
        .route("/oauth/userinfo", get(oauth_server::userinfo).post(oauth_server::userinfo))
        .route("/oauth/revoke", post(oauth_server::revoke))
        .route("/oauth/introspect", post(oauth_server::introspect))
        .route("/user/oauth/grants", get(oauth_server::grants).delete(oauth_server::revoke_grant))
        .route("/.well-known/oauth-authorization-server", get(oauth_server::metadata))
        .route("/.well-known/openid-configuration", get(oauth_server::openid))
        .route("/oauth/register", post(oauth_server::register))
        .route("/oauth/clients/register", post(oauth_server::register))
}

/// What the service key does.
fn administration() -> Router<Auth> {
    Router::new()
        .route("/admin/users/{id}/passkeys", get(admin::passkeys))
        .route("/admin/users/{id}/passkeys/{passkey}", delete(admin::delete_passkey))
        .route("/invite", post(one_time::invite))
        .route("/admin/custom-providers", get(custom::list).post(custom::create))
        .route("/admin/custom-providers/{identifier}", get(custom::get).put(custom::update).delete(custom::delete))
        .route("/admin/generate_link", post(one_time::generate_link))
        .route("/admin/users", get(admin::list).post(admin::create))
        .route("/admin/users/{id}", get(admin::get).put(admin::update).delete(admin::delete))
        .route("/admin/users/{id}/factors", get(admin::factors))
        .route("/admin/users/{id}/factors/{factor}", delete(admin::delete_factor).put(admin::update_factor))
        .route("/admin/oauth/clients", get(oauth_server::list).post(oauth_server::create))
        .route("/admin/oauth/clients/{id}", get(oauth_server::get).put(oauth_server::update).delete(oauth_server::delete))
        .route("/admin/oauth/clients/{id}/regenerate_secret", post(oauth_server::regenerate))
        .route("/admin/audit", get(security::audit))
        .route("/admin/users/{id}/impersonate", post(support::impersonate))
}

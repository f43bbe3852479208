//! Links and codes that work once: signing in without a password, confirming an address, choosing a new password.
//!
//! Invariant: the database has only hashes of them; each is used up in the statement that accepts it, so that of two who come with one
//! only the first gets in. Whoever asks for an address learns nothing of whether somebody has it: the answer is the same, the work is
//! the same, and so are the limits.

mod accounts;
mod admin;
mod change;
mod deliver;
mod purpose;
mod queries;
pub(crate) mod redirect;
mod request;
mod resend;
pub(crate) mod secrets;
mod verify;

pub(crate) use accounts::Account;
pub(crate) use admin::{generate_link, invite};
pub(crate) use change::{check_nonce, email, phone, reauthenticate};
pub(crate) use deliver::{
    Delivery, Post, check_takes_email, check_takes_phones, confirm_phone, deliver_to, post, put, require, sent, takes_phones, too_many,
    too_soon,
};
pub(crate) use purpose::Purpose;
pub(crate) use queries::{NewPhoneUser, brand, create_by_phone, drop_messages, settle_email_change};
pub(crate) use redirect::target as return_target;
pub(crate) use request::{Return, magic_link, otp, recover};
pub(crate) use resend::{changes, resend};
pub(crate) use secrets::{Secrets, hex, is_code, link_token, token_hash};
pub(crate) use verify::{follow, verify};

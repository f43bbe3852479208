//! How long an answer takes tells nothing: whether an address has an account, and where its password was hashed.
//!
//! Invariant: what is compared is asked for in turns, so that whatever else the machine does falls on all of it. A few samples show that each
//! answer waits for its step; only many are compared by their means.

use std::time::Instant;

use auth::AuthConfig;
use auth::config::{LimitsConfig, OneTimeConfig, PasswordConfig};
use serde_json::json;

use crate::server::{PASSWORD, Server};

/// Beyond it two means of `COMPARED_MIN` samples and more differ by more than chance: about once in a hundred thousand times it is chance all
/// the same.
const T_MAX: f64 = 4.5;
/// Of fewer samples the variance itself is a guess, and Welch's t goes beyond any limit by chance.
const COMPARED_MIN: u32 = 100;

/// Mean and variance of the mean.
fn mean(samples: &[f64]) -> (f64, f64) {
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

/// Welch's t of two samples.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let ((one, one_variance), (other, other_variance)) = (mean(one), mean(other));
    (one - other) / (one_variance + other_variance).sqrt()
}

#[test]
fn what_differs_is_noticed() {
    // By hand: means 2 and 4, variances 1 and 1 of three samples each: -2 / sqrt(2 / 3).
    assert!((welch(&[1.0, 2.0, 3.0], &[3.0, 4.0, 5.0]) - -2.449_489_742_783_178).abs() < 1e-12);
    let slow: Vec<f64> = (0..100).map(|number| 30.0 + f64::from(number % 10)).collect();
    let slower: Vec<f64> = slow.iter().map(|sample| sample + 2.0).collect();
    assert!(welch(&slow, &slower).abs() > T_MAX && welch(&slow, &slow).abs() < T_MAX);
}

/// How often each is asked for.
fn samples() -> u32 {
    std::env::var_os("TIMING_SAMPLES").map_or(8, |text| text.to_str().unwrap().parse().unwrap())
}

/// Asks for each sort in turns, every round beginning with another one, so that whatever else the machine does falls on all; returns how
/// long each took, in milliseconds. The first two rounds warm up.
async fn in_turns<const SORTS: usize>(ask: impl AsyncFn(usize, u32)) -> [Vec<f64>; SORTS] {
    let mut took = [const { Vec::new() }; SORTS];
    for round in 0..samples() + 2 {
        for number in 0..SORTS {
            let sort = (number + usize::try_from(round).unwrap()) % SORTS;
            let begun = Instant::now();
            ask(sort, round).await;
            if round >= 2 {
                took[sort].push(begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    took
}

/// Shows that every answer waited for the first of its steps at least, and compares each sort with the first one if there are enough samples.
fn compare(names: &[&str], step_ms: u32, took: &[Vec<f64>]) {
    let (unknown, samples) = (&took[0], samples());
    for (name, took) in names.iter().zip(took) {
        assert!(took.iter().all(|took| *took >= f64::from(step_ms)), "{name}, in steps of {step_ms} ms: {took:?}");
    }
    if samples < COMPARED_MIN {
        return;
    }
    for (name, known) in names.iter().zip(took).skip(1) {
        let t = welch(known, unknown);
        let (known, unknown) = (mean(known).0, mean(unknown).0);
        println!("{samples} samples each: {name} {known:.2} ms, {} {unknown:.2} ms, Welch's t {t:.2}, allowed is {T_MAX}", names[0]);
        assert!(t.abs() < T_MAX, "{name}: {t}");
    }
}

/// The example that Firebase publishes with its variant of scrypt, as an account is brought with it.
const FIREBASE: &str = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
/// Of another password than any here, at the cost that is usual.
const BCRYPT: &str = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_differ_by_chance_alone() {
    // Nobody is told to come back later.
    let limits = LimitsConfig { wrong_password_account_hour_max: samples() + 100, ..LimitsConfig::default() };
    let server = Server::with(AuthConfig { limits, ..AuthConfig::default() }).await;
    server.sign_up("own@example.com").await;
    for (email, hash) in [("bcrypt@example.com", BCRYPT), ("firebase@example.com", FIREBASE)] {
        let wish = json!({ "email": email, "password_hash": hash, "email_confirm": true });
        server.call("POST", "/admin/users", Some(server.ring.service().token.expose()), Some(wish)).await.ok();
    }
    let ask = async |sort: usize, round: u32| {
        let email = ["", "own@example.com", "bcrypt@example.com", "firebase@example.com"][sort];
        let email = if sort == 0 { format!("nobody{round}@example.com") } else { email.to_owned() };
        let answer = server.post("/token?grant_type=password", json!({ "email": email, "password": "wrong password" })).await;
        answer.refused(400, "invalid_credentials", "Invalid login credentials");
    };
    let took = in_turns::<4>(ask).await;
    let names = ["unknown address", "wrong password", "wrong password with a hash of bcrypt", "wrong password with a hash of Firebase"];
    compare(&names, PasswordConfig::default().refusal_step_ms, &took);
}

/// A server on which messages may be asked for as often as is measured.
async fn sending() -> Server {
    let one_time =
        OneTimeConfig { mail_pause_seconds: 0, recipient_hour_max: 1_000_000, client_hour_max: 1_000_000, ..OneTimeConfig::default() };
    Server::with(AuthConfig { autoconfirm: false, one_time, ..AuthConfig::default() }).await
}

#[tokio::test]
async fn a_sign_up_with_an_address_that_has_an_account_and_one_with_none_differ_by_chance_alone() {
    let server = sending().await;
    let wish = json!({ "email": "ann@example.com", "password": PASSWORD, "email_confirm": true });
    server.call("POST", "/admin/users", Some(server.ring.service().token.expose()), Some(wish)).await.ok();
    let ask = async |sort: usize, round: u32| {
        let email = if sort == 0 { format!("new{round}@example.com") } else { "ann@example.com".to_owned() };
        let made = server.post("/signup", json!({ "email": email, "password": "another long password" })).await.ok();
        assert!(made["id"].is_string() && made.get("access_token").is_none(), "{made}");
    };
    let step_ms = PasswordConfig::default().refusal_step_ms;
    compare(&["sign-up of an unknown address", "of a known one"], step_ms, &in_turns::<2>(ask).await);
}

#[tokio::test]
async fn a_code_for_an_address_that_has_an_account_and_for_one_with_none_differ_by_chance_alone() {
    let server = sending().await;
    let wish = json!({ "email": "ann@example.com", "email_confirm": true });
    server.call("POST", "/admin/users", Some(server.ring.service().token.expose()), Some(wish)).await.ok();
    let ask = async |sort: usize, round: u32| {
        let email = if sort == 0 { format!("new{round}@example.com") } else { "ann@example.com".to_owned() };
        assert_eq!(server.post("/otp", json!({ "email": email })).await.ok(), json!({}));
    };
    let step_ms = OneTimeConfig::default().answer_step_ms;
    compare(&["a code for an unknown address", "for a known one"], step_ms, &in_turns::<2>(ask).await);
}

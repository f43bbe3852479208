//! How long a refusal takes tells nothing: an unknown address and a wrong password differ by chance alone.
//!
//! Invariant: the two are asked for in turns, so that whatever else the machine does falls on both.

use std::time::Instant;

use auth::AuthConfig;
use auth::config::LimitsConfig;
use serde_json::json;

use crate::server::Server;

/// Beyond it two means differ by more than chance: about once in a hundred thousand times it is chance all the same.
const T_MAX: f64 = 4.5;

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

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_differ_by_chance_alone() {
    let samples: u32 = std::env::var_os("TIMING_SAMPLES").map_or(20, |text| text.to_str().unwrap().parse().unwrap());
    // Nobody is told to come back later.
    let limits = LimitsConfig { wrong_password_account_hour_max: samples + 100, ..LimitsConfig::default() };
    let server = Server::with(AuthConfig { limits, ..AuthConfig::default() }).await;
    server.sign_up("ann@example.com").await;
    let ask = async |email: &str| {
        let begun = Instant::now();
        let answer = server.post("/token?grant_type=password", json!({ "email": email, "password": "wrong password" })).await;
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        answer.refused(400, "invalid_credentials", "Invalid login credentials");
        took
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..samples + 5 {
        let email = format!("nobody{round}@example.com");
        let pair = if round % 2 == 0 {
            let first = ask("ann@example.com").await;
            (first, ask(&email).await)
        } else {
            let first = ask(&email).await;
            (ask("ann@example.com").await, first)
        };
        // The first ones warm up.
        if round >= 5 {
            known.push(pair.0);
            unknown.push(pair.1);
        }
    }
    let t = welch(&known, &unknown);
    let (known, unknown) = (mean(&known).0, mean(&unknown).0);
    println!("{samples} samples each: wrong password {known:.2} ms, unknown address {unknown:.2} ms, Welch's t {t:.2}, allowed is {T_MAX}");
    assert!(t.abs() < T_MAX, "{t}");
}

//! The simulated fleet: the same seed gives the same bytes, and its truth is what the account says.

use crate::words::fleet;
use fleetloom_tests::program;
use fleetloom_tests::shown::shown;
use serde_json::Value;
use std::fs;

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let all = |seed| {
        let (place, _) = fleet(3, 1, seed, true);
        let names = place.names("archive");
        let bytes = names.iter().map(|name| fs::read(place.path("archive").join(name)).unwrap()).collect::<Vec<_>>();
        (names, bytes, fs::read(place.path("truth.json")).unwrap())
    };
    assert!(all(7) == all(7));
    assert!(all(7).1 != all(8).1);
}

#[test]
fn a_clean_fleet_is_accounted_exactly() {
    truth_is_the_account(4, 3, 1, false);
}

#[test]
fn a_damaged_fleet_is_accounted_exactly() {
    truth_is_the_account(8, 6, 2, true);
    truth_is_the_account(3, 26, 3, true);
}

/// Compares every count of `truth.json` that the account has a word for.
fn truth_is_the_account(robots: u32, hours: u32, seed: u32, dirty: bool) {
    let (place, file) = fleet(robots, hours, seed, dirty);
    program::run(&file).expect(0);
    let truth = fs::read(place.path("truth.json")).expect("the truth lies beside the archive");
    let truth: Value = serde_json::from_slice(&truth).expect("the truth is JSON");
    let shown = shown(&file);
    for part in ["members", "signals", "rows", "events"] {
        same(part, &truth[part], &shown["account"][part]);
    }
    assert_eq!(dirty, truth["damage"].as_object().is_some_and(|kinds| !kinds.is_empty()));
}

/// Insists that every count of the truth is the account's, and that a map of refusals holds no other kind.
fn same(path: &str, truth: &Value, account: &Value) {
    match truth {
        Value::Object(fields) => {
            let closed = path.ends_with("quarantined");
            let zero = |v: &Value| v.as_u64() == Some(0);
            let other =
                account.as_object().into_iter().flatten().find(|(k, v)| closed && !fields.contains_key(*k) && !zero(v));
            assert!(other.is_none(), "{path}: the account says {other:?}, the truth is {truth}");
            fields.iter().for_each(|(name, value)| same(&format!("{path}.{name}"), value, &account[name]));
        }
        _ => assert_eq!(truth.as_u64(), Some(account.as_u64().unwrap_or(0)), "{path}"),
    }
}

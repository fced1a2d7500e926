//! Runs that compute what was computed before: everything, or some days.

use super::field::Field;
use super::twin::{SMALL, Twin};
use serde_json::{Value, json};

/// Two days and a half of one robot. With the evening before, into which observations of its first minutes could stray, they are
/// four shards.
const SIZE: (u32, u32) = (1, 60);

/// What a Run had to compute, of how many shards that it was asked for, and the version that it made.
fn made(run: &Value) -> [&Value; 3] {
    let status = &run["status"];
    [&status["plan"]["stale"], &status["plan"]["shards"], &status["result"]["version"]]
}

#[test]
fn everything_or_some_days_are_computed_again_and_the_tables_are_the_laptops() {
    let field = Field::new("again");
    let twin = Twin::fleet(&field, "fleet", SIZE, "");
    let whole = twin.here(&[]);
    twin.apply(&format!("inline: 1m, {SMALL}"));
    let run = |name: &str, asked: &Value, what: [u64; 3]| {
        field.start(name, twin.name, asked);
        let run = field.complete(name);
        assert_eq!(made(&run), what.map(Value::from).each_ref(), "{run:#}");
    };
    run("first", &json!({}), [4, 4, 0]);
    assert_eq!(twin.there(), whole);
    run("all", &json!({"recompute": "All"}), [4, 4, 1]);
    assert_eq!(twin.there(), whole, "the same rows in a new version");
    // Two days are others now, and one of them is asked for.
    for day in ["2026-01-02.zip", "2026-01-03.zip"] {
        twin.put(day, &twin.of_another_life(day, SIZE));
    }
    run("backfill", &json!({"range": {"from": "2026-01-02", "to": "2026-01-03"}}), [1, 1, 2]);
    let backfilled = twin.here(&["--range", "2026-01-02..2026-01-03"]);
    assert_eq!(twin.there(), backfilled, "the days outside are carried over");
    assert_ne!(backfilled, whole);
    field.start("rest", twin.name, &json!({}));
    field.complete("rest");
    let rest = twin.here(&[]);
    assert_eq!(twin.there(), rest);
    assert_ne!(rest, backfilled);
    // A range and everything: those days, whatever was computed of them.
    run("both", &json!({"range": {"from": "2026-01-02", "to": "2026-01-03"}, "recompute": "All"}), [1, 1, 4]);
    assert_eq!(twin.there(), rest);
}

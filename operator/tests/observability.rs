//! The page of every metric, event, condition and reason is what the code has: `BLESS=1` writes it anew.

use operator::api::ConditionType;
use operator::metrics::METRICS;
use operator::reason::{Reason, Told};
use std::fmt::Write;

const HEAD: &str = "\
# What the operator tells

Made from the code, and compared with it by a test (`BLESS=1 cargo test --release -p fleetloom-operator --test observability`
writes it anew).

- **Metrics** in the OpenMetrics text format on port 8080, `/metrics`. Labels are words of closed lists: no name of an object.
- **Probes** on port 8081: `/healthz` answers while the program runs; `/readyz` lists one object of each kind, and names the
  CustomResourceDefinition that is missing.
- **Conditions** on all three kinds, with `observedGeneration`; **events** on transitions only, with the reason of a condition.
  Where a status cannot be written, events alone say so (`WriteStatusFailed`).
- **Logs** as JSON lines on stderr, with `namespace` and `run` (or `pipeline`, `archive`) in the span. `RUST_LOG` sets what is
  logged; `RUST_LOG=operator=debug` shows every decision.

No key, token or Secret is in any of them: the operator reads none.
";

fn page() -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n## Metrics\n\n| metric | labels | what it counts |\n|---|---|---|\n");
    for (name, labels, meaning) in METRICS {
        let _ = writeln!(page, "| `{name}` | {labels} | {meaning} |");
    }
    page.push_str("\n## Conditions\n\n| type | on | holds when |\n|---|---|---|\n");
    for kind in ConditionType::ALL {
        let (on, meaning) = holds(kind);
        let _ = writeln!(page, "| `{kind:?}` | {on} | {meaning} |");
    }
    page.push_str("\n## Reasons\n\n| reason | event | meaning |\n|---|---|---|\n");
    for reason in Reason::ALL {
        let event = match reason.told() {
            Told::Normal => "Normal",
            Told::Warning => "Warning",
            Told::Never => "",
        };
        let _ = writeln!(page, "| `{reason}` | {event} | {} |", reason.meaning());
    }
    page
}

fn holds(kind: ConditionType) -> (&'static str, &'static str) {
    match kind {
        ConditionType::Accepted => ("Archive, Pipeline, Run", "The words are good on this cluster."),
        ConditionType::Planned => ("Run", "A plan lies ready."),
        ConditionType::Running => ("Run", "Shards are being computed."),
        ConditionType::Committed => ("Run", "A version is published, or the newest one holds what was asked for."),
        ConditionType::Complete => ("Run", "It has ended, with what was asked for."),
        ConditionType::Failed => ("Run", "It has ended, without."),
        ConditionType::Suspended => ("Run", "`spec.suspend` is true, and no pod of it is wanted."),
        ConditionType::Degraded => (
            "Pipeline, Run",
            "A call to the API server fails, or the polls of a Pipeline do; the operator goes on trying.",
        ),
    }
}

#[test]
fn the_page_is_what_the_code_has() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/observability.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).unwrap();
        std::fs::write(path, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page(), "BLESS=1 writes {path} anew");
}

#[test]
fn every_meaning_is_a_sentence() {
    for reason in Reason::ALL {
        assert!(reason.meaning().ends_with('.') && reason.meaning().split(' ').count() > 3, "{reason}");
    }
}

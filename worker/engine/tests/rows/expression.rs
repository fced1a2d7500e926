//! `derive`, `where` and `when` in a pipeline, and what is refused.

use crate::fixture::{floats, integers, lines, rows, speed, status, truths, words};
use fleetloom_engine::compile::compile;

const JOIN: &str = "join: [{signal: speed, direction: Nearest, tolerance: 100ms}]\n";

fn derived(expressions: &str) -> String {
    format!("rows: {{signal: status}}\n{JOIN}{expressions}")
}

#[test]
fn a_division_by_zero_is_null_and_counted() {
    let words = words(&derived(
        "derive:\n- {name: ratio, expression: \"speed.load / speed.mps\"}\n- {name: per_n, expression: \"10 / status.n\"}",
    ));
    let signals = [
        vec![status(0.0, None, 5), status(1.0, None, 0), status(2.0, None, 2)],
        vec![speed(0.0, 4.0), speed(1.0, 0.0), speed(2.0, 0.0)],
    ];
    let rows = rows(&words, &signals);
    assert_eq!(floats(&rows, "ratio"), [Some(-1.0), None, None]);
    assert_eq!(integers(&rows, "per_n"), [Some(2), None, Some(5)]);
    assert_eq!(rows.account.expression_errors["ratio"], 2);
    assert_eq!(rows.account.expression_errors["per_n"], 1);
    assert_eq!(rows.batch.num_rows(), 3);
}

#[test]
fn a_nan_is_null_and_counted() {
    let words = words(&derived("derive: [{name: root, expression: \"power(speed.mps, 0.5)\"}]"));
    let rows = rows(&words, &[vec![status(0.0, None, 1)], vec![speed(0.0, -4.0)]]);
    assert_eq!(floats(&rows, "root"), [None]);
    assert_eq!((rows.account.expression_nan["root"], rows.account.expression_errors.len()), (1, 0));
}

#[test]
fn a_derived_column_sees_the_ones_before_it_and_the_rows_time() {
    let words = words(&derived(
        "derive:
- {name: twice, expression: \"speed.mps * 2\"}
- {name: more, expression: \"twice + speed_dt_us\"}
- {name: hour, expression: \"date_part('hour', time)\"}
- {name: odd, expression: \"status.mode = 'odd'\"}",
    ));
    let rows = rows(&words, &[vec![status(3600.0, None, 1)], vec![speed(3600.05, 4.0)]]);
    assert_eq!(floats(&rows, "more"), [Some(50_008.0)]);
    assert_eq!(integers(&rows, "hour"), [Some(1)]);
    assert_eq!(truths(&rows, "odd"), [Some(true)]);
}

#[test]
fn where_chooses_what_is_written_not_what_a_window_sees() {
    let words = words(&derived(
        "windows: [{span: 10s, suffix: \"\", features: [{columns: [status.n], statistics: [count, sum]}]}]
where: \"status.n / (status.n - 2) < 3 AND speed.mps IS NOT NULL\"",
    ));
    let times = [1.0, 2.0, 3.0, 4.0];
    let statuses = (1..).zip(times).map(|(n, t)| status(t, None, n)).collect();
    let rows = rows(&words, &[statuses, vec![speed(1.0, 1.0), speed(2.0, 1.0), speed(3.0, 1.0), speed(4.0, 1.0)]]);
    assert_eq!(integers(&rows, "status_n"), [Some(1), Some(4)]);
    assert_eq!(integers(&rows, "status_n_count"), [Some(1), Some(4)]);
    assert_eq!(floats(&rows, "status_n_sum"), [Some(1.0), Some(10.0)]);
    let account = &rows.account.rows;
    assert_eq!((account.base, account.written, account.filtered), (4, 2, 2));
    assert_eq!(rows.account.expression_errors["where"], 1);
}

#[test]
fn every_wrong_expression_is_reported_with_path_place_and_remedy() {
    let words = words(
        "rows: {signal: status}
events:
- {name: a, signal: status, when: \"n + 1\", edge: Rise}
- {name: b, signal: status, when: \"speed.mps > 1\", edge: Rise}
join: [{signal: speed, direction: Nearest, tolerance: 100ms}]
derive:
- {name: clock, expression: \"speed.mps + now()\"}
- {name: total, expression: \"sum(speed.mps)\"}
- {name: typo, expression: \"abs(speed.mpz)\"}
- {name: later, expression: \"typo + 1\"}
- {name: word, expression: \"status.mode\"}
where: \"(SELECT true)\"
windows: [{span: 5s, features: [{columns: [word], statistics: [mean, last]}]}]",
    );
    let text = lines(&compile(&words).unwrap_err());
    let wanted = [
        "Pipeline p: spec.events[a].when: a condition must be true or false",
        "spec.events[b].when: at 1:1: there is no column `speed.mps`; ",
        "spec.derive[clock].expression: at 1:13: `now()` does not always give the same value",
        "spec.derive[total].expression: at 1:1: `sum` is an aggregate",
        "spec.derive[typo].expression: at 1:5: there is no column `speed.mpz`; did you mean `speed.mps`?",
        "spec.where: ",
        "spec.windows[0].features: mean does not fit word: it is text",
    ];
    for line in wanted {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
    assert_eq!(text.lines().count(), wanted.len(), "{text}");
}

#[test]
fn own_columns_in_the_where_of_event_rows_are_refused() {
    let words = words(
        "rows: {event: stop}
events: [{name: stop, signal: status, when: stop, edge: Rise}]
where: \"status.n IS NOT NULL\"",
    );
    let text = lines(&compile(&words).unwrap_err());
    assert!(text.contains("spec.where: `status.n` is null on every event and control row"), "{text}");
}

#[test]
fn own_columns_in_the_derive_of_event_rows_are_noted() {
    let rows = |rows: &str| {
        let derive = "derive:
- {name: twice, expression: \"status.n * 2\"}
- {name: more, expression: \"twice + 1\"}";
        words(&format!("rows: {rows}\nevents: [{{name: stop, signal: status, when: stop, edge: Rise}}]\n{derive}"))
    };
    let compiled = compile(&rows("{event: stop}")).unwrap();
    let [note] = compiled.notes() else { panic!("{:?}", compiled.notes()) };
    assert_eq!(note.path, "spec.derive[twice].expression");
    assert!(note.text.starts_with("`status.n` is null on every event and control row"), "{note}");
    assert_eq!(compile(&rows("{signal: status}")).unwrap().notes(), []);
}

#[test]
fn an_unknown_function_is_told_what_there_is() {
    let text =
        lines(&compile(&words("rows: {signal: status}\nderive: [{name: x, expression: md5(status.n)}]")).unwrap_err());
    for word in ["there is no function `md5`", "abs", "substr", "date_trunc", "regexp_like", "coalesce"] {
        assert!(text.contains(word), "{text}");
    }
}

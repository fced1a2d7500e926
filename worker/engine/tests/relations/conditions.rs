//! Conditions above a relation leave out of its inputs what no row sees, and nothing else.

use super::{Row, ask, session};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

const SECOND: i64 = 1_000_000_000;
/// 2026-11-01T00:00:00Z.
const START: i64 = 1_793_491_200 * SECOND;

/// A row every tenth of a second, of two robots.
fn context() -> SessionContext {
    let row = |n: i64| -> Row {
        (
            Some(if n % 2 == 0 { "a" } else { "b" }),
            Some(START + n * SECOND / 10),
            Some(f64::from(i16::try_from(n).unwrap())),
        )
    };
    let rows: Vec<Row> = (0..400).map(row).collect();
    session(&[("l", &rows), ("r", &rows)], 64)
}

fn plan(context: &SessionContext, sql: &str) -> String {
    pretty_format_batches(&[ask(context, &format!("EXPLAIN {sql}")).unwrap()]).unwrap().to_string()
}

fn numbers(batch: &RecordBatch) -> Vec<i64> {
    batch.column(0).as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn a_condition_reaches_both_inputs_of_a_join_as_far_as_rows_see() {
    let context = context();
    let join = "nearest_join(l, r, tolerance => '500ms')";
    let sql = format!(
        "SELECT n FROM {join} WHERE robot = 'a' AND time >= '2026-11-01T00:00:10Z' AND time < '2026-11-01T00:00:12Z' \
         AND r_dt_us = 0 ORDER BY n"
    );
    assert_eq!(numbers(&ask(&context, &sql).unwrap()), (100..120).step_by(2).collect::<Vec<i64>>());
    let plan = plan(&context, &sql);
    let filters: Vec<&str> = plan.lines().filter(|line| line.contains("FilterExec")).collect();
    let right = filters.iter().filter(|line| line.contains(&format!("{}", START + 9_500_000_000)));
    assert!(right.count() >= 1, "the right side is read from half a second before:\n{plan}");
    assert!(filters.iter().filter(|line| line.contains("robot")).count() >= 2, "{plan}");
}

#[test]
fn a_look_back_sees_what_lies_before_a_condition() {
    let context = context();
    let look = "look_back(l, span => '3s', columns => 'v', statistics => 'count')";
    let sql = format!("SELECT v_count_3s FROM {look} WHERE time >= '2026-11-01T00:00:10Z' AND robot = 'b' LIMIT 1");
    assert_eq!(numbers(&ask(&context, &sql).unwrap()), [15]);
    let plan = plan(&context, &sql);
    assert!(plan.contains(&format!("{}", START + 7 * SECOND)), "{plan}");
}

#[test]
fn calls_nest_and_see_ctes_and_subqueries() {
    let context = context();
    let sql = "WITH few AS (SELECT * FROM l WHERE n < 10)
        SELECT n, v_mean_1s, near_dt_us FROM look_back(
            nearest_join(few, (SELECT robot, time, v FROM r WHERE v > 5), tolerance => '2s', prefix => 'near'),
            span => '1s', columns => 'v', statistics => 'mean') ORDER BY n";
    let found = ask(&context, sql).unwrap();
    assert_eq!(numbers(&found), (0..10).collect::<Vec<i64>>());
    assert_eq!(found.column(2).as_primitive::<Int64Type>().values()[..2], [600_000, 600_000]);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let context = context();
    let plan = plan(&context, "SELECT r_dt_us FROM nearest_join(l, r, tolerance => '1s')");
    let columns: Vec<&str> =
        plan.lines().filter(|line| line.contains("Projection") || line.contains("TableScan")).collect();
    assert!(columns.iter().all(|line| !line.contains(" v")), "{plan}");
}

#[test]
fn an_analysis_says_rows_time_and_memory_of_each_operator() {
    let context = context();
    let sql = "EXPLAIN ANALYZE SELECT * FROM look_back(nearest_join(l, r, tolerance => '1s'), span => '2s', \
               columns => 'v', statistics => 'mean')";
    let said = pretty_format_batches(&[ask(&context, sql).unwrap()]).unwrap().to_string();
    for operator in ["NearestJoinExec", "LookBackExec"] {
        let line = said.lines().find(|line| line.contains(operator)).unwrap();
        for metric in ["output_rows=400", "elapsed_compute=", "output_bytes=", "peak_mem_used="] {
            assert!(line.contains(metric), "{metric} is not in {line}");
        }
    }
}

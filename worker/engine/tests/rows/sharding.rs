//! The law: however time is cut into shards, the rows are the same, bit for bit, each shard seeing only its context.

use crate::fixture::{Observed, Value, at, compiled, robot, two_clocks, words};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use fleetloom_engine::account::Account;
use pipeline::pipeline::Pipeline;
use pipeline::reach::reach;
use pipeline::time::Span;
use proptest::prelude::*;

const SHAPES: [&str; 5] = [
    "rows: {signal: status}
events: [{name: stop, signal: status, when: stop, edge: Change, memory: 3s, refractory: 1s}]
join: [{signal: speed, direction: Nearest, tolerance: 700ms}]
derive: [{name: ratio, expression: \"speed.load / status.n\"}]
windows: [{span: 4s, features: [{columns: [\"speed.*\", ratio], statistics: [count, mean, std, slope, p95]}], requires: {count: 2, gap: 2s}, excludes: [stop]}]
label: {event: stop, horizon: 2s, lead: 500ms}",
    "rows: {every: 700ms, during: speed, alive: 2s}
events: [{name: stop, signal: status, when: \"stop OR n > 3\", edge: Rise, memory: 3s}]
join: [{signal: speed, direction: Backward, tolerance: 1s}, {signal: status, direction: Forward, tolerance: 1s}]
windows: [{span: 3s, over: Observations, features: [{columns: [speed.mps], statistics: [count, sum, skew]}]}]
where: \"speed.mps IS NOT NULL\"
label: {event: stop, horizon: 1s}",
    "rows: {event: stop, controls: {perEvent: 1, apart: 1s, within: 4s, seed: 3}}
events: [{name: stop, signal: status, when: stop, edge: Rise, memory: 3s, refractory: 1s}]
join: [{signal: speed, direction: Nearest, tolerance: 700ms}]
windows: [{span: 2s, features: [{columns: [\"speed.*\", status.n], statistics: [count, mean, last]}], requires: {gap: 1s}, excludes: [stop]}]
label: {event: stop}",
    "rows: {signal: speed}
join: [{signal: status, direction: Nearest, tolerance: 2s}]
windows: [{span: 5s, features: [{columns: [status.stop, status.mode], statistics: [count, first, last, changes, time_since_change]}]}, {span: 1s, suffix: s, features: [{columns: [\"speed.*\"], statistics: [rms, kurtosis, mean_abs_change]}]}]",
    "rows: {signal: speed}
join: [{signal: status, direction: Nearest, tolerance: 2s}]",
];

/// Seconds to the tenth, so that ties and exact hits happen.
fn tenths(count: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0_i32..400, 0..count).prop_map(|mut tenths| {
        tenths.sort_unstable();
        tenths.into_iter().map(|tenth| f64::from(tenth) / 10.0).collect()
    })
}

fn statuses() -> impl Strategy<Value = Vec<Observed>> {
    let value = (prop::option::weighted(0.8, any::<bool>()), 0_i64..6, 0.0..1.0_f64);
    (tenths(60), prop::collection::vec(value, 60)).prop_map(|(times, values)| {
        let observed = times.into_iter().zip(values).map(|(t, (stop, n, lag))| {
            let mut status = crate::fixture::status(t, stop, n);
            status.1 = at(t + lag);
            status
        });
        observed.collect()
    })
}

fn speeds() -> impl Strategy<Value = Vec<Observed>> {
    let value = prop_oneof![8 => (-5.0..5.0_f64).prop_map(Value::F), 1 => Just(Value::F(1e12)), 1 => Just(Value::Null)];
    (tenths(120), prop::collection::vec((value.clone(), value, 0.0..1.0_f64), 120)).prop_map(|(times, values)| {
        let observed = times.into_iter().zip(values).map(|(t, (mps, load, lag))| (at(t), at(t + lag), vec![mps, load]));
        observed.collect()
    })
}

/// What a shard of `span` reads.
fn context(pipeline: &Pipeline, signals: &[Vec<Observed>], span: Span) -> Vec<Vec<Observed>> {
    let reach = reach(pipeline);
    let wide = span.widen(reach.back_ns, reach.forward_ns);
    signals.iter().map(|observed| observed.iter().filter(|o| wide.contains(o.0)).cloned().collect()).collect()
}

fn shards(pipeline: &Pipeline, signals: &[Vec<Observed>], cuts: &[f64]) -> (RecordBatch, Account) {
    let compiled = compiled(pipeline);
    let mut borders: Vec<i64> = cuts.iter().map(|cut| at(*cut)).collect();
    borders.sort_unstable();
    let from = [i64::MIN].into_iter().chain(borders.clone());
    let to = borders.into_iter().chain([i64::MAX]);
    let mut account = Account::default();
    let mut batches = Vec::new();
    for (from_ns, to_ns) in from.zip(to).filter(|(from, to)| from < to) {
        let span = Span { from_ns, to_ns };
        let robot = robot(pipeline, &context(pipeline, signals, span));
        let rows = compiled.compute(robot, span).unwrap();
        assert_eq!(rows.account.imbalance(), [""; 0]);
        account.merge(&rows.account);
        batches.push(rows.batch);
    }
    (concat_batches(&compiled.schema(), &batches).unwrap(), account)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn shards_together_are_the_whole(
        shape in 0..SHAPES.len(),
        clocks in any::<bool>(),
        status in statuses(),
        speed in speeds(),
        cuts in prop::collection::vec(0.0..40.0_f64, 1..6),
    ) {
        let pipeline = if clocks { two_clocks(SHAPES[shape]) } else { words(SHAPES[shape]) };
        let mut signals = [status, speed];
        if !clocks {
            signals.iter_mut().flatten().for_each(|observed| observed.1 = observed.0);
        }
        let (whole, account) = shards(&pipeline, &signals, &[]);
        let (cut, cut_account) = shards(&pipeline, &signals, &cuts);
        prop_assert_eq!(whole, cut);
        let rows = |account: &Account| (account.rows.clone(), account.label.clone(), account.events.clone());
        prop_assert_eq!(rows(&account), rows(&cut_account));
        prop_assert_eq!(account.joins, cut_account.joins);
    }
}

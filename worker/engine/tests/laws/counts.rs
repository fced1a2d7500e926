//! What decoder and kernels allocate, counted: a guard of their speed that no busy machine can trip.
//!
//! Allocations do not depend on how many documents or rows there are, and bytes on nothing but what is given back.

use allocation_counter::{AllocationInfo, measure};
use fleetloom_engine::decode::{Decoder, Plan, Role, Source};
use fleetloom_engine::nearest::nearest;
use fleetloom_engine::statistic::{Series, View, compute};
use fleetloom_engine::window::{End, Window, bounds};
use pipeline::check::check;
use pipeline::member::Stamp;
use pipeline::read::Words;
use pipeline::spec::{Direction, Statistic};
use std::hint::black_box;
use std::sync::Arc;

/// Words of the simulator.
const WORDS: &str = include_str!("../../../src/simulate/fleetloom.yaml");
/// Stamp of all members, ms.
const STAMP_MS: i64 = 1_767_225_600_000;
/// Time from row to row, ns.
const STEP_NS: i64 = 100_000_000;
/// Span of the windows, ns.
const SPAN_NS: i64 = 42_000_000_000;

fn decoder() -> Decoder {
    let checked = check(&Words::read(WORDS, None, Some("/"))).unwrap();
    Decoder::new(Arc::new(Plan::new(&checked.pipelines[0].archive).unwrap()))
}

/// A document of five seconds.
fn document(number: i64) -> String {
    let ts = |step: i64| STAMP_MS + number * 5_000 + step;
    let odometry: Vec<String> =
        (0..25).map(|n| format!("{{\"ts\":{}.125,\"linear\":0.{n}17,\"angular\":-1e-{n}}}", ts(n * 200))).collect();
    let pose: Vec<String> = (0..5)
        .map(|n| {
            format!(
                "{{\"ts\":{},\"x\":1.5,\"y\":{n},\"yaw\":null,\"score\":0.9,\"frameId\":\"map \\u00e9\"}}",
                ts(n * 1000)
            )
        })
        .collect();
    format!(
        "{{\"odometry\":[{}],\"pose\":[{}],\"foreign\":{{\"a\":[1,2,{{}}]}},\"battery\":[{{\"ts\":{},\"soc\":3}}]}}",
        odometry.join(","),
        pose.join(","),
        ts(0)
    )
}

/// Decodes so many documents with a decoder that has decoded as many before; what that took, and what its batches hold.
fn decoding(documents: i64) -> (AllocationInfo, AllocationInfo, u64) {
    let texts: Vec<String> = (0..documents).map(document).collect();
    let mut decoder = decoder();
    let all = |decoder: &mut Decoder| {
        for (member, text) in (0..).zip(&texts) {
            let stamp = Stamp::At((STAMP_MS + i64::from(member) * 5_000) * 1_000_000);
            decoder.member(
                &Source { member, robot: Some("r"), stamp, stored_bytes: 0, role: Role::Own },
                text.as_bytes(),
                0,
            );
        }
    };
    all(&mut decoder);
    drop(decoder.finish().unwrap());
    let decoding = measure(|| all(&mut decoder));
    let mut decoded = None;
    let finishing = measure(|| decoded = Some(decoder.finish().unwrap()));
    let decoded = decoded.unwrap();
    assert!(decoded.refused.is_empty(), "{:?}", decoded.refused);
    let rows: usize = decoded.signals.iter().map(|observations| observations.rows.num_rows()).sum();
    assert_eq!(rows as i64, documents * (25 + 5 + 1));
    let held = decoded.signals.iter().map(|observations| observations.bytes() as u64).sum();
    (decoding, finishing, held)
}

#[test]
fn a_decoder_that_is_warm_allocates_nothing_for_a_usual_document() {
    let (few, many) = (decoding(100).0, decoding(1_000).0);
    // Each of the five frame ids of these has an escape, whose text is put together first; what is foreign is nested, and the way
    // back out of it is kept.
    let beside = |info: AllocationInfo, documents: u64| info.count_total - 6 * documents;
    assert_eq!(beside(few, 100), beside(many, 1_000), "{few:?} {many:?}");
    assert!(beside(many, 1_000) <= 8, "{many:?}");
}

#[test]
fn observations_are_copied_once_out_of_the_arena() {
    let ((_, few, _), (_, many, held)) = (decoding(100), decoding(1_000));
    assert_eq!(few.count_total, many.count_total, "{few:?} {many:?}");
    assert!(many.bytes_total <= held + held / 20, "{many:?} for {held} bytes of observations");
}

/// Times of so many rows, ns.
fn times(rows: i64) -> Vec<i64> {
    (0..rows).map(|row| row * STEP_NS + row * 7_919_000 % 30_000_000).collect()
}

#[test]
fn a_nearest_join_allocates_its_places_alone() {
    let (left, right) = (times(10_000), times(12_000));
    let info = measure(|| {
        black_box(nearest(&left, &right, Direction::Nearest, 50_000_000).unwrap());
    });
    assert_eq!((info.count_total, info.bytes_total), (1, 4 * 10_000), "{info:?}");
}

/// What the statistics of windows over so many rows take.
fn looking_back(rows: i64, wanted: &[Statistic]) -> AllocationInfo {
    let times = times(rows);
    let values: Vec<f64> = (0..rows).map(|row| (row * 7_919 % 1_000) as f64).collect();
    let window = Window { span_ns: SPAN_NS, end: End::AtRow };
    measure(|| {
        let bounds = bounds(&times, &times, window).unwrap();
        let view = View { rows: &times, times: &times, known: None, bounds: &bounds, window };
        black_box(compute(&view, Series::Number(&values), None, wanted));
    })
}

#[test]
fn windows_allocate_by_the_statistic_and_never_by_the_row() {
    use Statistic::{Max, Mean, Min, P95, Slope, Std, Sum};
    for wanted in [&[Mean, Std, Min, Max][..], &[P95], &[Slope, Sum]] {
        let (few, many) = (looking_back(10_000, wanted), looking_back(100_000, wanted));
        assert!(many.count_total <= few.count_total + 8, "{wanted:?}: {few:?} {many:?}");
        // Bounds, dense values and their marks, a column each.
        let bytes = 100_000 * (64 + 9 * wanted.len() as u64);
        assert!(many.bytes_total <= bytes, "{wanted:?}: {many:?}, and {bytes} bytes would do");
    }
}

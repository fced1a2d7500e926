//! Each statistic = its definition on each window; and the same bits wherever the data is cut.

use arrow::buffer::NullBuffer;
use fleetloom_engine::nearest::NO_MATCH;
use fleetloom_engine::statistic::{Output, Series, View, compute};
use fleetloom_engine::window::{Bounds, End, Window, bounds};
use pipeline::spec::Statistic::{self, *};
use proptest::prelude::*;

const OF_NUMBERS: [Statistic; 21] = [
    Count,
    Mean,
    Std,
    Min,
    Max,
    Range,
    Sum,
    First,
    Last,
    Delta,
    Slope,
    Rms,
    Skew,
    Kurtosis,
    MeanAbsChange,
    MaxAbsChange,
    P05,
    P25,
    P50,
    P75,
    P95,
];
const OF_BOOL: [Statistic; 6] = [Count, First, Last, FractionTrue, Changes, TimeSinceChange];
const OF_TEXT: [Statistic; 5] = [Count, First, Last, Changes, TimeSinceChange];

/// Values of one column at their times, with rows that look back at them.
#[derive(Debug, Clone)]
struct Case {
    rows: Vec<i64>,
    times: Vec<i64>,
    known: Vec<i64>,
    values: Vec<Option<f64>>,
    window: Window,
}

impl Case {
    fn bounds(&self) -> Bounds {
        bounds(&self.rows, &self.times, self.window).unwrap()
    }

    fn numbers(&self) -> (Vec<f64>, NullBuffer) {
        let valid = self.values.iter().map(Option::is_some).collect::<Vec<_>>();
        (self.values.iter().map(|value| value.unwrap_or(7e77)).collect(), NullBuffer::from(valid))
    }

    fn compute(&self, wanted: &[Statistic], sees_known: bool) -> Vec<Output> {
        let (values, valid) = self.numbers();
        let known = sees_known.then_some(&self.known[..]);
        let bounds = self.bounds();
        let view = View { rows: &self.rows, times: &self.times, known, bounds: &bounds, window: self.window };
        compute(&view, Series::Number(&values), Some(&valid), wanted)
    }

    /// The positions in the window of a row, by the definition.
    fn inside(&self, row: usize, sees_known: bool) -> Vec<usize> {
        let t = self.rows[row];
        let start = i128::from(t) - i128::from(self.window.span_ns);
        let is_inside = |&at: &usize| {
            let time = self.times[at];
            let by_time = match self.window.end {
                End::AtRow => i128::from(time) > start && time <= t,
                End::BeforeRow => i128::from(time) >= start && time < t,
            };
            by_time && (!sees_known || self.known[at] < t)
        };
        (0..self.times.len()).filter(is_inside).collect()
    }
}

fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        10 => (-1.0..1.0_f64).prop_map(Some),
        3 => Just(Some(0.1)),
        1 => Just(Some(-0.0)),
        1 => (1e3..1e3 + 1.0_f64).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
    ]
}

fn spice() -> impl Strategy<Value = Vec<(usize, f64)>> {
    let strong = prop_oneof![4 => Just(1e12), 2 => Just(-1e12), 1 => Just(f64::INFINITY), 1 => Just(f64::NEG_INFINITY)];
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec((0_usize..200, strong), 0..4)]
}

fn case() -> impl Strategy<Value = Case> {
    let start = prop_oneof![
        4 => -500_i64..500,
        2 => Just(1_666_742_400_000_000_000_i64),
        1 => Just(i64::MIN),
        1 => Just(i64::MAX - 300),
    ];
    let span_ns = prop_oneof![6 => 1_i64..60, 1 => 1_000_i64..5_000, 1 => Just(i64::MAX)];
    let end = prop_oneof![Just(End::AtRow), Just(End::BeforeRow)];
    let observations = prop::collection::vec((0_i64..4, value(), 0_i64..6), 0..120);
    let rows = prop::option::of(prop::collection::vec(0_i64..300, 0..40));
    (start, span_ns, end, observations, rows, spice()).prop_map(|(start, span_ns, end, observations, rows, spice)| {
        let mut time = start;
        let mut case =
            Case { rows: vec![], times: vec![], known: vec![], values: vec![], window: Window { span_ns, end } };
        for (step, value, lag) in observations {
            time = time.saturating_add(step);
            case.times.push(time);
            case.known.push(time.saturating_add(lag));
            case.values.push(value);
        }
        for (at, strong) in spice {
            if let Some(value) = case.values.get_mut(at) {
                *value = Some(strong);
            }
        }
        case.rows = rows.map_or(case.times.clone(), |rows| rows.iter().map(|t| start.saturating_add(*t)).collect());
        case.rows.sort_unstable();
        case
    })
}

/// Sum with the rounding errors carried along.
fn careful_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

/// One window, with what its statistics may err by.
struct Sample {
    t: i64,
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Sample {
    fn of(case: &Case, row: usize, sees_known: bool) -> Self {
        let inside = case.inside(row, sees_known);
        let of = |at: &usize| case.values[*at].filter(|value| !value.is_nan()).map(|value| (case.times[*at], value));
        let (times, values) = inside.iter().filter_map(of).unzip();
        Self { t: case.rows[row], times, values }
    }

    fn n(&self) -> f64 {
        self.values.len() as f64
    }

    fn mean(&self) -> f64 {
        careful_sum(self.values.iter().copied()) / self.n()
    }

    /// Mean of a power of the distance from the mean.
    fn central(&self, power: i32) -> f64 {
        if self.values.iter().all(|value| *value == self.values[0]) {
            return 0.0;
        }
        let mean = self.mean();
        careful_sum(self.values.iter().map(|value| (value - mean).powi(power))) / self.n()
    }

    fn largest(&self) -> f64 {
        self.values.iter().fold(0.0, |largest, value| value.abs().max(largest))
    }

    fn seconds(&self) -> Vec<f64> {
        self.times.iter().map(|time| (i128::from(*time) - i128::from(self.t)) as f64 / 1e9).collect()
    }

    fn slope(&self) -> (f64, f64) {
        let seconds = self.seconds();
        let middle = careful_sum(seconds.iter().copied()) / self.n();
        let mean = self.mean();
        let spread = careful_sum(seconds.iter().map(|s| (s - middle).powi(2)));
        let products = careful_sum(seconds.iter().zip(&self.values).map(|(s, v)| (s - middle) * (v - mean)));
        (products / spread, self.largest() / (spread / self.n()).sqrt())
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (self.n() - 1.0) * share;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        low + (high - low) * (place - place.floor())
    }

    fn steps(&self) -> Vec<f64> {
        self.values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect()
    }

    /// The definition, and how far off a result may be. `None` is null.
    fn wanted(&self, statistic: Statistic) -> Option<(f64, f64)> {
        let n = self.values.len();
        let close = 1e-12 * self.largest();
        if statistic == Count {
            return Some((self.n(), 0.0));
        }
        if n == 0 {
            return None;
        }
        let (first, last) = (self.values[0], self.values[n - 1]);
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = self.values.iter().sum::<f64>();
        let is_finite = self.values.iter().all(|value| value.is_finite());
        let always = match statistic {
            Min => Some((least, 0.0)),
            Max => Some((greatest, 0.0)),
            Range => Some((greatest - least, 0.0)),
            First => Some((first, 0.0)),
            Last => Some((last, 0.0)),
            Sum if is_finite => Some((careful_sum(self.values.iter().copied()), close * self.n())),
            Sum | Mean if !is_finite => Some((sum, 0.0)),
            _ => None,
        };
        if always.is_some() || !is_finite {
            return always.filter(|(value, _)| !value.is_nan());
        }
        let wanted = match statistic {
            Mean => (self.mean(), close),
            Delta => (last - first, 0.0),
            Std if n >= 2 => {
                let std = (self.central(2) * self.n() / (self.n() - 1.0)).sqrt();
                (std, 1e-12 * std.max(self.mean().abs()))
            }
            Slope if n >= 2 && self.times[0] < self.times[n - 1] => {
                let (slope, scale) = self.slope();
                (slope, 1e-9 * slope.abs() + 1e-12 * scale)
            }
            Rms => ((careful_sum(self.values.iter().map(|v| v * v)) / self.n()).sqrt(), close),
            Skew if n >= 3 => self.ratio(3, 0.0)?,
            Kurtosis if n >= 4 => self.ratio(4, 3.0)?,
            MeanAbsChange if n >= 2 => (careful_sum(self.steps().into_iter()) / (self.n() - 1.0), close),
            MaxAbsChange if n >= 2 => (self.steps().into_iter().fold(0.0, f64::max), 0.0),
            P05 => (self.quantile(0.05), close),
            P25 => (self.quantile(0.25), close),
            P50 => (self.quantile(0.5), close),
            P75 => (self.quantile(0.75), close),
            P95 => (self.quantile(0.95), close),
            _ => return None,
        };
        Some(wanted)
    }

    fn ratio(&self, power: i32, normal: f64) -> Option<(f64, f64)> {
        let variance = self.central(2);
        if variance == 0.0 {
            return None;
        }
        let ratio = self.central(power) / variance.sqrt().powi(power);
        let condition = (self.largest() / variance.sqrt()).max(1.0);
        Some((ratio - normal, 1e-12 * condition * ratio.abs().max(1.0) * self.n()))
    }
}

fn entry(output: &Output, row: usize) -> Option<f64> {
    let is_valid = |valid: &Option<NullBuffer>| valid.as_ref().is_none_or(|valid| valid.is_valid(row));
    match output {
        Output::Number(values, valid) => is_valid(valid).then(|| values[row]),
        Output::Integer(values, valid) => is_valid(valid).then(|| values[row] as f64),
        Output::Take(places) => (places[row] != NO_MATCH).then(|| f64::from(places[row])),
    }
}

fn bits(output: &Output, row: usize) -> Option<u64> {
    entry(output, row).map(f64::to_bits)
}

fn agree(case: &Case, sees_known: bool) -> Result<(), TestCaseError> {
    let outputs = case.compute(&OF_NUMBERS, sees_known);
    for row in 0..case.rows.len() {
        let sample = Sample::of(case, row, sees_known);
        for (output, statistic) in outputs.iter().zip(OF_NUMBERS) {
            let got = entry(output, row);
            // Beyond 2^53 ns (104 days) the kernel's times are rounded; slope says so.
            let is_rounded = statistic == Slope && case.window.span_ns > 1 << 53;
            match (got, sample.wanted(statistic)) {
                (None, None) => {}
                _ if is_rounded => {}
                (Some(got), Some((wanted, within))) if got == wanted || (got - wanted).abs() <= within => {}
                (got, wanted) => prop_assert!(
                    false,
                    "{statistic:?} of {:?} at row {row}: {got:?} instead of {wanted:?}",
                    sample.values
                ),
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(1_500))]

    #[test]
    fn each_statistic_of_numbers_is_its_definition(case in case()) {
        agree(&case, false)?;
    }

    #[test]
    fn rows_that_see_what_is_known_have_the_statistics_of_that(case in case()) {
        agree(&case, true)?;
    }

    #[test]
    fn a_statistic_does_not_depend_on_the_others_asked_for(case in case(), alone in 0..OF_NUMBERS.len()) {
        let all = case.compute(&OF_NUMBERS, false);
        let one = case.compute(&[OF_NUMBERS[alone]], false);
        for row in 0..case.rows.len() {
            prop_assert_eq!(bits(&all[alone], row), bits(&one[0], row));
        }
    }

    #[test]
    fn a_cut_through_the_data_leaves_the_same_bits(case in case(), from in 0.0..1.0_f64, to in 0.0..1.0_f64) {
        let whole = case.compute(&OF_NUMBERS, false);
        let place = |share: f64| (case.rows.len() as f64 * share) as usize;
        let (from, to) = (place(from.min(to)), place(from.max(to)));
        let needed: Vec<bool> = (0..case.times.len())
            .map(|at| (from..to).any(|row| case.inside(row, false).contains(&at)))
            .collect();
        let first = needed.iter().position(|needed| *needed).unwrap_or(0);
        let last = needed.iter().rposition(|needed| *needed).map_or(first, |last| last + 1);
        let part = Case {
            rows: case.rows[from..to].to_vec(),
            times: case.times[first..last].to_vec(),
            known: case.known[first..last].to_vec(),
            values: case.values[first..last].to_vec(),
            window: case.window,
        };
        for (whole, part) in whole.iter().zip(part.compute(&OF_NUMBERS, false)) {
            for row in from..to {
                prop_assert_eq!(bits(whole, row), bits(&part, row - from));
            }
        }
    }

    #[test]
    fn knowing_at_once_is_not_knowing_otherwise(case in case()) {
        let mut case = case;
        case.window.end = End::BeforeRow;
        case.known = case.times.clone();
        let (seen, all) = (case.compute(&OF_NUMBERS, true), case.compute(&OF_NUMBERS, false));
        for (seen, all) in seen.iter().zip(&all) {
            for row in 0..case.rows.len() {
                prop_assert_eq!(bits(seen, row), bits(all, row));
            }
        }
    }

    #[test]
    fn each_statistic_of_bool_and_text_is_its_definition(case in case(), sees_known: bool) {
        let bools: Vec<bool> = case.values.iter().map(|value| value.is_some_and(|value| value > 0.3)).collect();
        let texts: Vec<&str> = bools.iter().map(|is_true| if *is_true { "on" } else { "off" }).collect();
        let valid = case.numbers().1;
        let bounds = case.bounds();
        let known = sees_known.then_some(&case.known[..]);
        let view = View { rows: &case.rows, times: &case.times, known, bounds: &bounds, window: case.window };
        let of_bool = compute(&view, Series::Bool(&bools), Some(&valid), &OF_BOOL);
        let of_text = compute(&view, Series::Text(&texts), Some(&valid), &OF_TEXT);
        for row in 0..case.rows.len() {
            let inside: Vec<usize> =
                case.inside(row, sees_known).into_iter().filter(|at| case.values[*at].is_some()).collect();
            let n = inside.len() as f64;
            let changed: Vec<usize> =
                inside.windows(2).filter(|pair| bools[pair[0]] != bools[pair[1]]).map(|pair| pair[1]).collect();
            let since = |at: &usize| (i128::from(case.rows[row]) - i128::from(case.times[*at])) as f64 / 1e9;
            let some = |value: f64| (n > 0.0).then_some(value);
            let wanted = |statistic: &Statistic| match statistic {
                Count => Some(n),
                First => inside.first().map(|at| *at as f64),
                Last => inside.last().map(|at| *at as f64),
                FractionTrue => some(inside.iter().filter(|at| bools[**at]).count() as f64 / n),
                Changes => some(changed.len() as f64),
                _ => changed.last().map(since),
            };
            for (output, statistic) in of_bool.iter().zip(&OF_BOOL) {
                prop_assert_eq!(entry(output, row), wanted(statistic), "{:?} of bool, row {}", statistic, row);
            }
            for (output, statistic) in of_text.iter().zip(&OF_TEXT) {
                prop_assert_eq!(entry(output, row), wanted(statistic), "{:?} of text, row {}", statistic, row);
            }
        }
    }
}

/// Numbers at either end of `f64`, among small ones.
fn huge() -> impl Strategy<Value = f64> {
    let end = prop::sample::select(vec![f64::MAX, f64::MIN, 1e308, -1e308, 1e200, -1e154]);
    prop_oneof![3 => end, 1 => -1.0..1.0_f64, 1 => 1e307..1.7e308_f64, 1 => -1.7e308..-1e307_f64]
}

/// Mean, rms and median by the definition, on values that cannot overflow: parts of the greatest one.
fn of_parts(values: &[f64]) -> [f64; 3] {
    let largest = values.iter().fold(0.0, |largest: f64, value| value.abs().max(largest));
    let parts: Vec<f64> = values.iter().map(|value| value / largest).collect();
    let sample = Sample { t: 0, times: vec![0; parts.len()], values: parts };
    let squares = careful_sum(sample.values.iter().map(|part| part * part));
    [sample.mean(), (squares / sample.n()).sqrt(), sample.quantile(0.5)].map(|part| part * largest)
}

proptest! {
    #![proptest_config(crate::cases(1_500))]

    #[test]
    fn mean_rms_and_median_of_huge_numbers_are_finite_and_right(
        values in prop::collection::vec(huge(), 1..60),
        span_ns in 1_i64..40,
        known: bool,
    ) {
        let times: Vec<i64> = (0..values.len() as i64).collect();
        let end = if known { End::BeforeRow } else { End::AtRow };
        let window = Window { span_ns, end };
        let case = Case {
            rows: times.clone(),
            known: times.clone(),
            times,
            values: values.iter().copied().map(Some).collect(),
            window,
        };
        let outputs = case.compute(&[Mean, Rms, P50], known);
        for row in 0..values.len() {
            let inside: Vec<f64> = case.inside(row, known).into_iter().map(|at| values[at]).collect();
            if inside.is_empty() {
                continue;
            }
            let largest = inside.iter().fold(0.0, |largest: f64, value| value.abs().max(largest));
            for (output, wanted) in outputs.iter().zip(of_parts(&inside)) {
                let got = entry(output, row).unwrap_or(f64::NAN);
                prop_assert!(got.is_finite(), "{got} of {inside:?}");
                // Halves, so that the distance does not overflow either.
                prop_assert!((got / 2.0 - wanted / 2.0).abs() <= 1e-12 * largest, "{got}, not {wanted} of {inside:?}");
            }
        }
    }
}

#[test]
fn a_huge_number_leaves_the_bits_of_other_windows_alone() {
    let times: Vec<i64> = (0..400).collect();
    let calm: Vec<f64> = times.iter().map(|t| (*t as f64 * 0.7).sin()).collect();
    let mut wild = calm.clone();
    (wild[100], wild[101], wild[150]) = (1e308, -1e308, f64::INFINITY);
    let window = Window { span_ns: 42, end: End::AtRow };
    let bounds = bounds(&times, &times, window).unwrap();
    let view = View { rows: &times, times: &times, known: None, bounds: &bounds, window };
    let calm = compute(&view, Series::Number(&calm), None, &OF_NUMBERS);
    let wild = compute(&view, Series::Number(&wild), None, &OF_NUMBERS);
    for (calm, wild) in calm.iter().zip(&wild) {
        for row in (0..100).chain(192..400) {
            assert_eq!(bits(calm, row), bits(wild, row));
        }
    }
    // With an infinity in the window, IEEE's rule holds as ever.
    assert_eq!((entry(&wild[1], 150), entry(&wild[11], 150)), (Some(f64::INFINITY), None));
}

#[test]
fn an_outlier_leaves_no_trace() {
    let times: Vec<i64> = (0..4_000).collect();
    let calm: Vec<f64> = times.iter().map(|t| (*t as f64 * 0.7).sin()).collect();
    let mut wild = calm.clone();
    wild[1_000] = 1e12;
    wild[1_500] = f64::INFINITY;
    let window = Window { span_ns: 420, end: End::AtRow };
    let bounds = bounds(&times, &times, window).unwrap();
    let view = View { rows: &times, times: &times, known: None, bounds: &bounds, window };
    let calm = compute(&view, Series::Number(&calm), None, &OF_NUMBERS);
    let wild = compute(&view, Series::Number(&wild), None, &OF_NUMBERS);
    for (calm, wild) in calm.iter().zip(&wild) {
        for row in (0..1_000).chain(1_420..1_500).chain(1_920..4_000) {
            assert_eq!(bits(calm, row), bits(wild, row));
        }
    }
}

#[test]
fn equal_values_have_exactly_their_mean_and_no_spread() {
    let times: Vec<i64> = (0..1_000).collect();
    let window = Window { span_ns: 70, end: End::AtRow };
    let bounds = bounds(&times, &times, window).unwrap();
    let view = View { rows: &times, times: &times, known: None, bounds: &bounds, window };
    let outputs = compute(&view, Series::Number(&[0.1; 1_000]), None, &[Mean, Std, Skew, Kurtosis, Slope, P75]);
    for row in 10..1_000 {
        let got: Vec<Option<f64>> = outputs.iter().map(|output| entry(output, row)).collect();
        assert_eq!(got, [Some(0.1), Some(0.0), None, None, Some(0.0), Some(0.1)]);
    }
}

#[test]
fn many_rows_that_see_what_is_known_are_computed_in_pieces() {
    let times: Vec<i64> = (0..4_000).collect();
    let values: Vec<f64> = times.iter().map(|t| if t % 7 == 0 { f64::NAN } else { (*t as f64).sin() }).collect();
    let bools: Vec<bool> = values.iter().map(|value| *value > 0.5).collect();
    let window = Window { span_ns: 420, end: End::BeforeRow };
    let bounds = bounds(&times, &times, window).unwrap();
    let all = View { rows: &times, times: &times, known: None, bounds: &bounds, window };
    let seen = View { known: Some(&times), ..all };
    let numbers = |view: &View<'_>| compute(view, Series::Number(&values), None, &OF_NUMBERS);
    let truths = |view: &View<'_>| compute(view, Series::Bool(&bools), None, &OF_BOOL);
    let outputs = numbers(&all).into_iter().chain(truths(&all));
    for (all, seen) in outputs.zip(numbers(&seen).into_iter().chain(truths(&seen))) {
        for row in 0..times.len() {
            assert_eq!(bits(&all, row), bits(&seen, row), "row {row}");
        }
    }
}

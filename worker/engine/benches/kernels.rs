//! The kernels on 10 M rows of 100 robots, and the decoder on gzipped documents, in CPU seconds of one core.
//!
//! ```text
//! cargo bench -p fleetloom-engine -p fleetloom --bench kernels                            everything
//! FLEETLOOM_BENCH_DATA=/tmp/kernels cargo bench … --bench kernels -- --test               only writes the rows for peers
//! ```
//! `tests/bench/kernels.py` measures polars, pandas and DuckDB on the very rows that this one writes (`.npy`). Rows are 10 Hz,
//! stray by up to 30 ms, and look 42 s back: about 420 values a window. Criterion's estimates are under `target/criterion`.

use arrow::array::{ArrayRef, Float64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetloom_engine::decode::{Decoder, Plan, Role, Source};
use fleetloom_engine::nearest::{NO_MATCH, nearest};
use fleetloom_engine::statistic::{Series, View, compute};
use fleetloom_engine::window::{End, Window, bounds};
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use pipeline::check::check;
use pipeline::member::Stamp;
use pipeline::read::Words;
use pipeline::spec::{Direction, Statistic};
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The program's: with another half of the time goes into pages that are given back and wanted again.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Robots of the fleet.
const ROBOTS: i64 = 100;
/// Rows of each: a hundredth of 10 M.
const ROWS: i64 = 100_000;
/// Time from row to row, ns.
const STEP_NS: i64 = 100_000_000;
/// How far a stamp strays, ns.
const JITTER_NS: i64 = 30_000_000;
/// Tolerance of the join, ns.
const TOLERANCE_NS: u64 = 50_000_000;
/// Span of the windows, ns.
const SPAN_NS: i64 = 42_000_000_000;
/// Documents are decoded in so many blocks, about 4 MB of JSON each, as the flow does.
const BLOCKS: usize = 10;
/// First instant, ns.
const START_NS: i64 = 1_767_225_600_000_000_000;

/// CPU time of the thread: other work on the machine does not count.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        ThreadTime::now()
    }

    fn end(&self, began: Self::Intermediate) -> Self::Value {
        began.elapsed()
    }

    fn add(&self, one: &Self::Value, other: &Self::Value) -> Self::Value {
        *one + *other
    }

    fn zero(&self) -> Self::Value {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Self::Value) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        const WALL: &WallTime = &WallTime;
        WALL.formatter()
    }
}

/// Chance that is the same everywhere: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`.
    fn below(&mut self, limit: i64) -> i64 {
        (self.next() >> 1).cast_signed() % limit
    }
}

/// Rows and observations of one robot.
struct Robot {
    left: Vec<i64>,
    right: Vec<i64>,
    columns: [ArrayRef; 2],
    values: Vec<f64>,
}

impl Robot {
    fn of(number: i64) -> Self {
        let mut chance = Chance(number.cast_unsigned());
        let mut times =
            || (0..ROWS).map(|row| START_NS + row * STEP_NS + chance.below(2 * JITTER_NS) - JITTER_NS).collect();
        let (left, right) = (times(), times());
        let mut walk = || {
            let mut at = 0.0;
            let step = |_| {
                at += chance.below(2_001) as f64 / 1000.0 - 1.0;
                at
            };
            (0..ROWS).map(step).collect::<Vec<f64>>()
        };
        let (one, other, values) = (walk(), walk(), walk());
        Self {
            left,
            right,
            columns: [one, other].map(|column| Arc::new(Float64Array::from(column)) as ArrayRef),
            values,
        }
    }
}

/// The rows of all robots, written for the peers where `FLEETLOOM_BENCH_DATA` says.
fn fleet() -> Vec<Robot> {
    let robots: Vec<Robot> = (0..ROBOTS).map(Robot::of).collect();
    if let Some(folder) = std::env::var_os("FLEETLOOM_BENCH_DATA").map(PathBuf::from) {
        write(&folder, &robots).expect("the rows can be written");
    }
    robots
}

fn write(folder: &Path, robots: &[Robot]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let numbers = |column: usize| {
        move |robot: &Robot| {
            let column = robot.columns[column].to_data();
            column.buffer::<f64>(0).iter().flat_map(|value| value.to_le_bytes()).collect()
        }
    };
    npy(&folder.join("left.npy"), "i8", robots, |robot| robot.left.iter().flat_map(|t| t.to_le_bytes()).collect())?;
    npy(&folder.join("right.npy"), "i8", robots, |robot| robot.right.iter().flat_map(|t| t.to_le_bytes()).collect())?;
    npy(&folder.join("one.npy"), "f8", robots, numbers(0))?;
    npy(&folder.join("other.npy"), "f8", robots, numbers(1))?;
    npy(&folder.join("value.npy"), "f8", robots, |robot| robot.values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// One column of all robots in numpy's own format.
fn npy(path: &Path, kind: &str, robots: &[Robot], column: impl Fn(&Robot) -> Vec<u8>) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    let head = format!("{{'descr': '<{kind}', 'fortran_order': False, 'shape': ({},), }}", ROBOTS * ROWS);
    let padded = format!("{head:<117}\n");
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&118u16.to_le_bytes())?;
    file.write_all(padded.as_bytes())?;
    for robot in robots {
        file.write_all(&column(robot))?;
    }
    file.flush()
}

/// Nearest join of two columns: places, then what lies there.
fn join(robot: &Robot) -> [ArrayRef; 2] {
    let found = nearest(&robot.left, &robot.right, Direction::Nearest, TOLERANCE_NS).expect("times are sorted");
    let valid = NullBuffer::from_iter(found.iter().map(|&at| at != NO_MATCH));
    let places = UInt32Array::new(found.into(), Some(valid).filter(|valid| valid.null_count() > 0));
    robot.columns.each_ref().map(|column| take(column, &places, None).expect("places lie in the column"))
}

/// Some statistics of the last 42 s.
fn look_back(robot: &Robot, wanted: &[Statistic]) -> usize {
    let window = Window { span_ns: SPAN_NS, end: End::AtRow };
    let bounds = bounds(&robot.left, &robot.left, window).expect("times are sorted");
    let view = View { rows: &robot.left, times: &robot.left, known: None, bounds: &bounds, window };
    black_box(compute(&view, Series::Number(&robot.values), None, wanted)).len()
}

/// Every statistic of numbers.
fn of_numbers() -> Vec<Statistic> {
    use Statistic::{Changes, FractionTrue, TimeSinceChange};
    let of_states = [Changes, FractionTrue, TimeSinceChange];
    Statistic::ALL.iter().copied().filter(|statistic| !of_states.contains(statistic)).collect()
}

fn kernels(criterion: &mut Criterion<CpuTime>) {
    let robots = fleet();
    let mut group = criterion.benchmark_group("10 M rows");
    group.throughput(Throughput::Elements((ROBOTS * ROWS).unsigned_abs()));
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    let all = |work: &dyn Fn(&Robot)| robots.iter().for_each(work);
    group.bench_function("nearest, two columns", |run| run.iter(|| all(&|robot| drop(black_box(join(robot))))));
    for (name, wanted) in [
        ("mean std min max", &[Statistic::Mean, Statistic::Std, Statistic::Min, Statistic::Max][..]),
        ("p95", &[Statistic::P95]),
        ("every statistic of numbers", &of_numbers()),
    ] {
        let look = |robot: &Robot| assert_eq!(look_back(robot, wanted), wanted.len());
        group.bench_function(name, |run| run.iter(|| all(&look)));
    }
    group.finish();
}

/// One document as `fleetloom simulate` writes them, `seconds` long: 2.8 KB in five.
fn document(seconds: i64, chance: &mut Chance) -> String {
    let stamp = |ms: i64, chance: &mut Chance| {
        let at_us = START_NS / 1_000 + ms * 1_000 + chance.below(6_000) * 10;
        format!("{{\"ts\":{}.{:03},", at_us / 1_000, at_us % 1_000)
    };
    let mut number = |digits: usize| {
        let value = chance.below(2_000_000) - 1_000_000;
        format!("{:.digits$}", value as f64 / 1e6)
    };
    let fields: Vec<[String; 6]> =
        (0..seconds * 5).map(|_| [number(6), number(6), number(4), number(4), number(4), number(4)]).collect();
    let mut chance = Chance(chance.next());
    let odometry: Vec<String> = (0..seconds * 5)
        .zip(&fields)
        .map(|(n, f)| format!("{}\"linear\":{},\"angular\":{}}}", stamp(n * 200, &mut chance), f[0], f[1]))
        .collect();
    let pose: Vec<String> = (0..seconds)
        .zip(&fields)
        .map(|(n, f)| {
            let at = stamp(n * 1_000, &mut chance);
            let [x, y, yaw, score] = [&f[2], &f[3], &f[4], &f[5]];
            format!(
                "{at}\"x\":{x},\"y\":{y},\"yaw\":{yaw},\"score\":{score},\"frameId\":\"building_2/hall_1/lidar_map\"}}"
            )
        })
        .collect();
    let mission: Vec<String> = (0..seconds)
        .map(|n| {
            let (at, id) = (stamp(n * 1_000, &mut chance), chance.next());
            let name = "transport-5d2f0c1a-77aa-4c8e-9b1d-0123456789ab";
            format!("{at}\"missionId\":\"{name}\",\"state\":\"Executing\",\"completedPercent\":{}.25}}", id % 100)
        })
        .collect();
    let battery = format!("{}\"soc\":83.125,\"voltage\":25.312}}", stamp(0, &mut chance));
    let [odometry, pose, mission] = [odometry, pose, mission].map(|records| records.join(","));
    format!(
        "{{\"agentId\":\"robot-0001\",\"odometry\":[{odometry}],\"pose\":[{pose}],\"mission\":[{mission}],\"battery\":[{battery}]}}"
    )
}

/// Documents of that length, gzipped, side by side as an archive holds them, until there are `bytes` of JSON.
#[derive(Default)]
struct Documents {
    packed: Vec<u8>,
    /// Where each lies.
    places: Vec<Range<usize>>,
    /// Bytes of JSON.
    bytes: usize,
}

impl Documents {
    fn new(seconds: i64, bytes: usize) -> Self {
        let (mut chance, mut compressor) = (Chance(7), Compressor::new(CompressionLvl::default()));
        let mut made = Self::default();
        while made.bytes < bytes {
            let (text, start) = (document(seconds, &mut chance), made.packed.len());
            made.packed.resize(start + compressor.gzip_compress_bound(text.len()), 0);
            let into = &mut made.packed[start..];
            let length = compressor.gzip_compress(text.as_bytes(), into).expect("the bound holds");
            made.packed.truncate(start + length);
            made.places.push(start..start + length);
            made.bytes += text.len();
        }
        made
    }

    fn all(&self) -> Vec<&[u8]> {
        self.places.iter().map(|place| &self.packed[place.clone()]).collect()
    }
}

fn decoder(criterion: &mut Criterion<CpuTime>) {
    let words = Words::read(include_str!("../../src/simulate/fleetloom.yaml"), None, Some("/"));
    let checked = check(&words).expect("the simulator's words are right");
    let plan = Arc::new(Plan::new(&checked.pipelines[0].archive).expect("they can be decoded"));
    let mut group = criterion.benchmark_group("JSON.gz to columns");
    group.sample_size(10).warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(1));
    for (name, seconds) in [("2.8 KB documents", 5), ("80 KB documents", 145)] {
        let documents = Documents::new(seconds, 40_000_000);
        let packed = documents.all();
        group.throughput(Throughput::Bytes(documents.bytes as u64));
        let (mut inflater, mut text) = (Decompressor::new(), vec![0; 200_000]);
        group.bench_function(format!("{name}, gunzip alone"), |run| {
            run.iter(|| {
                packed.iter().map(|gzip| inflater.gzip_decompress(gzip, &mut text).expect("gzip")).sum::<usize>()
            });
        });
        let mut decoder = Decoder::new(Arc::clone(&plan));
        group.bench_function(name, |run| {
            run.iter(|| {
                let mut members = 0..;
                for block in packed.chunks(packed.len().div_ceil(BLOCKS)) {
                    for (gzip, member) in block.iter().zip(members.by_ref()) {
                        let length = inflater.gzip_decompress(gzip, &mut text).expect("gzip");
                        let source = Source {
                            member,
                            robot: Some("robot-0001"),
                            stamp: Stamp::Absent,
                            stored_bytes: 0,
                            role: Role::Own,
                        };
                        decoder.member(&source, &text[..length], 0);
                    }
                    black_box(decoder.finish().expect("it fits"));
                }
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = decoder, kernels
}
criterion_main!(benches);

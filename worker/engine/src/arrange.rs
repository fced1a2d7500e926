//! From what decoders gathered to one batch per robot and signal: sorted by time, duplicates resolved.
//!
//! ```text
//!  decoded 0 │ a a a b b │            robot a: runs (0, 0..3) (1, 2..4)      time  3 5 5 │ 4 9
//!  decoded 1 │ c c a a   │    ──►     robot b: runs (0, 3..5)                      └─ stable sort, of equals one stays
//!             (archive order)         robot c: runs (1, 0..2)
//! ```
//! Data that is in order already, one robot after the other, is sliced, not copied. Not here: which time spans and robots
//! take part; that is the shard's business.

mod gather;

use crate::account::{Account, SignalAccount};
use crate::crew::Crew;
use crate::decode::{Decoded, Observations, Role, Section, TooMuch};
use crate::schema::{arrow_type, column_type};
use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use gather::gather;
use pipeline::archive::{ColumnKind, Signal};
use pipeline::spec::Duplicates;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Position of the `time` column in decoded batches.
const TIME: usize = 0;
/// Position of the signal's first column in decoded batches, behind `known`.
const COLUMNS: usize = 2;

/// All observations of one robot.
#[derive(Debug, Clone)]
pub struct RobotSignals {
    /// Its name.
    pub robot: Arc<str>,
    /// One batch per signal of the archive, sorted by time: `time` and `known` Int64 ns, then the signal's columns. Equal
    /// times only where the signal keeps duplicates, then in archive order. Empty where there is nothing. Decoded with
    /// [`crate::decode::Plan::traced`], two more columns follow: `record` and `member`.
    pub signals: Vec<RecordBatch>,
}

/// The type of a signal's column in [`RobotSignals`].
pub fn observed_type(kind: &ColumnKind) -> DataType {
    arrow_type(column_type(kind))
}

/// Where an observation was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Index of the member in the caller's list.
    pub member: u32,
    /// Position of the record in its signal's walk, counted over the member from 0, before `match`.
    pub record: u64,
}

/// What [`arrange`] makes.
#[derive(Debug)]
pub struct Arranged {
    /// Sorted by name; robots without any observation are left out.
    pub robots: Vec<RobotSignals>,
    /// By signal: kept, duplicate and the kept nulls per column, of own members. To be merged with the decoders' accounts,
    /// which hold the rest.
    pub account: Account,
}

/// Consecutive rows of one robot in one decoded batch.
#[derive(Debug, Clone, Copy)]
struct Run {
    batch: usize,
    start: usize,
    rows: usize,
}

/// What one robot has of one signal, in archive order.
#[derive(Debug, Clone, Default)]
struct Share {
    runs: Vec<Run>,
    /// Members and how many rows they have.
    members: Vec<(u32, usize)>,
}

/// Arranges what decoders gathered. `decoded` is in archive order, `signals` are those of the archive, `roles` says for
/// each member index who accounts for it. What was decoded of a column goes once it is gathered, by the `crew` where robots are
/// interleaved.
///
/// Errors: more than 2 GiB of text in one column of one robot.
pub fn arrange(
    decoded: Vec<Decoded>,
    signals: &[Signal],
    roles: &[Role],
    crew: Option<&Crew>,
) -> Result<Arranged, TooMuch> {
    let (robots_of, mut signals_of): (Vec<Vec<Arc<str>>>, Vec<_>) =
        decoded.into_iter().map(|part| (part.robots, part.signals.into_iter())).unzip();
    let names: BTreeMap<&str, Arc<str>> =
        robots_of.iter().flatten().map(|name| (name.as_ref(), Arc::clone(name))).collect();
    let place: BTreeMap<&str, usize> = names.keys().enumerate().map(|(place, name)| (*name, place)).collect();
    let places: Vec<Vec<usize>> =
        robots_of.iter().map(|robots| robots.iter().map(|name| place[name.as_ref()]).collect()).collect();
    let mut robots: Vec<RobotSignals> =
        names.values().map(|name| RobotSignals { robot: Arc::clone(name), signals: Vec::new() }).collect();
    let mut account = Account::default();
    for signal in signals {
        let held: Vec<Observations> = signals_of.iter_mut().filter_map(Iterator::next).collect();
        let shares = shares(&places, &held, robots.len());
        let batches = held.into_iter().map(|observations| observations.rows).collect();
        let too_much = |source| TooMuch { signal: signal.name.clone(), source };
        let gathered = gather(batches, &shares, crew).map_err(too_much)?;
        let counts = account.signals.entry(signal.name.clone()).or_default();
        for ((robot, batch), share) in robots.iter_mut().zip(gathered).zip(&shares) {
            let batch = resolved(batch, &share.members, signal, roles, counts);
            robot.signals.push(batch.map_err(too_much)?);
        }
    }
    robots.retain(|robot| robot.signals.iter().any(|batch| batch.num_rows() > 0));
    Ok(Arranged { robots, account })
}

impl RobotSignals {
    /// Bytes of the observations, about; where they are slices, only the slices.
    pub fn bytes(&self) -> usize {
        let slices = self.signals.iter().flat_map(RecordBatch::columns);
        // An array that cannot tell its slice's size tells its whole memory.
        slices
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()))
            .sum()
    }

    /// Where an observation was read; `None`: there is no such observation, or it was not decoded to be traced.
    pub fn origin(&self, signal: usize, position: usize) -> Option<Origin> {
        let batch = self.signals.get(signal).filter(|batch| position < batch.num_rows())?;
        // By position: a signal may have columns of these names.
        let [.., record, member] = batch.columns() else { return None };
        let member = member.as_primitive_opt::<UInt32Type>()?.value(position);
        let record = record.as_primitive_opt::<UInt64Type>()?.value(position);
        Some(Origin { member, record })
    }
}

/// For each robot what it has in the batches of one signal. `places` says for each batch which robots its sections are of.
fn shares(places: &[Vec<usize>], held: &[Observations], robots: usize) -> Vec<Share> {
    let mut shares = vec![Share::default(); robots];
    for (batch, (places, Observations { sections, .. })) in places.iter().zip(held).enumerate() {
        let mut start = 0;
        for Section { robot, member, rows } in sections {
            let Share { runs, members } = &mut shares[places[*robot as usize]];
            match runs.last_mut() {
                Some(run) if run.batch == batch && run.start + run.rows == start => run.rows += rows,
                _ => runs.push(Run { batch, start, rows: *rows }),
            }
            members.push((*member, *rows));
            start += rows;
        }
    }
    shares
}

/// The batch of one robot and signal, its rows in order of time and of equal ones those that stay.
fn resolved(
    gathered: RecordBatch,
    members: &[(u32, usize)],
    signal: &Signal,
    roles: &[Role],
    counts: &mut SignalAccount,
) -> Result<RecordBatch, ArrowError> {
    let own = rows_of_own(members, roles);
    let (kept, members) = match order(gathered.column(TIME).as_primitive::<Int64Type>().values(), signal.duplicates) {
        None => (gathered, Cow::Borrowed(members)),
        Some(rows) => {
            let each: Vec<u32> = each(members).collect();
            let members: Vec<(u32, usize)> = rows.iter().map(|row| (each[*row as usize], 1)).collect();
            (take_record_batch(&gathered, &UInt32Array::from(rows))?, Cow::Owned(members))
        }
    };
    let kept_own = rows_of_own(&members, roles);
    counts.kept += kept_own;
    counts.duplicate += own - kept_own;
    count_nulls(&kept, &members, signal, roles, counts);
    let is_traced = kept.num_columns() > COLUMNS + signal.columns.len();
    if is_traced { with_members(&kept, UInt32Array::from_iter_values(each(&members))) } else { Ok(kept) }
}

/// The member of each row.
fn each(members: &[(u32, usize)]) -> impl Iterator<Item = u32> {
    members.iter().flat_map(|(member, rows)| std::iter::repeat_n(*member, *rows))
}

/// The batch with one more column.
fn with_members(batch: &RecordBatch, members: UInt32Array) -> Result<RecordBatch, ArrowError> {
    let (schema, mut columns, _) = batch.clone().into_parts();
    let member = Arc::new(Field::new("member", DataType::UInt32, false));
    columns.push(Arc::new(members));
    RecordBatch::try_new(
        Arc::new(Schema::new(schema.fields().iter().cloned().chain([member]).collect::<Vec<_>>())),
        columns,
    )
}

/// Which rows to take in which order so that times ascend and duplicates are resolved; `None`: they are as they should be.
fn order(times: &[i64], duplicates: Duplicates) -> Option<Vec<u32>> {
    let fine = |pair: &[i64]| pair[0] < pair[1] || duplicates == Duplicates::Keep && pair[0] == pair[1];
    if times.windows(2).all(fine) {
        return None;
    }
    let mut rows: Vec<u32> = (0..).take(times.len()).collect();
    rows.sort_by_key(|row| times[*row as usize]);
    let equal = |a: &u32, b: &u32| times[*a as usize] == times[*b as usize];
    match duplicates {
        Duplicates::Keep => {}
        Duplicates::First => rows.dedup_by(|later, earlier| equal(later, earlier)),
        Duplicates::Last => rows.dedup_by(|later, earlier| {
            let same = equal(later, earlier);
            if same {
                *earlier = *later;
            }
            same
        }),
    }
    Some(rows)
}

/// How many rows are of own members.
fn rows_of_own(members: &[(u32, usize)], roles: &[Role]) -> u64 {
    members.iter().filter(|(member, _)| is_own(*member, roles)).map(|(_, rows)| *rows as u64).sum()
}

fn is_own(member: u32, roles: &[Role]) -> bool {
    roles.get(member as usize) == Some(&Role::Own)
}

/// Counts the nulls of own members in what was kept.
fn count_nulls(
    kept: &RecordBatch,
    members: &[(u32, usize)],
    signal: &Signal,
    roles: &[Role],
    counts: &mut SignalAccount,
) {
    for (column, values) in signal.columns.iter().zip(&kept.columns()[COLUMNS..]) {
        let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) else { continue };
        let mut start = 0;
        let mut found = 0;
        for (member, rows) in members {
            if is_own(*member, roles) {
                found += nulls.slice(start, *rows).null_count() as u64;
            }
            start += rows;
        }
        if found > 0 {
            *counts.nulls.entry(column.name.clone()).or_default() += found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::fixture::{archive, rows, signal, source};
    use crate::decode::{Decoder, Plan, Source};
    use pipeline::archive::Archive;

    /// Second of the day and value.
    type Observation = (u64, u64);

    fn words(duplicates: Duplicates) -> Archive {
        let mut signals = vec![signal("s", "/s[*]", "/ts", &["v", "t:string"]), signal("u", "/u[*]", "/ts", &["v"])];
        signals[0].duplicates = duplicates;
        archive(signals)
    }

    fn document(observations: &[Observation]) -> String {
        let record =
            |(at, v): &Observation| format!(r#"{{"ts":{},"v":{v},"t":"t{v}"}}"#, 1_666_742_400_000 + at * 1000);
        format!(r#"{{"s":[{}]}}"#, observations.iter().map(record).collect::<Vec<_>>().join(","))
    }

    /// Decodes parts, each of members (robot, observations), and arranges them; all but `context` members are own.
    fn arranged(words: &Archive, parts: &[&[(&str, &[Observation])]], context: &[usize]) -> Arranged {
        let plan = Arc::new(Plan::new(words).unwrap());
        let mut roles = Vec::new();
        let mut decoded = Vec::new();
        for part in parts {
            let mut decoder = Decoder::new(Arc::clone(&plan));
            for (robot, observations) in *part {
                let role = if context.contains(&roles.len()) { Role::Context } else { Role::Own };
                let member = u32::try_from(roles.len()).unwrap();
                roles.push(role);
                decoder.member(&Source { role, ..source(member, Some(robot)) }, document(observations).as_bytes(), 0);
            }
            decoded.push(decoder.finish().unwrap());
        }
        arrange(decoded, &words.signals, &roles, None).unwrap()
    }

    /// Robot by robot, second and value of each row of the first signal.
    fn values(arranged: &Arranged) -> Vec<(String, Vec<(u64, f64)>)> {
        use arrow::datatypes::Float64Type;
        let of = |robot: &RobotSignals| {
            let batch = &robot.signals[0];
            let times = batch.column(0).as_primitive::<Int64Type>().values().iter();
            let values = batch.column(2).as_primitive::<Float64Type>().values().iter();
            let second = |ns: &i64| u64::try_from(ns / 1_000_000_000 - 1_666_742_400).unwrap();
            (robot.robot.to_string(), times.zip(values).map(|(ns, v)| (second(ns), *v)).collect())
        };
        arranged.robots.iter().map(of).collect()
    }

    #[test]
    fn robots_are_sorted_by_name_and_their_observations_by_time() {
        let parts: &[&[(&str, &[Observation])]] =
            &[&[("b", &[(5, 1), (6, 2)]), ("a", &[(1, 3)]), ("b", &[(2, 4)])], &[("a", &[(0, 5), (9, 6)]), ("c", &[])]];
        let arranged = arranged(&words(Duplicates::Last), parts, &[]);
        let expected = [
            ("a".to_owned(), vec![(0, 5.0), (1, 3.0), (9, 6.0)]),
            ("b".to_owned(), vec![(2, 4.0), (5, 1.0), (6, 2.0)]),
        ];
        assert_eq!(values(&arranged), expected);
        let counts = &arranged.account.signals["s"];
        assert_eq!((counts.kept, counts.duplicate), (6, 0));
        assert_eq!(arranged.robots[0].signals[1].num_rows(), 0);
        assert_eq!(arranged.robots[0].signals[0].schema().fields().len(), 4);
        assert!(arranged.robots[0].bytes() > 3 * 24);
    }

    #[test]
    fn of_equal_times_the_words_say_which_stays() {
        let parts: &[&[(&str, &[Observation])]] =
            &[&[("a", &[(1, 1), (2, 2)]), ("a", &[(2, 3), (1, 4)])], &[("a", &[(1, 5)])]];
        let stay = |duplicates| {
            let arranged = arranged(&words(duplicates), parts, &[]);
            let counts = arranged.account.signals["s"].clone();
            (values(&arranged)[0].1.clone(), counts.kept, counts.duplicate)
        };
        assert_eq!(stay(Duplicates::Last), (vec![(1, 5.0), (2, 3.0)], 2, 3));
        assert_eq!(stay(Duplicates::First), (vec![(1, 1.0), (2, 2.0)], 2, 3));
        assert_eq!(stay(Duplicates::Keep), (vec![(1, 1.0), (1, 4.0), (1, 5.0), (2, 2.0), (2, 3.0)], 5, 0));
    }

    #[test]
    fn only_own_members_are_counted() {
        let parts: &[&[(&str, &[Observation])]] =
            &[&[("a", &[(1, 1), (2, 2)]), ("a", &[(2, 3), (3, 4)]), ("a", &[(3, 5)])]];
        let counts = |context: &[usize]| {
            let arranged = arranged(&words(Duplicates::Last), parts, context);
            assert_eq!(values(&arranged)[0].1, [(1, 1.0), (2, 3.0), (3, 5.0)]);
            let counts = arranged.account.signals["s"].clone();
            (counts.kept, counts.duplicate)
        };
        assert_eq!(counts(&[]), (3, 2));
        assert_eq!(counts(&[1]), (2, 1));
        assert_eq!(counts(&[0, 2]), (1, 1));
        assert_eq!(counts(&[0, 1, 2]), (0, 0));
    }

    #[test]
    fn what_is_in_order_is_not_copied() {
        let plan = Arc::new(Plan::new(&words(Duplicates::Last)).unwrap());
        let mut decoder = Decoder::new(plan);
        decoder.member(&source(0, Some("b")), document(&[(1, 1), (2, 2)]).as_bytes(), 0);
        decoder.member(&source(1, Some("b")), document(&[(3, 3)]).as_bytes(), 0);
        let decoded = [decoder.finish().unwrap()];
        let arranged = arrange(decoded.to_vec(), &words(Duplicates::Last).signals, &[Role::Own; 2], None).unwrap();
        let pointer =
            |batch: &RecordBatch, column: usize| batch.column(column).as_primitive::<Int64Type>().values().as_ptr();
        assert_eq!(pointer(&arranged.robots[0].signals[0], 0), pointer(&decoded[0].signals[0].rows, TIME));
    }

    #[test]
    fn kept_nulls_are_counted_by_column() {
        let words = archive(vec![signal("s", "[*]", "/ts", &["v", "w"])]);
        let mut decoder = Decoder::new(Arc::new(Plan::new(&words).unwrap()));
        let text = r#"[{"ts":1666742400000,"v":1},{"ts":1666742401000,"w":2},{"ts":1666742400000},{"ts":1666742402000,"w":1}]"#;
        decoder.member(&source(0, Some("r")), text.as_bytes(), 0);
        let decoded = [decoder.finish().unwrap()];
        assert_eq!(rows(&decoded[0].signals[0]).len(), 4);
        let arranged = arrange(decoded.to_vec(), &words.signals, &[Role::Own], None).unwrap();
        let counts = &arranged.account.signals["s"];
        assert_eq!((counts.kept, counts.duplicate, counts.nulls["v"], counts.nulls["w"]), (3, 1, 3, 1));
    }

    #[test]
    fn an_observation_that_is_traced_keeps_its_place_through_sorting_and_duplicates() {
        let words = words(Duplicates::Last);
        let origins = |plan: Plan| {
            let mut decoder = Decoder::new(Arc::new(plan));
            let torn = document(&[(9, 9)]).replace('}', "");
            decoder.member(&source(0, Some("a")), document(&[(5, 1), (1, 2)]).as_bytes(), 0);
            decoder.member(&source(1, Some("a")), torn.as_bytes(), 0);
            decoder.member(
                &source(2, Some("a")),
                document(&[(3, 3), (5, 4)]).replace("\"v\":3", "\"v\":[]").as_bytes(),
                0,
            );
            let decoded = [decoder.finish().unwrap()];
            let arranged = arrange(decoded.to_vec(), &words.signals, &[Role::Own; 3], None).unwrap();
            let robot = &arranged.robots[0];
            let columns = robot.signals[0].num_columns();
            (columns, (0..3).map(|at| robot.origin(0, at)).collect::<Vec<_>>())
        };
        let place = |member, record| Some(Origin { member, record });
        let traced = origins(Plan::traced(&words).unwrap());
        assert_eq!(traced, (6, vec![place(0, 1), place(2, 1), None]));
        assert_eq!(origins(Plan::new(&words).unwrap()), (4, vec![None; 3]));
    }

    #[test]
    fn nothing_decoded_is_nothing_arranged() {
        assert!(arranged(&words(Duplicates::Last), &[], &[]).robots.is_empty());
        assert!(arranged(&words(Duplicates::Last), &[&[]], &[]).robots.is_empty());
    }
}

//! Archives for tests, in few words.

use super::*;
use pipeline::archive::{Archive, Clock, Column, ColumnKind, Limits, RobotRule, Signal, TextRule, TimeUnit};
use pipeline::pattern::Pattern;
use pipeline::pointer::{At, Place, Pointer};
use pipeline::spec::{Duplicates, Infinite, OnConflict, OnMismatch, StoreSpec};

/// An archive with these signals: `lateness` an hour, the robot from a capture or `/agentId`.
pub(crate) fn archive(signals: Vec<Signal>) -> Archive {
    let store = StoreSpec {
        url: "memory".into(),
        endpoint: None,
        path_style: None,
        region: None,
        ca: None,
        credentials_secret: None,
    };
    let pointer = Pointer::parse("/agentId").unwrap();
    Archive {
        name: "test".into(),
        store,
        objects: Pattern::parse("{robot}.json").unwrap(),
        members: None,
        format: Format::Json,
        lateness_ns: 3_600_000_000_000,
        covers_ns: 0,
        robot: RobotRule {
            capture: Some("robot".into()),
            document: Some(pointer),
            on_conflict: OnConflict::Quarantine,
        },
        limits: Limits { member_bytes_max: 1 << 26, depth_max: 64, records_max: 1_000_000 },
        signals,
    }
}

/// A signal with one clock in ms and columns such as `j0`, `x=../x`, `n:int64`, `s:string=/a/b`; fields as in words.
pub(crate) fn signal(name: &str, at: &str, clock: &str, columns: &[&str]) -> Signal {
    let at = At::parse(at).unwrap();
    let clocks = vec![Clock { name: "event".into(), place: place(clock, &at), unit: TimeUnit::Millis }];
    Signal {
        name: name.into(),
        matches: Vec::new(),
        clocks,
        join_clock: 0,
        known_clock: None,
        columns: columns.iter().map(|column| self::column(column, &at)).collect(),
        duplicates: Duplicates::Last,
        at,
    }
}

/// `document:/x` starts at the document, anything else is a field.
pub(crate) fn place(text: &str, at: &At) -> Place {
    match text.strip_prefix("document:") {
        Some(pointer) => Place::parse_document(pointer).unwrap(),
        None => Place::parse(text, at).unwrap(),
    }
}

fn column(text: &str, at: &At) -> Column {
    let (head, field) = text.split_once('=').unwrap_or((text, ""));
    let (name, kind) = head.split_once(':').unwrap_or((head, "float64"));
    let field = if text.contains('=') { field.to_owned() } else { format!("/{name}") };
    let kind = match kind {
        "float64" => ColumnKind::Float64,
        "int64" => ColumnKind::Int64,
        "bool" => ColumnKind::Bool,
        "string" => ColumnKind::String,
        "ms" => ColumnKind::Timestamp(TimeUnit::Millis),
        other => panic!("no column type {other}"),
    };
    Column {
        name: name.into(),
        place: place(&field, at),
        kind,
        unit: None,
        scale: 1.0,
        offset: 0.0,
        text: TextRule::Refuse,
        nulls: Vec::new(),
        infinite: Infinite::Keep,
        on_mismatch: OnMismatch::Quarantine,
    }
}

/// A source without stamp.
pub(crate) fn source(member: u32, robot: Option<&str>) -> Source<'_> {
    Source { member, robot, stamp: Stamp::Absent, stored_bytes: 100, role: Role::Own }
}

/// Decodes one member without stamp that is robot `r`.
pub(crate) fn decode(archive: &Archive, text: &str) -> Decoded {
    decode_by(Plan::new(archive).unwrap(), text)
}

/// The same by any plan.
pub(crate) fn decode_by(plan: Plan, text: &str) -> Decoded {
    let mut decoder = Decoder::new(Arc::new(plan));
    decoder.member(&source(0, Some("r")), text.as_bytes(), 0);
    decoder.finish().unwrap()
}

/// Observations as text, one string each: time in ms, then the columns, `-` for null.
pub(crate) fn rows(observations: &Observations) -> Vec<String> {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
    let cell = |column: &dyn Array, row: usize| match column.data_type() {
        _ if column.is_null(row) => "-".to_owned(),
        arrow::datatypes::DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)),
        arrow::datatypes::DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        arrow::datatypes::DataType::Boolean => column.as_boolean().value(row).to_string(),
        arrow::datatypes::DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
        _ => column.as_primitive::<TimestampNanosecondType>().value(row).to_string(),
    };
    let batch = &observations.rows;
    let time = batch.column(0).as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| {
            let cells = batch.columns()[2..].iter().map(|column| cell(column, row));
            std::iter::once((time.value(row) / 1_000_000).to_string()).chain(cells).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Kinds of refusals, with column and record where there are some: `mismatch c0 r3`.
pub(crate) fn refusals(decoded: &Decoded) -> Vec<String> {
    let describe = |refusal: &Refusal| {
        let column = refusal.column.map(|column| format!(" c{column}")).unwrap_or_default();
        let record = refusal.record.map(|record| format!(" r{record}")).unwrap_or_default();
        format!("{}{column}{record}", refusal.kind.word())
    };
    decoded.refused.iter().map(describe).collect()
}

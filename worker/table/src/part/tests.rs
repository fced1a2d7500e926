//! Data files: equal rows in equal bytes, one file per day, right statistics.

use super::*;
use crate::testing::{memory, rows, schema};
use arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use futures::TryStreamExt;
use serde_json::json;

async fn write(store: &Arc<dyn Store>, key: &str, batches: &[RecordBatch]) -> Vec<DataFile> {
    write_with(PartWriter::new(store, &schema(), key, "a").unwrap(), batches).await
}

async fn write_with(mut part: PartWriter, batches: &[RecordBatch]) -> Vec<DataFile> {
    for batch in batches {
        part.write(batch).await.unwrap();
    }
    part.finish().await.unwrap()
}

#[tokio::test]
async fn equal_rows_are_equal_bytes_however_they_are_cut_and_on_any_number_of_threads() {
    let whole = concat_batches(&schema(), &[rows("r1", 19_000, 90_000), rows("r2", 19_000, 70_000)]).unwrap();
    let mut columns = whole.columns().to_vec();
    // Slices that have nulls, some that have none, and those that have nothing else.
    columns[3] = Arc::new(Float64Array::from_iter((0..160_000).map(|n| (n / 30_000 % 2 == 0).then_some(f64::from(n)))));
    columns[4] = Arc::new(Int64Array::from_iter((0..160_000).map(|n| (n % 50_000 != 7).then_some(n))));
    let whole = RecordBatch::try_new(schema(), columns).unwrap();
    let one = memory();
    let files = write(&one, "k", std::slice::from_ref(&whole)).await;
    let cuts = [0, 1, 4_095, 4_097, 65_536, 90_001, 159_999, 160_000];
    let pieces: Vec<RecordBatch> = cuts.windows(2).map(|cut| whole.slice(cut[0], cut[1] - cut[0])).collect();
    assert_eq!((files.len(), files[0].rows), (1, 160_000));
    let (object, bytes) = one.get(&files[0].path).await.unwrap();
    assert_eq!(object.bytes, files[0].bytes);
    for threads in [1, 2, 7] {
        let two = memory();
        let part = PartWriter::new(&two, &schema(), "k", "a").unwrap().encoded_by(Crew::new(threads).unwrap());
        assert_eq!(write_with(part, &pieces).await, files);
        assert_eq!(bytes, two.get(&files[0].path).await.unwrap().1);
    }
}

#[tokio::test]
async fn each_day_has_its_file_and_the_statistics_fit() {
    let store = memory();
    let mixed = [rows("r1", 19_000, 3), rows("r1", 19_001, 4), rows("r2", 19_000, 5), rows("r2", 19_001, 0)];
    let batch = concat_batches(&schema(), &mixed).unwrap();
    let files = write(&store, "k", &[batch]).await;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["date=2022-01-08/part-k-a.parquet", "date=2022-01-09/part-k-a.parquet"]);
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [8, 4]);
    let stats: serde_json::Value = serde_json::from_str(&files[0].stats).unwrap();
    let wanted = json!({
        "numRecords": 8,
        "minValues": {"robot": "r1", "time": "2022-01-08T00:00:00.000Z", "speed_v": 0.5, "speed_dt_us": -4, "valid": false},
        "maxValues": {"robot": "r2", "time": "2022-01-08T00:00:04.000Z", "speed_v": 2.0, "speed_dt_us": 0, "valid": true},
        "nullCount": {"robot": 0, "time": 0, "speed_v": 3, "speed_dt_us": 0, "valid": 0},
    });
    assert_eq!(stats, wanted);
}

#[tokio::test]
async fn an_infinity_is_a_bound_too() {
    let store = memory();
    let batch = rows("r1", 19_000, 2);
    let mut columns = batch.columns().to_vec();
    let infinite: ArrayRef = Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, 1.0]));
    columns[3] = infinite;
    let files = write(&store, "k", &[RecordBatch::try_new(schema(), columns).unwrap()]).await;
    let stats: serde_json::Value = serde_json::from_str(&files[0].stats).unwrap();
    let said = ["minValues", "maxValues", "nullCount"].map(|word| stats[word]["speed_v"].clone());
    assert_eq!(said, [json!("-Infinity"), json!(1.0), json!(0)]);
}

#[tokio::test]
async fn bounds_that_cannot_be_said_leave_the_number_of_rows() {
    let store = memory();
    let batch = rows("r1", 19_000, 2);
    let mut columns = batch.columns().to_vec();
    let far: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX]).with_timezone("UTC"));
    columns[2] = far;
    let files = write(&store, "k", &[RecordBatch::try_new(schema(), columns).unwrap()]).await;
    assert_eq!(files[0].stats, r#"{"numRecords":2}"#);
}

#[tokio::test]
async fn a_column_of_nulls_says_how_many() {
    let store = memory();
    let batch = rows("r1", 19_000, 2);
    let mut columns = batch.columns().to_vec();
    let nulls: ArrayRef = Arc::new(Float64Array::from(vec![None, None]));
    columns[3] = nulls;
    let files = write(&store, "k", &[RecordBatch::try_new(schema(), columns).unwrap()]).await;
    let stats: serde_json::Value = serde_json::from_str(&files[0].stats).unwrap();
    assert_eq!((&stats["minValues"]["speed_v"], &stats["nullCount"]["speed_v"]), (&serde_json::Value::Null, &2.into()));
}

#[tokio::test]
async fn many_days_at_a_time_stay_within_bounds() {
    let store = memory();
    let mut part = PartWriter::new(&store, &schema(), "k", "a").unwrap();
    for robot in ["r1", "r2"] {
        for day in 0..100 {
            part.write(&rows(robot, day, 2)).await.unwrap();
            assert!(part.open.len() <= OPEN_FILES_MAX);
        }
    }
    let files = part.finish().await.unwrap();
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 400);
    let paths: std::collections::BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths.len(), files.len());
    assert!(paths.contains("date=1970-01-01/part-k-a-1.parquet"));
}

#[tokio::test]
async fn rows_without_a_day_or_with_other_columns_are_refused() {
    let store = memory();
    let without = schema().project(&[0, 2]).unwrap();
    assert!(PartWriter::new(&store, &Arc::new(without), "k", "a").is_err());
    let mut part = PartWriter::new(&store, &schema(), "k", "a").unwrap();
    let narrow = rows("r1", 1, 1).project(&[0, 1]).unwrap();
    assert!(part.write(&narrow).await.is_err());
}

#[tokio::test]
async fn an_attempt_that_is_given_up_leaves_nothing() {
    let store = memory();
    let mut part = PartWriter::new(&store, &schema(), "k", "a").unwrap();
    for day in 0..70 {
        part.write(&rows("r1", day, 1)).await.unwrap();
    }
    part.abort().await.unwrap();
    assert!(store.list("").try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(write(&store, "k", &[rows("r1", 1, 0)]).await.is_empty());
}

use super::*;
use arrow::array::{BooleanArray, Int64Array, StringArray};
use arrow::datatypes::{Field, Schema};

/// `speed.mps` float64, `speed.n` int64, `speed.text` string, `speed.on` bool, `speed.Mixed` float64; `mps` alone too.
fn scope() -> Scope {
    let columns =
        [("mps", DataType::Float64), ("n", DataType::Int64), ("text", DataType::Utf8), ("on", DataType::Boolean)];
    let mut fields: Vec<_> = columns.into_iter().map(|(name, t)| (format!("speed.{name}"), t)).collect();
    fields.push(("speed.Mixed".to_owned(), DataType::Float64));
    fields.push(("mps".to_owned(), DataType::Float64));
    let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
    let mut scope = Scope::new(fields);
    for (index, name) in names.into_iter().enumerate() {
        scope.name(name, index);
    }
    scope
}

fn batch() -> RecordBatch {
    let mps = Float64Array::from(vec![Some(1.0), Some(0.0), None, Some(-4.0)]);
    let n = Int64Array::from(vec![Some(2), Some(0), None, Some(i64::MAX)]);
    let text = StringArray::from(vec![Some("7"), Some("x"), None, Some("")]);
    let on = BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(mps.clone()), Arc::new(n), Arc::new(text), Arc::new(on), Arc::new(mps.clone()), Arc::new(mps)];
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn value(text: &str) -> Evaluated {
    let expression = Sql::new().expression(text, &scope(), Purpose::Value);
    expression.unwrap_or_else(|r| panic!("{text}: {r:?}")).evaluate(&batch())
}

fn floats(text: &str) -> (Vec<Option<f64>>, Vec<usize>, Vec<usize>) {
    let e = value(text);
    (e.values.as_primitive::<Float64Type>().iter().collect(), e.failed, e.nan)
}

fn refused(text: &str, purpose: Purpose) -> Vec<Refusal> {
    match Sql::new().expression(text, &scope(), purpose) {
        Ok(expression) => panic!("`{text}` was taken as {:?}", expression.physical()),
        Err(refusals) => refusals,
    }
}

#[test]
fn a_row_that_divides_by_zero_is_null_and_named() {
    assert_eq!(floats("1 / speed.mps"), (vec![Some(1.0), None, None, Some(-0.25)], vec![1], vec![]));
    assert_eq!(floats("speed.mps / 0"), (vec![None, None, None, None], vec![0, 1, 3], vec![]));
    assert_eq!(floats("speed.mps / 2"), (vec![Some(0.5), Some(0.0), None, Some(-2.0)], vec![], vec![]));
    assert_eq!(floats("speed.mps / speed.mps"), (vec![Some(1.0), None, None, Some(1.0)], vec![1], vec![]));
    assert_eq!(floats("5.0 % speed.mps").1, vec![1]);
    assert_eq!(floats("(speed.mps / 4) / speed.mps").1, vec![1]);
    assert_eq!(value("10 / speed.n").failed, vec![1]);
    assert_eq!(value("10 % speed.n").failed, vec![1]);
}

#[test]
fn a_division_that_is_not_reached_does_not_fail() {
    let guarded = "CASE WHEN speed.mps = 0 THEN NULL ELSE 1 / speed.mps END";
    assert_eq!(floats(guarded), (vec![Some(1.0), None, None, Some(-0.25)], vec![], vec![]));
    assert_eq!(floats("coalesce(1 / nullif(speed.mps, 0), 9)").0, vec![Some(1.0), Some(9.0), Some(9.0), Some(-0.25)]);
}

#[test]
fn a_bad_cast_and_an_overflow_fail_their_row_only() {
    let cast = value("CAST(speed.text AS BIGINT)");
    assert_eq!(cast.failed, vec![1, 3]);
    assert_eq!(cast.values.as_primitive::<arrow::datatypes::Int64Type>().value(0), 7);
    for overflow in ["speed.n + 1", "speed.n * 2", "-2 - speed.n"] {
        assert_eq!(value(overflow).failed, vec![3], "{overflow}");
    }
}

#[test]
fn nan_becomes_null_and_infinity_stays() {
    let (values, failed, nan) = floats("power(speed.mps, 0.5)");
    assert_eq!((values, failed, nan), (vec![Some(1.0), Some(0.0), None, None], vec![], vec![3]));
    assert_eq!(floats("sqrt(speed.mps)").1, vec![3], "DataFusion's sqrt fails where power gives NaN");
    assert_eq!(floats("ln(speed.mps)").0[1], Some(f64::NEG_INFINITY));
}

#[test]
fn types_become_those_of_columns() {
    let column_type = |text: &str| Sql::new().expression(text, &scope(), Purpose::Value).unwrap().column_type();
    assert_eq!(column_type("speed.n + 1"), ColumnType::Int64);
    assert_eq!(column_type("CAST(speed.n AS SMALLINT)"), ColumnType::Int64);
    assert_eq!(column_type("speed.n * 0.5"), ColumnType::Float64);
    assert_eq!(column_type("CAST(speed.mps AS DECIMAL(10,2))"), ColumnType::Float64);
    assert_eq!(column_type("upper(speed.text)"), ColumnType::String);
    assert_eq!(column_type("speed.on AND speed.n > 1"), ColumnType::Bool);
    assert_eq!(column_type("to_timestamp_millis(speed.n)"), ColumnType::Timestamp);
}

#[test]
fn identifiers_keep_their_case_and_functions_do_not() {
    assert_eq!(floats("ABS(speed.Mixed)").0[3], Some(4.0));
    assert_eq!(floats(r#"abs("speed"."Mixed")"#).0[3], Some(4.0));
    assert!(refused("speed.mixed", Purpose::Value)[0].instead.contains("`speed.Mixed`"));
}

#[test]
fn a_bare_name_beside_a_qualified_one_is_not_ambiguous() {
    assert_eq!(floats("mps + speed.mps").0[0], Some(2.0));
}

#[test]
fn what_is_no_function_of_the_row_is_refused_with_its_place() {
    let table = [
        ("1 + now()", "`now()` does not always", Some((1, 5))),
        ("random() * speed.mps", "`random()` does not always", Some((1, 1))),
        ("current_date", "`current_date()` does not always", Some((1, 1))),
        ("CURRENT_TIMESTAMP", "does not always", Some((1, 1))),
        ("uuid()", "does not always", Some((1, 1))),
        ("sum(speed.mps)", "`sum` is an aggregate", Some((1, 1))),
        ("avg(speed.mps) > 1", "`avg` is an aggregate", Some((1, 1))),
        ("lag(speed.mps)", "`lag` is a window function", Some((1, 1))),
        ("sum(speed.mps) OVER ()", "is a window function", Some((1, 1))),
        ("(SELECT 1)", "a subquery", None),
        ("EXISTS (SELECT 1)", "a subquery", None),
        ("speed.n IN (SELECT 1)", "a subquery", None),
        ("$1 + 1", "the parameter `$1`", Some((1, 1))),
        ("speed.mpz", "there is no column `speed.mpz`", Some((1, 1))),
        ("sqr(speed.mps)", "there is no function `sqr`", Some((1, 1))),
        ("speed.mps +", "Expected: an expression", None),
        ("speed.mps speed.n", "is left over", Some((1, 11))),
        ("", "is empty", None),
        ("NULL", "always null", None),
        ("INTERVAL '1' DAY", "no column can hold", None),
    ];
    for (text, what, at) in table {
        let refusals = refused(text, Purpose::Value);
        assert!(refusals[0].what.contains(what), "{text}: {refusals:?}");
        assert!(!refusals[0].instead.is_empty(), "{text}");
        if at.is_some() {
            assert_eq!(refusals[0].at, at, "{text}");
        }
    }
}

#[test]
fn types_that_do_not_fit_are_refused() {
    for text in ["speed.on + 1", "abs(speed.text)", "speed.mps AND true", "CAST('x' AS DOUBLE)"] {
        assert!(!refused(text, Purpose::Value)[0].what.is_empty(), "{text}");
    }
    assert!(refused("speed.mps", Purpose::Condition)[0].what.contains("a condition must be true or false"));
    assert!(refused("speed.n + 1", Purpose::Condition)[0].instead.contains("compare"));
}

#[test]
fn every_wrong_name_is_reported_at_once() {
    let refusals = refused("speed.mpz + now() + nothing_like_it + speed.N", Purpose::Value);
    assert_eq!(refusals.len(), 4, "{refusals:?}");
    assert!(refusals[0].instead.contains("did you mean `speed.mps`"));
}

#[test]
fn a_long_or_deep_text_is_refused_and_not_a_stack_overflow() {
    assert!(refused(&"speed.n + ".repeat(4000), Purpose::Value)[0].what.contains("longer than"));
    let sum = vec!["1"; 2000].join("+");
    assert!(refused(&sum, Purpose::Value)[0].what.contains("deeper than"));
    let parentheses = format!("{}speed.n{}", "(".repeat(1000), ")".repeat(1000));
    assert!(!refused(&parentheses, Purpose::Value)[0].what.is_empty());
    let fine = vec!["speed.mps"; 90].join(" + ");
    assert_eq!(floats(&fine).0[0], Some(90.0));
}

#[test]
fn an_empty_batch_gives_an_empty_column() {
    let expression = Sql::new().expression("1 / speed.n", &scope(), Purpose::Value).unwrap();
    let evaluated = expression.evaluate(&batch().slice(0, 0));
    assert_eq!((evaluated.values.len(), evaluated.failed.len()), (0, 0));
}

//! What is wrong with a call is said with what to write.

use super::{ask, session};

#[test]
fn a_wrong_call_says_what_to_write() {
    let context = session(&[("l", &[(Some("a"), Some(0), None)]), ("r", &[])], 8);
    for (call, said) in [
        ("nearest_join(l)", "nearest_join takes 2 and was given 1 relations"),
        ("nearest_join(l, r)", "tolerance is missing; write nearest_join(left, right, tolerance => '500ms')"),
        ("nearest_join(l, r, tolerence => '1s')", "did you mean tolerance?"),
        ("nearest_join(l, r, tolerance => 1)", "write it in single quotes"),
        ("nearest_join(l, r, tolerance => '1.5s')", "is not a duration"),
        ("nearest_join(l, r, tolerance => '1s', direction => 'Backwards')", "did you mean Backward?"),
        ("nearest_join(l, (SELECT robot, v FROM r), tolerance => '1s', prefix => 'x')", "has no column `time`"),
        ("nearest_join(l, (SELECT 1 AS robot), tolerance => '1s')", "write prefix => 'name'"),
        ("nearest_join(l, 7, tolerance => '1s')", "7 is no relation"),
        ("look_back(l, span => '0s', columns => 'v', statistics => 'mean')", "write a longer duration"),
        ("look_back(l, span => '1s', columns => 'w', statistics => 'mean')", "no column is w"),
        ("look_back(l, span => '1s', columns => 'robot', statistics => 'mean')", "mean does not fit robot"),
        ("look_back(l, span => '1s', columns => 'v', statistics => 'average')", "did you mean mean?"),
        ("look_back(l, span => '1s', columns => 'v,', statistics => 'mean')", "an empty entry"),
    ] {
        let error = ask(&context, &format!("SELECT * FROM {call}")).unwrap_err().to_string();
        assert!(error.contains(said), "{call}: {error}");
    }
}

#[test]
fn a_pattern_takes_the_columns_that_fit() {
    let context = session(&[("l", &[(Some("a"), Some(0), Some(2.0))])], 8);
    let found =
        ask(&context, "SELECT * FROM look_back(l, span => '1s', columns => '*', statistics => 'mean, changes')");
    let schema = found.unwrap().schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names[4..], ["robot_changes_1s", "v_mean_1s", "n_mean_1s"]);
}

//! Grid rows: points `every` so often, aligned to the epoch, wherever the robot is alive.
//!
//! ```text
//! observations      o    o                    o
//! alive             |=========alive|          |====alive|
//! points        .   x   x   x   x  .   .   .   .  x   x   .
//! ```

use pipeline::time::Span;

/// The points of the grid in `span` (half-open, ns, ascending) with an observation at most `alive_ns` before them, both ends
/// inclusive. Each of `observations` holds the times of one signal (ns, in any order).
///
/// # Panics
/// When `every_ns` is not positive: `check` refuses such grids.
pub fn points(observations: &[&[i64]], every_ns: i64, alive_ns: i64, span: Span) -> Vec<i64> {
    assert!(every_ns > 0, "a grid has a positive step");
    let mut times: Vec<i64> = observations.concat();
    // Sorted runs are found and merged.
    times.sort();
    let mut points = Vec::new();
    let mut next = first_point(span.from_ns, every_ns);
    for time in times {
        let last = time.saturating_add(alive_ns).min(span.to_ns.saturating_sub(1));
        // No point left, or none after this observation: later ones have none either.
        let (Some(free), Some(point)) = (next, first_point(time, every_ns)) else { break };
        let mut point = Some(free.max(point));
        while let Some(alive) = point.filter(|&point| point <= last) {
            points.push(alive);
            point = alive.checked_add(every_ns);
            next = point;
        }
    }
    points
}

/// The first point at or after an instant; `None` when it lies beyond the greatest `i64`.
fn first_point(time: i64, every_ns: i64) -> Option<i64> {
    match time.rem_euclid(every_ns) {
        0 => Some(time),
        past => time.checked_add(every_ns - past),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Span = Span { from_ns: i64::MIN, to_ns: i64::MAX };

    #[test]
    fn a_point_lives_while_an_observation_is_near_enough() {
        assert_eq!(points(&[&[3, 11]], 5, 4, ALL), [5, 15]);
        assert_eq!(points(&[&[5]], 5, 5, ALL), [5, 10]);
        assert_eq!(points(&[&[-7]], 5, 7, ALL), [-5, 0]);
        assert_eq!(points(&[&[]], 5, 7, ALL), [0_i64; 0]);
    }

    #[test]
    fn any_signal_keeps_a_robot_alive_and_a_point_comes_once() {
        assert_eq!(points(&[&[0, 9], &[4, 8]], 2, 3, ALL), [0, 2, 4, 6, 8, 10, 12]);
    }

    #[test]
    fn the_span_is_half_open_but_observations_before_it_count() {
        assert_eq!(points(&[&[0]], 2, 100, Span { from_ns: 3, to_ns: 8 }), [4, 6]);
        assert_eq!(points(&[&[9]], 2, 100, Span { from_ns: 3, to_ns: 8 }), [0_i64; 0]);
    }

    #[test]
    fn the_ends_of_time_are_not_overrun() {
        let day = 86_400_000_000_000;
        assert_eq!(points(&[&[i64::MAX]], day, 10, ALL), [0_i64; 0]);
        assert_eq!(points(&[&[i64::MAX - 1]], 1, 10, ALL), [i64::MAX - 1]);
        assert_eq!(points(&[&[i64::MIN]], i64::MAX, 10, ALL), [i64::MIN + 1]);
    }
}

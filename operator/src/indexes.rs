//! Index ranges as a Job's status has them (`1,3-5,7`), and which shards of a plan they are.

/// Most bytes of index ranges in a status.
const TEXT_BYTES_MAX: usize = 1024;

/// Most indexes of a Job: its status and API calls stay small.
pub const BATCHES_MAX: u64 = 5_000;

/// Aim for the work of a batch, seconds of one core: between one and ten minutes.
const BATCH_SECONDS: u64 = 240;

/// Into how many batches stale shards are put: a few minutes each, work for every pod, never more than there are shards.
/// At least one.
pub fn batches(stale: u64, seconds: u64, parallelism: u32) -> u32 {
    let wanted = seconds.div_ceil(BATCH_SECONDS).max(u64::from(parallelism)).min(stale).clamp(1, BATCHES_MAX);
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

/// How many of `stale` shards lie in the batches that are named, of `batches`: batch i has the stale shards at positions
/// `i * stale / batches .. (i + 1) * stale / batches`. What is no range counts nothing.
pub fn shards(text: &str, stale: u64, batches: u32) -> u64 {
    let begin = |batch: u64| u128::from(batch) * u128::from(stale) / u128::from(batches.max(1));
    let of = |(from, to): (u64, u64)| begin(to.saturating_add(1).min(batches.into())).saturating_sub(begin(from));
    u64::try_from(ranges(text).map(of).sum::<u128>()).unwrap_or(u64::MAX).min(stale)
}

fn ranges(text: &str) -> impl Iterator<Item = (u64, u64)> + '_ {
    text.split(',').filter_map(|range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from <= to).then_some((from, to))
    })
}

/// The ranges as they are shown: cut at a comma, with `…` where there is more.
pub fn shown(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let room = &text.as_bytes()[..TEXT_BYTES_MAX - '…'.len_utf8()];
    let end = room.iter().rposition(|byte| *byte == b',').map_or(0, |comma| comma + 1);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn batches_are_minutes_of_work_and_feed_every_pod() {
        assert_eq!(batches(1, 5, 8), 1);
        assert_eq!(batches(40, 60, 8), 8);
        assert_eq!(batches(40, 4_000, 8), 17);
        assert_eq!(batches(3, 4_000, 8), 3);
        assert_eq!(batches(100_000, 10_000_000, 8), 5_000);
        assert_eq!(batches(0, 0, 8), 1);
    }

    #[test]
    fn ranges_name_the_shards_of_their_batches() {
        assert_eq!(shards("", 10, 5), 0);
        assert_eq!(shards("0-4", 10, 5), 10);
        assert_eq!(shards("1,3-4", 10, 5), 6);
        assert_eq!(shards("0", 10, 3), 3);
        assert_eq!(shards("2", 10, 3), 4);
        assert_eq!(shards("7-9,nonsense,3-1", 10, 3), 0);
    }

    #[test]
    fn five_thousand_scattered_indexes_are_cut_at_a_comma() {
        let all: Vec<String> = (0..2500).map(|index| (index * 2).to_string()).collect();
        let text = shown(&all.join(","));
        assert!(text.len() <= TEXT_BYTES_MAX && text.ends_with(",…") && text.starts_with("0,2,4"), "{text}");
        assert_eq!(shown("1,3-5"), "1,3-5");
    }

    proptest! {
        #[test]
        fn all_batches_together_are_all_shards(stale in 0u64..100_000, batches in 1u32..5_000) {
            let each: u64 = (0..batches).map(|batch| shards(&batch.to_string(), stale, batches)).sum();
            prop_assert_eq!(each, stale);
            prop_assert_eq!(shards(&format!("0-{}", batches - 1), stale, batches), stale);
        }
    }
}

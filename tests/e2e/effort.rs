//! What a run costs: memory that does not grow with the archive's length.

use crate::words::fleet;
use fleetloom_tests::program;

#[test]
fn memory_does_not_grow_with_the_length_of_the_archive() {
    let peak = |hours| {
        let (_place, file) = fleet(6, hours, 41, false);
        let run = program::start(&["run".as_ref(), "-f".as_ref(), file.as_os_str()]);
        let peak = run.peak_kib();
        run.finish().expect(0);
        peak
    };
    let (short, long) = (peak(10), peak(100));
    assert!(short <= 300 << 10, "60 robot-hours took {short} KiB");
    assert!(long <= short + short / 5, "60 robot-hours took {short} KiB, 600 took {long} KiB");
}

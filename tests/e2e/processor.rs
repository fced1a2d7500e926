//! Rows do not depend on the processor: with and without AVX2 and fused multiply-add, on this one and on an emulated old one.

use crate::words::{change, fleet};
use fleetloom_tests::place::Place;
use fleetloom_tests::program::{self, Running};
use fleetloom_tests::python;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every function whose last digit C libraries and processors do not agree on, over numbers of all sizes.
const DERIVED: &str = r#"derive:
  - {name: big, expression: "odometry.linear * 1234567.0 + pose.x"}
  - {name: small, expression: "odometry.angular / 3.0"}
  - {name: waves, expression: "sin(big) + cos(big) * tan(pose.yaw) - cot(big)"}
  - {name: arcs, expression: "asin(small) + acos(small) + atan(big) + atan2(pose.x, pose.y)"}
  - {name: hyperbolic, expression: "sinh(small) + cosh(small) + tanh(small) + asinh(big) + acosh(1.0 + abs(small)) + atanh(small)"}
  - {name: powers, expression: "exp(small) + power(abs(big), small) + cbrt(big) + sqrt(abs(big))"}
  - {name: logs, expression: "ln(1.0 + abs(big)) + log10(1.0 + abs(big)) + log2(1.0 + abs(small)) + log(3.0, 1.0 + abs(big))"}
  windows:
  - span: 42s
    over: Rows
    features:
    - columns: [waves, arcs, powers, logs]
      statistics: [mean, std, sum, slope, rms, skew, kurtosis, mean_abs_change, p05, p95]"#;

/// A fleet whose rows use all of them.
fn telling() -> (Place, String) {
    let (place, file) = fleet(2, 1, 23, true);
    let words = fs::read_to_string(&file).expect("the words are there");
    let words = change(&words, "windows:\n  - span: 42s\n    over: Rows\n    features:", DERIVED);
    (place, words)
}

/// The digest of the table that a command makes of these words.
fn made(place: &Place, words: &str, name: &str, mut command: Command) -> String {
    let file = place.write(&format!("{name}.yaml"), change(words, "url: result/", &format!("url: {name}/")));
    command.args(["run", "-f"]).arg(&file);
    Running::start(command).finish().expect(0);
    python::digest(&place.path(name))
}

#[test]
fn rows_are_the_same_without_avx_and_fused_multiply_add() {
    let (place, words) = telling();
    let here = made(&place, &words, "here", Command::new(program::path()));
    // The C library chooses its functions by these.
    let mut plain = Command::new(program::path());
    plain.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F");
    assert_eq!(made(&place, &words, "plain", plain), here);
    // A processor of 2008, instruction by instruction.
    let emulator = Path::new("/usr/bin/qemu-x86_64");
    assert!(emulator.is_file(), "{} is not there: `make tools` installs it", emulator.display());
    let mut old = Command::new(emulator);
    old.args(["-cpu", "Nehalem"]).arg(program::path());
    assert_eq!(made(&place, &words, "old", old), here);
}

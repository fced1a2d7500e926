//! The `Containerfile` on another base than ours: one of a distribution's own packages, as public bases are.

use super::shared;
use fleetloom_tests::cluster::{Image, Images};
use fleetloom_tests::program;
use std::fs;
use std::process::Command;

#[test]
fn both_images_are_built_on_another_base_and_their_programs_run_there() {
    let folder = shared().folder().join("other-base");
    fs::create_dir_all(&folder).unwrap();
    // As small public bases for programs in C and Rust: the library, its helper, authorities, and what says which Debian it is.
    let base = Image::packages(&folder, "example.com/base:1", &["libc6", "libgcc-s1", "base-files"]).unwrap();
    let base = format!("docker-archive:{}", base.tar.display());
    let images = Images::build_on(&base, program::path().parent().expect("a folder"), &folder).unwrap();
    for (image, program) in [(&images.worker, "fleetloom"), (&images.operator, "fleetloom-operator")] {
        let root = folder.join(format!("{program}-root"));
        image.unpack(&root).unwrap();
        let is_ours = root.join("etc/nsswitch.conf").exists();
        assert!(root.join("etc/debian_version").exists() && !is_ours, "the other base, and nothing of ours");
        let said = Command::new("chroot").arg(&root).arg(format!("/usr/local/bin/{program}")).arg("--version").output();
        let said = said.expect("chroot starts");
        let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    }
}

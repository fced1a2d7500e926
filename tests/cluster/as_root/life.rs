//! How a node ends: asked to, interrupted, or with whoever started it, and that nothing of it is left in any case.

use fleetloom_tests::cluster::{Cluster, Image, Marks, Traces, kept, machine};
use fleetloom_tests::program::Running;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program, with a verb and a folder.
fn program(verb: &str, folder: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetloom-cluster"));
    command.arg(verb).arg(folder);
    Running::start(command)
}

/// Insists that all of a node is gone, now or as soon as its keeper is done.
fn leaves_nothing(marks: &Marks, machine_before: &Traces) {
    let until = Instant::now() + Duration::from_secs(60);
    while !marks.traces().is_empty() && Instant::now() < until {
        thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(marks.traces(), Traces::new());
    assert_eq!(&machine(), machine_before);
}

#[test]
fn a_node_that_ran_pods_leaves_nothing() {
    let before = machine();
    let cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
    cluster.import(&Image::probe(cluster.folder()).unwrap()).unwrap();
    let kubectl = cluster.kubectl();
    let image = ["--image=fleetloom.dev/probe:1", "--image-pull-policy=Never"];
    kubectl.run(&[&["run", "waits"], &image[..], &["--command", "--", "/program", "wait"]].concat()).unwrap();
    kubectl.until("pod", "waits", |pod| pod["status"]["phase"] == "Running").unwrap();
    let marks = cluster.marks().clone();
    for kind in ["process", "group", "interface", "folder"] {
        assert!(marks.traces().iter().any(|trace| trace.starts_with(kind)), "{kind}: {:?}", marks.traces());
    }
    let elapsed = cluster.end().unwrap();
    println!("taken down in {:.2} s", elapsed.as_secs_f64());
    assert_eq!(marks.traces(), Traces::new(), "all is gone when `end` returns");
    leaves_nothing(&marks, &before);
}

#[test]
fn a_node_that_is_kept_outlives_its_starter_until_it_is_taken_down() {
    let (before, parent) = (machine(), TempDir::new().unwrap());
    let folder = parent.path().join("kept");
    program("down", &folder).finish().expect(0).says("no cluster is in");
    program("status", &folder).finish().expect(1).says("no cluster is up");
    let up = program("up", &folder).finish().expect(0).says("export KUBECONFIG=");
    println!("{}", up.stderr);
    let marks = kept(&folder).unwrap();
    program("status", &folder).finish().expect(0).says("Ready");
    program("up", &folder).finish().expect(1).says("a cluster is up in");
    assert!(marks.alive());
    program("down", &folder).finish().expect(0);
    leaves_nothing(&marks, &before);
}

#[test]
fn ctrl_c_and_even_a_kill_while_it_comes_up_take_it_down() {
    for (signal, part) in [(Signal::INT, "containerd.log"), (Signal::KILL, "kubelet.log")] {
        let (before, parent) = (machine(), TempDir::new().unwrap());
        let folder = parent.path().join("broken-off");
        let up = program("up", &folder);
        assert!(up.wait_until(|| folder.join("logs").join(part).exists()), "{}", up.finish());
        let marks = kept(&folder).unwrap();
        up.signal(signal);
        assert_eq!(up.finish().code(), 128 + signal.as_raw());
        leaves_nothing(&marks, &before);
    }
}

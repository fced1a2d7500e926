//! Tests on a whole node. They share one, which ends with this process; those about its end start their own.

mod field;
mod life;
mod node;
mod runs;
mod worker;

use fleetloom_tests::cluster::{Cluster, Image};
use std::sync::OnceLock;

/// The node that tests share, with the image `fleetloom.dev/probe:1`.
fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
        cluster.import(&Image::probe(cluster.folder()).expect("a C compiler")).expect("containerd takes it");
        cluster
    })
}

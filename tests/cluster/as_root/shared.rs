//! The node that tests share, and this project's images on it. It ends with this process.

use fleetloom_tests::cluster::{Cluster, Image, Images};
use fleetloom_tests::program;
use std::sync::OnceLock;

/// The node that tests share, with the image `fleetloom.dev/probe:1`.
pub(super) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cluster = Cluster::start().unwrap_or_else(|error| panic!("{error}"));
        cluster.import(&Image::probe(cluster.folder()).expect("a C compiler")).expect("containerd takes it");
        cluster
    })
}

/// The images of worker and operator, built from the built programs; the shared node has them.
pub(super) fn images() -> &'static Images {
    static BUILT: OnceLock<Images> = OnceLock::new();
    BUILT.get_or_init(|| {
        // With the node's own folder they go when it does.
        let folder = shared().folder().join("built");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let images = Images::build(program::path().parent().expect("a folder"), &folder);
        let images = images.unwrap_or_else(|error| panic!("{error}"));
        for image in [&images.worker, &images.operator] {
            shared().import(image).expect("containerd takes it");
        }
        images
    })
}

//! MinIO keeps every promise of a store. `make test-all` runs it; `make test` does not build that server.

mod common;

use common::s3::store;
use fleetloom_archive::conformance::{conforms, keeps_versions};
use fleetloom_archive::open::Side;
use fleetloom_tests::bucket::{Server, Versions};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_minio_conforms() {
    let server = Server::minio();
    server.make("plain", Versions::None);
    server.make("versioned", Versions::Kept);
    for side in [Side::Source, Side::Result] {
        for url in ["s3://plain/", "s3://plain/a/b/", "s3://versioned/", "s3://versioned/a/"] {
            conforms(&store(&server, url, side)).await;
        }
    }
    keeps_versions(&store(&server, "s3://versioned/kept/", Side::Source)).await;
}

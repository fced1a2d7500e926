//! The harness of the end-to-end tests: starts the real program on real folders and reads what it published with other
//! people's readers. It links nothing of Fleetloom: what it knows, a user can know.
//!
//! ```text
//! place.rs    a temporary folder with words and an archive in it
//! pack.rs     zips, right and wrong
//! program.rs  the program under a deadline, its signals, its exit codes
//! python.rs   the virtual environment: oracle, deltalake, polars, DuckDB, pandas
//! bucket.rs   a real S3 server with its own folders and keys
//! signed.rs   the requests that make its buckets
//! cluster.rs  a real Kubernetes on this machine: its memory alone, or a node that runs pods
//! proxy.rs    the network before it, which loses what it is told to
//! table.rs    a published table as a reader of another make sees it
//! words.rs    the words of the examples, and changes to words
//! shown.rs    `fleetloom show --json`, as text that can be compared
//! ```

pub mod bucket;
pub mod cluster;
pub mod pack;
pub mod place;
pub mod program;
pub mod proxy;
pub mod python;
pub mod shown;
pub mod signed;
pub mod table;
pub mod words;

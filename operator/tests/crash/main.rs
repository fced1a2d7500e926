//! The operator on a real API server, stopped wherever it can be stopped, told what was so a moment ago, and one of two: what
//! comes of a Run is the same, and each of its Jobs is created once. The harness plays the Job controller and the pods.
//!
//! ```text
//! stage.rs      one API server for all of these tests, a namespace for each, and whoever watches what becomes of them
//! stopped.rs    a client that stops before its k-th call, or after it and before its answer
//! points.rs     every k of a Run's life, of a scheduled start and of a change, in one process
//! processes.rs  one k in twenty, the operator a process that is killed while a call or its answer is held
//! stale.rs      lists of an earlier moment, watches that stand still
//! wiring.rs     which change is looked at by which controller
//! lease.rs      two operators, one Lease
//! rights.rs     the rights of the operator's own manifest
//! broken.rs     kinds that are missing, and of another version
//! ```

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

#[allow(dead_code, reason = "each test binary uses a part of the harness")]
#[path = "../real/mod.rs"]
mod real;

mod broken;
mod lease;
mod points;
mod processes;
mod rights;
mod stage;
mod stale;
mod stopped;
mod wiring;

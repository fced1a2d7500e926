//! Tests on a real Kubernetes that is started for them on this machine. Those in `as_root` need root, and fail without it:
//! `make test` runs them, `make test-local` leaves them out and says so.

mod as_root;
mod control_plane;

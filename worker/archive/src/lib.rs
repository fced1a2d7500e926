//! What is stored: stores, listings, versions, zip and tar directories, pinned reads. Bytes only: no Arrow, no JSON.

pub mod store;

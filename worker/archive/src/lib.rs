//! What is stored: stores, listings, versions, zip and tar directories, pinned reads. Bytes only: no Arrow, no JSON.

pub mod conformance;
pub mod folder;
mod folder_walk;
pub mod memory;
pub mod open;
pub mod store;
mod text;

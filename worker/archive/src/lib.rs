//! What is stored: stores, listings, versions, zip and tar directories, pinned reads. Bytes only: no Arrow, no JSON.

pub mod conformance;
mod entry;
pub mod error;
pub mod folder;
mod folder_walk;
pub mod listing;
pub mod members;
pub mod memory;
pub mod open;
pub mod pieces;
pub mod store;
mod tar;
mod tar_pax;
mod text;
mod zip;
mod zip_end;

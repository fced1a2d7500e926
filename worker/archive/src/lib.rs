//! What is stored: stores, listings, versions, zip and tar directories, pinned reads. Bytes only: no Arrow, no JSON.
//!
//! The way of the bytes, each step a module:
//!
//! ```text
//! open → list → members → fetch → unpack (documents) or lines (NdJson)
//! ```
//! - [`open`]: from a URL to a [`store::Store`] ([`folder`], [`s3`], [`memory`]), the one door to bytes; [`conformance`] is
//!   what every store promises, [`counting`] counts what is asked of one, [`faulty`] makes calls of it go wrong;
//! - [`listing`]: the objects of an archive and the name of that state;
//! - [`members`]: what is in an object, chunk by chunk, and the names of its content;
//! - [`fetch`]: stored bytes of members in few pinned reads; [`pieces`]: those of one large member;
//! - [`unpack`], [`lines`]: JSON bytes, checked, bounded; or a [`refusal`], which is data and no [`error`].

pub mod conformance;
pub mod counting;
mod entry;
pub mod error;
pub mod faulty;
pub mod fetch;
pub mod folder;
mod folder_walk;
mod inflate;
pub mod lines;
pub mod listing;
pub mod members;
pub mod memory;
pub mod open;
pub mod pieces;
mod pipe;
pub mod refusal;
pub mod s3;
pub mod store;
mod tar;
mod tar_pax;
mod text;
pub mod unpack;
mod zip;
mod zip_end;

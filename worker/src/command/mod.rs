//! The verbs, one file each: arguments in, one call, text out.

pub(crate) mod check;
pub(crate) mod commit;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod plan;
pub(crate) mod query;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod shard;
pub(crate) mod show;
pub(crate) mod simulate;
pub(crate) mod source;
pub(crate) mod tag;
pub(crate) mod trace;
pub(crate) mod vacuum;

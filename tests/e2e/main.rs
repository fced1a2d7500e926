//! The end-to-end tests: the built program, on real folders and buckets, judged by other people's readers. One binary, so that
//! it links once.

mod bad_input;
mod bucket;
mod changes;
mod doctor;
mod effort;
mod faults;
mod figures;
mod golden;
mod history;
mod network;
mod pods;
mod processor;
mod python;
mod query;
mod refused;
mod replay;
mod sharding;
mod simulate;
mod steps;
mod stopped;
mod trace;
mod vacuum;
mod words;

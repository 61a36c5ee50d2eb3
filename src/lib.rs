//! Circus for containers: the library that the programs share.

pub mod config;
pub mod moment;
pub mod process;
pub mod signal;
pub mod supervisor;
pub mod sys;

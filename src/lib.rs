//! Circus for containers: the library that the programs share.

pub mod config;
pub mod signal;

//! The gateway alone: a test stands in for circusd at the other end of its socket pair, and real
//! clients, and strangers who send what they like, are on the other side.
//!
//! Nothing here sleeps to synchronise: facts are waited for, with generous deadlines.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, unsafe_code)]

#[path = "gateway/circusd.rs"]
mod circusd;

#[path = "gateway/stranger.rs"]
mod stranger;

#[path = "gateway/carrying.rs"]
mod carrying;

#[path = "gateway/users.rs"]
mod users;

#[path = "gateway/hostile.rs"]
mod hostile;

#[path = "gateway/curve.rs"]
mod curve;

#[path = "gateway/discovery.rs"]
mod discovery;

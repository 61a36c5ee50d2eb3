//! Whatever strangers send to the endpoints: the first process stays as small as it was, answers
//! again, and the services never notice.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod zmtp;

#[path = "pid1/process.rs"]
#[allow(dead_code)] // Written for another test.
mod process;

#[path = "pid1/random.rs"]
#[allow(dead_code)] // Written for another test.
mod random;

#[path = "pid1/world.rs"]
#[allow(dead_code)] // Written for another test.
mod world;

#[path = "hostile/house.rs"]
mod house;

#[path = "hostile/strangers.rs"]
mod strangers;

#[path = "hostile/requests.rs"]
mod requests;

#[path = "hostile/batches.rs"]
mod batches;

#[path = "hostile/floods.rs"]
mod floods;

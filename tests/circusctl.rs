//! The client as a program, against a daemon that answers what the test says. What Circus's own
//! circusctl has sent and printed is in `data/circusctl.jsonl`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "circusctl/world.rs"]
mod world;

#[path = "circusctl/transcript.rs"]
mod transcript;

#[path = "circusctl/keys.rs"]
mod keys;

#[path = "circusctl/people.rs"]
mod people;

#[path = "circusctl/places.rs"]
mod places;

#[path = "circusctl/pipes.rs"]
mod pipes;

#[path = "circusctl/listening.rs"]
mod listening;

#[path = "circusctl/order.rs"]
mod order;

#[path = "circusctl/prompt.rs"]
mod prompt;

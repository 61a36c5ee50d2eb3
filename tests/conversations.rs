//! Recorded conversations with Circus, held again: every reply is the recorded one, up to pids,
//! times and the differences that are listed with their reasons, and so are the publications.
//!
//! `CONVERSATION=basic` holds one of them. `CONVERSATIONS_CIRCUSD=/path/to/circusd` holds them with
//! the original in place of ours, without any difference: that shows that this test is right.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod zmtp;

#[path = "pid1/process.rs"]
#[allow(dead_code)] // Written for another test.
mod process;

#[path = "pid1/world.rs"]
#[allow(dead_code)] // Written for another test.
mod world;

#[path = "conversations/classes.rs"]
mod classes;

#[path = "conversations/clients.rs"]
mod clients;

#[path = "conversations/compare.rs"]
mod compare;

#[path = "conversations/differences.rs"]
mod differences;

#[path = "conversations/json.rs"]
mod json;

#[path = "conversations/places.rs"]
mod places;

#[path = "conversations/plans.rs"]
mod plans;

#[path = "conversations/publications.rs"]
mod publications;

#[path = "conversations/record.rs"]
mod record;

#[path = "conversations/replay.rs"]
mod replay;

#[path = "conversations/subscriber.rs"]
mod subscriber;

use plans::{NOT_PLAYED, PLANS, Plan};
use record::Step;
use replay::{Outcome, Target, play};
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;

/// So many conversations are held at the same time: most of their time they wait.
const AT_ONCE: usize = 6;

fn chosen() -> Vec<&'static Plan> {
    let only = std::env::var("CONVERSATION").ok();
    PLANS.iter().filter(|plan| only.as_ref().is_none_or(|only| plan.name == only)).collect()
}

fn hold(plans: Vec<&'static Plan>, target: &Target) -> Vec<Outcome> {
    let queue = Mutex::new(plans);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("nobody panics with it").pop();
                    let Some(plan) = next else { return };
                    let played = catch_unwind(|| play(plan, target));
                    let outcome = played.unwrap_or_else(|_| Outcome {
                        name: plan.name.to_owned(),
                        problems: vec![format!("{}: broke off", plan.name)],
                        ..Outcome::default()
                    });
                    outcomes.lock().expect("nobody panics with it").push(outcome);
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().expect("nobody panics with it");
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    outcomes
}

/// Requests of recordings that are not played.
fn not_played() -> Vec<Outcome> {
    let outcome = |(name, why): &(&str, &str)| {
        let mut outcome = Outcome { name: name.to_string(), ..Outcome::default() };
        let parts = record::parts(name, &str::to_owned);
        let steps = parts.iter().flatten();
        for _ in steps.filter(|step| matches!(step, Step::Exchange(_))) {
            outcome.skip(why);
        }
        outcome
    };
    NOT_PLAYED.iter().map(outcome).collect()
}

fn print(outcomes: &[Outcome]) {
    println!("{:22} {:>5} {:>6} {:>7} {:>12}", "", "equal", "listed", "skipped", "publications");
    for outcome in outcomes {
        let skipped: usize = outcome.skipped.values().sum();
        println!(
            "{:22} {:>5} {:>6} {skipped:>7} {:>12}",
            outcome.name, outcome.equal, outcome.different, outcome.publications
        );
        for (why, count) in &outcome.skipped {
            println!("{:22} {count:>20} {why}", "");
        }
    }
}

#[test]
fn every_recorded_request_gets_the_recorded_reply_or_a_listed_difference() {
    if !world::namespaces_are_possible() {
        return;
    }
    let target = match std::env::var("CONVERSATIONS_CIRCUSD") {
        Ok(path) => Target::Circus(path),
        Err(_) => Target::Here,
    };
    let mut plans = chosen();
    let is_everything = plans.len() == PLANS.len();
    let is_here = matches!(target, Target::Here);
    plans.retain(|plan| is_here || !plan.only_here);
    let mut outcomes = hold(plans, &target);
    let mut problems: Vec<String> =
        outcomes.iter_mut().flat_map(|outcome| std::mem::take(&mut outcome.problems)).collect();
    if is_everything {
        outcomes.extend(not_played());
    }
    print(&outcomes);
    if is_everything && is_here {
        let occurred: BTreeSet<String> =
            outcomes.iter().flat_map(|outcome| outcome.occurred.iter().cloned()).collect();
        let unused = differences::names().into_iter().filter(|name| !occurred.contains(name));
        problems.extend(unused.map(|name| format!("listed, but does not occur: {name}")));
    }
    assert!(problems.is_empty(), "{} problems:\n\n{}", problems.len(), problems.join("\n\n"));
}

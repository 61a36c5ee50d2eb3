//! Whether the publications of a run are those that were recorded: for each watcher, in order.
//!
//! What is accidental in Circus does not count: the order in which several processes are killed
//! or reaped at once, and whether a death is noticed before or after its neighbour's successor
//! has started.

use crate::compare::{ANYTHING, Pids, compare};
use crate::json::Json;
use crate::record::Publication;
use std::collections::{BTreeMap, BTreeSet};

/// What Circus publishes. Clients ignore all else, and so does this.
const ACTIONS: [&str; 11] = [
    "add",
    "remove",
    "spawn",
    "kill",
    "reap",
    "start",
    "stop",
    "reload",
    "updated",
    "hook_success",
    "hook_failure",
];

/// How closely the publications of some watchers can be compared.
#[derive(Debug, Default, Clone)]
pub struct Closeness {
    /// Their processes die and are replaced again and again: how often is a matter of time.
    pub repeating: BTreeSet<String>,
    /// Signals go to children too: how many there are at that moment is a matter of time.
    pub with_children: BTreeSet<String>,
    /// What happens to one process may mix with what happens to another.
    pub mixed: BTreeSet<String>,
}

/// Whether Circus publishes such a thing.
pub fn is_known(publication: &Publication) -> bool {
    ACTIONS.contains(&&*publication.action)
}

/// A publication about a watcher, not about one of its processes.
fn is_mark(publication: &Publication) -> bool {
    publication.pid().is_none()
}

/// Publications by watcher, in order.
pub type ByWatcher = BTreeMap<String, Vec<Publication>>;

pub fn by_watcher<'a>(all: impl IntoIterator<Item = &'a Publication>) -> ByWatcher {
    let mut result = ByWatcher::new();
    for publication in all.into_iter().filter(|publication| is_known(publication)) {
        result.entry(publication.watcher.clone()).or_default().push(publication.clone());
    }
    result
}

/// Circus tells nothing of the death of a process that a reload, decr, kill, set or its age ended;
/// here every death is told. Says whether there was one.
pub fn add_untold_deaths(all: &mut Vec<Publication>, closeness: &Closeness) -> bool {
    let of = |all: &[Publication], action: &str| -> BTreeSet<i64> {
        all.iter().filter(|one| one.action == action).filter_map(Publication::pid).collect()
    };
    let (spawned, reaped) = (of(all, "spawn"), of(all, "reap"));
    let mut result: Vec<Publication> = Vec::new();
    let mut untold: Vec<Publication> = Vec::new();
    let mut found = false;
    for publication in all.drain(..) {
        if publication.action != "kill" {
            result.append(&mut untold);
        }
        let pid = publication.pid();
        let is_child = closeness.with_children.contains(&publication.watcher)
            && pid.is_some_and(|pid| !spawned.contains(&pid));
        let is_told = pid.is_none_or(|pid| reaped.contains(&pid));
        if publication.action == "kill" && !is_child && !is_told {
            let fields = vec![
                ("process_pid".to_owned(), Json::Number(pid.unwrap_or(0).to_string())),
                ("time".to_owned(), Json::Number("0.5".to_owned())),
                ("exit_code".to_owned(), Json::Text(ANYTHING.to_owned())),
            ];
            untold.retain(|one: &Publication| one.pid() != pid);
            untold.push(Publication {
                watcher: publication.watcher.clone(),
                action: "reap".to_owned(),
                fields: Json::Object(fields),
                at: publication.at,
            });
            found = true;
        }
        result.push(publication);
    }
    result.append(&mut untold);
    *all = result;
    found
}

/// How many of each kind there are: by watcher and action.
pub type Counts = BTreeMap<(String, String), usize>;

/// How many publications of each kind must have come when these were recorded.
pub fn needed(all: &[Publication], closeness: &Closeness) -> Counts {
    let mut counts: Counts = Counts::new();
    for (watcher, list) in by_watcher(all) {
        let list = without_children(list, closeness);
        let starts = list.iter().filter(|one| one.action == "start").count().max(1);
        for publication in list {
            let key = (watcher.clone(), publication.action.clone());
            let is_limited = closeness.repeating.contains(&watcher) && !is_mark(&publication);
            let limit = starts + usize::from(publication.action == "spawn");
            let count = counts.entry(key).or_default();
            if !is_limited || *count < limit {
                *count += 1;
            }
        }
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// The same counts of what came.
pub fn came(all: &[Publication], closeness: &Closeness) -> Counts {
    let mut counts: Counts = Counts::new();
    for (watcher, list) in by_watcher(all) {
        for publication in without_children(list, closeness) {
            *counts.entry((watcher.clone(), publication.action)).or_default() += 1;
        }
    }
    counts
}

fn without_children(mut list: Vec<Publication>, closeness: &Closeness) -> Vec<Publication> {
    let spawned: BTreeSet<i64> =
        list.iter().filter(|one| one.action == "spawn").filter_map(Publication::pid).collect();
    list.retain(|one| {
        one.action != "kill"
            || !closeness.with_children.contains(&one.watcher)
            || one.pid().is_some_and(|pid| spawned.contains(&pid))
    });
    list
}

/// Which end of a conversation may be missing: Circus closes its endpoints with what it has not
/// sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The end of the record may lack something.
    InRecord,
    /// The end of this run may lack something too.
    InBoth,
    /// The record ends early.
    All,
}

/// Compare what was recorded of one watcher with what came. `tail`: so many of the recorded ones
/// are from the end of the daemon.
///
/// # Errors
/// How they differ.
pub fn compare_watcher(
    then: Vec<Publication>,
    now: Vec<Publication>,
    closeness: &Closeness,
    loss: Loss,
    pids: &mut Pids,
) -> Result<(), String> {
    let watcher = match then.first().or(now.first()) {
        Some(publication) => publication.watcher.clone(),
        None => return Ok(()),
    };
    let (then, now) = (without_children(then, closeness), without_children(now, closeness));
    if closeness.repeating.contains(&watcher) {
        // Whether it still lives when it is stopped is a matter of time too.
        let mut now = now;
        let has_kills = then.iter().any(|one| one.action == "kill");
        now.retain(|one| has_kills || one.action != "kill");
        let (then_words, now_words) = (repeated(&then), repeated(&now));
        return match begins_alike(&then_words, &now_words, loss) {
            true => Ok(()),
            false => Err(format!("{} in place of {}", now_words.concat(), then_words.concat())),
        };
    }
    let is_mixed = closeness.mixed.contains(&watcher);
    let (then, now) = (sorted(then, is_mixed), sorted(now, is_mixed));
    for (number, (then, now)) in then.iter().zip(&now).enumerate() {
        if then.action != now.action {
            let what = format!("{} in place of {}", now.action, then.action);
            return Err(format!("number {}: {what}", number + 1));
        }
        compare(&then.fields, &now.fields, pids)
            .map_err(|error| format!("number {}, {}{error}", number + 1, then.action))?;
    }
    let ends = |from: &[Publication], at: usize| words(from.get(at..).unwrap_or_default());
    if now.len() < then.len() && loss == Loss::InRecord {
        return Err(format!("not published: {}", ends(&then, now.len())));
    }
    let extra = now.get(then.len()..).unwrap_or_default();
    let is_end = |one: &Publication| matches!(&*one.action, "kill" | "reap" | "stop");
    match loss == Loss::All || extra.iter().all(is_end) {
        true => Ok(()),
        false => Err(format!("published too: {}", ends(&now, then.len()))),
    }
}

fn begins_alike(then: &[String], now: &[String], loss: Loss) -> bool {
    let count = then.len().min(now.len());
    then[..count] == now[..count] && (now.len() >= then.len() || loss != Loss::InRecord)
}

/// Their actions.
pub fn words(list: &[Publication]) -> String {
    let words: Vec<&str> = list.iter().map(|one| &*one.action).collect();
    words.join(" ")
}

/// What was published about the watcher, and between these marks the kinds of what was published
/// about its processes.
fn repeated(list: &[Publication]) -> Vec<String> {
    let mut result = Vec::new();
    let mut kinds = BTreeSet::new();
    for publication in list {
        if is_mark(publication) {
            let kinds: Vec<String> = std::mem::take(&mut kinds).into_iter().collect();
            result.push(format!("{{{}}} {} ", kinds.join(" "), publication.action));
        } else {
            kinds.insert(publication.action.clone());
        }
    }
    result
}

/// In an order that does not depend on accidents.
fn sorted(mut list: Vec<Publication>, is_mixed: bool) -> Vec<Publication> {
    let mut start = 0;
    while start < list.len() {
        let kind = kind(&list[start], is_mixed);
        let same = list[start..].iter().take_while(|one| self::kind(one, is_mixed) == kind);
        let end = start + same.count();
        let run = &mut list[start..end];
        match kind {
            Kind::Mark => {}
            Kind::Process => run.sort_by_key(Publication::pid),
            Kind::Kill => run.sort_by_key(Publication::pid),
            // The dead first.
            Kind::Change => run.sort_by_key(|one| (one.action == "spawn", one.pid())),
        }
        start = end;
    }
    list
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mark,
    Kill,
    /// A death or a birth.
    Change,
    /// Any of the two before, where they mix.
    Process,
}

fn kind(publication: &Publication, is_mixed: bool) -> Kind {
    match &*publication.action {
        "kill" | "reap" | "spawn" if is_mixed => Kind::Process,
        "kill" => Kind::Kill,
        "reap" | "spawn" => Kind::Change,
        _ => Kind::Mark,
    }
}

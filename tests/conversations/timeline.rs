//! What is to be published, in its order: what was recorded, and what is listed in its place.

use crate::compare::{ANY_PID, ANYTHING};
use crate::differences::{MIXED, WINDOWS};
use crate::json::Json;
use crate::publications;
use crate::record::{Exchange, Heard, Publication, Sent, Step};
use crate::replay::Replay;

impl Replay<'_> {
    /// What will be published from the first request on.
    pub fn expected_publications(&mut self) -> Vec<Publication> {
        let mut result: Vec<(Publication, Option<String>)> = Vec::new();
        let mut after: Option<String> = None;
        // Whose publications were those of a request that is not made.
        let mut skipped: Option<String> = None;
        let mut started_at = 0.0;
        for step in &self.steps {
            match step {
                Step::Note(_) => {}
                Step::Exchange(exchange) => {
                    if let (None, Some(Heard::Reply(reply))) = (&after, &exchange.reply) {
                        started_at = reply.get("time").float().unwrap_or(0.0) - exchange.took;
                    }
                    after = Some(exchange.label.clone());
                    skipped = self.skipped(exchange).and_then(|_| named(exchange));
                }
                Step::Publication(one) => {
                    let is_of_start = after.is_none() || one.time() < started_at;
                    let is_absent = self.plan.absent.contains(&&*one.watcher);
                    let is_skipped = skipped.as_ref() == Some(&one.watcher);
                    if !is_of_start && !is_skipped && !is_absent {
                        result.push((one.clone(), after.clone()));
                    }
                }
            }
        }
        if self.is_here() {
            return self.with_differences(result);
        }
        let end =
            result.iter().position(|(_, after)| after.as_deref() == Some(self.plan.deaf_after));
        result.truncate(end.unwrap_or(result.len()));
        result.into_iter().map(|(one, _)| one).collect()
    }

    pub fn with_differences(
        &mut self,
        mut result: Vec<(Publication, Option<String>)>,
    ) -> Vec<Publication> {
        let is_ours = |recording: &str| recording == self.plan.name;
        let windows = WINDOWS.iter().filter(|window| is_ours(window.recording));
        for window in windows {
            let is_in = |(one, after): &(Publication, Option<String>)| {
                one.watcher == window.watcher && after.as_deref() == Some(window.after)
            };
            let label_is_here = self.steps.iter().any(
                |step| matches!(step, Step::Exchange(exchange) if exchange.label == window.after),
            );
            if !label_is_here {
                continue;
            }
            let old: Vec<Publication> =
                result.iter().filter(|entry| is_in(entry)).map(|(one, _)| one.clone()).collect();
            let name = format!("{} {} {}", window.recording, window.after, window.watcher);
            if publications::words(&old) != window.circus {
                let words = publications::words(&old);
                self.outcome.problem(format!("listed for {name}, but Circus published {words}"));
                continue;
            }
            let at = self.steps.iter().position(
                |step| matches!(step, Step::Exchange(exchange) if exchange.label == window.after),
            );
            let end_of_window = || {
                let is_last = |(_, after): &(Publication, Option<String>)| {
                    after.as_deref() == Some(window.after)
                };
                let last = result.iter().rposition(is_last).map(|last| last + 1);
                last.unwrap_or_else(|| {
                    result.iter().take_while(|(one, _)| Some(one.at) < at).count()
                })
            };
            let place = result.iter().position(is_in).unwrap_or_else(end_of_window);
            result.retain(|entry| !is_in(entry));
            let mut unused = old.clone();
            for (number, word) in window.here.split_whitespace().enumerate() {
                let (action, pid) = word.split_once('=').unwrap_or((word, ""));
                let found = unused.iter().position(|one| pid.is_empty() && one.action == action);
                let mut one = match found {
                    Some(found) => unused.remove(found),
                    None => new_publication(window.watcher, action, at.unwrap_or(0)),
                };
                if !pid.is_empty() {
                    one.fields.set("process_pid", Json::Number(pid.to_owned()));
                }
                result.insert(place + number, (one, Some(window.after.to_owned())));
            }
            self.outcome.occurred.insert(name);
        }
        let mut result: Vec<Publication> = result.into_iter().map(|(one, _)| one).collect();
        for mixed in MIXED.iter().filter(|mixed| is_ours(mixed.recording)) {
            self.closeness.mixed.insert(mixed.watcher.to_owned());
            self.outcome.occurred.insert(format!("{} {} mixed", mixed.recording, mixed.watcher));
        }
        if publications::add_untold_deaths(&mut result, &self.closeness) {
            self.outcome.occurred.insert("untold deaths".to_owned());
        }
        result
    }
}

/// A listed publication that was not recorded.
fn new_publication(watcher: &str, action: &str, at: usize) -> Publication {
    let mut members = vec![("time".to_owned(), Json::Number("0.5".to_owned()))];
    if matches!(action, "spawn" | "kill" | "reap") {
        members.insert(0, ("process_pid".to_owned(), Json::Number(ANY_PID.to_owned())));
    }
    if action == "reap" {
        members.push(("exit_code".to_owned(), Json::Text(ANYTHING.to_owned())));
    }
    let (watcher, action) = (watcher.to_owned(), action.to_owned());
    Publication { watcher, action, fields: Json::Object(members), at }
}

/// The watcher that a request is about, as topics have it.
fn named(exchange: &Exchange) -> Option<String> {
    let Sent::Json(request) = &exchange.request else { return None };
    let name = request.get("properties").get("name").text()?;
    Some(name.to_lowercase().replace(' ', "_"))
}

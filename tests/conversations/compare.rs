//! Whether two replies are equal, up to what is another at each run: pids, times and figures.

use crate::json::Json;
use std::collections::BTreeMap;

/// Which pid of now is which pid of then.
#[derive(Debug, Default, Clone)]
pub struct Pids {
    now: BTreeMap<i64, i64>,
    then: BTreeMap<i64, i64>,
}

impl Pids {
    /// They are the same process.
    ///
    /// # Errors
    /// One of them is known to be another.
    pub fn pair(&mut self, then: i64, now: i64) -> Result<(), String> {
        if then.to_string() == ANY_PID {
            return Ok(());
        }
        let known_now = *self.now.entry(then).or_insert(now);
        let known_then = *self.then.entry(now).or_insert(then);
        if known_now == now && known_then == then {
            return Ok(());
        }
        if known_then != then {
            // The other half of the pair was news: forget it.
            self.now.retain(|key, value| *key != then || *value != now);
        }
        if known_now != now {
            self.then.retain(|key, value| *key != now || *value != then);
        }
        Err(format!("process {now} is not the one that was {then} (that is {known_now})"))
    }

    /// The pid of now.
    pub fn now(&self, then: i64) -> Option<i64> {
        self.now.get(&then).copied()
    }

    /// Numbers in a text that are pids of then, as pids of now.
    pub fn translate(&self, text: &str) -> String {
        let mut result = String::new();
        let mut digits = String::new();
        for unit in text.chars().chain(['\0']) {
            if unit.is_ascii_digit() {
                digits.push(unit);
                continue;
            }
            let known =
                digits.parse().ok().filter(|then| *then > 99).and_then(|then| self.now(then));
            match known {
                Some(now) => result.push_str(&now.to_string()),
                None => result.push_str(&digits),
            }
            digits.clear();
            result.push(unit);
        }
        result.pop();
        result
    }

    /// A request with the pids of now.
    pub fn translate_request(&self, request: &mut Json) {
        let Some(Json::Object(members)) = request.find_mut("properties") else { return };
        for (name, value) in members {
            if matches!(&**name, "pid" | "childpid" | "process") {
                match value {
                    Json::Number(text) | Json::Text(text) => *text = self.translate(text),
                    _ => {}
                }
            }
        }
    }
}

/// Anything at all may stand here; with words behind it, a text that has them.
pub const ANYTHING: &str = "\u{0}anything";

/// Any pid may stand here.
pub const ANY_PID: &str = "-1";

/// Compare a reply with the recorded one, or with what is expected in its place.
///
/// # Errors
/// Where and how they differ.
pub fn compare(then: &Json, now: &Json, pids: &mut Pids) -> Result<(), String> {
    let mut trial = pids.clone();
    Comparison { pids: &mut trial }.value("", "", then, now)?;
    *pids = trial;
    Ok(())
}

struct Comparison<'a> {
    pids: &'a mut Pids,
}

impl Comparison<'_> {
    fn value(&mut self, place: &str, name: &str, then: &Json, now: &Json) -> Result<(), String> {
        let differ = || Err(format!("{place}: {now} in place of {then}"));
        match (then, now) {
            (Json::Text(text), _) if text == ANYTHING => Ok(()),
            (Json::Text(a), Json::Text(b)) if a.starts_with(ANYTHING) => {
                let is_in = b.contains(&a[ANYTHING.len()..]);
                if is_in { Ok(()) } else { Err(format!("{place}: {b:?} lacks {a:?}")) }
            }
            (Json::Object(then), Json::Object(now)) => self.object(place, name, then, now),
            (Json::List(then), Json::List(now)) => self.list(place, name, then, now),
            (Json::Number(a), Json::Number(b)) => match kind_of_number(name) {
                Figure::Exact => {
                    if a == b {
                        Ok(())
                    } else {
                        differ()
                    }
                }
                Figure::Any => {
                    if a.contains('.') == b.contains('.') {
                        Ok(())
                    } else {
                        differ()
                    }
                }
                Figure::Pid => self.pid(place, a, b),
            },
            (Json::Text(a), Json::Text(b)) => match name {
                "mem_info1" | "mem_info2" if is_size(b) => Ok(()),
                "ctime" if is_processor_time(b) => Ok(()),
                "process" if a.parse::<i64>().is_ok() => self.pid(place, a, b),
                "tb" => Ok(()),
                _ => {
                    if self.pids.translate(a) == *b {
                        Ok(())
                    } else {
                        differ()
                    }
                }
            },
            _ => {
                if then == now {
                    Ok(())
                } else {
                    differ()
                }
            }
        }
    }

    fn pid(&mut self, place: &str, then: &str, now: &str) -> Result<(), String> {
        if then == ANY_PID {
            return Ok(());
        }
        match (then.parse(), now.parse()) {
            (Ok(then), Ok(now)) => {
                self.pids.pair(then, now).map_err(|error| format!("{place}: {error}"))
            }
            _ => Err(format!("{place}: {now} in place of {then}")),
        }
    }

    fn list(&mut self, place: &str, name: &str, then: &[Json], now: &[Json]) -> Result<(), String> {
        if then.len() != now.len() {
            let (then, now) = (Json::List(then.to_vec()), Json::List(now.to_vec()));
            return Err(format!("{place}: {now} in place of {then}"));
        }
        // Processes that were started at once have no order.
        let by_number = |list: &[Json]| {
            let mut list = list.to_vec();
            if name == "pids" {
                list.sort_by_key(Json::integer);
            }
            list
        };
        let (then, now) = (by_number(then), by_number(now));
        let name = match name {
            "pids" | "started" | "stopped" | "kept" => "pid",
            _ => "",
        };
        for (number, (then, now)) in then.iter().zip(&now).enumerate() {
            self.value(&format!("{place}[{number}]"), name, then, now)?;
        }
        Ok(())
    }

    fn object(
        &mut self,
        place: &str,
        name: &str,
        then: &[(String, Json)],
        now: &[(String, Json)],
    ) -> Result<(), String> {
        let keys = |members: &[(String, Json)]| {
            members.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        // Processes by their pids.
        let is_pid = |(key, _): &(String, Json)| key.parse::<i64>().is_ok();
        if then.iter().all(is_pid) && now.iter().all(is_pid) && then.len() == now.len() {
            for ((then_key, then), (now_key, now)) in then.iter().zip(now) {
                self.pid(place, then_key, now_key)?;
                self.value(&format!("{place}.{now_key}"), name, then, now)?;
            }
            return Ok(());
        }
        // Ours may have more behind those of Circus.
        let (then, now) = match then.split_last() {
            Some(((last, _), then)) if last == ANYTHING => {
                (then, &now[..then.len().min(now.len())])
            }
            _ => (then, now),
        };
        if keys(then) != keys(now) {
            return Err(format!("{place}: keys {:?} in place of {:?}", keys(now), keys(then)));
        }
        for ((key, then), (_, now)) in then.iter().zip(now) {
            self.value(&format!("{place}.{key}"), key, then, now)?;
        }
        Ok(())
    }
}

enum Figure {
    Exact,
    /// Another at each run; only whether it has decimals counts.
    Any,
    Pid,
}

fn kind_of_number(name: &str) -> Figure {
    match name {
        "time" | "create_time" | "age" | "cpu" | "mem" | "started" | "fd" => Figure::Any,
        "pid" | "process_pid" | "process" => Figure::Pid,
        _ => Figure::Exact,
    }
}

/// `1.52M` or `123B`.
fn is_size(text: &str) -> bool {
    let Some(unit) = text.chars().last() else { return false };
    let number = &text[..text.len() - unit.len_utf8()];
    match unit {
        'B' => number.parse::<u32>().is_ok(),
        'K' | 'M' | 'G' | 'T' => {
            let decimals = number.split_once('.').map(|(_, decimals)| decimals.len());
            number.parse::<f64>().is_ok() && decimals == Some(2)
        }
        _ => false,
    }
}

/// `0:00.15`.
fn is_processor_time(text: &str) -> bool {
    let Some((minutes, rest)) = text.split_once(':') else { return false };
    let Some((seconds, fraction)) = rest.split_once('.') else { return false };
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    is_number(minutes) && is_number(seconds) && seconds.len() == 2 && is_number(fraction)
}

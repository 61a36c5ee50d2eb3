//! The words after a command, made into the properties of its request, as Circus's client makes
//! them. What is wrong with them is found by `words` before; only values are judged here.

use super::json::Json;
use super::values;
use super::words::Words;
use circus::config::words::{join, split};

/// Properties, or what is wrong.
pub type Properties = Result<Vec<(String, Json)>, String>;

fn properties<const N: usize>(members: [(&str, Json); N]) -> Vec<(String, Json)> {
    members.map(|(name, value)| (name.to_string(), value)).into()
}

/// `name`, if there is a word.
fn named(words: &Words) -> Vec<(String, Json)> {
    words.get(0).map(|name| ("name".to_string(), Json::text(name))).into_iter().collect()
}

fn flag(words: &Words, name: &str) -> Json {
    Json::Bool(words.has(name))
}

fn whole(what: &str, text: &str) -> Result<Json, String> {
    let number = text.trim().parse::<i64>();
    number.map(Json::Whole).map_err(|_| format!("{what} {text:?} is no whole number"))
}

/// Nothing.
pub fn none(_: &Words) -> Properties {
    Ok(Vec::new())
}

/// A name, or none.
pub fn name(words: &Words) -> Properties {
    Ok(named(words))
}

/// `--waiting` alone.
pub fn waiting(words: &Words) -> Properties {
    Ok(properties([("waiting", flag(words, "waiting"))]))
}

/// `add`.
pub fn add(words: &Words) -> Properties {
    let mut found = named(words);
    found.extend(properties([
        ("cmd", Json::text(command_line(&words.all()[1..]))),
        ("start", flag(words, "start")),
    ]));
    if words.has("waiting") {
        found.extend(properties([("waiting", Json::Bool(true))]));
    }
    Ok(found)
}

/// One text, which circusd will make the same words of. A single word is such a text already, as
/// in `add log 'tail -f /var/log/app.log'`.
fn command_line(words: &[String]) -> String {
    if let [text] = words {
        return text.clone();
    }
    // What needs no quotes stays as it is: so it has always been sent.
    let stays = |word: &String| split(word.as_bytes()).is_ok_and(|all| all == [word.as_bytes()]);
    let quoted = |word: &String| match stays(word) {
        true => word.clone(),
        false => join(std::slice::from_ref(word)),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// `incr` and `decr`.
pub fn number(words: &Words) -> Properties {
    let mut found = named(words);
    if let Some(number) = words.get(1) {
        found.push(("nb".to_string(), whole("N", number)?));
    }
    found.extend(waiting(words)?);
    Ok(found)
}

/// `get`.
pub fn get(words: &Words) -> Properties {
    let keys = words.all()[1..].iter().map(Json::text).collect();
    let mut found = named(words);
    found.push(("keys".to_string(), Json::List(keys)));
    Ok(found)
}

/// `globaloptions`.
pub fn option(words: &Words) -> Properties {
    Ok(words.get(0).map(|option| ("option".to_string(), Json::text(option))).into_iter().collect())
}

/// `kill`.
pub fn kill(words: &Words) -> Properties {
    let mut found = named(words);
    if let Some(pid) = words.get(1) {
        found.push(("pid".to_string(), whole("PID", pid)?));
    }
    if let Some(signal) = words.value("signum") {
        found.push(("signum".to_string(), Json::text(signal)));
    }
    if let Some(text) = words.value("graceful_timeout") {
        let seconds = text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let seconds = seconds
            .ok_or_else(|| format!("--graceful_timeout {text:?} is no number of seconds"))?;
        found.push(("graceful_timeout".to_string(), Json::Float(seconds)));
    }
    if words.has("waiting") {
        found.extend(waiting(words)?);
    }
    Ok(found)
}

/// `reload`.
pub fn reload(words: &Words) -> Properties {
    // Circus takes both and forgets the first.
    if words.has("sequential") && words.has("terminate") {
        return Err(
            "reload: --sequential replaces one process after the other, --terminate stops \
                    all of them first: give one of the two"
                .to_string(),
        );
    }
    let mut found = named(words);
    found.extend(properties([
        ("graceful", Json::Bool(!words.has("terminate"))),
        ("waiting", flag(words, "waiting")),
        ("sequential", flag(words, "sequential")),
    ]));
    Ok(found)
}

/// `rm`.
pub fn rm(words: &Words) -> Properties {
    let mut found = named(words);
    for option in ["nostop", "waiting"] {
        if words.has(option) {
            found.push((option.to_string(), Json::Bool(true)));
        }
    }
    Ok(found)
}

/// `set`. Equal keys: the last one wins, but environments are joined.
pub fn set(words: &Words) -> Properties {
    let pairs = &words.all()[1..];
    if !pairs.len().is_multiple_of(2) {
        return Err(format!("set: the option {:?} has no value", pairs[pairs.len() - 1]));
    }
    let mut options: Vec<(String, Json)> = Vec::new();
    for pair in pairs.chunks_exact(2) {
        let key = pair[0].to_lowercase();
        let value = values::value(&key, &pair[1])?;
        match options.iter_mut().find(|(known, _)| *known == key) {
            Some((_, Json::Object(known))) => known.extend(value.members().iter().cloned()),
            Some((_, known)) => *known = value,
            None => options.push((key, value)),
        }
    }
    let mut found = named(words);
    if words.has("waiting") {
        found.extend(waiting(words)?);
    }
    found.push(("options".to_string(), Json::Object(options)));
    Ok(found)
}

/// `signal`: the signal is the last word.
pub fn signal(words: &Words) -> Properties {
    let all = words.all();
    let mut found = named(words);
    found.extend(properties([
        ("children", flag(words, "children")),
        ("recursive", flag(words, "recursive")),
        ("signum", Json::text(&all[all.len() - 1])),
    ]));
    if all.len() == 3 {
        found.push(("pid".to_string(), whole("PID", &all[1])?));
    }
    Ok(found)
}

/// `start`, `stop` and `restart`.
pub fn select(words: &Words) -> Properties {
    let mut found = named(words);
    found.extend(properties([
        ("waiting", flag(words, "waiting")),
        ("match", Json::text(words.value("match").unwrap_or("glob"))),
    ]));
    if words.has("with-dependants") {
        found.push(("dependants".to_string(), Json::Bool(true)));
    }
    Ok(found)
}

/// `stats`.
pub fn stats(words: &Words) -> Properties {
    let mut found = named(words);
    if let Some(pid) = words.get(1) {
        found.push(("process".to_string(), whole("PID", pid)?));
    }
    found.push(("extended".to_string(), flag(words, "extended")));
    Ok(found)
}

//! `health`: whether every watcher is as it should be, in words and as an exit code.

use super::detail::Watcher;

/// The word on all of them, and whether all is well.
pub fn judge(watchers: &[Watcher<'_>]) -> (String, bool) {
    let ill: Vec<String> =
        watchers.iter().filter(|watcher| !watcher.healthy).map(complaint).collect();
    if !ill.is_empty() {
        return (ill.join("\n"), false);
    }
    let text = match watchers {
        [watcher] => format!("{}: healthy", watcher.name),
        _ => format!("healthy: all {} watchers", watchers.len()),
    };
    (text, true)
}

/// What is wrong with one.
fn complaint(watcher: &Watcher<'_>) -> String {
    let mut parts = vec![watcher.state()];
    if watcher.is_group() {
        parts.push(format!("{} processes", watcher.count()));
    }
    if watcher.restarts > 0 {
        parts.push(format!("{} restarts", watcher.restarts));
    }
    let death = watcher.death();
    if !death.is_empty() {
        parts.push(format!("last death: {death}"));
    }
    format!("{}: {}", watcher.name, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::detail;
    use super::super::json::Json;
    use super::*;

    fn watcher(name: &str, healthy: bool) -> String {
        format!(
            r#"{{"name": "{name}", "status": "starting", "healthy": {healthy}, "note": "",
                "numprocesses": 4, "processes": [], "restarts": 2,
                "last_death": {{"reason": "exit code 1", "seconds_ago": 12}}}}"#
        )
    }

    fn judged(watchers: &[String]) -> (String, bool) {
        let reply = format!(r#"{{"watchers": [{}]}}"#, watchers.join(", "));
        let reply = Json::read(reply.as_bytes()).expect("JSON");
        judge(&detail::watchers(&reply).expect("details"))
    }

    #[test]
    fn one_that_is_not_well_makes_all_unwell_and_is_named() {
        let (text, healthy) = judged(&[watcher("web", false), watcher("db", true)]);
        assert!(!healthy);
        let expected =
            "web: starting, 0 of 4 processes, 2 restarts, last death: exit code 1, 12s ago";
        assert_eq!(text, expected);
    }

    #[test]
    fn all_well_is_one_line() {
        assert_eq!(judged(&[watcher("db", true)]), ("db: healthy".to_string(), true));
        let all = judged(&[watcher("web", true), watcher("db", true)]);
        assert_eq!(all, ("healthy: all 2 watchers".to_string(), true));
        assert!(judged(&[]).1);
    }
}

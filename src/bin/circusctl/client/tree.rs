//! `tree`: who waits for whom. Below each watcher stands what it waits for before it starts; the
//! first lines are those that nobody waits for.

use super::detail::{Mood, Watcher};
use super::output::{Output, Paint, printable};
use super::table::paint;
use std::collections::BTreeMap;

/// What the lines are drawn with.
struct Pencil {
    branch: &'static str,
    last: &'static str,
    through: &'static str,
    /// By mood: good, neutral, on its way, bad.
    marks: [char; 4],
}

const LINES: Pencil =
    Pencil {
        branch: "├─ ", last: "└─ ", through: "│  ", marks: ['✓', '○', '…', '✗']
    };
const ASCII: Pencil =
    Pencil { branch: "|- ", last: "`- ", through: "|  ", marks: ['+', '-', '~', '!'] };

/// A line that is still to be drawn.
struct Todo<'a> {
    name: &'a str,
    gate: &'a str,
    /// What stands before it, and before all that stands below it.
    before: String,
    below: String,
}

/// The lines.
pub fn draw(watchers: &[Watcher<'_>], output: &Output) -> String {
    let pencil = if output.utf8 { LINES } else { ASCII };
    // Without regard to case, as circusd looks names up.
    let numbers: BTreeMap<String, usize> = watchers.iter().map(key).zip(0..).collect();
    let find = |name: &str| numbers.get(&name.to_lowercase()).copied();
    let mut is_needed = vec![false; watchers.len()];
    for (name, _) in watchers.iter().flat_map(|watcher| &watcher.depends_on) {
        if let Some(number) = find(name) {
            is_needed[number] = true;
        }
    }
    let tops = (0..watchers.len()).filter(|number| !is_needed[*number]);
    // A circle has no top; circusd has none, but nothing is to be missing here.
    let circles = (0..watchers.len()).filter(|number| is_needed[*number]);
    let mut is_drawn = vec![false; watchers.len()];
    let mut lines = Vec::new();
    for top in tops.chain(circles) {
        if is_drawn[top] {
            continue;
        }
        let nothing = String::new;
        let first =
            Todo { name: watchers[top].name, gate: "", before: nothing(), below: nothing() };
        let mut todo = vec![first];
        while let Some(Todo { name, gate, before, below }) = todo.pop() {
            let found = find(name);
            let is_again =
                found.is_some_and(|number| std::mem::replace(&mut is_drawn[number], true));
            let watcher = found.map(|number| &watchers[number]);
            lines.push(format!("{before}{}", line(name, gate, watcher, is_again, &pencil, output)));
            let needs =
                watcher.filter(|_| !is_again).map_or(&[][..], |watcher| &watcher.depends_on);
            for (number, (name, gate)) in needs.iter().enumerate().rev() {
                let (corner, beside) = match number + 1 == needs.len() {
                    true => (pencil.last, "   "),
                    false => (pencil.branch, pencil.through),
                };
                let (before, below) = (format!("{below}{corner}"), format!("{below}{beside}"));
                todo.push(Todo { name, gate, before, below });
            }
        }
    }
    lines.join("\n")
}

fn key(watcher: &Watcher<'_>) -> String {
    watcher.name.to_lowercase()
}

/// One watcher: its mark, name, what is waited for, state, and what it says.
fn line(
    name: &str,
    gate: &str,
    watcher: Option<&Watcher<'_>>,
    is_again: bool,
    pencil: &Pencil,
    output: &Output,
) -> String {
    // To be ready, or completed, is what is waited for where nothing else is written.
    let gate = if gate == "started" { ":started" } else { "" };
    let Some(watcher) = watcher else {
        let mark = pencil.marks[1];
        return printable(&format!("{mark} {name}{gate}  not there, not waited for"));
    };
    let mood = watcher.mood();
    let colour = if output.colour { paint(mood) } else { Paint::Plain };
    let mark = pencil.marks[match mood {
        Mood::Good => 0,
        Mood::Neutral => 1,
        Mood::OnItsWay => 2,
        Mood::Bad => 3,
    }];
    let (name, mut more) = (printable(watcher.name), String::new());
    if is_again && !watcher.depends_on.is_empty() {
        more.push_str(", see above");
    } else if watcher.is_group() {
        more.push_str(&format!(", {} processes", watcher.count()));
    } else if !watcher.says().is_empty() {
        more.push_str(&format!(": {}", watcher.says()));
    }
    let (begin, state, end) = (colour.begin(), printable(&watcher.state()), colour.end());
    format!("{begin}{mark}{end} {name}{gate}  {begin}{state}{end}{}", printable(&more))
}

#[cfg(test)]
mod tests {
    use super::super::detail;
    use super::super::json::Json;
    use super::*;

    fn watcher(name: &str, status: &str, healthy: bool, note: &str, needs: &[&str]) -> String {
        format!(
            r#"{{"name": "{name}", "status": "{status}", "healthy": {healthy}, "note": "{note}",
                "hopeless": {}, "numprocesses": 1, "processes": [], "restarts": 0, "last_death": null,
                "depends_on": {needs:?}}}"#,
            note.contains(", which ")
        )
    }

    fn drawn(watchers: &[String], utf8: bool, colour: bool) -> String {
        let reply = format!(r#"{{"watchers": [{}]}}"#, watchers.join(", "));
        let reply = Json::read(reply.as_bytes()).expect("JSON");
        let output = Output { terminal: true, colour, utf8, width: None };
        draw(&detail::watchers(&reply).expect("details"), &output)
    }

    fn example() -> Vec<String> {
        let waits = "waiting for cache, which is stopped";
        vec![
            watcher("cron", "stopped", true, "", &[]),
            watcher("db", "active", true, "", &["migrate:completed"]),
            watcher("migrate", "completed", true, "", &[]),
            watcher("cache", "starting", false, "not ready", &["gone:ready"]),
            watcher("Web", "active", true, "", &["DB:ready", "cache:started"]),
            watcher(
                "a:b",
                "stopped",
                false,
                waits,
                &["cache:ready", "db:ready", "migrate:completed"],
            ),
        ]
    }

    #[test]
    fn below_a_watcher_stands_what_it_waits_for() {
        let expected = "\
○ cron  stopped
✓ Web  active
├─ ✓ db  active
│  └─ ✓ migrate  completed
└─ … cache:started  starting (not ready)
   └─ ○ gone  not there, not waited for
✗ a:b  stopped (waiting for cache, which is stopped)
├─ … cache  starting (not ready), see above
├─ ✓ db  active, see above
└─ ✓ migrate  completed";
        assert_eq!(drawn(&example(), true, false), expected);
    }

    #[test]
    fn where_the_locale_is_not_utf_8_ascii_does() {
        let text = drawn(&example(), false, false);
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("\n|- + db  active\n|  `- + migrate  completed\n"), "{text}");
    }

    #[test]
    fn marks_and_states_are_coloured() {
        let text = drawn(&example(), true, true);
        let web = "\u{1b}[32m✓\u{1b}[0m Web  \u{1b}[32mactive\u{1b}[0m";
        let bad = "\u{1b}[31m✗\u{1b}[0m a:b  \u{1b}[31mstopped";
        assert!(text.contains(web) && text.contains(bad), "{text}");
    }

    #[test]
    fn a_name_does_not_move_the_terminal() {
        let text =
            drawn(&[watcher("\\u001b[2J", "active", true, "", &["\\u001b[1m:ready"])], true, false);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn circles_come_to_an_end() {
        let circle = [
            watcher("a", "active", true, "", &["b:ready"]),
            watcher("b", "active", true, "", &["a:ready"]),
            watcher("c", "active", true, "", &["c:ready"]),
        ];
        let expected = "\
✓ a  active
└─ ✓ b  active
   └─ ✓ a  active, see above
✓ c  active
└─ ✓ c  active, see above";
        assert_eq!(drawn(&circle, true, false), expected);
    }

    #[test]
    fn a_thousand_watchers_have_a_line_each_and_one_for_each_further_dependency() {
        let chain: Vec<String> = (0..1000)
            .map(|number| match number {
                0 => watcher("w0", "active", true, "", &[]),
                _ => watcher(
                    &format!("w{number}"),
                    "active",
                    true,
                    "",
                    &[&format!("w{}:ready", number - 1)],
                ),
            })
            .collect();
        assert_eq!(drawn(&chain, true, false).lines().count(), 1000);
        // Each needs the ten before it.
        let dense: Vec<String> = (0..1000usize)
            .map(|number| {
                let needs: Vec<String> =
                    (number.saturating_sub(10)..number).map(|on| format!("w{on}:ready")).collect();
                let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
                watcher(&format!("w{number}"), "active", true, "", &needs)
            })
            .collect();
        assert_eq!(drawn(&dense, true, false).lines().count(), 1 + 10 * 1000 - 55);
    }
}

//! `status` for people: a table with what runs, since when, how often it was started again, and
//! why it died last, and what it says of itself. Only the last column is cut if the terminal is too
//! narrow.

use super::detail::{Mood, Watcher};
use super::output::{Paint, printable};
use std::borrow::Cow;

const HEADINGS: [&str; COLUMNS] =
    ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "LAST DEATH", "SAYS"];
const COLUMNS: usize = 7;
/// Which one is coloured.
const STATE: usize = 1;

struct Line {
    cells: [String; COLUMNS],
    paint: Paint,
}

impl Line {
    /// Nothing in it reaches the terminal but what can be seen.
    fn new(cells: [String; COLUMNS], paint: Paint) -> Line {
        let clean = |cell: String| {
            if cell.contains(char::is_control) { printable(&cell) } else { cell }
        };
        Line { cells: cells.map(clean), paint }
    }
}

/// The lines of the table. `width`: of the terminal. `colour`: whether to colour states.
pub fn status(watchers: &[Watcher<'_>], width: Option<usize>, colour: bool) -> String {
    let mut lines = vec![Line { cells: HEADINGS.map(str::to_string), paint: Paint::Plain }];
    for watcher in watchers {
        push_watcher(&mut lines, watcher);
    }
    // Few processes say anything of themselves.
    let says = lines.iter().skip(1).any(|line| !line.cells[COLUMNS - 1].is_empty());
    let columns = if says { COLUMNS } else { COLUMNS - 1 };
    let mut widths = [0; COLUMNS];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(&line.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        out.push_str(if number > 0 { "\n" } else { "" });
        write_line(&mut out, line, &widths[..columns], width, colour);
    }
    out
}

fn push_watcher(lines: &mut Vec<Line>, watcher: &Watcher<'_>) {
    let (pid, time) = match &watcher.processes[..] {
        _ if watcher.is_group() => (watcher.count(), String::new()),
        [process] => (process.pid(), process.time()),
        _ => ("-".to_string(), "-".to_string()),
    };
    let cells = [
        watcher.name.to_string(),
        watcher.state(),
        pid,
        time,
        watcher.restarts.to_string(),
        watcher.death(),
        watcher.says().to_string(),
    ];
    lines.push(Line::new(cells, paint(watcher.mood())));
    if !watcher.is_group() {
        return;
    }
    for process in &watcher.processes {
        let cells = [
            format!("{}.{}", watcher.name, process.wid),
            process.state.to_string(),
            process.pid(),
            process.time(),
            process.restarts.to_string(),
            String::new(),
            process.says.to_string(),
        ];
        lines.push(Line::new(cells, paint(process.mood())));
    }
}

/// The colour of a mood.
pub fn paint(mood: Mood) -> Paint {
    match mood {
        Mood::Good => Paint::Green,
        Mood::Neutral => Paint::Plain,
        Mood::OnItsWay => Paint::Yellow,
        Mood::Bad => Paint::Red,
    }
}

fn write_line(out: &mut String, line: &Line, widths: &[usize], width: Option<usize>, colour: bool) {
    let end = widths.len() - 1;
    let used: usize = widths[..end].iter().map(|width| width + 2).sum();
    let cells = &line.cells[..=end];
    let last = cells.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
    for (column, cell) in cells.iter().enumerate().take(last + 1) {
        let room = width.filter(|_| column == end).map(|width| width.saturating_sub(used));
        let cell = cut(cell, room);
        let padding = widths[column].saturating_sub(cell.chars().count()) + 2;
        let paint = if colour && column == STATE { line.paint } else { Paint::Plain };
        out.push_str(paint.begin());
        out.push_str(&cell);
        out.push_str(paint.end());
        if column < last {
            out.extend(std::iter::repeat_n(' ', padding));
        }
    }
}

/// No longer than there is room; a few letters are left in any case.
fn cut(text: &str, room: Option<usize>) -> Cow<'_, str> {
    match room.map(|room| room.max(10)) {
        Some(room) if text.chars().count() > room => {
            text.chars().take(room - 1).chain(['…']).collect()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::detail;
    use super::super::json::Json;
    use super::*;

    const REPLY: &str = r#"{"status": "ok", "statuses": {}, "watchers": [
        {"name": "migrate", "status": "completed", "healthy": true, "note": "", "numprocesses": 1,
         "processes": [], "restarts": 0, "last_death": null},
        {"name": "Web", "status": "active", "healthy": true, "note": "", "numprocesses": 2,
         "processes": [{"wid": 1, "pid": 31, "state": "running", "seconds": 273600.5, "restarts": 1},
                       {"wid": 2, "pid": 7, "state": "stopping", "seconds": 61, "restarts": 0}],
         "restarts": 1, "last_death": {"reason": "exit code 3", "seconds_ago": 250.2}},
        {"name": "db", "status": "active", "healthy": false, "note": "", "numprocesses": 1,
         "processes": [{"wid": 1, "pid": null, "state": "waiting", "seconds": 4.2, "restarts": 9}],
         "restarts": 9, "last_death": {"reason": "killed by SIGSEGV\u001b[2J", "seconds_ago": 1}},
        {"name": "job", "status": "stopped", "healthy": false, "note": "failed", "numprocesses": 1,
         "processes": [], "restarts": 0, "last_death": null}]}"#;

    fn table(width: Option<usize>, colour: bool) -> String {
        let reply = Json::read(REPLY.as_bytes()).expect("JSON");
        status(&detail::watchers(&reply).expect("details"), width, colour)
    }

    #[test]
    fn each_watcher_has_a_line_and_each_of_several_processes_too() {
        let expected = "\
NAME     STATE             PID     UPTIME  RESTARTS  LAST DEATH
migrate  completed         -       -       0
Web      active            2 of 2          1         exit code 3, 4m 10s ago
Web.1    running           31      3d 4h   1
Web.2    stopping          7       1m 1s   0
db       waiting           -       in 4s   9         killed by SIGSEGV\u{fffd}[2J, 1s ago
job      stopped (failed)  -       -       0";
        assert_eq!(table(None, false), expected);
    }

    #[test]
    fn what_a_process_says_and_how_a_oneshot_ended_is_shown() {
        let process = |wid: u32, state: &str, says: &str| {
            format!(
                r#"{{"wid": {wid}, "pid": 31, "state": "{state}", "seconds": 5, "restarts": 0,
                    "says": "{says}"}}"#
            )
        };
        let watcher = |name: &str, status: &str, note: &str, processes: &str, more: &str| {
            format!(
                r#"{{"name": "{name}", "status": "{status}", "healthy": true, "note": "{note}",
                    "numprocesses": 1, "processes": [{processes}], "restarts": 0, {more}}}"#
            )
        };
        let death = |ago: u32| {
            format!(r#""last_death": {{"reason": "out of memory", "seconds_ago": {ago}}}"#)
        };
        let exit = r#""last_exit": {"code": 0, "seconds_ago": 12.5}"#;
        let null = r#""last_death": null"#;
        let killed = r#""last_exit": {"signal": "SIGKILL", "seconds_ago": 12}"#;
        let two = [process(1, "running", "warm"), process(2, "reloading", "")].join(",");
        let reply = format!(
            r#"{{"watchers": [{}]}}"#,
            [
                watcher("db", "active", "", &process(1, "running", "5 clients\\u001b[2J"), null),
                watcher("web", "active", "", &two, null),
                watcher("once", "completed", "", "", &format!("{null}, {exit}")),
                watcher("again", "completed", "", "", &format!("{}, {exit}", death(60))),
                watcher("bad", "stopped", "failed", "", &format!("{}, {killed}", death(12))),
            ]
            .join(",")
        );
        let reply = Json::read(reply.as_bytes()).expect("JSON");
        let expected = "\
NAME   STATE             PID     UPTIME  RESTARTS  LAST DEATH              SAYS
db     active            31      5s      0                                 5 clients\u{fffd}[2J
web    active            2 of 1          0
web.1  running           31      5s      0                                 warm
web.2  reloading         31      5s      0
once   completed         -       -       0         exit code 0, 12s ago
again  completed         -       -       0         exit code 0, 12s ago
bad    stopped (failed)  -       -       0         out of memory, 12s ago";
        let table = status(&detail::watchers(&reply).expect("details"), None, false);
        assert_eq!(table, expected);
    }

    #[test]
    fn a_narrow_terminal_cuts_the_last_column_only() {
        let table = table(Some(70), false);
        assert!(table.contains("exit code 3, 4m …"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 70), "{table}");
    }

    #[test]
    fn states_are_coloured() {
        let table = table(None, true);
        assert!(table.contains("\u{1b}[32mactive\u{1b}[0m            2 of 2"), "{table}");
        assert!(table.contains("\u{1b}[31mwaiting\u{1b}[0m"), "{table}");
        assert!(table.contains("\u{1b}[33mstopping\u{1b}[0m"), "{table}");
        assert!(table.contains("\u{1b}[31mstopped (failed)\u{1b}[0m"), "{table}");
    }

    #[test]
    fn a_thousand_processes_make_a_thousand_lines() {
        let process = r#"{"wid": 1, "pid": 31, "state": "running", "seconds": 5, "restarts": 1}"#;
        let reply = format!(
            r#"{{"watchers": [{{"name": "web", "status": "active", "healthy": true, "note": "",
                "numprocesses": 1000, "processes": [{}], "restarts": 0, "last_death": null}}]}}"#,
            vec![process; 1000].join(",")
        );
        let reply = Json::read(reply.as_bytes()).expect("JSON");
        let table = status(&detail::watchers(&reply).expect("details"), None, false);
        assert_eq!(table.lines().count(), 1002);
    }
}

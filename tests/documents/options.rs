//! The options that the page on watchers lists are the table's.

use circus::config::options::{CIRCUS, SOCKET, Support, WATCHER};
use std::fs;

/// The lines for the options that do something.
fn table<'a>(rows: impl Iterator<Item = (&'a str, &'a str, Support, &'a str)>) -> String {
    let lines: Vec<String> = rows
        .filter(|(_, _, support, _)| *support == Support::Full)
        .map(|(name, default, _, help)| format!("| `{name}` | {default} | {help} |"))
        .collect();
    lines.join("\n")
}

#[track_caller]
fn lists(page: &str, table: &str) {
    let path = format!("{}/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("the page");
    for line in table.lines() {
        assert!(text.contains(line), "{page} lacks the line\n{line}\nall of them:\n{table}");
    }
}

#[test]
fn the_page_on_watchers_lists_every_option_with_its_default() {
    let page = "docs/watchers.md";
    lists(page, &table(WATCHER.iter().map(|row| (row.name, row.default, row.support, row.help))));
    lists(page, &table(CIRCUS.iter().map(|row| (row.name, row.default, row.support, row.help))));
}

#[test]
fn the_page_on_sockets_lists_every_option_with_its_default() {
    let rows = SOCKET.iter().map(|row| (row.name, row.default, row.support, row.help));
    lists("docs/sockets.md", &table(rows));
}

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

#[test]
fn the_page_on_watchers_lists_every_option_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/watchers.md");
    let page = fs::read_to_string(path).expect("the page");
    let tables = [
        table(WATCHER.iter().map(|row| (row.name, row.default, row.support, row.help))),
        table(CIRCUS.iter().map(|row| (row.name, row.default, row.support, row.help))),
    ];
    for table in tables {
        for line in table.lines() {
            assert!(
                page.contains(line),
                "docs/watchers.md lacks the line\n{line}\nall of them:\n{table}"
            );
        }
    }
}

#[test]
fn the_page_on_sockets_lists_every_option_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sockets.md");
    let page = fs::read_to_string(path).expect("the page");
    let table = table(SOCKET.iter().map(|row| (row.name, row.default, row.support, row.help)));
    assert!(page.contains(&table), "docs/sockets.md lacks\n{table}");
}

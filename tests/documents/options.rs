//! The options that the pages on watchers and logs list are the table's.

use circus::config::options::{CIRCUS, STREAM, Support, WATCHER};
use std::fs;

/// The lines for the options that do something.
fn table<'a>(rows: impl Iterator<Item = (&'a str, &'a str, Support, &'a str)>) -> String {
    let lines: Vec<String> = rows
        .filter(|(_, _, support, _)| *support == Support::Full)
        .map(|(name, default, _, help)| format!("| `{name}` | {default} | {help} |"))
        .collect();
    lines.join("\n")
}

fn assert_lists(page: &str, tables: &[String]) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/").to_owned() + page;
    let text = fs::read_to_string(path).expect("the page");
    for table in tables {
        for line in table.lines() {
            assert!(
                text.contains(line),
                "docs/{page} lacks the line\n{line}\nall of them:\n{table}"
            );
        }
    }
}

#[test]
fn the_page_on_watchers_lists_every_option_with_its_default() {
    let tables = [
        table(WATCHER.iter().map(|row| (row.name, row.default, row.support, row.help))),
        table(CIRCUS.iter().map(|row| (row.name, row.default, row.support, row.help))),
    ];
    assert_lists("watchers.md", &tables);
}

#[test]
fn the_page_on_logs_lists_every_option_of_a_stream() {
    let streams = STREAM.iter().map(|row| (row.name, row.default, row.support, row.help));
    assert_lists("logs.md", &[table(streams)]);
}

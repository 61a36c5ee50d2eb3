//! `logs`: what processes have printed, as far as circusd captures it, and what they print from now on.
//! We ask for what comes after the last line that we know, so a client that is slow costs circusd nothing:
//! it misses lines, and is told how many.

use super::daemon::{self, Daemon};
use super::failure::Failure;
use super::json::Json;
use super::output::{Output, Paint, printable};
use super::row::{Flag, switch};
use super::words::{Options, Words};
use circus::sys::clock;
use std::io::Write;
use std::time::Duration;

/// Between two questions while nothing comes.
const PAUSE: Duration = Duration::from_millis(200);

/// So many lines are asked for at once while following.
const LINES_AT_ONCE: i64 = 1000;

/// Its options.
pub const FLAGS: &[Flag] = &[
    Flag { name: "follow", short: Some('f'), value: None, help: "go on until Ctrl-C" },
    Flag {
        name: "lines",
        short: Some('n'),
        value: Some("N"),
        help: "so many at first: 10 unless given",
    },
    Flag {
        name: "since",
        short: None,
        value: Some("AGO"),
        help: "only lines that are no older: 30s, 10m, 2h",
    },
    switch("stdout", "only standard output"),
    switch("stderr", "only standard error"),
];

/// Print them until there are no more, or with `--follow` until Ctrl-C.
pub fn run(
    daemon: &Daemon<'_>,
    options: &Options,
    words: &Words,
    output: &Output,
) -> Result<(), Failure> {
    let base = base(words)?;
    let mut properties = base.clone();
    properties.push(("lines".to_string(), Json::Whole(number(words)?)));
    if let Some(since) = words.value("since") {
        properties.push(("since".to_string(), Json::Whole(since_seconds(since)?)));
    }
    let mut reply = daemon.ask("logs", properties)?;
    loop {
        let missed = show(&reply, options, words, output)?;
        let last = reply.get("last").and_then(Json::as_number).unwrap_or_default() as i64;
        let more = reply.get("more").and_then(Json::as_bool).unwrap_or_default();
        if missed > 0 {
            // What was not in memory any more at the beginning is nobody's loss.
            let text =
                format!("({missed} lines are missing here: they came faster than they were read)");
            let _ = writeln!(std::io::stderr(), "{text}");
        }
        if !more && !words.has("follow") {
            return Ok(());
        }
        if !more {
            daemon::wait_for_interrupt(daemon, PAUSE)?;
        }
        let mut properties = base.clone();
        properties.push(("lines".to_string(), Json::Whole(LINES_AT_ONCE)));
        properties.push(("after".to_string(), Json::Whole(last)));
        reply = daemon.ask("logs", properties)?;
    }
}

fn base(words: &Words) -> Result<Vec<(String, Json)>, Failure> {
    let mut properties = Vec::new();
    if let Some(name) = words.get(0) {
        properties.push(("name".to_string(), Json::text(name)));
    }
    match (words.has("stdout"), words.has("stderr")) {
        (true, false) => properties.push(("stream".to_string(), Json::text("stdout"))),
        (false, true) => properties.push(("stream".to_string(), Json::text("stderr"))),
        (false, false) => {}
        (true, true) => {
            return Err(Failure::Usage("--stdout and --stderr exclude each other".to_string()));
        }
    }
    Ok(properties)
}

fn number(words: &Words) -> Result<i64, Failure> {
    let usual = if words.has("since") { i64::from(u32::MAX) } else { 10 };
    let Some(text) = words.value("lines") else { return Ok(usual) };
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| Failure::Usage(format!("--lines {text:?}: use a number, such as 100")))
}

/// `90`, `90s`, `10m`, `2h` or `1d` ago, as wall time.
fn since_seconds(text: &str) -> Result<i64, Failure> {
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let unit = match &text[digits.len()..] {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    match (digits.parse::<i64>().ok().filter(|count| (0..=1_000_000).contains(count)), unit) {
        (Some(count), Some(unit)) => Ok((clock::wall().0 - count * unit).max(0)),
        (_, _) => {
            let text = format!("--since {text:?}: say how long ago, such as 30s, 10m or 2h");
            Err(Failure::Usage(text))
        }
    }
}

/// Print the lines of a reply. Returns how many are missing before them.
fn show(reply: &Json, options: &Options, words: &Words, output: &Output) -> Result<i64, Failure> {
    let lines = reply.get("lines").map_or(&[][..], Json::items);
    let mut text = Vec::with_capacity(lines.len());
    for line in lines {
        text.push(if options.json || options.prettify { line.line() } else { shown(line, output) });
    }
    if !text.is_empty() {
        output.print(&text.join("\n"))?;
    }
    let follows = words.has("follow");
    let missed = reply.get("missed").and_then(Json::as_number).unwrap_or_default() as i64;
    Ok(if follows { missed } else { 0 })
}

/// When, who and what; what came by stderr is red where there are colours.
fn shown(line: &Json, output: &Output) -> String {
    let text = |name: &str| line.get(name).and_then(Json::as_text).unwrap_or_default();
    let number = |name: &str| line.get(name).and_then(Json::as_number).unwrap_or_default();
    let time = number("time");
    let clock = clock::format(time as i64, c"%H:%M:%S", false);
    let ms = (time.fract() * 1000.0) as u32;
    let who = printable(&format!("{}.{}", text("watcher"), number("wid") as u64));
    let is_red = output.colour && text("stream") == "stderr";
    let paint = if is_red { Paint::Red } else { Paint::Plain };
    let message = printable(text("message"));
    format!("{clock}.{ms:03} {who} | {}{message}{}", paint.begin(), paint.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_is_a_number_and_a_unit() {
        let now = clock::wall().0;
        for (text, ago) in
            [("0", 0), ("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400)]
        {
            let since = since_seconds(text).expect("understood");
            assert!((now - ago..=now - ago + 5).contains(&since), "{text}");
        }
        for text in ["", "m", "1w", "-5", "1.5h", "yesterday", "1hh"] {
            assert!(since_seconds(text).is_err(), "{text}");
        }
    }
}

//! Samples become rows, rows become a page in Markdown.

use crate::contestants::{Contestant, output};
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Debug, Clone, Copy)]
pub enum Statistic {
    Median,
    P99,
}

/// One measure of all contestants.
#[derive(Debug)]
pub struct Row {
    title: String,
    statistic: Statistic,
    samples: BTreeMap<&'static str, Vec<f64>>,
    /// What is to be said where there is no number.
    remarks: BTreeMap<&'static str, String>,
}

impl Row {
    pub fn new(title: &str, statistic: Statistic) -> Row {
        let (samples, remarks) = Default::default();
        Row { title: title.to_string(), statistic, samples, remarks }
    }

    pub fn add(&mut self, contestant: &Contestant, sample: f64) {
        self.samples.entry(contestant.name).or_default().push(sample);
    }

    pub fn remark(&mut self, contestant: &Contestant, text: String) {
        self.remarks.entry(contestant.name).or_insert(text);
    }

    /// Whether there is anything about this one yet.
    pub fn has(&self, contestant: &Contestant) -> bool {
        let name = contestant.name;
        self.samples.contains_key(name) || self.remarks.contains_key(name)
    }

    fn value(&self, name: &str) -> Option<f64> {
        let mut sorted = self.samples.get(name)?.clone();
        sorted.sort_by(f64::total_cmp);
        let (count, last) = (sorted.len(), sorted.len().checked_sub(1)?);
        Some(match self.statistic {
            Statistic::Median => (sorted[last / 2] + sorted[count / 2]) / 2.0,
            Statistic::P99 => sorted[(count * 99).div_ceil(100).min(count) - 1],
        })
    }

    fn cell(&self, name: &str, base: &str) -> String {
        let Some(value) = self.value(name) else {
            return self.remarks.get(name).cloned().unwrap_or("–".to_string());
        };
        match self.value(base) {
            Some(base) if base > 0.0 => format!("{} ({:.2})", brief(value), value / base),
            _ => brief(value),
        }
    }

    fn samples_text(&self) -> String {
        let counts = self.samples.values().map(Vec::len);
        match (counts.clone().min(), counts.max()) {
            (Some(least), Some(most)) if least != most => format!("{least}–{most}"),
            (_, most) => most.unwrap_or(0).to_string(),
        }
    }
}

/// Three digits are all that these numbers are worth.
fn brief(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let whole = text.split('.').next().unwrap_or_default().len();
    if whole < 4 {
        return text;
    }
    let mut grouped = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (whole - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The machine, and how busy it is.
#[derive(Debug)]
pub struct Conditions {
    load: String,
}

impl Conditions {
    pub fn now() -> Conditions {
        Conditions { load: read("/proc/loadavg").split(' ').take(1).collect() }
    }

    fn text(&self) -> String {
        let cpus = read("/proc/cpuinfo");
        let model =
            cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
        let (seconds, _) = circus::sys::clock::wall();
        format!(
            "{}; {}, {cores} cores; Linux {}; load {} before.",
            circus::sys::clock::format(seconds, c"%Y-%m-%d", true),
            model.unwrap_or("unknown CPU"),
            output(&["uname", "-r"]).unwrap_or_default(),
            self.load,
        )
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Rows with the same contestants, of whom the first is the measure for the others.
#[derive(Debug)]
pub struct Table<'a> {
    pub contestants: &'a [Contestant],
    pub rows: Vec<Row>,
}

/// The whole result.
pub fn page(
    present: &[Contestant],
    tables: &[Table<'_>],
    before: &Conditions,
    quick: bool,
) -> String {
    let mut page = format!("{}\n\n", before.text());
    if quick {
        page.push_str("With --quick: this is no measurement.\n\n");
    }
    for table in tables.iter().filter(|table| !table.rows.is_empty()) {
        page.push_str(&table.text());
        page.push('\n');
    }
    let peers = present.iter().filter(|contestant| contestant.package != "this project");
    let versions: Vec<&str> = peers.map(|contestant| contestant.package.as_str()).collect();
    let _ = writeln!(page, "Versions: {}.", versions.join(", "));
    page
}

impl Table<'_> {
    fn text(&self) -> String {
        let base = self.contestants[0].name;
        let mut text = format!("| in brackets: × {base} |");
        for contestant in self.contestants {
            let _ = write!(text, " {} |", contestant.name);
        }
        let _ = writeln!(text, " samples |\n|---{}|---:|", "|---:".repeat(self.contestants.len()));
        for row in &self.rows {
            let _ = write!(text, "| {} |", row.title);
            for contestant in self.contestants {
                let _ = write!(text, " {} |", row.cell(contestant.name, base));
            }
            let _ = writeln!(text, " {} |", row.samples_text());
        }
        text
    }
}

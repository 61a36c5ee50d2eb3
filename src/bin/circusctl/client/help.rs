//! Help, made from the table of commands.

use super::commands::{COMMANDS, GLOBAL};
use super::row::{Flag, Group, Row};

/// On everything.
pub fn all() -> String {
    let mut out = String::from(
        "circusctl: see and operate the watchers of circusd\n\n\
         \x20 circusctl [OPTIONS] COMMAND [WORDS] [OPTIONS]   one command\n\
         \x20 circusctl [OPTIONS]                             the interactive shell\n\
         \x20 echo status | circusctl                         commands from a pipe, one a line\n",
    );
    for (group, heading) in [
        (Group::Look, "See"),
        (Group::Processes, "Operate"),
        (Group::Configuration, "Configure"),
        (Group::Other, "Other"),
    ] {
        out.push_str(&format!("\n{heading}:\n"));
        for row in COMMANDS.iter().filter(|row| row.group == group) {
            out.push_str(&format!("  {:<14} {}\n", row.name, row.summary));
        }
    }
    out.push_str("\nOptions:\n");
    push_flags(&mut out, GLOBAL);
    out.push_str(
        "\n`circusctl help COMMAND` says more on a command, with an example.\n\n\
         Exit codes: 0 done, 1 circusd was not reached or did not answer in time (health: not\n\
         healthy), 2 wrong usage, 3 circusd refused. They follow the outcome with --json too.\n",
    );
    out
}

/// On one command.
pub fn one(row: &Row) -> String {
    let mut out = format!("circusctl {} {}", row.name, row.syntax).trim_end().to_string();
    out.push_str(&format!("\n\n{}.\n", capital(row.summary)));
    if !row.text.is_empty() {
        out.push_str(&format!("{}\n", row.text));
    }
    if !row.flags.is_empty() {
        out.push_str("\nOptions:\n");
        push_flags(&mut out, row.flags);
    }
    let (line, purpose) = row.example;
    out.push_str(&format!("\nExample: {purpose}\n  {line}\n"));
    out
}

fn push_flags(out: &mut String, flags: &[Flag]) {
    let name = |flag: &Flag| {
        let short = flag.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
        format!("{short}--{}{value}", flag.name)
    };
    let width = flags.iter().map(|flag| name(flag).len()).max().unwrap_or(0);
    for flag in flags {
        let lines: Vec<&str> = flag.help.split('\n').collect();
        out.push_str(&format!("  {:<width$}  {}\n", name(flag), lines[0]));
        for line in &lines[1..] {
            out.push_str(&format!("  {:<width$}  {line}\n", ""));
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_line_and_its_page() {
        let all = all();
        for row in COMMANDS {
            assert!(
                all.contains(&format!("\n  {:<14} {}\n", row.name, row.summary)),
                "{}",
                row.name
            );
            let one = one(row);
            assert!(one.starts_with(&format!("circusctl {}", row.name)), "{one}");
            assert!(one.contains("Example: "), "{one}");
            for flag in row.flags {
                assert!(
                    row.syntax.contains(&format!("-{}", flag.name)) || flag.short.is_some(),
                    "{}",
                    row.name
                );
            }
            for line in one.lines().chain(all.lines()) {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
    }
}

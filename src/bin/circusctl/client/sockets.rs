//! `sockets`: where circusd listens for its watchers, who waits there, and who serves.

use super::json::Json;
use super::output::printable;
use super::python;

const HEADINGS: [&str; COLUMNS] = ["NAME", "ADDRESS", "BACKLOG", "WAITING", "DROPPED", "USED BY"];
const COLUMNS: usize = 6;

/// The lines of the table. `None`: the reply has no details.
pub fn draw(reply: &Json) -> Option<String> {
    let sockets = reply.get("sockets")?.items();
    if sockets.is_empty() {
        return Some("no socket".to_string());
    }
    let mut lines = vec![HEADINGS.map(str::to_string)];
    for socket in sockets {
        lines.push(cells(socket)?.map(|cell| printable(&cell)));
    }
    let mut widths = [0; COLUMNS];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| padded(line, &widths)).collect();
    Some(lines.join("\n"))
}

fn padded(line: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let cells = line.iter().zip(widths).map(|(cell, width)| {
        let gap = (*width).saturating_sub(cell.chars().count());
        format!("{cell}{}", " ".repeat(gap))
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
}

fn cells(socket: &Json) -> Option<[String; COLUMNS]> {
    let number = |name: &str| socket.get(name).filter(|value| value.as_number().is_some());
    let figure = |name: &str| number(name).map_or("-".to_string(), python::plain);
    let waiting = match (number("waiting"), number("waiting_max")) {
        (Some(waiting), Some(most)) => {
            format!("{} of {}", python::plain(waiting), python::plain(most))
        }
        (_, _) => figure("waiting"),
    };
    let kind = socket.get("type")?.as_text()?;
    let listens = matches!(kind, "SOCK_STREAM" | "SOCK_SEQPACKET");
    let users: Vec<&str> =
        socket.get("watchers")?.items().iter().filter_map(Json::as_text).collect();
    Some([
        python::plain(socket.get("name")?),
        address(socket, kind)?,
        if listens { figure("backlog") } else { "-".to_string() },
        waiting,
        figure("dropped"),
        if users.is_empty() { "-".to_string() } else { users.join(", ") },
    ])
}

/// What is no stream says what it is.
fn address(socket: &Json, kind: &str) -> Option<String> {
    let path = socket.get("path");
    let place = match path {
        Some(path) => python::plain(path),
        None => {
            let (host, port) = (python::plain(socket.get("host")?), socket.get("port")?);
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            format!("{host}:{}", python::plain(port))
        }
    };
    let kind = match kind {
        "SOCK_STREAM" => return Some(place),
        "SOCK_DGRAM" if path.is_none() => "udp".to_string(),
        kind => kind.trim_start_matches("SOCK_").to_lowercase(),
    };
    Some(format!("{place}/{kind}"))
}

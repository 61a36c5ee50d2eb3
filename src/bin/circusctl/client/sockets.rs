//! `sockets`: what circusd has bound, who waits there, and who uses it.

use super::json::Json;
use super::output::printable;
use super::python;

const HEADINGS: [&str; COLUMNS] = ["NAME", "ADDRESS", "BACKLOG", "WAITING", "DROPPED", "USED BY"];
const COLUMNS: usize = 6;

/// The lines of the table. `None`: the reply lacks what it should tell.
pub fn table(reply: &Json) -> Option<String> {
    let sockets = reply.get("sockets")?.items();
    if sockets.is_empty() {
        return Some("the configuration has no sockets".to_string());
    }
    let mut lines = vec![HEADINGS.map(str::to_string)];
    for socket in sockets {
        lines.push(cells(socket)?.map(|cell| printable(&cell)));
    }
    sort(&mut lines);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let text = lines.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    });
    Some(text.collect::<Vec<_>>().join("\n"))
}

/// By name, below the headings.
fn sort(lines: &mut [[String; COLUMNS]]) {
    if let Some((_, rest)) = lines.split_first_mut() {
        circus::sort::sort_by(rest, |a, b| a[0].cmp(&b[0]));
    }
}

fn cells(socket: &Json) -> Option<[String; COLUMNS]> {
    let word = |name: &str| socket.get(name).filter(|it| **it != Json::Null).map(python::plain);
    let place = match word("path") {
        Some(path) => path,
        None => {
            let host = word("host")?;
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            format!("{host}:{}", word("port")?)
        }
    };
    let kind = match word("type").as_deref() {
        None | Some("SOCK_STREAM") => "",
        Some("SOCK_DGRAM") if word("path").is_none() => "/udp",
        Some("SOCK_DGRAM") => "/dgram",
        Some("SOCK_SEQPACKET") => "/seqpacket",
        Some("SOCK_RAW") => "/raw",
        Some(_) => "/rdm",
    };
    let waiting = match (word("waiting"), word("waiting_max")) {
        (Some(waiting), Some(most)) => format!("{waiting} of {most}"),
        (Some(waiting), None) => waiting,
        (None, _) => "-".to_string(),
    };
    let users = socket.get("watchers").map_or(&[][..], Json::items);
    let users: Vec<String> = users.iter().map(python::plain).collect();
    let users = if users.is_empty() { "-".to_string() } else { users.join(", ") };
    let dropped = word("dropped").unwrap_or_else(|| "-".to_string());
    let address = format!("{place}{kind}");
    Some([word("name")?, address, word("backlog")?, waiting, dropped, users])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_socket_by_name() {
        let reply = br#"{"sockets": [
            {"fd": 64, "name": "web", "backlog": 2048, "host": "127.0.0.1", "port": 80, "type": "SOCK_STREAM",
             "waiting": 3, "waiting_max": 128, "dropped": 0, "watchers": ["web", "api"]},
            {"fd": 65, "name": "app", "backlog": 8, "path": "/run/app.sock", "type": "SOCK_STREAM",
             "waiting": null, "waiting_max": null, "dropped": null, "watchers": []},
            {"fd": 66, "name": "dns", "backlog": 8, "host": "::1", "port": 53, "type": "SOCK_DGRAM",
             "waiting": null, "waiting_max": null, "dropped": 7, "watchers": ["dns"]}]}"#;
        let table = table(&Json::read(reply).expect("JSON")).expect("a table");
        let expected = "\
NAME  ADDRESS        BACKLOG  WAITING   DROPPED  USED BY
app   /run/app.sock  8        -         -        -
dns   [::1]:53/udp   8        -         7        dns
web   127.0.0.1:80   2048     3 of 128  0        web, api";
        assert_eq!(table, expected);
        let none = Json::read(br#"{"sockets": []}"#).expect("JSON");
        assert_eq!(super::table(&none).as_deref(), Some("the configuration has no sockets"));
    }
}

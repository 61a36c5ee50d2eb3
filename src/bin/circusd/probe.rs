//! The role `circusd probe`: asks once whether somebody is there, and says by its exit code and one
//! line what came of it. It takes as long as it likes; whoever has sent it ends it.

use circus::config::settings::Probe;
use circus::sys::hosts::{HOSTS, addresses};
use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

/// As much of an answer as is read to find its first line.
const ANSWER_BYTES_MAX: usize = 1024;

/// Words for a probe that `run` understands; `None` for one that is a command of its own.
pub fn words(probe: &Probe) -> Option<Vec<String>> {
    let words: &[&dyn ToString] = match probe {
        Probe::Tcp { host, port } => &[&"tcp", host, port],
        Probe::Unix(path) => &[&"unix", path],
        Probe::Http { host, port, path } => &[&"http", host, port, path],
        Probe::Exec(_) => return None,
    };
    let role = ["circusd", "probe"].into_iter().map(str::to_string);
    Some(role.chain(words.iter().map(|word| word.to_string())).collect())
}

/// What the words after `circusd` ask for, if they ask for this role.
pub fn asked(words: &[OsString]) -> Option<Result<(), String>> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
    Some(match words[..] {
        ["probe", "tcp", host, port] => tcp(host, port).map(drop),
        ["probe", "unix", path] => {
            UnixStream::connect(path).map(drop).map_err(|error| format!("{path}: {}", told(&error)))
        }
        ["probe", "http", host, port, path] => http(host, port, path),
        _ => return None,
    })
}

fn tcp(host: &str, port: &str) -> Result<TcpStream, String> {
    let number: u16 = port.parse().map_err(|_| format!("{port} is no port"))?;
    let mut failure = format!("{host} is not known: use a number, or a name that is in {HOSTS}");
    for address in addresses(host) {
        match TcpStream::connect(SocketAddr::new(address, number)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = format!("{host}:{port}: {}", told(&error)),
        }
    }
    Err(failure)
}

/// A status from 200 to 399 is good.
fn http(host: &str, port: &str, path: &str) -> Result<(), String> {
    let mut stream = tcp(host, port)?;
    let place = format!("http://{host}:{port}{path}");
    let failed = |error: std::io::Error| format!("{place}: {}", told(&error));
    let authority = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {authority}:{port}\r\nUser-Agent: circusd\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    let mut bytes = [0; ANSWER_BYTES_MAX];
    while !answer.contains(&b'\n') && answer.len() < ANSWER_BYTES_MAX {
        match stream.read(&mut bytes).map_err(failed)? {
            0 => break,
            length => answer.extend_from_slice(&bytes[..length]),
        }
    }
    match status(&answer) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(format!("{place}: status {status}")),
        None => Err(format!("{place}: the answer is not HTTP")),
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5)?;
    let is_whole = rest.get(5).is_none_or(|byte| !byte.is_ascii_digit());
    std::str::from_utf8(digits).ok().filter(|_| rest[1] == b' ' && is_whole)?.parse().ok()
}

fn told(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_string(),
        ErrorKind::NotFound => "no such socket".to_string(),
        _ => error
            .raw_os_error()
            .map_or_else(|| error.to_string(), |errno| circus::sys::error_text(errno).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_three_digits_of_http_1() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for answer in [&b""[..], b"HTTP/2 200", b"HTTP/1.1 20", b"HTTP/1.1 2000", b"SSH-2.0-x"] {
            assert_eq!(status(answer), None, "{answer:?}");
        }
    }
}

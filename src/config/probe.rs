//! Forms of `ready` and `check`: how to find out that a process does its work.

use crate::config::settings::{Liveness, Probe, Readiness};
use crate::config::value::{choice, seconds};
use crate::config::words;
use core::net::Ipv6Addr;

/// `ready = …`.
pub fn ready(text: &str) -> Result<Readiness, String> {
    if let Some(delay) = text.trim().strip_prefix("after:") {
        let ms = seconds(delay).map_err(|reason| format!("has a time that {reason}"))?;
        return Ok(Readiness::After { ms });
    }
    Ok(match form(text, &["started", "notify"])? {
        Form::Word("notify") => Readiness::Notify,
        Form::Word(_) => Readiness::Started,
        Form::Probe(probe) => Readiness::Probe(probe),
    })
}

/// `check = …`; nothing is no check.
pub fn check(text: &str) -> Result<Option<Liveness>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(match form(text, &["watchdog"])? {
        Form::Word(_) => Liveness::Watchdog,
        Form::Probe(probe) => Liveness::Probe(probe),
    }))
}

enum Form {
    Word(&'static str),
    Probe(Probe),
}

fn form(text: &str, plain: &[&'static str]) -> Result<Form, String> {
    let text = text.trim();
    if let Some(command) = text.strip_prefix(EXEC) {
        return match words::split(command.as_bytes()) {
            Ok(words) if words.first().is_none_or(Vec::is_empty) => {
                Err("has no command after `exec:`".to_owned())
            }
            Ok(_) => Ok(Form::Probe(Probe::Exec(command.trim().into()))),
            Err(reason) => Err(reason.to_string()),
        };
    }
    if let Some(address) = text.strip_prefix("tcp://") {
        let (host, port) = host_and_port(address, None)?;
        return Ok(Form::Probe(Probe::Tcp { host, port }));
    }
    if let Some(rest) = text.strip_prefix("http://") {
        return http(rest).map(Form::Probe);
    }
    if let Some(path) = text.strip_prefix("unix://") {
        let is_good =
            path.starts_with('/') && path.len() <= UNIX_PATH_BYTES_MAX && !path.contains('\0');
        return match is_good {
            true => Ok(Form::Probe(Probe::Unix(path.into()))),
            false => Err("needs an absolute path of at most 107 bytes: unix:///path".to_owned()),
        };
    }
    choice(text, plain).map(Form::Word).map_err(|reason| {
        format!("{reason}, and none of tcp://host:port, unix:///path, http://host:port/path, exec:command")
    })
}

fn http(text: &str) -> Result<Probe, String> {
    let (address, path) = match text.find('/') {
        Some(slash) => text.split_at(slash),
        None => (text, "/"),
    };
    let (host, port) = host_and_port(address, Some(80))?;
    if path.len() > HTTP_PATH_BYTES_MAX || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "has a path that is longer than {HTTP_PATH_BYTES_MAX} bytes, or has other characters than those of an address; write %20 for a blank"
        ));
    }
    Ok(Probe::Http { host, port, path: path.into() })
}

fn host_and_port(address: &str, default: Option<u16>) -> Result<(Box<str>, u16), String> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => match port {
            "" => (Some(host), None),
            port => (port.strip_prefix(':').map(|_| host), port.strip_prefix(':')),
        },
        Some(_) => (None, None),
        None => match address.rsplit_once(':') {
            Some((host, port)) => (Some(host).filter(|host| is_host(host)), Some(port)),
            None => (Some(address).filter(|host| is_host(host)), None),
        },
    };
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let port = match port {
        Some(port) => Some(port).filter(digits).and_then(|port| port.parse::<u16>().ok()),
        None => default,
    };
    match (host, port.filter(|port| *port > 0)) {
        (Some(host), Some(port)) => Ok((host.into(), port)),
        (None, _) | (_, None) => {
            Err("needs a host and a port from 1 to 65535, such as localhost:8080 or [::1]:8080"
                .to_owned())
        }
    }
}

/// A name as it may be looked up, or a number.
fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(plain)
}

/// A command follows, in which variables of the process are known.
pub const EXEC: &str = "exec:";
const UNIX_PATH_BYTES_MAX: usize = 107;
const HTTP_PATH_BYTES_MAX: usize = 1000;
const HOST_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_what_it_says() {
        let tcp = |host: &str, port| Probe::Tcp { host: host.into(), port };
        let http = |host: &str, port, path: &str| Probe::Http {
            host: host.into(),
            port,
            path: path.into(),
        };
        for (text, expected) in [
            ("tcp://localhost:80", tcp("localhost", 80)),
            ("tcp://[::1]:80", tcp("::1", 80)),
            ("unix:///run/x y", Probe::Unix("/run/x y".into())),
            ("http://localhost/healthz?a=b", http("localhost", 80, "/healthz?a=b")),
            ("http://h_1.example:8080", http("h_1.example", 8080, "/")),
            ("http://[::1]/", http("::1", 80, "/")),
            ("exec: pg_isready -q ", Probe::Exec("pg_isready -q".into())),
        ] {
            assert_eq!(ready(text), Ok(Readiness::Probe(expected.clone())), "{text}");
            assert_eq!(check(text), Ok(Some(Liveness::Probe(expected))), "{text}");
        }
        assert_eq!(ready(" started "), Ok(Readiness::Started));
        assert_eq!(ready("notify"), Ok(Readiness::Notify));
        assert_eq!(ready("after:2.5"), Ok(Readiness::After { ms: 2500 }));
        assert_eq!(check("watchdog"), Ok(Some(Liveness::Watchdog)));
        assert_eq!(check(" "), Ok(None));
    }

    #[test]
    fn other_forms_are_refused() {
        let long = format!("tcp://{}:80", "h".repeat(254));
        for text in [
            "tcp://x",
            "tcp://:80",
            "tcp://h:0",
            "tcp://h:+80",
            "tcp://::1:80",
            "tcp://[::1:80",
            "tcp://[h]:80",
            "tcp://[::1]80",
            "tcp://a b:80",
            "tcp://$(circus.wid):80",
            &long,
            "unix://x",
            "http://",
            "http://h:80?x",
            "http://h/a b",
            "exec:",
            "exec:'",
            "exec:''",
            "after:x",
            "ntify",
        ] {
            assert!(ready(text).is_err(), "{text}");
        }
        assert!(check("after:2").is_err() && check("started").is_err());
    }
}

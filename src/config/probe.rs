//! Forms of `ready` and `check`: how to find out that a process does its work.

use crate::config::value::{choice, seconds};
use crate::config::words;

/// `ready = …`.
pub fn ready(text: &str) -> Result<(), String> {
    if let Some(delay) = text.trim().strip_prefix("after:") {
        return seconds(delay).map(|_| ()).map_err(|reason| format!("has a time that {reason}"));
    }
    form(text, &["started", "notify"])
}

/// `check = …`.
pub fn check(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Ok(()) } else { form(text, &["watchdog"]) }
}

fn form(text: &str, plain: &[&'static str]) -> Result<(), String> {
    let text = text.trim();
    if let Some(command) = text.strip_prefix("exec:") {
        return match words::split(command.as_bytes()) {
            Ok(words) if words.is_empty() => Err("has no command after `exec:`".to_owned()),
            Ok(_) => Ok(()),
            Err(reason) => Err(reason.to_string()),
        };
    }
    if let Some(address) = text.strip_prefix("tcp://") {
        return host_and_port(address, true);
    }
    if let Some(rest) = text.strip_prefix("http://") {
        return host_and_port(rest.split('/').next().unwrap_or(rest), false);
    }
    if let Some(path) = text.strip_prefix("unix://") {
        return match path.starts_with('/') && path.len() < UNIX_PATH_BYTES {
            true => Ok(()),
            false => Err("needs an absolute path of at most 107 bytes: unix:///path".to_owned()),
        };
    }
    choice(text, plain).map(|_| ()).map_err(|reason| {
        format!("{reason}, and none of tcp://host:port, unix:///path, http://host:port/path, exec:command")
    })
}

fn host_and_port(address: &str, needs_port: bool) -> Result<(), String> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port_is_good = match port {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => !needs_port,
    };
    match !host.is_empty() && !host.contains(char::is_whitespace) && port_is_good {
        true => Ok(()),
        false => Err("needs a host and a port from 1 to 65535, such as localhost:8080".to_owned()),
    }
}

const UNIX_PATH_BYTES: usize = 108;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_others_are_refused() {
        for text in [
            "started",
            "notify",
            "tcp://localhost:80",
            "tcp://[::1]:80",
            "unix:///run/x",
            "http://localhost/healthz",
            "http://h:8080",
            "exec:pg_isready -q",
            "after:2.5",
        ] {
            assert_eq!(ready(text), Ok(()), "{text}");
        }
        for text in [
            "tcp://x",
            "tcp://:80",
            "tcp://h:0",
            "unix://x",
            "http://",
            "exec:",
            "exec:'",
            "after:x",
            "ntify",
        ] {
            assert!(ready(text).is_err(), "{text}");
        }
        assert_eq!(check("watchdog"), Ok(()));
        assert!(check("after:2").is_err() && check("started").is_err());
    }
}

//! Where a syslog daemon is, and under which facility we speak to it.

use core::net::{IpAddr, SocketAddr};

/// What follows `syslog://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogTarget {
    /// Where.
    pub place: SyslogPlace,
    /// By its number, syslog(3).
    pub facility: u8,
}

/// Where a syslog daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogPlace {
    /// For datagrams of the network.
    Udp(SocketAddr),
    /// At a socket that is a file.
    Unix(Box<str>),
}

impl SyslogTarget {
    /// `/dev/log` for what programs say.
    pub fn local() -> SyslogTarget {
        SyslogTarget { place: SyslogPlace::Unix("/dev/log".into()), facility: FACILITY_USER }
    }

    /// Understand `syslog://PLACE?FACILITY`; `None` if it is something else. The error is a
    /// sentence.
    pub fn parse(text: &str) -> Option<Result<SyslogTarget, String>> {
        text.strip_prefix("syslog://").map(Self::parse_rest)
    }

    fn parse_rest(rest: &str) -> Result<SyslogTarget, String> {
        let (place, facility) = rest.split_once('?').unwrap_or((rest, ""));
        let facility = match facility.to_ascii_lowercase().as_str() {
            "" => FACILITY_USER,
            word => FACILITIES
                .iter()
                .position(|known| *known == word)
                .ok_or_else(|| format!("syslog facility {word} is not one of {FACILITIES:?}"))?
                as u8,
        };
        if place.starts_with('/') {
            return Ok(SyslogTarget { place: SyslogPlace::Unix(place.into()), facility });
        }
        let place = place.replacen("localhost", "127.0.0.1", 1);
        let address = place
            .parse::<SocketAddr>()
            .or_else(|_| place.parse::<IpAddr>().map(|ip| (ip, SYSLOG_PORT).into()))
            .map_err(|_| {
                format!("syslog://{rest}: use an IP address; circusd waits for no name server")
            })?;
        Ok(SyslogTarget { place: SyslogPlace::Udp(address), facility })
    }
}

const SYSLOG_PORT: u16 = 514;

/// Facilities by number, syslog(3).
const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];
const FACILITY_USER: u8 = 1;

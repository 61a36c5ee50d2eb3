//! Options of `[circus]`.

use super::{Change, Row, Support, free};
use crate::config::settings::CircusSettings;
use crate::config::value::{choice, decimal, flag, level, octal, seconds, size, whole};

use Change::{Adjust, Nothing, Restart};
use Support::{Full, Later, Meaningless};

/// All of them, sorted by name.
#[rustfmt::skip]
pub static CIRCUS: [Row<CircusSettings>; 32] = [
    Row { name: "check_delay", default: "5", change: Nothing, support: Meaningless, parse: number,
        help: "seconds between two looks at the processes; here nothing waits for a look" },
    Row { name: "curve_authorized_keys", default: "", change: Restart, support: Later, parse: free,
        help: "file of the public keys that may use the control endpoint" },
    Row { name: "curve_secret_key", default: "", change: Restart, support: Later, parse: free,
        help: "file of the secret key of the control endpoint" },
    Row { name: "debug", default: "False", change: Restart, support: Later, parse: truth,
        help: "show the output of statistics and plugin processes" },
    Row { name: "debug_gc", default: "False", change: Nothing, support: Later, parse: truth,
        help: "debug the garbage collector of Python" },
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: truth,
        help: "False leaves this section out" },
    Row { name: "endpoint", default: "", change: Restart, support: Later, parse: free,
        help: "address for commands" },
    Row { name: "endpoint_mode", default: "0600", change: Restart, support: Later, parse: |_, text| octal(text).map(drop),
        help: "octal mode of ipc endpoints" },
    Row { name: "endpoint_owner", default: "", change: Restart, support: Later, parse: free,
        help: "user who owns the ipc endpoint" },
    Row { name: "exit_when_done", default: "False", change: Adjust, support: Full, parse: |to, text| flag(text).map(|on| to.exit_when_done = on),
        help: "end when no process is left and none will be started again" },
    Row { name: "fqdn_prefix", default: "", change: Nothing, support: Meaningless, parse: free,
        help: "a name that only Circus itself uses" },
    Row { name: "httpd", default: "False", change: Restart, support: Later, parse: truth,
        help: "start the web console" },
    Row { name: "httpd_close_outputs", default: "False", change: Nothing, support: Meaningless, parse: truth,
        help: "not read by Circus either" },
    Row { name: "httpd_host", default: "localhost", change: Restart, support: Later, parse: free,
        help: "address of the web console" },
    Row { name: "httpd_port", default: "8080", change: Restart, support: Later, parse: |_, text| whole(text, 0, 65535).map(drop),
        help: "port of the web console" },
    Row { name: "include", default: "", change: Nothing, support: Full, parse: free,
        help: "more files, shell patterns allowed, relative to this one" },
    Row { name: "include_dir", default: "", change: Nothing, support: Full, parse: free,
        help: "directories of which every *.ini is included" },
    Row { name: "log_format", default: "text", change: Adjust, support: Full, parse: |to, text| choice(text, &["text", "json"]).map(|word| to.log_json = word == "json"),
        help: "text or json: one object a line" },
    Row { name: "log_ring", default: "64k", change: Restart, support: Later, parse: |_, text| size(text).map(drop),
        help: "memory for each captured stream" },
    Row { name: "loggerconfig", default: "", change: Restart, support: Later, parse: free,
        help: "file that configures Python's logging" },
    Row { name: "loglevel", default: "", change: Adjust, support: Full, parse: |to, text| optional(text).map(level).transpose().map(|level| to.loglevel = level),
        help: "debug, info, warning, error or critical" },
    Row { name: "logoutput", default: "", change: Restart, support: Full, parse: |to, text| text_into(&mut to.logoutput, text),
        help: "-, stdout, stderr, a file or syslog://…" },
    Row { name: "multicast_endpoint", default: "", change: Restart, support: Later, parse: free,
        help: "address for discovery; none unless written" },
    Row { name: "pidfile", default: "", change: Nothing, support: Full, parse: |to, text| text_into(&mut to.pidfile, text),
        help: "file for the process id" },
    Row { name: "pubsub_endpoint", default: "", change: Restart, support: Later, parse: free,
        help: "address where events are published" },
    Row { name: "shutdown_timeout", default: "", change: Adjust, support: Full, parse: |to, text| optional(text).map(seconds).transpose().map(|time| to.shutdown_timeout_ms = time),
        help: "seconds for the whole ordered stop" },
    Row { name: "stats_endpoint", default: "", change: Restart, support: Later, parse: free,
        help: "address where statistics are published" },
    Row { name: "statsd", default: "False", change: Restart, support: Later, parse: truth,
        help: "publish statistics" },
    Row { name: "statsd_close_outputs", default: "False", change: Nothing, support: Meaningless, parse: truth,
        help: "not read by Circus either" },
    Row { name: "stream_backend", default: "", change: Nothing, support: Meaningless, parse: free,
        help: "not read by Circus either" },
    Row { name: "umask", default: "", change: Restart, support: Full, parse: |to, text| optional(text).map(octal).transpose().map(|mask| to.umask = mask),
        help: "octal file creation mask of circusd and its processes" },
    Row { name: "warmup_delay", default: "0", change: Adjust, support: Full, parse: |to, text| seconds(text).map(|time| to.warmup_delay_ms = time),
        help: "seconds between the starts of two watchers" },
];

fn number(_: &mut CircusSettings, text: &str) -> Result<(), String> {
    decimal(text).map(drop)
}

fn truth(_: &mut CircusSettings, text: &str) -> Result<(), String> {
    flag(text).map(drop)
}

fn optional(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn text_into(to: &mut Option<Box<str>>, text: &str) -> Result<(), String> {
    *to = optional(text).map(Box::from);
    Ok(())
}

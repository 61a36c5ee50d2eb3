//! Options of `[circus]`.

use super::{Change, Form, Row, Show, Support, free, seconds_shown};
use crate::config::circus::CircusDraft;
use crate::config::endpoint;
use crate::config::settings::{CircusSettings, LogLevel};
use crate::config::value::{choice, decimal, flag, level, octal, seconds, size, whole};
use serde_json::Value;

use Change::{Adjust, Nothing, Restart};
use Form::{Flag, Number, Text};
use Show::{From, Kept};
use Support::{Full, Later, Meaningless};

/// All of them, sorted by name.
#[rustfmt::skip]
pub static CIRCUS: [Row<CircusDraft, CircusSettings>; 32] = [
    Row { name: "check_delay", default: "5", change: Nothing, support: Meaningless, parse: number,
        show: Kept(Number), help: "seconds between two looks at the processes; here nothing waits for a look" },
    Row { name: "curve_authorized_keys", default: "", change: Restart, support: Full, parse: |to, text| text_into(&mut to.curve_authorized_keys, text),
        show: From(|c| c.endpoints.curve.as_ref().map(|files| &*files.authorized_keys).into()), help: "file of the public keys that may use a tcp endpoint, relative to this file" },
    Row { name: "curve_secret_key", default: "", change: Restart, support: Full, parse: |to, text| text_into(&mut to.curve_secret_key, text),
        show: From(|c| c.endpoints.curve.as_ref().map(|files| &*files.secret_key).into()), help: "file of the secret key of tcp endpoints, relative to this file" },
    Row { name: "debug", default: "False", change: Restart, support: Later, parse: truth,
        show: Kept(Flag), help: "show the output of statistics and plugin processes" },
    Row { name: "debug_gc", default: "False", change: Nothing, support: Later, parse: truth,
        show: Kept(Flag), help: "debug the garbage collector of Python" },
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: truth,
        show: From(|_| true.into()), help: "False leaves this section out" },
    Row { name: "endpoint", default: "", change: Restart, support: Full, parse: |to, text| optional(text).map(endpoint::parse).transpose().map(|place| to.settings.endpoints.control = place),
        show: From(|c| c.endpoints.control.as_ref().map(|endpoint| &*endpoint.text).into()), help: "address for commands: ipc://PATH or tcp://ADDRESS:PORT; by default a socket in a private directory" },
    Row { name: "endpoint_mode", default: "0600", change: Restart, support: Full, parse: |to, text| octal(text).map(|mode| to.settings.endpoints.mode = mode),
        show: From(|c| octal_shown(c.endpoints.mode)), help: "octal mode of ipc endpoints" },
    Row { name: "endpoint_owner", default: "", change: Restart, support: Full, parse: |to, text| text_into(&mut to.endpoint_owner, text),
        show: From(|c| c.endpoints.owner.as_ref().map(|owner| &*owner.name).into()), help: "user who owns the sockets of ipc endpoints" },
    Row { name: "exit_when_done", default: "False", change: Adjust, support: Full, parse: |to, text| flag(text).map(|on| to.settings.exit_when_done = on),
        show: From(|c| c.exit_when_done.into()), help: "end when no process is left and none will be started again" },
    Row { name: "fqdn_prefix", default: "", change: Nothing, support: Meaningless, parse: free,
        show: Kept(Text), help: "a name that only Circus itself uses" },
    Row { name: "httpd", default: "False", change: Restart, support: Later, parse: truth,
        show: Kept(Flag), help: "start the web console" },
    Row { name: "httpd_close_outputs", default: "False", change: Nothing, support: Meaningless, parse: truth,
        show: Kept(Flag), help: "not read by Circus either" },
    Row { name: "httpd_host", default: "localhost", change: Restart, support: Later, parse: free,
        show: Kept(Text), help: "address of the web console" },
    Row { name: "httpd_port", default: "8080", change: Restart, support: Later, parse: |_, text| whole(text, 0, 65535).map(drop),
        show: Kept(Number), help: "port of the web console" },
    Row { name: "include", default: "", change: Nothing, support: Full, parse: free,
        show: Kept(Text), help: "more files, shell patterns allowed, relative to this one" },
    Row { name: "include_dir", default: "", change: Nothing, support: Full, parse: free,
        show: Kept(Text), help: "directories of which every *.ini is included" },
    Row { name: "log_format", default: "text", change: Adjust, support: Full, parse: |to, text| choice(text, &["text", "json"]).map(|word| to.settings.log_json = word == "json"),
        show: From(|c| if c.log_json { "json" } else { "text" }.into()), help: "text or json: one object a line" },
    Row { name: "log_ring", default: "64k", change: Adjust, support: Full, parse: |_, text| size(text).map(drop),
        show: Kept(Text), help: "memory for each captured stream" },
    Row { name: "loggerconfig", default: "", change: Restart, support: Later, parse: free,
        show: Kept(Text), help: "file that configures Python's logging" },
    Row { name: "loglevel", default: "", change: Adjust, support: Full, parse: |to, text| optional(text).map(level).transpose().map(|level| to.settings.loglevel = level),
        show: From(|c| c.loglevel.map(LogLevel::name).into()), help: "debug, info, warning, error or critical" },
    Row { name: "logoutput", default: "", change: Restart, support: Full, parse: |to, text| text_into(&mut to.settings.logoutput, text),
        show: From(|c| c.logoutput.as_deref().into()), help: "-, stdout, stderr, a file or syslog://…" },
    Row { name: "multicast_endpoint", default: "", change: Restart, support: Full, parse: |to, text| optional(text).map(endpoint::parse_multicast).transpose().map(|group| to.settings.endpoints.multicast = group),
        show: From(|c| c.endpoints.multicast.as_ref().map(|multicast| &*multicast.text).into()), help: "udp://GROUP:PORT for discovery; none unless written" },
    Row { name: "pidfile", default: "", change: Nothing, support: Full, parse: |to, text| text_into(&mut to.settings.pidfile, text),
        show: From(|c| c.pidfile.as_deref().into()), help: "file for the process id" },
    Row { name: "pubsub_endpoint", default: "", change: Restart, support: Full, parse: |to, text| optional(text).map(endpoint::parse).transpose().map(|place| to.settings.endpoints.pubsub = place),
        show: From(|c| c.endpoints.pubsub.as_ref().map(|endpoint| &*endpoint.text).into()), help: "address where events are published, likewise" },
    Row { name: "shutdown_timeout", default: "", change: Adjust, support: Full, parse: |to, text| optional(text).map(seconds).transpose().map(|time| to.settings.shutdown_timeout_ms = time),
        show: From(|c| c.shutdown_timeout_ms.map_or(Value::Null, seconds_shown)), help: "seconds for the whole ordered stop" },
    Row { name: "stats_endpoint", default: "", change: Restart, support: Later, parse: free,
        show: Kept(Text), help: "address where statistics are published" },
    Row { name: "statsd", default: "False", change: Restart, support: Later, parse: truth,
        show: Kept(Flag), help: "publish statistics" },
    Row { name: "statsd_close_outputs", default: "False", change: Nothing, support: Meaningless, parse: truth,
        show: Kept(Flag), help: "not read by Circus either" },
    Row { name: "stream_backend", default: "", change: Nothing, support: Meaningless, parse: free,
        show: Kept(Text), help: "not read by Circus either" },
    Row { name: "umask", default: "", change: Restart, support: Full, parse: |to, text| optional(text).map(octal).transpose().map(|mask| to.settings.umask = mask),
        show: From(|c| c.umask.map_or(Value::Null, octal_shown)), help: "octal file creation mask of circusd and its processes" },
    Row { name: "warmup_delay", default: "0", change: Adjust, support: Full, parse: |to, text| seconds(text).map(|time| to.settings.warmup_delay_ms = time),
        show: From(|c| seconds_shown(c.warmup_delay_ms)), help: "seconds between the starts of two watchers" },
];

fn number(_: &mut CircusDraft, text: &str) -> Result<(), String> {
    decimal(text).map(drop)
}

fn truth(_: &mut CircusDraft, text: &str) -> Result<(), String> {
    flag(text).map(drop)
}

fn optional(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn text_into(to: &mut Option<Box<str>>, text: &str) -> Result<(), String> {
    *to = optional(text).map(Box::from);
    Ok(())
}

fn octal_shown(mode: u32) -> Value {
    format!("{mode:04o}").into()
}

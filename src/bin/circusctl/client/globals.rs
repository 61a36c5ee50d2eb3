//! Options of all commands.

use super::row::{Flag, switch};

/// Options of all commands; they may stand before or after the command.
pub const GLOBAL: &[Flag] = &[
    Flag {
        name: "endpoint",
        short: None,
        value: Some("ENDPOINT"),
        help: "where circusd is: ipc://PATH or tcp://HOST:PORT (else $CIRCUSCTL_ENDPOINT,\nelse the control.sock in circusd's default directories)",
    },
    Flag {
        name: "timeout",
        short: None,
        value: Some("SECONDS"),
        help: "how long to wait for the answer: 5 unless given, 0 is for ever",
    },
    switch("json", "print the reply as JSON, on one line"),
    switch("prettify", "print the reply as JSON, on many lines"),
    Flag {
        name: "curve-key",
        short: None,
        value: Some("FILE"),
        help: "our secret certificate, for a tcp endpoint with CURVE\n(else $CIRCUSCTL_CURVE_KEY)",
    },
    Flag {
        name: "curve-server-key",
        short: None,
        value: Some("KEY"),
        help: "circusd's public key, or a file with it\n(else $CIRCUSCTL_CURVE_SERVER_KEY)",
    },
    switch("version", "print the version"),
    Flag {
        name: "help",
        short: Some('h'),
        value: None,
        help: "print this, or the help of a command",
    },
];

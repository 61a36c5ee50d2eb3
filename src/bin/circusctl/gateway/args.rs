//! The gateway's command line: written by circusd, so it is short with its errors.

use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// Where clients ask.
    pub endpoint: String,
    /// Where they subscribe.
    pub pubsub: String,
    /// There is a socket for discovery.
    pub multicast: bool,
    /// Keys for endpoints on a network.
    pub curve: Option<CurveFiles>,
}

/// The files that make an endpoint on a network safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurveFiles {
    /// Our own secret key.
    pub secret_key: PathBuf,
    /// The public keys of those who may come in; without it nobody may.
    pub authorized_keys: Option<PathBuf>,
}

/// Understand the words after the role's name. The error is a sentence.
pub fn parse(words: Vec<OsString>) -> Result<Args, String> {
    let mut args = Args::default();
    let mut secret_key = None;
    let mut authorized_keys = None;
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(word) = parser.next().map_err(|error| error.to_string())? {
        let Long(name) = word else { return Err(word.unexpected().to_string()) };
        let name = name.to_string();
        let value = parser.value().map_err(|error| error.to_string())?;
        let text = || value.clone().into_string().map_err(|_| format!("--{name} is not UTF-8"));
        match name.as_str() {
            "endpoint" => args.endpoint = text()?,
            "pubsub" => args.pubsub = text()?,
            // What the address is matters only to who bound the socket.
            "multicast" => args.multicast = true,
            "curve-secret-key" => secret_key = Some(PathBuf::from(&value)),
            "curve-authorized-keys" => authorized_keys = Some(PathBuf::from(&value)),
            _ => return Err(format!("no such option: --{name}")),
        }
    }
    if args.endpoint.is_empty() || args.pubsub.is_empty() {
        return Err("--endpoint and --pubsub are needed".to_string());
    }
    args.curve = secret_key.map(|secret_key| CurveFiles { secret_key, authorized_keys });
    Ok(args)
}

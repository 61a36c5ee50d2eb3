//! The files of CURVE keys that a configuration names: looked at before anything starts, as the gateway
//! that needs them is started only when somebody connects.

use crate::files::Files;
use circus::config::Source;
use circus::config::settings::EndpointSettings;
use circus::curve::{self, Wrong};

/// Whether they can be used.
///
/// # Errors
/// A sentence for each that cannot, with what to do. Nothing of a file is in it.
pub fn check(settings: &EndpointSettings) -> Result<(), Vec<String>> {
    let Some(files) = &settings.curve else { return Ok(()) };
    let secret = |content: &[u8]| curve::secret_key(content).map(drop);
    let public = |content: &[u8]| curve::public_keys(content).map(drop);
    let wrong = [
        check_file("curve_secret_key", &files.secret_key, secret),
        check_file("curve_authorized_keys", &files.authorized_keys, public),
    ];
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn check_file(
    option: &str,
    path: &str,
    parse: impl Fn(&[u8]) -> Result<(), Wrong>,
) -> Result<(), String> {
    let content =
        Files.read(path).map_err(|reason| format!("{option}: cannot read {path}: {reason}"))?;
    parse(&content).map_err(|wrong| format!("{option}: {path}: {wrong}; {}", advice(wrong)))
}

fn advice(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::NoText | Wrong::NoSecretKey | Wrong::PublicOnly => {
            "name the file NAME.key_secret that `circusctl keygen` makes"
        }
        Wrong::Line(_) => {
            "write a public key in each line, or what `circusctl keygen` writes into NAME.key"
        }
    }
}

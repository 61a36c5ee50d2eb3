//! CURVE keys in files, in the format of ZeroMQ's other tools: `public-key = "…"` and, in the file
//! that is to be kept, `secret-key = "…"`.

use super::failure::Failure;
use super::words::Options;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What a client needs for a tcp endpoint with CURVE.
pub struct Keys {
    public: Vec<u8>,
    secret: Vec<u8>,
    server: Vec<u8>,
}

impl Keys {
    /// From the options or the environment: both keys or none.
    pub fn find(options: &Options) -> Result<Option<Keys>, Failure> {
        let word = |given: &Option<String>, name| {
            given.clone().or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
        };
        let own = word(&options.curve_key, "CIRCUSCTL_CURVE_KEY");
        let server = word(&options.curve_server_key, "CIRCUSCTL_CURVE_SERVER_KEY");
        match (own, server) {
            (None, None) => Ok(None),
            (Some(own), Some(server)) => {
                Keys::read(&own, &server).map(Some).map_err(Failure::Usage)
            }
            _ => Err(Failure::Usage(
                "CURVE needs both --curve-key (our secret certificate) and --curve-server-key \
                 (circusd's public key)"
                    .to_string(),
            )),
        }
    }

    fn read(own: &str, server: &str) -> Result<Keys, String> {
        let text = read(own)?;
        let own_key = |name: &str| {
            let key = field(&text, name).ok_or_else(|| {
                format!("{own} has no {name}: it must be a secret certificate, as keygen makes it")
            })?;
            decode(key).ok_or_else(|| format!("{own}: the {name} is not valid"))
        };
        let (public, secret) = (own_key("public-key")?, own_key("secret-key")?);
        if let Some(server) = decode(server) {
            return Ok(Keys { public, secret, server });
        }
        let text = read(server)?;
        // A file with the key alone is fine too.
        let key = field(&text, "public-key").unwrap_or(text.trim());
        let key = decode(key).ok_or_else(|| format!("{server} has no valid public-key"))?;
        Ok(Keys { public, secret, server: key })
    }

    /// Use them on a socket.
    pub fn apply(&self, socket: &zmq::Socket) -> Result<(), zmq::Error> {
        socket.set_curve_serverkey(&self.server)?;
        socket.set_curve_publickey(&self.public)?;
        socket.set_curve_secretkey(&self.secret)
    }
}

fn read(path: &str) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("cannot read {path}: {error}"))?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("{path} is no certificate: it is too large"));
    }
    fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
}

/// The quoted value of a line `name = "value"`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
        Some(value.trim_matches('"'))
    })
}

/// A key of 32 bytes from its 40 letters. libzmq takes letters that are none, so the way back is
/// compared.
fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    let key = zmq::z85_decode(text).ok()?;
    (zmq::z85_encode(&key).ok()? == text).then_some(key)
}

/// `keygen`: make two files; what to do with them.
pub fn generate(output: Option<&str>) -> Result<String, Failure> {
    let name = match output {
        Some(output) if Path::new(output).is_dir() => Path::new(output).join("circus"),
        Some(output) => PathBuf::from(output),
        None => PathBuf::from("circus"),
    };
    let (public, secret) = (with_end(&name, "key"), with_end(&name, "key_secret"));
    // Before anything is written, so that there is never half a pair.
    for path in [&public, &secret] {
        if path.symlink_metadata().is_ok() {
            let path = path.display();
            return Err(Failure::Trouble(format!("{path} is there already; it stays as it is")));
        }
    }
    let trouble =
        |error: &dyn std::fmt::Display| Failure::Trouble(format!("cannot make keys: {error}"));
    let pair = zmq::CurveKeyPair::new().map_err(|error| trouble(&error))?;
    let public_key = zmq::z85_encode(&pair.public_key).map_err(|error| trouble(&error))?;
    let secret_key = zmq::z85_encode(&pair.secret_key).map_err(|error| trouble(&error))?;
    let head = "#   ZeroMQ CURVE";
    write(
        &secret,
        0o600,
        &format!(
            "{head} **Secret** Certificate\n#   Keep it: whoever reads this file is you.\n\n\
             metadata\ncurve\n    public-key = \"{public_key}\"\n    secret-key = \"{secret_key}\"\n"
        ),
    )?;
    write(
        &public,
        0o644,
        &format!(
            "{head} Public Certificate\n#   Give it to whom it concerns.\n\n\
             metadata\ncurve\n    public-key = \"{public_key}\"\n"
        ),
    )?;
    let (public, secret) = (public.display(), secret.display());
    Ok(format!(
        "{public} has the public key: {public_key}\n\
         {secret} has the secret key; nobody else gets that file\n\n\
         If these are circusd's keys:\n\
         \x20 in its configuration, section [circus]:  curve_secret_key = {secret}\n\
         \x20 to each client:  {public}, for its option --curve-server-key\n\
         If these are a client's keys:\n\
         \x20 to circusd: this line, in the file that [circus] curve_authorized_keys names:\n\
         \x20   {public_key}\n\
         \x20 the client:  circusctl --endpoint tcp://HOST:PORT --curve-key {secret} \\\n\
         \x20              --curve-server-key CIRCUSDS.key status"
    ))
}

/// As it is written, dots included.
fn with_end(name: &Path, end: &str) -> PathBuf {
    let mut path = name.as_os_str().to_owned();
    path.push(".");
    path.push(end);
    path.into()
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let result = file.and_then(|mut file| file.write_all(text.as_bytes()));
    result.map_err(|error| Failure::Trouble(format!("cannot write {}: {error}", path.display())))
}

const FILE_BYTES_MAX: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pair_of_keys_is_made_once_and_can_be_used() {
        let folder = std::env::temp_dir().join(format!("circus-keys-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        let output = folder.to_str().expect("UTF-8");
        let said = generate(Some(output)).expect("keys");
        let secret = format!("{output}/circus.key_secret");
        let public = format!("{output}/circus.key");
        assert!(said.contains(&format!("[circus]:  curve_secret_key = {secret}\n")), "{said}");
        assert!(said.contains(&format!("{public}, for its option --curve-server-key")), "{said}");
        assert!(said.contains(&format!("--curve-key {secret} ")), "{said}");
        let mode = fs::metadata(&secret).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let keys = Keys::read(&secret, &public).expect("keys");
        assert_eq!(keys.public, keys.server);
        assert_ne!(keys.public, keys.secret);
        let key =
            field(&fs::read_to_string(&public).expect("a file"), "public-key").map(str::to_string);
        let again = Keys::read(&secret, &key.expect("a key")).expect("keys");
        assert_eq!(again.server, keys.server);

        let before = fs::read(&secret).expect("a file");
        let Err(Failure::Trouble(error)) = generate(Some(output)) else { panic!("overwritten") };
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read(&secret).expect("a file"), before);
        let error = Keys::read(&public, &public).err().expect("no secret");
        assert!(error.contains("no secret-key"), "{error}");
        let _ = fs::remove_dir_all(&folder);
    }

    #[test]
    fn letters_that_are_no_key_are_refused() {
        assert!(decode("~").is_none());
        assert!(decode(&"~".repeat(40)).is_none());
        assert!(decode(&"0".repeat(40)).is_some());
    }
}

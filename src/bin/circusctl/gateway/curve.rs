//! Keys: our own secret one, and the public ones of those who may come in over a network. libzmq
//! asks about each new peer over a socket of its own (ZAP); we read the file anew each time, so a
//! key is revoked by taking it out of the file. Who is connected already stays.

use super::args::CurveFiles;
use circus::curve::{self, Key, PUBLIC_BYTES_MAX, SECRET_BYTES_MAX};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zmq::DONTWAIT;

/// Where peers need a key, in libzmq's questions.
pub const KEYED: &str = "keyed";
/// Where they need none: it is a domain only because libzmq then refuses protocols that are so old
/// that it does not know whose process a peer is, and cannot tell a peer's words from its own.
pub const OPEN: &str = "open";
const QUESTIONS_A_TURN: usize = 16;

/// Our secret key.
pub fn read_secret_key(path: &Path) -> Result<Key, String> {
    let content = read(path, SECRET_BYTES_MAX)?;
    curve::secret_key(&content).map_err(|wrong| format!("{}: {wrong}", path.display()))
}

/// The public keys that may come in.
fn read_authorized_keys(path: &Path) -> Result<Vec<Key>, String> {
    let content = read(path, PUBLIC_BYTES_MAX)?;
    curve::public_keys(&content).map_err(|wrong| format!("{}: {wrong}", path.display()))
}

/// One byte more than is allowed, if there is so much.
fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut content))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(content)
}

/// Answers libzmq's questions about new peers.
pub struct Doorkeeper {
    /// Where libzmq asks; polled like the other sockets.
    pub socket: zmq::Socket,
    authorized_keys: Option<PathBuf>,
}

impl Doorkeeper {
    /// Must exist before the sockets that it keeps. The error is a sentence.
    pub fn new(context: &zmq::Context, files: &CurveFiles) -> Result<Doorkeeper, String> {
        let authorized_keys = files.authorized_keys.clone();
        if let Some(path) = &authorized_keys {
            read_authorized_keys(path)?;
        }
        let open = || {
            let socket = context.socket(zmq::REP)?;
            socket.set_linger(0)?;
            socket.bind("inproc://zeromq.zap.01")?;
            Ok(socket)
        };
        let socket =
            open().map_err(|error: zmq::Error| format!("cannot answer for peers: {error}"))?;
        Ok(Doorkeeper { socket, authorized_keys })
    }

    /// Answer the questions that have come, but not so many that others wait long. Returns whether
    /// none is left, or why the file that should say who may come in cannot be used: nobody may.
    pub fn answer(&self) -> (bool, Option<String>) {
        let mut trouble = None;
        for _ in 0..QUESTIONS_A_TURN {
            let Ok(question) = self.socket.recv_multipart(DONTWAIT) else {
                return (true, trouble);
            };
            let allowed = match self.is_allowed(&question) {
                Ok(allowed) => allowed,
                Err(reason) => {
                    trouble = Some(reason);
                    false
                }
            };
            let id = question.get(1).map_or(&[][..], Vec::as_slice);
            let (code, text) = if allowed { ("200", "OK") } else { ("400", "not authorized") };
            let answer = [b"1.0", id, code.as_bytes(), text.as_bytes(), b"", b""];
            // The peer may have gone: then nobody waits for it.
            let _ = self.socket.send_multipart(answer, DONTWAIT);
        }
        (false, trouble)
    }

    /// A question: version, id, domain, address, identity, mechanism, public key.
    fn is_allowed(&self, question: &[Vec<u8>]) -> Result<bool, String> {
        let [version, _, domain, _, _, mechanism, key @ ..] = question else { return Ok(false) };
        if version != b"1.0" {
            return Ok(false);
        }
        if domain == OPEN.as_bytes() {
            return Ok(mechanism == b"NULL");
        }
        let ([key], b"CURVE", Some(path)) = (key, mechanism.as_slice(), &self.authorized_keys)
        else {
            return Ok(false);
        };
        Ok(read_authorized_keys(path)?.iter().any(|known| known == key.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_libzmq_encodes_them() {
        for _ in 0..20 {
            let pair = zmq::CurveKeyPair::new().unwrap();
            let text = zmq::z85_encode(&pair.public_key).unwrap();
            assert_eq!(curve::decode(&text), Some(pair.public_key));
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let folder = std::env::temp_dir().join(format!("circus-curve-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("keys");
        std::fs::write(&path, "# nobody\nno key\n").unwrap();
        let error = read_authorized_keys(&path).unwrap_err();
        assert!(error.ends_with("keys: no public key of 40 letters (Z85) in line 2"), "{error}");
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(
            read_authorized_keys(&path).unwrap_err().ends_with("keys: it is too long, or no text")
        );
        assert!(read_secret_key(&path).unwrap_err().ends_with("keys: it is too long, or no text"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(read_secret_key(&path).unwrap_err().contains("cannot read"));
    }
}

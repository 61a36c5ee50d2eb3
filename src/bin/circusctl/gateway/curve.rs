//! Keys: our own secret one, and the public ones of those who may come in over a network. libzmq
//! asks about each new peer over a socket of its own (ZAP); we read the file anew each time, so a
//! key is revoked by taking it out of the file. Who is connected already stays.

use super::args::CurveFiles;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zmq::DONTWAIT;

/// A key is 32 bytes, written as 40 letters of Z85.
pub type Key = [u8; 32];
const KEY_LETTERS: usize = 40;
const Z85: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// More than a thousand keys.
const KEYS_BYTES_MAX: u64 = 64 << 10;
const SECRET_BYTES_MAX: u64 = 4096;

/// Where peers need a key, in libzmq's questions.
pub const KEYED: &str = "keyed";
/// Where they need none: it is a domain only because libzmq then refuses protocols that are so old
/// that it does not know whose process a peer is, and cannot tell a peer's words from its own.
pub const OPEN: &str = "open";
const QUESTIONS_A_TURN: usize = 16;

/// Our secret key: 40 letters, or a certificate file of ZeroMQ with a line `secret-key = "…"`.
pub fn read_secret_key(path: &Path) -> Result<Key, String> {
    let text = read(path, SECRET_BYTES_MAX)?;
    let in_certificate = || {
        let line = text.lines().map(str::trim).find(|line| line.starts_with("secret-key"))?;
        let value = line.strip_prefix("secret-key")?.trim_start().strip_prefix('=')?;
        decode(value.trim().trim_matches('"'))
    };
    decode(text.trim())
        .or_else(in_certificate)
        .ok_or_else(|| format!("{}: no secret key of 40 letters (Z85) in it", path.display()))
}

/// The public keys that may come in: one a line, what follows it is a remark. Lines that begin
/// with `#` are remarks too; but that letter may be a key's first.
fn read_authorized_keys(path: &Path) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for (index, line) in read(path, KEYS_BYTES_MAX)?.lines().enumerate() {
        let line = line.trim();
        match line.split_whitespace().next().map(decode) {
            Some(Some(key)) => keys.push(key),
            None => {}
            Some(None) if line.starts_with('#') => {}
            Some(None) => {
                let name = path.display();
                return Err(format!("{name}:{}: not a public key of 40 letters (Z85)", index + 1));
            }
        }
    }
    Ok(keys)
}

fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    let name = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot read {name}: {error}"))?;
    if text.len() as u64 > bytes_max {
        return Err(format!("{name}: more than {bytes_max} bytes"));
    }
    Ok(text)
}

/// From Z85: libzmq's own function does not tell bad letters from good.
fn decode(text: &str) -> Option<Key> {
    if text.len() != KEY_LETTERS {
        return None;
    }
    let mut key = Key::default();
    for (letters, bytes) in text.as_bytes().chunks(5).zip(key.chunks_mut(4)) {
        let mut number = 0u32;
        for letter in letters {
            let value = Z85.iter().position(|known| known == letter)?;
            number = number.checked_mul(85)?.checked_add(value as u32)?;
        }
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    Some(key)
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
            assert_eq!(decode(&text), Some(pair.public_key));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let letters = "0".repeat(40);
        assert_eq!(decode(&letters), Some([0; 32]));
        for bad in ["", "0", &letters[1..], &format!("{letters}0"), &"~".repeat(40)] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        // More than 32 bits.
        assert_eq!(decode(&"#".repeat(40)), None);
        assert_eq!(decode(&"é".repeat(20)), None);
    }

    #[test]
    fn a_file_of_keys_has_remarks_and_errors_name_the_line() {
        let folder = std::env::temp_dir().join(format!("circus-curve-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("keys");
        let key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
        std::fs::write(&path, format!("# who may\n\n  {key} laptop\n#{key}\n")).unwrap();
        assert_eq!(read_authorized_keys(&path).unwrap(), [decode(key).unwrap()]);
        std::fs::write(&path, format!("{key}\nno key\n")).unwrap();
        let error = read_authorized_keys(&path).unwrap_err();
        assert!(error.contains("keys:2: not a public key"), "{error}");
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(read_authorized_keys(&path).unwrap_err().contains("more than 65536 bytes"));
        std::fs::write(&path, format!("{key}\n")).unwrap();
        assert_eq!(read_secret_key(&path).unwrap(), decode(key).unwrap());
        let certificate =
            format!("metadata\ncurve\n    public-key = \"x\"\n    secret-key = \"{key}\"\n");
        std::fs::write(&path, certificate).unwrap();
        assert_eq!(read_secret_key(&path).unwrap(), decode(key).unwrap());
        std::fs::write(&path, "secret-key = \"short\"\n").unwrap();
        assert!(read_secret_key(&path).unwrap_err().contains("no secret key"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(read_secret_key(&path).unwrap_err().contains("cannot read"));
    }
}

//! CURVE keys in files: bare keys, or the certificates of ZeroMQ's other tools, which `circusctl keygen`
//! makes. No error shows anything of a file: it may be a secret one in the wrong place.

/// A key is 32 bytes, written as 40 letters of Z85.
pub type Key = [u8; 32];

/// A file of public keys may be so long: more than a thousand keys.
pub const PUBLIC_BYTES_MAX: usize = 64 << 10;
/// A file of one secret key may be so long.
pub const SECRET_BYTES_MAX: usize = 4096;

const KEY_LETTERS: usize = 40;
const Z85: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Why a file is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is longer than allowed, or no text.
    NoText,
    /// There is no secret key in it.
    NoSecretKey,
    /// It is a certificate without the secret key: the one that is given to others.
    PublicOnly,
    /// This line, from 1, has no public key and nothing else that may be there.
    Line(usize),
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wrong::NoText => f.write_str("it is too long, or no text"),
            Wrong::NoSecretKey => f.write_str("no secret key of 40 letters (Z85) in it"),
            Wrong::PublicOnly => f.write_str("it has the public key only"),
            Wrong::Line(line) => write!(f, "no public key of 40 letters (Z85) in line {line}"),
        }
    }
}

/// The secret key: 40 letters in a line of their own, or a line `secret-key = "…"`.
///
/// # Errors
/// There is none.
pub fn secret_key(content: &[u8]) -> Result<Key, Wrong> {
    let text = text(content, SECRET_BYTES_MAX)?;
    let bare = || {
        let keys = text.lines().filter_map(|line| decode(line.trim()));
        keys.take(1).next()
    };
    match field(text, "secret-key") {
        Some(value) => decode(value).ok_or(Wrong::NoSecretKey),
        None if field(text, "public-key").is_some() => Err(Wrong::PublicOnly),
        None => bare().ok_or(Wrong::NoSecretKey),
    }
}

/// The public keys that may come in: one a line, what follows it is a remark; and certificates, as
/// they are. Lines that begin with `#` are remarks too, but that letter may be a key's first.
///
/// # Errors
/// A line is nothing of that.
pub fn public_keys(content: &[u8]) -> Result<Vec<Key>, Wrong> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text(content, PUBLIC_BYTES_MAX)?.lines()) {
        let line = line.trim();
        let first = line.split_whitespace().next().unwrap_or_default();
        match (decode(first), field(line, "public-key")) {
            (Some(key), _) => keys.push(key),
            (None, Some(value)) => keys.push(decode(value).ok_or(Wrong::Line(number))?),
            (None, None) if is_remark(line) => {}
            (None, None) => return Err(Wrong::Line(number)),
        }
    }
    Ok(keys)
}

/// What a certificate has beside public keys, and lines for people.
fn is_remark(line: &str) -> bool {
    let is_member = line.split_once('=').is_some_and(|(name, value)| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let value = value.trim();
        name.trim().chars().all(is_name) && value.len() > 1 && value.starts_with('"')
    });
    line.is_empty() || line.starts_with('#') || ["metadata", "curve"].contains(&line) || is_member
}

fn text(content: &[u8], bytes_max: usize) -> Result<&str, Wrong> {
    let content = Some(content).filter(|content| content.len() <= bytes_max);
    content.and_then(|content| std::str::from_utf8(content).ok()).ok_or(Wrong::NoText)
}

/// The quoted value of a line `name = "value"`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(name)?.trim_start().strip_prefix('=')?.trim();
        Some(value.trim_matches('"'))
    })
}

/// From Z85: libzmq's own function does not tell bad letters from good.
pub fn decode(text: &str) -> Option<Key> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    const TWO: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    fn certificate(secret: bool) -> String {
        let secret = if secret { format!("    secret-key = \"{TWO}\"\n") } else { String::new() };
        format!(
            "#   ZeroMQ CURVE Certificate\n\nmetadata\n    name = \"web = 1\"\ncurve\n    \
             public-key = \"{ONE}\"\n{secret}"
        )
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
    fn bare_keys_and_certificates_are_for_both_options() {
        let (one, two) = (decode(ONE).expect("a key"), decode(TWO).expect("a key"));
        for text in [format!("{TWO}\n"), format!("# mine\n\n  {TWO}\r\n"), certificate(true)] {
            assert_eq!(secret_key(text.as_bytes()), Ok(two), "{text}");
        }
        for (text, keys) in [
            (format!("# who may\n\n  {ONE} laptop\n#{ONE}\n"), vec![one]),
            (certificate(false), vec![one]),
            (certificate(true), vec![one]),
            (
                format!("{TWO} his\n{}{}", certificate(false), certificate(true)),
                vec![two, one, one],
            ),
            (String::new(), vec![]),
        ] {
            assert_eq!(public_keys(text.as_bytes()), Ok(keys), "{text}");
        }
    }

    #[test]
    fn the_wrong_file_is_told_by_its_kind_and_line() {
        assert_eq!(secret_key(certificate(false).as_bytes()), Err(Wrong::PublicOnly));
        for text in ["", "short", "secret-key = \"short\"", "# a\nb\n"] {
            assert_eq!(secret_key(text.as_bytes()), Err(Wrong::NoSecretKey), "{text}");
        }
        for (text, line) in [
            (format!("{ONE}\nno key\n"), 2),
            ("public-key = \"short\"".to_string(), 1),
            ("-----BEGIN PUBLIC KEY-----".to_string(), 1),
            (format!("\nssh-ed25519 {ONE}="), 2),
        ] {
            assert_eq!(public_keys(text.as_bytes()), Err(Wrong::Line(line)), "{text}");
        }
        assert_eq!(public_keys(&[b'#'; PUBLIC_BYTES_MAX + 1]), Err(Wrong::NoText));
        assert_eq!(public_keys(b"\xff"), Err(Wrong::NoText));
        assert_eq!(secret_key(&[b'#'; SECRET_BYTES_MAX + 1]), Err(Wrong::NoText));
    }
}

//! JSON as Python's `json.dumps` writes it: blanks after `,` and `:`, ASCII only, floats as `repr`
//! shows them. Written straight into a buffer: no tree is built, however long a list is.

use serde_json::Value;

/// An object that is being written; `end` closes it.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Opens one at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, is_empty: true }
    }

    /// A key. Exactly one value has to be appended to what is returned.
    pub fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.extend_from_slice(b", ");
        }
        self.is_empty = false;
        push_string(self.out, key);
        self.out.extend_from_slice(b": ");
        self.out
    }

    /// A member that is a text.
    pub fn string(&mut self, key: &str, value: &str) {
        push_string(self.key(key), value);
    }

    /// A member that is a whole number.
    pub fn integer(&mut self, key: &str, value: impl Into<i64>) {
        push_integer(self.key(key), value.into());
    }

    /// A member that is a number with decimals.
    pub fn float(&mut self, key: &str, value: f64) {
        push_float(self.key(key), value);
    }

    /// A member that is true or false.
    pub fn flag(&mut self, key: &str, value: bool) {
        push_flag(self.key(key), value);
    }

    /// A member that is nothing.
    pub fn null(&mut self, key: &str) {
        push_null(self.key(key));
    }

    /// A member that is JSON already.
    pub fn json(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }

    /// A member that is an object.
    pub fn object(&mut self, key: &str) -> Object<'_> {
        Object::new(self.key(key))
    }

    /// A member that is a list.
    pub fn list(&mut self, key: &str) -> List<'_> {
        List::new(self.key(key))
    }

    /// Nothing more.
    pub fn end(self) {
        self.out.push(b'}');
    }
}

/// A list that is being written; `end` closes it.
#[derive(Debug)]
pub struct List<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> List<'a> {
    /// Opens one at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> List<'a> {
        out.push(b'[');
        List { out, is_empty: true }
    }

    /// One more. Exactly one value has to be appended to what is returned.
    pub fn item(&mut self) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.extend_from_slice(b", ");
        }
        self.is_empty = false;
        self.out
    }

    /// One more, which is an object.
    pub fn object(&mut self) -> Object<'_> {
        Object::new(self.item())
    }

    /// Nothing more.
    pub fn end(self) {
        self.out.push(b']');
    }
}

/// A text. What is not printable ASCII is escaped, by two surrogates where one does not do.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        // A character of several bytes begins with one that is not plain, so nothing is cut.
        let (plain, other) =
            rest.split_at(rest.as_bytes().iter().take_while(|b| is_plain(b)).count());
        out.extend_from_slice(plain.as_bytes());
        let mut characters = other.chars();
        match characters.next() {
            Some(character) => push_escaped(out, character),
            None => break,
        }
        rest = characters.as_str();
    }
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' | '\\' => character as u8,
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// A whole number.
pub fn push_integer(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// A number with decimals: as few digits as tell it from its neighbours, an exponent below 0.0001
/// and from 1e16. What is not a number is null: JSON has no word for it.
pub fn push_float(out: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        return push_null(out);
    }
    let text = format!("{number:e}");
    let (sign, text) = text.strip_prefix('-').map_or(("", &*text), |text| ("-", text));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, others) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = first.len() + others.len();
    out.extend_from_slice(sign.as_bytes());
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    match usize::try_from(exponent) {
        Ok(whole) if whole < 16 => {
            let (inside, outside) = others.split_at(others.len().min(whole));
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(inside.as_bytes());
            zeros(out, (whole + 1).saturating_sub(digits));
            out.push(b'.');
            out.extend_from_slice(if outside.is_empty() { b"0" } else { outside.as_bytes() });
        }
        Err(_) if exponent >= -4 => {
            out.extend_from_slice(b"0.");
            zeros(out, exponent.unsigned_abs() as usize - 1);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(others.as_bytes());
        }
        Ok(_) | Err(_) => {
            out.extend_from_slice(mantissa.as_bytes());
            let sign = if exponent < 0 { '-' } else { '+' };
            let exponent = exponent.unsigned_abs();
            out.extend_from_slice(format!("e{sign}{exponent:02}").as_bytes());
        }
    }
}

/// True or false.
pub fn push_flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// Nothing.
pub fn push_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Any value.
pub fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => push_null(out),
        Value::Bool(flag) => push_flag(out, *flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => push_integer(out, whole),
            (None, Some(float)) if number.is_f64() => push_float(out, float),
            // Larger than the largest i64.
            (None, _) => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::String(text) => push_string(out, text),
        Value::Array(values) => {
            let mut list = List::new(out);
            for value in values {
                push_value(list.item(), value);
            }
            list.end();
        }
        Value::Object(members) => {
            let mut object = Object::new(out);
            for (key, value) in members {
                push_value(object.key(key), value);
            }
            object.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_written_as_python_shows_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (3.0, "3.0"),
            (2.5, "2.5"),
            (-123.456, "-123.456"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1234567890123456.7, "1234567890123456.8"),
            (9999999999999998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.25e22, "1.25e+22"),
            (1e100, "1e+100"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1795331504.1709943, "1795331504.1709943"),
            (1795331504.17, "1795331504.17"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(written(|out| push_float(out, number)), text);
        }
    }

    #[test]
    fn texts_are_ascii() {
        for (text, expected) in [
            ("", r#""""#),
            ("plain ~", r#""plain ~""#),
            ("a\"b\\c/", r#""a\"b\\c/""#),
            ("\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}", r#""\n\r\t\b\f\u0000\u001f\u007f""#),
            ("é\u{a0}—x", r#""\u00e9\u00a0\u2014x""#),
            ("😀", r#""\ud83d\ude00""#),
        ] {
            assert_eq!(written(|out| push_string(out, text)), expected);
        }
    }

    #[test]
    fn values_are_written_with_blanks_after_commas_and_colons() {
        let value = json!({"a": [1, -2, u64::MAX, 1.0, null, true, {}], "b": {"c": [], "d": "é"}});
        assert_eq!(
            written(|out| push_value(out, &value)),
            "{\"a\": [1, -2, 18446744073709551615, 1.0, null, true, {}], \
             \"b\": {\"c\": [], \"d\": \"\\u00e9\"}}"
        );
        assert_eq!(written(|out| push_integer(out, i64::MIN)), i64::MIN.to_string());
        assert_eq!(written(|out| push_integer(out, 0)), "0");
    }
}

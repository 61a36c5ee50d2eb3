//! Files of `NAME=value` lines, as containers use them: `#` comments, `export ` is tolerated, one
//! pair of quotes around a value is removed.

use crate::config::settings::Variable;

/// The variables of a file, or the first line that is wrong and why.
pub fn parse(content: &[u8]) -> Result<Vec<Variable>, String> {
    if content.contains(&0) {
        return Err("it contains a NUL byte".to_owned());
    }
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut variables = Vec::new();
    for (line, number) in content.split(|byte| *byte == b'\n').zip(1u32..) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let line = match line.strip_prefix(b"export") {
            Some(rest) if rest.starts_with(b" ") || rest.starts_with(b"\t") => rest.trim_ascii(),
            Some(_) | None => line,
        };
        let equals = line.iter().position(|byte| *byte == b'=');
        let Some(equals) = equals.filter(|at| *at > 0) else {
            return Err(format!("its line {number} is not NAME=value"));
        };
        let (name, value) = (line[..equals].trim_ascii_end(), line[equals + 1..].trim_ascii());
        if std::str::from_utf8(name).is_err() {
            return Err(format!("the name in its line {number} is not UTF-8 text"));
        }
        if name.iter().any(u8::is_ascii_whitespace) {
            return Err(format!("the name in its line {number} has blanks"));
        }
        variables.push((name.into(), unquoted(value).into()));
    }
    Ok(variables)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'"') => inner,
        [b'\'', inner @ .., b'\''] if !inner.contains(&b'\'') => inner,
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_variables() {
        let variables =
            parse(b"# c\n\nA=1\nexport B = two words \r\nC=\"x=y\"\nD='$z'\nE=\nexported=1\n");
        let shown: Vec<String> = variables
            .expect("valid")
            .into_iter()
            .map(|(name, value)| {
                format!("{}={}", name.escape_ascii(), String::from_utf8_lossy(&value))
            })
            .collect();
        assert_eq!(shown, ["A=1", "B=two words", "C=x=y", "D=$z", "E=", "exported=1"]);
    }

    #[test]
    fn a_bad_line_is_named_but_not_shown() {
        assert_eq!(parse(b"A=1\nsecret\n"), Err("its line 2 is not NAME=value".to_owned()));
        assert_eq!(parse(b"\xff=1"), Err("the name in its line 1 is not UTF-8 text".to_owned()));
        assert!(parse(b"=x").is_err() && parse(b"A B=1").is_err() && parse(b"A=\0").is_err());
    }
}

//! Variables in values: `$(circus.env.NAME)`, `((circus.env.NAME))`, `$(circus.env.NAME:-default)`,
//! `$(circus.file.PATH)`, and in environment sections `$NAME`. What was put in for a variable is
//! never looked at again, so a `$` in it stays as it is.

use crate::config::Source;
use crate::config::mistake::shortened;
use crate::config::spelling;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A text, cut at its variables.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// To be taken as it is.
    Text(&'a str),
    /// `$(circus.NAME)`; `written` is all of it.
    Variable {
        /// With its brackets.
        written: &'a str,
        /// After `circus.`.
        name: &'a str,
    },
    /// Begins like a variable but is not closed.
    Unclosed(&'a str),
}

/// Cuts a text at `$(circus.` and `((circus.`, whatever their case.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = next_opening(text, from) {
        if found > done {
            pieces.push(Piece::Text(&text[done..found]));
        }
        let Some(length) = closed_length(&text[found..]) else {
            pieces.push(Piece::Unclosed(&text[found..]));
            return pieces;
        };
        let written = &text[found..found + length];
        let closing = if written.starts_with("((") { 2 } else { 1 };
        let name = &written[OPENING_BYTES..length - closing];
        pieces.push(Piece::Variable { written, name });
        done = found + length;
        from = done;
    }
    if done < text.len() {
        pieces.push(Piece::Text(&text[done..]));
    }
    pieces
}

/// Variables by name, in layers: an inner layer wins over the outer ones.
#[derive(Debug, Default)]
pub struct Layer {
    outer: Option<Rc<Layer>>,
    by_name: BTreeMap<Box<[u8]>, Known>,
    /// By name in lower case: the name that was set last.
    by_folded: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// The value of a variable.
#[derive(Debug)]
pub struct Known {
    /// Byte-exact.
    pub value: Box<[u8]>,
    /// It comes from a file and is not to be shown.
    pub secret: bool,
}

impl Layer {
    /// A layer on top of another.
    pub fn over(outer: Rc<Layer>) -> Layer {
        Layer { outer: Some(outer), ..Layer::default() }
    }

    /// Sets a variable; later ones win.
    pub fn set(&mut self, name: &[u8], value: &[u8], secret: bool) {
        self.by_folded.insert(name.to_ascii_lowercase().into(), name.into());
        self.by_name.insert(name.into(), Known { value: value.into(), secret });
    }

    /// The variable of exactly this name.
    pub fn exact(&self, name: &[u8]) -> Option<&Known> {
        self.layers().find_map(|layer| layer.by_name.get(name))
    }

    /// The variable of this name, else of this name in another case.
    pub fn find(&self, name: &[u8]) -> Option<&Known> {
        self.exact(name).or_else(|| {
            let folded = name.to_ascii_lowercase();
            self.layers().find_map(|layer| layer.by_name.get(layer.by_folded.get(&*folded)?))
        })
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::successors(Some(self), |layer| layer.outer.as_deref())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.layers().flat_map(|layer| layer.by_name.keys());
        names.filter_map(|name| std::str::from_utf8(name).ok())
    }
}

/// Which variables a value may use.
pub struct Scope<'a> {
    /// Environment.
    pub variables: &'a Layer,
    /// Gives the content of files.
    pub source: &'a dyn Source,
    /// Files are relative to it.
    pub directory: &'a str,
    /// `$NAME` too.
    pub dollar_names: bool,
    /// What is known only when a process starts stays as written.
    pub at_spawn: Option<fn(&str) -> bool>,
}

/// A value with its variables replaced.
#[derive(Debug, Default)]
pub struct Expanded {
    /// Byte-exact.
    pub bytes: Vec<u8>,
    /// A part of it comes from a file.
    pub secret: bool,
}

impl Scope<'_> {
    /// Replaces all variables; else a sentence for each one that cannot be replaced.
    pub fn expand(&self, text: &str) -> Result<Expanded, Vec<String>> {
        let mut expanded = Expanded::default();
        let mut mistakes = Vec::new();
        self.append(text, DEPTH_MAX, &mut expanded, &mut mistakes);
        if expanded.is_too_long() {
            mistakes.push("is longer than 1 MiB with its variables replaced".to_owned());
        }
        if mistakes.is_empty() { Ok(expanded) } else { Err(mistakes) }
    }

    /// The text uses a variable of the environment that is not set.
    pub fn lacks_a_variable(&self, text: &str) -> bool {
        let Err(reasons) = self.expand(text) else {
            return false;
        };
        reasons.iter().any(|reason| reason.contains("is not set"))
    }

    fn append(&self, text: &str, depth: u32, out: &mut Expanded, mistakes: &mut Vec<String>) {
        for piece in pieces(text) {
            // What is too much already must not become ever more.
            if out.is_too_long() || mistakes.len() >= VALUE_MISTAKES_MAX {
                return;
            }
            let result = match piece {
                Piece::Text(text) if self.dollar_names => {
                    self.append_dollar_names(text, out);
                    Ok(())
                }
                Piece::Text(text) => {
                    out.bytes.extend_from_slice(text.as_bytes());
                    Ok(())
                }
                Piece::Unclosed(_) => {
                    Err("has a variable that is not closed; write `$(circus.env.NAME)`".to_owned())
                }
                Piece::Variable { written, name } => self.variable(written, name, depth, out),
            };
            mistakes.extend(result.err());
        }
    }

    fn variable(
        &self,
        written: &str,
        name: &str,
        depth: u32,
        out: &mut Expanded,
    ) -> Result<(), String> {
        if depth == 0 {
            return Err("has variables inside variables too deep".to_owned());
        }
        if let Some(path) = strip_folded(name, "file.") {
            return self.file(path, depth, out);
        }
        if let Some(rest) = strip_folded(name, "env.") {
            return self.environment(rest, depth, out);
        }
        match self.at_spawn {
            _ if !is_spawn_shaped(name) => {}
            Some(is_known) if is_known(&name.to_ascii_lowercase()) => {
                out.bytes.extend_from_slice(written.as_bytes());
                return Ok(());
            }
            None if crate::config::program::is_spawn_variable(&name.to_ascii_lowercase()) => {
                return Err(format!(
                    "`{}` is known only when a process starts; it can be used in cmd, args, shell_args, hooks and after exec:",
                    shortened(written)
                ));
            }
            Some(_) | None => {}
        }
        let names = crate::config::program::spawn_variables();
        let known = names.chain(["env.", "file.", "sockets."]);
        Err(format!(
            "`{}` is no variable{}",
            shortened(written),
            match spelling::closest(name, known) {
                Some(near) => format!("; did you mean `$(circus.{near})`?"),
                None => "; write `$(circus.env.NAME)` for a variable of the environment".to_owned(),
            }
        ))
    }

    fn environment(&self, rest: &str, depth: u32, out: &mut Expanded) -> Result<(), String> {
        let (name, default) = match rest.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (rest, None),
        };
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            let name = shortened(name);
            return Err(format!("`{name}` is no name of a variable; write `$(circus.env.NAME)`"));
        }
        match (self.variables.find(name.as_bytes()), default) {
            (Some(known), None) => out.append(known),
            (Some(known), Some(_)) if !known.value.is_empty() => out.append(known),
            (_, Some(default)) => {
                let mut mistakes = Vec::new();
                self.append(default, depth - 1, out, &mut mistakes);
                if let Some(first) = mistakes.into_iter().next() {
                    return Err(first);
                }
            }
            (None, None) => {
                let near = spelling::closest(name, self.variables.names());
                let question = near.map(|near| format!("; did you mean {near}?"));
                let (name, question) = (shortened(name), question.unwrap_or_default());
                return Err(format!(
                    "variable {name} is not set{question}; set it, or write `$(circus.env.{name}:-default)`"
                ));
            }
        }
        Ok(())
    }

    fn file(&self, path: &str, depth: u32, out: &mut Expanded) -> Result<(), String> {
        let mut inner = Expanded::default();
        let mut mistakes = Vec::new();
        self.append(path, depth - 1, &mut inner, &mut mistakes);
        if let Some(first) = mistakes.into_iter().next() {
            return Err(first);
        }
        let is_plain = inner.bytes == path.as_bytes();
        let shown = if is_plain { shortened(path) } else { "the file".to_owned() };
        let path = String::from_utf8(inner.bytes).map_err(|_| "names a file that is not UTF-8")?;
        let content = content_of(self.source, &joined(self.directory, &path))
            .map_err(|reason| format!("cannot read {shown}: {reason}"))?;
        out.bytes.extend_from_slice(&content);
        out.secret = true;
        Ok(())
    }

    /// `$NAME` in upper case, as Circus has it; unset is empty.
    fn append_dollar_names(&self, text: &str, out: &mut Expanded) {
        let mut rest = text;
        while let Some(dollar) = rest.find('$').filter(|_| !out.is_too_long()) {
            out.bytes.extend_from_slice(&rest.as_bytes()[..dollar]);
            let after = &rest[dollar + 1..];
            let is_name = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
            let length = after.bytes().take_while(|byte| is_name(*byte)).count();
            if after.starts_with(|first: char| first.is_ascii_uppercase()) {
                if let Some(known) = self.variables.exact(&after.as_bytes()[..length]) {
                    out.append(known);
                }
                rest = &after[length..];
            } else {
                out.bytes.push(b'$');
                rest = after;
            }
        }
        out.bytes.extend_from_slice(rest.as_bytes());
    }
}

impl Expanded {
    fn append(&mut self, known: &Known) {
        self.bytes.extend_from_slice(&known.value);
        self.secret |= known.secret;
    }

    fn is_too_long(&self) -> bool {
        self.bytes.len() > VALUE_BYTES_MAX
    }
}

/// Content of a file without its last newline; it may not hold what no variable can.
pub fn content_of(source: &dyn Source, path: &str) -> Result<Vec<u8>, String> {
    let mut content = source.read_secret(path)?;
    if content.last() == Some(&b'\n') {
        content.pop();
        if content.last() == Some(&b'\r') {
            content.pop();
        }
    }
    if content.contains(&0) {
        return Err("it contains a NUL byte".to_owned());
    }
    if content.len() > VALUE_BYTES_MAX {
        return Err("it is longer than 1 MiB".to_owned());
    }
    Ok(content)
}

/// A path relative to a directory.
pub fn joined(directory: &str, path: &str) -> String {
    match (directory, path) {
        ("", path) => path.to_owned(),
        (_, path) if path.starts_with('/') => path.to_owned(),
        ("/", path) => format!("/{path}"),
        (directory, path) => format!("{directory}/{path}"),
    }
}

fn next_opening(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    (from..bytes.len().checked_sub(OPENING_BYTES)?).find(|at| {
        let opening = &bytes[*at..*at + OPENING_BYTES];
        matches!(&opening[..2], b"$(" | b"((") && opening[2..].eq_ignore_ascii_case(b"circus.")
    })
}

/// Length up to the bracket that closes the first; two of them for `((`.
fn closed_length(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            let doubled = text.starts_with("((");
            return (!doubled || text[..at].ends_with(')')).then_some(at + 1);
        }
    }
    None
}

fn strip_folded<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

fn is_spawn_shaped(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_name_byte)
}

/// Length of `$(circus.`.
const OPENING_BYTES: usize = 9;
const DEPTH_MAX: u32 = 8;
/// Of a value with its variables replaced.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Whoever has to mend so many knows where to look.
const VALUE_MISTAKES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::Files;

    fn expand(text: &str, dollar_names: bool) -> Result<String, Vec<String>> {
        let mut layer = Layer::default();
        layer.set(b"HOME", b"/home", false);
        layer.set(b"MONEY", b"$HOME $(circus.env.HOME)", false);
        layer.set(b"EMPTY", b"", false);
        let files = Files::new(&[("/etc/secret", "s3cret\n\n"), ("/home/x", "y\n")]);
        let scope = Scope {
            variables: &layer,
            source: &files,
            directory: "/etc",
            dollar_names,
            at_spawn: Some(crate::config::program::is_spawn_variable),
        };
        scope.expand(text).map(|expanded| String::from_utf8(expanded.bytes).expect("text"))
    }

    #[test]
    fn variables_are_found_in_both_spellings_and_any_case() {
        let text = "a $(circus.env.HOME) ((circus.env.home)) $(CIRCUS.Env.home) ${HOME} $HOME";
        assert_eq!(expand(text, false).as_deref(), Ok("a /home /home /home ${HOME} $HOME"));
    }

    #[test]
    fn an_unset_variable_is_a_mistake_unless_it_has_a_default() {
        let text = "$(circus.env.NOPE:-x y) $(circus.env.EMPTY:-$(circus.env.HOME)/z) $(circus.env.NOPE:-)";
        assert_eq!(expand(text, false).as_deref(), Ok("x y /home/z "));
        let mistakes = expand("$(circus.env.NOPE) $(circus.env.HOMES)", false).expect_err("unset");
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].contains("NOPE is not set"), "{mistakes:?}");
        assert!(mistakes[1].contains("did you mean HOME?"), "{mistakes:?}");
        assert!(!mistakes.concat().contains("/home"));
    }

    #[test]
    fn a_file_gives_its_content_without_the_last_newline() {
        let text =
            "[$(circus.file./etc/secret)$(circus.file.secret)]$(circus.file.$(circus.env.HOME)/x)";
        assert_eq!(expand(text, false).as_deref(), Ok("[s3cret\ns3cret\n]y"));
        let mistakes = expand("$(circus.file./none)", false).expect_err("missing");
        assert_eq!(mistakes, ["cannot read /none: No such file or directory"]);
    }

    #[test]
    fn what_a_variable_brings_in_is_not_expanded_again() {
        assert_eq!(expand("$MONEY", true).as_deref(), Ok("$HOME $(circus.env.HOME)"));
        assert_eq!(expand("$(circus.env.MONEY)", true).as_deref(), Ok("$HOME $(circus.env.HOME)"));
        assert_eq!(
            expand("$HOME:$NOPE:$home:${HOME}:$", true).as_deref(),
            Ok("/home::$home:${HOME}:$")
        );
    }

    #[test]
    fn variables_of_the_process_stay_and_unknown_ones_are_mistakes() {
        let text = "$(circus.wid) ((circus.sockets.s-1)) $(circus.rlimits.nofile) $(circusctl x)";
        assert_eq!(expand(text, false).as_deref(), Ok(text));
        let mistakes =
            expand("$(circus.widd) $(circus.my_opt) $(circus.env.", false).expect_err("unknown");
        assert!(mistakes[0].contains("did you mean `$(circus.wid)`?"), "{mistakes:?}");
        assert_eq!(mistakes.len(), 3);
    }
}

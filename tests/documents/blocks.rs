//! Pages, and the blocks of code in them.

use std::fs;
use std::path::Path;

/// A page.
pub struct Page {
    /// Below the project's folder.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// A block of code.
pub struct Block {
    /// Page and line, for people.
    pub place: String,
    /// What stands behind the opening fence.
    pub language: String,
    pub text: String,
}

impl Block {
    /// Somebody else's, shown for comparison.
    pub fn is_before(&self) -> bool {
        self.text.starts_with("# before") || self.is_supervisors()
    }

    pub fn is_supervisors(&self) -> bool {
        self.text.starts_with("; supervisord.conf")
    }
}

impl Page {
    pub fn read(name: &str) -> Page {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = fs::read_to_string(path).expect("the page");
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    let place = format!("{name}:{}", number + 1);
                    let language = language.trim().to_owned();
                    open = Some(Block { place, language, text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block is not closed");
        Page { name: name.to_owned(), text, blocks }
    }

    /// All pages whose blocks are run.
    pub fn all() -> Vec<Page> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
        let entries = fs::read_dir(folder).expect("docs").flatten();
        let mut names: Vec<String> = entries
            .map(|entry| format!("docs/{}", entry.file_name().display()))
            .filter(|name| name.ends_with(".md"))
            .collect();
        names.push("README.md".to_owned());
        names.sort();
        names.iter().map(|name| Page::read(name)).collect()
    }

    /// Our own blocks of a language.
    pub fn ours(&self, language: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.language == language && !block.is_before())
    }

    /// What a reader would type, block by block.
    pub fn scripts(&self) -> Vec<(&Block, String)> {
        let typed = |block: &Block| {
            let lines = block.text.lines().filter_map(|line| line.strip_prefix("$ "));
            lines.map(|line| format!("{line}\n")).collect()
        };
        let sh = self.ours("sh").map(|block| (block, block.text.clone()));
        sh.chain(self.ours("console").map(|block| (block, typed(block)))).collect()
    }
}

/// Values for the variables that a configuration needs.
pub fn variables(ini: &str) -> Vec<(String, String)> {
    let names = ["$(circus.env.", "%(ENV_"].iter().flat_map(|start| ini.split(start).skip(1));
    names
        .filter_map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next())
        .map(|name| (name.to_owned(), "1".to_owned()))
        .collect()
}

/// The text with users and groups that exist here.
pub fn with_known_users(ini: &str) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_known = |user: &str| passwd.lines().any(|line| line.split(':').next() == Some(user));
    let mut text = String::new();
    for line in ini.lines() {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        match key.trim() {
            "gid" => {}
            "uid" | "user" | "chown" if !is_known(value.trim()) => {
                text.push_str(&format!("{key}= nobody\n"));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

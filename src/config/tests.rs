//! Stories of whole files: what is true of a configuration when it is loaded.

use super::settings::{Config, Variable};
use super::{Source, load, pattern};
use std::collections::BTreeMap;

/// Files in memory.
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    pub fn new(files: &[(&str, &str)]) -> Files {
        Files(
            files
                .iter()
                .map(|(path, text)| (path.to_string(), text.as_bytes().to_vec()))
                .collect(),
        )
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0
            .get(path)
            .cloned()
            .ok_or("No such file or directory".to_owned())
    }

    fn glob(&self, wanted: &str) -> Vec<String> {
        self.0
            .keys()
            .filter(|path| pattern::matches(wanted, path))
            .cloned()
            .collect()
    }

    fn current_dir(&self) -> String {
        "/work".to_owned()
    }
}

pub fn variables(environment: &[(&str, &str)]) -> Vec<Variable> {
    let bytes = |text: &str| Box::from(text.as_bytes());
    environment
        .iter()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect()
}

pub fn load_files(
    files: &[(&str, &str)],
    environment: &[(&str, &str)],
) -> Result<Config, Vec<String>> {
    load("/etc/c.ini", &variables(environment), &Files::new(files))
        .map_err(|mistakes| mistakes.iter().map(|mistake| mistake.to_string()).collect())
}

pub fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    load_files(&[("/etc/c.ini", text)], environment)
}

//! A configuration that is read again, for a client that asks for it or wants to know what would change.

use super::{Control, View, WARNINGS_MAX, Work};
use crate::boot::{config_surprises, reread};
use crate::keys;
use circus::commands::{self, Answer, ChangeKind, Errno, Refusal};
use circus::config;
use circus::config::options::Change;
use circus::config::settings::{CircusSettings, Config};
use circus::supervisor::Configuration;

impl Control {
    pub(super) fn prepare_configure(
        &self,
        restart: bool,
        warnings: &mut Vec<String>,
        view: &View<'_>,
    ) -> Result<Work, Refusal> {
        let configuration = Box::new(configuration(self.reread(warnings, view)?));
        Ok(Work::Configure { configuration, restart })
    }

    /// What a start would warn of is in `warnings`, and what only a start brings about.
    fn reread(&self, warnings: &mut Vec<String>, view: &View<'_>) -> Result<Config, Refusal> {
        let main = view.supervisor.main_name();
        let config = reread(&self.config_path, view.environment, main)
            .map_err(|reason| Refusal::new(Errno::Command, reason))?;
        warnings.extend(config_surprises(&config));
        warnings.extend(keys::check(&config.circus.endpoints).err().into_iter().flatten());
        let later = for_the_next_start(&self.started_with, &config.circus);
        if !later.is_empty() {
            warnings.push(format!("changed for the next start of circusd: {}", later.join(", ")));
        }
        if warnings.len() > WARNINGS_MAX {
            let more = warnings.len() - WARNINGS_MAX;
            warnings.truncate(WARNINGS_MAX);
            warnings.push(format!("and {more} more warnings: circusd --check tells them all"));
        }
        Ok(config)
    }

    pub(super) fn dry_run(
        &self,
        warnings: &mut Vec<String>,
        view: &View<'_>,
    ) -> Result<Answer, Refusal> {
        let config = self.reread(warnings, view)?;
        let new = configuration(config);
        let mut changes = view.supervisor.changes(&new);
        let mut options = config::circus_differences(view.supervisor.circus(), &new.circus);
        // Read already by an earlier reload, and still to come.
        let later = for_the_next_start(&self.started_with, &new.circus);
        options.extend(later);
        circus::sort::sort(&mut options);
        options.dedup();
        if !options.is_empty() {
            let name = "[circus]".into();
            changes.insert(0, commands::Change { name, kind: ChangeKind::Adjusted, options });
        }
        Ok(Answer::Changes(changes))
    }
}

/// What of it the core wants to know.
fn configuration(config: Config) -> Configuration {
    let Config { circus, watchers, sockets, .. } = config;
    Configuration { circus, watchers, sockets }
}

/// Of options of `[circus]` that have changed, those that only a new start of circusd brings about.
fn for_the_next_start(old: &CircusSettings, new: &CircusSettings) -> Vec<Box<str>> {
    let table = &config::options::CIRCUS;
    let mut names = config::circus_differences(old, new);
    names.retain(|name| {
        config::options::find(table, name).is_some_and(|row| row.change == Change::Restart)
    });
    names
}

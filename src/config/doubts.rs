//! What is allowed, and will surprise: said in `--check` and in the log, and nothing else follows.

use crate::config::ini::{Entry, Section};
use crate::config::load::Reading;
use crate::config::mistake::shortened;
use crate::config::settings::{Liveness, Probe, Readiness, WatcherSettings};
use crate::config::watcher::Read;
use core::net::IpAddr;
use std::collections::BTreeMap;

impl Reading<'_> {
    /// About the probes of a watcher.
    pub fn doubt_probes(&mut self, settings: &WatcherSettings, section: &Section) {
        if settings.check.is_none() {
            for option in ["check_interval", "check_timeout", "check_retries", "check_start_period"]
            {
                if let Some(entry) = section.get(option) {
                    self.warn(entry, "is ignored without `check`");
                }
            }
        }
        let ready = match &settings.ready {
            Readiness::Probe(probe) => Some(probe),
            Readiness::Started | Readiness::Notify | Readiness::After { .. } => None,
        };
        let check = match settings.check.as_ref().map(|check| &check.by) {
            Some(Liveness::Probe(probe)) => Some(probe),
            Some(Liveness::Watchdog) | None => None,
        };
        for (option, probe) in [("ready", ready), ("check", check)] {
            if let (Some(probe), Some(entry)) = (probe, section.get(option)) {
                self.doubt_host(probe, entry);
            }
        }
    }

    /// A name may be there where it runs; but no name server is asked for it.
    fn doubt_host(&mut self, probe: &Probe, entry: &Entry) {
        let host = match probe {
            Probe::Tcp { host, .. } | Probe::Http { host, .. } => host,
            Probe::Unix(_) | Probe::Exec(_) => return,
        };
        let is_known = host.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.hosts().iter().any(|name| name.eq_ignore_ascii_case(host));
        // What is in a variable may be a secret.
        if !is_known && entry.value.contains(&**host) {
            let text = format!(
                "{} is no number and not in /etc/hosts here, and no name server is asked for it",
                shortened(host)
            );
            self.warn(entry, &text);
        }
    }

    /// About what watchers wait for. They are sorted, and so are the warnings.
    pub fn doubt_dependencies(&mut self, watchers: &[Read]) {
        let by_name: BTreeMap<&str, &WatcherSettings> =
            watchers.iter().map(|read| (&*read.settings.name, &read.settings)).collect();
        for read in watchers.iter().filter(|read| read.settings.essential) {
            let Some(named) = &read.depends_on else { continue };
            let needs = read.settings.depends_on.iter();
            let needs = needs.filter_map(|it| by_name.get(&*it.name));
            // Whether a one-shot fails matters only as long as others wait for it.
            let mut ends = needs.filter(|it| !it.essential && !it.oneshot);
            if let Some(first) = ends.next() {
                let more = match ends.count() {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                let (own, first) = (shortened(&read.settings.name), shortened(&first.name));
                let text = format!(
                    "{own} is essential and {first}{more} is not: its end ends everything only as long as {own} waits for it"
                );
                self.warnings.add(&named.at, "depends_on", &text);
            }
        }
    }
}

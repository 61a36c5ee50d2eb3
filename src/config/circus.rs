//! Section `[circus]` becomes `CircusSettings`: its options one by one, then what they must have in
//! common so that nobody from outside gets in by mistake.

use crate::config::endpoint;
use crate::config::expand::joined;
use crate::config::ini::{Entry, Section};
use crate::config::later::is_wanted;
use crate::config::load::Reading;
use crate::config::options::{CIRCUS, Support};
use crate::config::settings::{CircusSettings, CurveFiles, Endpoint, EndpointOwner, Place};

/// The section while it is being read.
#[derive(Debug, Default)]
pub struct CircusDraft {
    /// What becomes of it.
    pub settings: CircusSettings,
    /// `endpoint_owner`.
    pub endpoint_owner: Option<Box<str>>,
    /// `curve_secret_key`.
    pub curve_secret_key: Option<Box<str>>,
    /// `curve_authorized_keys`.
    pub curve_authorized_keys: Option<Box<str>>,
}

impl Reading<'_> {
    /// Reads the section.
    pub fn circus(&mut self, section: &Section) -> CircusSettings {
        let mut draft = CircusDraft::default();
        let (mut kept, mut masked) = (Vec::new(), Vec::new());
        for entry in &section.entries {
            let Some((row, value)) = self.row(&CIRCUS, "[circus]", entry, &mut draft) else {
                continue;
            };
            let text = value.text.trim();
            if row.support == Support::Later && is_wanted(text, row.default) {
                self.later.circus(row.name);
            }
            if row.is_kept() && !text.is_empty() && text != row.default {
                kept.push((row.name.into(), text.into()));
            }
            if value.secret {
                masked.push(row.name.into());
            }
        }
        self.owner(section, &mut draft);
        self.keys(section, &mut draft);
        let mut settings = draft.settings;
        self.places(section, &mut settings);
        settings.kept = kept.into();
        settings.masked = masked.into();
        settings
    }

    fn owner(&mut self, section: &Section, draft: &mut CircusDraft) {
        let (Some(name), Some(entry)) =
            (draft.endpoint_owner.take(), section.get("endpoint_owner"))
        else {
            return;
        };
        match self.users.identity(&name, "") {
            Ok(Some(identity)) => {
                let uid = identity.uid.unwrap_or_default();
                let owner = EndpointOwner { name, uid, gid: identity.gid };
                draft.settings.endpoints.owner = Some(owner);
            }
            Ok(None) => {}
            Err(wrong) => self.mistakes.wrong_value(entry, &wrong.text),
        }
    }

    /// Both files or none; one without the other would let nobody in, or everybody.
    fn keys(&mut self, section: &Section, draft: &mut CircusDraft) {
        let path = |name: &str, text: Box<str>| {
            let directory = section.get(name).map_or("", |entry| entry.at.directory());
            Box::from(joined(directory, &text))
        };
        let (secret, authorized) = ("curve_secret_key", "curve_authorized_keys");
        match (draft.curve_secret_key.take(), draft.curve_authorized_keys.take()) {
            (Some(secret_key), Some(authorized_keys)) => {
                draft.settings.endpoints.curve = Some(CurveFiles {
                    secret_key: path(secret, secret_key),
                    authorized_keys: path(authorized, authorized_keys),
                });
            }
            (Some(_), None) => self.needs_too(section, secret, authorized),
            (None, Some(_)) => self.needs_too(section, authorized, secret),
            (None, None) => {}
        }
    }

    fn needs_too(&mut self, section: &Section, written: &str, missing: &str) {
        // A missing one may be there and wrong, which was already reported.
        if let (Some(entry), None) = (section.get(written), section.get(missing)) {
            let text = format!(
                "needs {missing} too; `circusctl keygen` makes keys and says what to write"
            );
            self.mistakes.add(&entry.at, written, text);
        }
    }

    fn places(&mut self, section: &Section, settings: &mut CircusSettings) {
        let places = &mut *settings.endpoints;
        let has_keys = places.curve.is_some() || section.get("curve_secret_key").is_some();
        for (option, place) in
            [("endpoint", &mut places.control), ("pubsub_endpoint", &mut places.pubsub)]
        {
            if let (Some(place), Some(entry)) = (place, section.get(option)) {
                self.place(entry, place, has_keys);
            }
        }
        if let (Some(control), Some(pubsub), Some(entry)) =
            (&places.control, &places.pubsub, section.get("pubsub_endpoint"))
            && control.clashes_with(pubsub)
        {
            self.mistakes.wrong_value(
                entry,
                "is where `endpoint` is already; give one of the two another port or path",
            );
        }
        // One that is not written is a file too.
        let is_file = |place: &Option<Endpoint>| {
            place.as_ref().is_none_or(|endpoint| matches!(endpoint.place, Place::Ipc(_)))
        };
        if !is_file(&places.control) && !is_file(&places.pubsub) {
            for option in ["endpoint_owner", "endpoint_mode"] {
                if let Some(entry) = section.get(option) {
                    self.warn(entry, "concerns only endpoints that are ipc://PATH");
                }
            }
        }
    }

    fn place(&mut self, entry: &Entry, place: &mut Endpoint, has_keys: bool) {
        if let Place::Ipc(path) = &mut place.place {
            *path = joined(&self.source.current_dir(), path).into();
            if let Err(reason) = endpoint::check_path(path) {
                self.mistakes
                    .wrong_value(entry, &format!("{reason} (it is meant as an absolute path)"));
            }
        }
        if place.is_reachable_from_outside() && !has_keys {
            self.mistakes.wrong_value(
                entry,
                "can be reached by other machines, so it needs curve_secret_key and curve_authorized_keys \
                 (`circusctl keygen` makes keys and says what to write); without keys write tcp://127.0.0.1:PORT",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::settings::{Config, Place};
    use crate::config::tests::load_files;

    fn circus(lines: &str) -> Result<Config, Vec<String>> {
        let text = format!("[circus]\n{lines}");
        let passwd = "nobody:x:65534:65533::/:\n";
        load_files(&[("/etc/c.ini", &text), ("/etc/passwd", passwd)], &[("S", "s3cret")])
    }

    #[test]
    fn endpoints_become_places() {
        let text = "endpoint = ipc://run/c.sock\npubsub_endpoint = tcp://eth0:5556\nendpoint_mode = 660\n\
             endpoint_owner = nobody\ncurve_secret_key = keys/own\ncurve_authorized_keys = /k\n\
             multicast_endpoint = udp://237.219.251.97:12027\n";
        let config = circus(text).expect("loads");
        let endpoints = &config.circus.endpoints;
        let control = endpoints.control.as_ref().expect("it is there");
        // As written for display; where it is meant, as in Circus: from the current directory.
        assert_eq!(&*control.text, "ipc://run/c.sock");
        assert_eq!(control.place, Place::Ipc("/work/run/c.sock".into()));
        assert_eq!(endpoints.mode, 0o660);
        let owner = endpoints.owner.as_ref().expect("it is there");
        assert_eq!((&*owner.name, owner.uid, owner.gid), ("nobody", 65534, Some(65533)));
        let keys = endpoints.curve.as_ref().expect("they are there");
        assert_eq!((&*keys.secret_key, &*keys.authorized_keys), ("/etc/keys/own", "/k"));
        assert_eq!(endpoints.multicast.as_ref().map(|multicast| multicast.port), Some(12027));
        assert!(config.unsupported.is_empty() && config.warnings.is_empty(), "{config:?}");
    }

    #[test]
    fn nothing_written_means_the_default_places() {
        let config =
            circus("endpoint =\npubsub_endpoint =\nmulticast_endpoint =\n").expect("loads");
        let endpoints = &config.circus.endpoints;
        assert!(endpoints.control.is_none() && endpoints.multicast.is_none());
        assert_eq!(endpoints.mode, 0o600);
        let lines = "endpoint = tcp://127.0.0.1:5555\nendpoint_mode = 0660\n";
        assert!(circus(lines).expect("loads").warnings.is_empty());
        let lines = format!("{lines}pubsub_endpoint = tcp://127.0.0.1:5556\n");
        assert!(circus(&lines).expect("loads").warnings[0].contains("ipc://PATH"));
    }

    #[test]
    fn what_would_let_anybody_in_or_cannot_be_bound_is_a_mistake() {
        let long = format!("endpoint = ipc://{}\n", "x".repeat(104));
        for (lines, expected) in [
            ("endpoint = tcp://0.0.0.0:5555\n", "`circusctl keygen`"),
            (
                "pubsub_endpoint = tcp://eth0:5555\n",
                "needs curve_secret_key and curve_authorized_keys",
            ),
            ("endpoint = tcp://*:5555\ncurve_secret_key = k\n", "needs curve_authorized_keys too"),
            ("curve_authorized_keys = k\n", "needs curve_secret_key too"),
            ("endpoint = ipc:///a\npubsub_endpoint = ipc:///a\n", "where `endpoint` is already"),
            (
                "endpoint = ipc://a\npubsub_endpoint = ipc:///work/a\n",
                "where `endpoint` is already",
            ),
            ("endpoint_owner = nobdy\n", "did you mean `nobody`?"),
            ("endpoint_mode = 0999\n", "octal"),
            ("endpoint = tcp://127.0.0.1:99999\n", "from 1 to 65535"),
            ("endpoint = inproc://x\n", "is no endpoint"),
            ("multicast_endpoint = udp://10.0.0.1:1\n", "multicast group"),
            (&long, "longer than 107 bytes"),
        ] {
            let found = circus(lines).expect_err(lines);
            assert_eq!(found.len(), 1, "{lines}: {found:?}");
            assert!(found[0].contains(expected), "{lines}: {found:?}");
        }
    }

    #[test]
    fn a_mistake_shows_what_is_written_only() {
        let lines = "endpoint = tcp://$(circus.env.S):1\nendpoint_owner = $(circus.env.S)\n";
        let found = circus(lines).expect_err("wrong").concat();
        assert!(!found.contains("s3cret"), "{found}");
    }
}

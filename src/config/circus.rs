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
        let is_file =
            |place: &Option<Endpoint>| matches!(place, Some(Endpoint { place: Place::Ipc(_), .. }));
        if !is_file(&places.control) && !is_file(&places.pubsub) {
            for option in ["endpoint_owner", "endpoint_mode"] {
                if let Some(entry) = section.get(option) {
                    self.warn(entry, "concerns only endpoints that are written as ipc://PATH");
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

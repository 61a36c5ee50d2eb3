//! What the gateway tells circusd's log: the first time at once, then as a number now and then, so
//! that no client can fill the log.

use circus::moment::Moment;

const PAUSE_MS: u64 = 10_000;

/// Something that clients can make happen as often as they like.
#[derive(Debug, Default)]
pub struct Nuisance {
    unsaid: u32,
    said: Option<Moment>,
}

impl Nuisance {
    /// It has happened so many times.
    pub fn happened(&mut self, times: u32) {
        self.unsaid = self.unsaid.saturating_add(times);
    }

    /// How often it has happened since it was last told, if it is time to tell.
    pub fn tell(&mut self, now: Moment) -> Option<u32> {
        let is_time = self.said.is_none_or(|said| now.since_ms(said) >= PAUSE_MS);
        if self.unsaid == 0 || !is_time {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// All that there is.
#[derive(Debug, Default)]
pub struct Nuisances {
    pub malformed: Nuisance,
    pub unread_replies: Nuisance,
    pub too_many_subscriptions: Nuisance,
    pub turned_away: Nuisance,
    pub key_file: Nuisance,
    pub key_file_reason: String,
}

const DEBUG: u8 = 0;
const WARNING: u8 = 2;
const ERROR: u8 = 3;

impl Nuisances {
    /// Tell what it is time to tell, as a level and a line.
    pub fn tell(&mut self, now: Moment, mut line: impl FnMut(u8, &str)) {
        if let Some(count) = self.malformed.tell(now) {
            line(DEBUG, &format!("{count} requests dropped: not exactly one frame"));
        }
        if let Some(count) = self.unread_replies.tell(now) {
            line(WARNING, &format!("{count} replies dropped: their clients do not read"));
        }
        if let Some(count) = self.too_many_subscriptions.tell(now) {
            line(WARNING, &format!("{count} subscriptions refused: too many of one user"));
        }
        if let Some(count) = self.turned_away.tell(now) {
            line(WARNING, &format!("{count} connections turned away: too many are open"));
        }
        if self.key_file.tell(now).is_some() {
            line(ERROR, &format!("nobody may come in over the network: {}", self.key_file_reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_as_a_number() {
        let mut nuisance = Nuisance::default();
        let at = Moment::from_ms;
        assert_eq!(nuisance.tell(at(5)), None);
        nuisance.happened(1);
        assert_eq!(nuisance.tell(at(5)), Some(1));
        nuisance.happened(1);
        nuisance.happened(6);
        assert_eq!(nuisance.tell(at(10_004)), None);
        assert_eq!(nuisance.tell(at(10_005)), Some(7));
        assert_eq!(nuisance.tell(at(99_999)), None);
    }
}

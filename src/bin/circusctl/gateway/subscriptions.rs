//! Which subscriptions are in force, as far as libzmq tells: whether anybody listens, and who has
//! subscribed to how much. A user's share is limited: what is beyond it ends the connection.
//!
//! libzmq passes on that a topic is cancelled even if it never was that peer's, and whoever
//! listens must not be forgotten for that. If in doubt, a topic stays in force until libzmq says
//! that the last of its peers has gone.

use std::collections::BTreeMap;

/// Of one user.
const TOPICS_MAX: usize = 1024;
const BYTES_MAX: usize = 64 << 10;

/// A connection, by libzmq's descriptor.
pub type Connection = Option<i32>;
/// A user of this machine; `None`: of the network.
pub type User = Option<u32>;

/// The different topics in force.
#[derive(Debug, Default)]
pub struct Subscriptions {
    topics: BTreeMap<Box<[u8]>, Topic>,
    shares: BTreeMap<User, Share>,
}

#[derive(Debug)]
struct Topic {
    /// The first who wanted it.
    user: User,
    connection: Connection,
    is_alone: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Share {
    topics: usize,
    bytes: usize,
}

impl Subscriptions {
    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.topics.len()).unwrap_or(u32::MAX)
    }

    /// Somebody wants this topic. Returns whether that is within the user's share.
    pub fn add(&mut self, topic: &[u8], user: User, connection: Connection) -> bool {
        if let Some(known) = self.topics.get_mut(topic) {
            known.is_alone = false;
            return true;
        }
        let share = self.shares.entry(user).or_default();
        if share.topics >= TOPICS_MAX || share.bytes + topic.len() > BYTES_MAX {
            return false;
        }
        share.topics += 1;
        share.bytes += topic.len();
        self.topics.insert(topic.into(), Topic { user, connection, is_alone: true });
        true
    }

    /// Somebody says that it no longer wants this topic.
    pub fn cancel(&mut self, topic: &[u8], connection: Connection) {
        let is_sure = |known: &Topic| {
            known.is_alone && connection.is_some() && known.connection == connection
        };
        if self.topics.get(topic).is_some_and(is_sure) {
            self.remove(topic);
        }
    }

    /// The last who wanted this topic has gone.
    pub fn remove(&mut self, topic: &[u8]) {
        let Some(Topic { user, .. }) = self.topics.remove(topic) else { return };
        if let Some(share) = self.shares.get_mut(&user) {
            share.topics -= 1;
            share.bytes -= topic.len();
            if share.topics == 0 {
                self.shares.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_a_number_and_a_size_and_is_given_back() {
        let mut subscriptions = Subscriptions::default();
        let me = Some(9);
        for number in 0..TOPICS_MAX {
            assert!(subscriptions.add(format!("{number:04}").as_bytes(), Some(7), me));
        }
        assert!(subscriptions.add(b"0000", Some(7), me), "nothing new");
        assert!(!subscriptions.add(b"more", Some(7), me));
        assert!(subscriptions.add(b"more", Some(8), me), "others have their own");
        subscriptions.remove(b"never");
        assert!(!subscriptions.add(b"again", Some(7), me));
        subscriptions.remove(b"0001");
        assert!(subscriptions.add(b"again", Some(7), me));
        assert_eq!(subscriptions.count(), TOPICS_MAX as u32 + 1);
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(&[0; BYTES_MAX], None, me));
        assert!(!subscriptions.add(&[1], None, me));
        subscriptions.remove(&[0; BYTES_MAX]);
        assert!(subscriptions.shares.is_empty() && subscriptions.topics.is_empty());
        assert!(subscriptions.add(&[1], None, me));
    }

    #[test]
    fn only_who_is_alone_with_a_topic_can_cancel_it() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(b"a", None, Some(9)));
        subscriptions.cancel(b"a", Some(10));
        subscriptions.cancel(b"a", None);
        assert_eq!(subscriptions.count(), 1);
        assert!(subscriptions.add(b"a", None, Some(10)));
        subscriptions.cancel(b"a", Some(9));
        subscriptions.cancel(b"a", Some(10));
        assert_eq!(subscriptions.count(), 1);
        subscriptions.remove(b"a");
        assert_eq!(subscriptions.count(), 0);
        assert!(subscriptions.add(b"a", None, Some(9)));
        subscriptions.cancel(b"a", Some(9));
        assert_eq!(subscriptions.count(), 0);
    }
}

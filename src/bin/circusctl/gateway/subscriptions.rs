//! Which subscriptions are in force, as far as libzmq tells: whether anybody listens, and who has
//! subscribed to how much. A user's share is limited: what is beyond it ends the connection.
//!
//! libzmq passes on that a topic is cancelled even if it never was that peer's, and does not say
//! which of several peers has gone, only when the last has. Whoever listens must not be forgotten
//! for that: if in doubt, a topic stays in force.

use std::collections::BTreeMap;

/// Of one user.
const TOPICS_MAX: usize = 1024;
const BYTES_MAX: usize = 64 << 10;

/// A connection, by libzmq's descriptor.
pub type Connection = i32;
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
    /// All who want it, and some who have gone.
    connections: Vec<Connection>,
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
            if !known.connections.contains(&connection) {
                known.connections.push(connection);
            }
            return true;
        }
        let share = self.shares.entry(user).or_default();
        if share.topics >= TOPICS_MAX || share.bytes + topic.len() > BYTES_MAX {
            return false;
        }
        share.topics += 1;
        share.bytes += topic.len();
        self.topics.insert(topic.into(), Topic { user, connections: vec![connection] });
        true
    }

    /// Somebody says that it no longer wants this topic, and may never have.
    pub fn cancel(&mut self, topic: &[u8], connection: Connection) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        // A number that is here from a connection that has gone is no loss either.
        known.connections.retain(|number| *number != connection);
        if known.connections.is_empty() {
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
        let me = 9;
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
    fn a_topic_is_in_force_until_all_who_wanted_it_have_cancelled() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(b"a", None, 9));
        assert!(subscriptions.add(b"a", None, 9));
        subscriptions.cancel(b"a", 10);
        subscriptions.cancel(b"b", 9);
        assert_eq!(subscriptions.count(), 1);
        assert!(subscriptions.add(b"a", None, 10));
        subscriptions.cancel(b"a", 9);
        subscriptions.cancel(b"a", 9);
        assert_eq!(subscriptions.count(), 1);
        subscriptions.cancel(b"a", 10);
        assert_eq!(subscriptions.count(), 0);
    }

    #[test]
    fn a_topic_ends_when_libzmq_says_that_the_last_has_gone() {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(b"a", None, 9));
        assert!(subscriptions.add(b"a", None, 10));
        subscriptions.remove(b"a");
        assert_eq!(subscriptions.count(), 0);
        assert!(subscriptions.shares.is_empty());
    }
}

//! Who has subscribed to how much. libzmq needs fifty bytes for each letter of a subscription and
//! has no limit on them, so a user's share is limited here: what is beyond it ends the connection.

use std::collections::BTreeMap;

/// Of one user.
const TOPICS_MAX: usize = 1024;
const BYTES_MAX: usize = 64 << 10;

/// The different subscriptions in force, each with the user who was first to want it.
#[derive(Debug, Default)]
pub struct Subscriptions {
    topics: BTreeMap<Box<[u8]>, Option<u32>>,
    shares: BTreeMap<Option<u32>, Share>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Share {
    topics: usize,
    bytes: usize,
}

impl Subscriptions {
    /// Somebody of this user (`None`: of the network) wants this topic, as the first of all.
    /// Returns whether that is within the share.
    pub fn add(&mut self, topic: &[u8], uid: Option<u32>) -> bool {
        let share = self.shares.entry(uid).or_default();
        if share.topics >= TOPICS_MAX || share.bytes + topic.len() > BYTES_MAX {
            return false;
        }
        if self.topics.insert(topic.into(), uid).is_none() {
            share.topics += 1;
            share.bytes += topic.len();
        }
        true
    }

    /// Nobody wants this topic any longer, or somebody says so who never did.
    pub fn remove(&mut self, topic: &[u8]) {
        let Some(uid) = self.topics.remove(topic) else { return };
        if let Some(share) = self.shares.get_mut(&uid) {
            share.topics -= 1;
            share.bytes -= topic.len();
            if share.topics == 0 {
                self.shares.remove(&uid);
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
        for number in 0..TOPICS_MAX {
            assert!(subscriptions.add(format!("{number:04}").as_bytes(), Some(7)));
        }
        assert!(!subscriptions.add(b"more", Some(7)));
        assert!(subscriptions.add(b"more", Some(8)), "others have their own");
        subscriptions.remove(b"never");
        assert!(!subscriptions.add(b"again", Some(7)));
        subscriptions.remove(b"0000");
        assert!(subscriptions.add(b"again", Some(7)));
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(&[0; BYTES_MAX], None));
        assert!(!subscriptions.add(&[1], None));
        subscriptions.remove(&[0; BYTES_MAX]);
        assert!(subscriptions.shares.is_empty() && subscriptions.topics.is_empty());
        assert!(subscriptions.add(&[1], None));
    }
}

//! Where processes tell what they are at: a socket for each process that is asked to, from before it
//! is made until it is reaped, so that the socket itself says whom a message is about, and one that
//! comes late meets nobody. Who may speak is looked at in `shell/notices.rs`.

use circus::moment::Moment;
use circus::process::Pid;
use circus::supervisor::SlotId;
use circus::sys::notify::{NotifySocket, Received};
use circus::sys::poll::{Interest, PollSet};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, AsRawFd};

/// After so many refused messages in a row nothing is read for a while. It is more than the kernel
/// keeps for a socket (`net.unix.max_dgram_qlen`), so what the process itself says is reached.
const REFUSED_MAX: u32 = 16;

/// For so long: whoever sends nonsense costs no more than some messages in this time.
const REST_MS: u64 = 250;

/// All sockets.
#[derive(Debug, Default)]
pub struct Notifications {
    places: BTreeMap<SlotId, Place>,
    /// Whose turn is next, if not all were read.
    next: Option<SlotId>,
    /// Watchers of which it was told that a message was refused.
    told: BTreeSet<u32>,
}

/// That of one process.
#[derive(Debug)]
struct Place {
    socket: NotifySocket,
    uid: u32,
    successor: Option<Successor>,
    /// In a row.
    refused: u32,
    rests_until: Option<Moment>,
}

/// The process that goes on when the one that is asked ends (`MAINPID=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor {
    pub pid: Pid,
    /// Its number may become another one's, which is made later.
    pub made_at: u64,
}

impl Notifications {
    /// The process of this slot, which is made as user `uid`, has this socket.
    pub fn open(&mut self, slot: SlotId, socket: NotifySocket, uid: u32) {
        let place = Place { socket, uid, successor: None, refused: 0, rests_until: None };
        self.places.insert(slot, place);
    }

    /// Nobody is there any more who could say something.
    pub fn close(&mut self, slot: SlotId) {
        self.places.remove(&slot);
    }

    /// There is nothing to wait for.
    pub fn is_idle(&self) -> bool {
        self.places.is_empty()
    }

    /// When one is to be read again.
    pub fn deadline(&self) -> Option<Moment> {
        self.places.values().filter_map(|place| place.rests_until).min()
    }

    /// What to wait for.
    pub fn poll(&self, set: &mut PollSet) {
        for place in self.places.values().filter(|place| place.rests_until.is_none()) {
            set.add(place.socket.as_fd(), Interest::Read);
        }
    }

    /// Those that have something to read, the one whose turn is next first.
    pub fn ready(&self, set: &PollSet) -> VecDeque<SlotId> {
        if self.places.is_empty() {
            return VecDeque::new();
        }
        let ready: BTreeSet<i32> = set.ready().collect();
        let is_ready = |place: &Place| ready.contains(&place.socket.as_fd().as_raw_fd());
        let slots = self.places.iter().filter(|(_, place)| is_ready(place));
        let mut slots: VecDeque<SlotId> = slots.map(|(slot, _)| *slot).collect();
        let before = slots.iter().filter(|slot| self.next.is_some_and(|next| **slot < next));
        slots.rotate_left(before.count());
        slots
    }

    /// Where to go on the next time.
    pub fn go_on_with(&mut self, next: Option<SlotId>) {
        self.next = next;
    }

    /// Those that have rested long enough are waited for again.
    pub fn wake(&mut self, now: Moment) {
        for place in self.places.values_mut() {
            if place.rests_until.is_some_and(|at| at <= now) {
                place.rests_until = None;
                place.refused = 0;
            }
        }
    }

    /// The next message about this slot's process.
    pub fn receive(&self, slot: SlotId) -> Received {
        self.places.get(&slot).map_or(Received::Nothing, |place| place.socket.receive())
    }

    /// As which user its process was made.
    pub fn uid(&self, slot: SlotId) -> Option<u32> {
        self.places.get(&slot).map(|place| place.uid)
    }

    /// A message was taken.
    pub fn taken(&mut self, slot: SlotId) {
        if let Some(place) = self.places.get_mut(&slot) {
            place.refused = 0;
        }
    }

    /// A message was refused. Whether that is the first one for this watcher.
    pub fn refused(&mut self, slot: SlotId, now: Moment) -> bool {
        if let Some(place) = self.places.get_mut(&slot) {
            place.refused += 1;
            if place.refused >= REFUSED_MAX {
                place.rests_until = Some(now.after_ms(REST_MS));
            }
        }
        self.told.insert(slot.watcher)
    }

    /// Nothing of this one is read for now.
    pub fn rests(&self, slot: SlotId) -> bool {
        self.places.get(&slot).is_some_and(|place| place.rests_until.is_some())
    }

    /// Who goes on when the process of this slot ends.
    pub fn successor(&self, slot: SlotId) -> Option<Successor> {
        self.places.get(&slot)?.successor
    }

    pub fn set_successor(&mut self, slot: SlotId, successor: Option<Successor>) {
        if let Some(place) = self.places.get_mut(&slot) {
            place.successor = successor;
        }
    }

    /// This process is gone: it goes on for nobody.
    pub fn reaped(&mut self, pid: Pid) {
        for place in self.places.values_mut() {
            place.successor = place.successor.filter(|successor| successor.pid != pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(watcher: u32) -> SlotId {
        SlotId { watcher, index: 0 }
    }

    fn three() -> Notifications {
        let mut all = Notifications::default();
        for watcher in 0..3 {
            all.open(slot(watcher), NotifySocket::open().expect("a socket"), 0);
        }
        all
    }

    #[test]
    fn the_one_whose_turn_is_next_comes_first() {
        let mut all = three();
        for place in all.places.values() {
            circus::sys::notify::tell(place.socket.name().as_bytes(), b"READY=1").expect("sent");
        }
        let mut set = PollSet::default();
        all.poll(&mut set);
        set.wait(None);
        assert_eq!(all.ready(&set), [0, 1, 2].map(slot));
        all.go_on_with(Some(slot(1)));
        assert_eq!(all.ready(&set), [1, 2, 0].map(slot));
        all.close(slot(1));
        assert_eq!(all.ready(&set), [2, 0].map(slot));
    }

    #[test]
    fn refused_messages_in_a_row_make_one_rest_and_no_other() {
        let mut all = three();
        let now = Moment::default();
        assert!(all.refused(slot(0), now), "the first is told");
        for _ in 2..REFUSED_MAX {
            assert!(!all.refused(slot(0), now), "the others are not");
        }
        all.taken(slot(0));
        for _ in 1..REFUSED_MAX {
            all.refused(slot(0), now);
        }
        assert_eq!(all.deadline(), None);
        all.refused(slot(0), now);
        assert_eq!(all.deadline(), Some(now.after_ms(REST_MS)));
        assert!(all.rests(slot(0)) && !all.rests(slot(1)));
        all.wake(now.after_ms(REST_MS));
        assert_eq!(all.deadline(), None);
        assert!(!all.rests(slot(0)));
    }

    #[test]
    fn one_that_was_reaped_goes_on_for_nobody() {
        let mut all = three();
        let pid = Pid::new(7).expect("positive");
        all.set_successor(slot(0), Some(Successor { pid, made_at: 5 }));
        all.reaped(Pid::new(8).expect("positive"));
        assert!(all.successor(slot(0)).is_some());
        all.reaped(pid);
        assert_eq!(all.successor(slot(0)), None);
    }
}

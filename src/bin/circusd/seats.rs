//! Sockets with `so_reuseport`: each process has one of its own at the same port. Its successors take
//! it over, and so does whoever starts after a restart, so that nobody who waits there is lost.
//! One that nobody will read any more must go: the kernel would still send clients to it.

use circus::config::settings::SocketSettings;
use circus::supervisor::SlotId;
use circus::sys::listen::Obstacle;
use circus::sys::socket::{BoundSocket, Purpose};
use std::rc::Rc;

/// All of them.
#[derive(Debug, Default)]
pub struct Seats {
    all: Vec<Seat>,
}

/// Of one socket in the configuration, and one watcher.
#[derive(Debug)]
struct Seat {
    number: u64,
    watcher: u32,
    socket: Rc<BoundSocket>,
    users: Vec<SlotId>,
}

impl Seats {
    /// That of its predecessor, else one that nobody has, else a new one at the port; when there are
    /// as many as there should be (during a reload), that of a process which is about to go.
    pub fn seat(
        &mut self,
        (number, most): (u64, u32),
        slot: SlotId,
        (settings, port): (&SocketSettings, Option<u16>),
    ) -> Result<Rc<BoundSocket>, Obstacle> {
        let is_ours = |seat: &&mut Seat| seat.number == number && seat.watcher == slot.watcher;
        let mut count = 0;
        let mut best: Option<&mut Seat> = None;
        for seat in self.all.iter_mut().filter(is_ours) {
            count += 1;
            if seat.users.contains(&slot) {
                return Ok(seat.socket.clone());
            }
            if best.as_ref().is_none_or(|best| seat.users.len() < best.users.len()) {
                best = Some(seat);
            }
        }
        if let Some(seat) = best.filter(|seat| count >= most || seat.users.is_empty()) {
            seat.users.push(slot);
            return Ok(seat.socket.clone());
        }
        let socket = Rc::new(BoundSocket::bind(settings, port, Purpose::Service)?);
        let users = vec![slot];
        self.all.push(Seat { number, watcher: slot.watcher, socket: socket.clone(), users });
        Ok(socket)
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Only these slots have, or will have, processes, and so many sockets are wanted for a watcher.
    pub fn prune(&mut self, is_used: impl Fn(SlotId) -> bool, wanted: impl Fn(u64, u32) -> usize) {
        for seat in &mut self.all {
            seat.users.retain(|slot| is_used(*slot));
        }
        let is_unused = |seat: &Seat| seat.users.is_empty();
        let unused: Vec<usize> =
            (0..self.all.len()).rev().filter(|at| is_unused(&self.all[*at])).collect();
        for at in unused {
            let Seat { number, watcher, .. } = self.all[at];
            let alike = |seat: &&Seat| (seat.number, seat.watcher) == (number, watcher);
            if self.all.iter().filter(alike).count() > wanted(number, watcher) {
                self.all.remove(at);
            }
        }
    }

    /// Those of a socket that is in the configuration no more are only their processes'.
    pub fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.all.retain(|seat| is_there(seat.number));
    }

    /// All of one socket in the configuration.
    pub fn sockets(&self, number: u64) -> impl Iterator<Item = &Rc<BoundSocket>> {
        let its = self.all.iter().filter(move |seat| seat.number == number);
        its.map(|seat| &seat.socket)
    }
}

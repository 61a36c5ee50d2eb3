//! Packets to and from circusd. It is never waited for; what it does not take at once is kept, and
//! that is little: one packet for each pipe, and answers, which are dropped where they become many.

use circus::sys::packet::{self, Packet};
use circus::wire::log::{FromWriter, PACKET_BYTES_MAX, ToWriter};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Our end.
#[derive(Debug)]
pub struct Post {
    socket: OwnedFd,
    buffer: Vec<u8>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
}

/// What came.
#[derive(Debug)]
pub enum Delivery {
    Packet {
        said: ToWriter,
        descriptor: Option<OwnedFd>,
        lost_descriptor: bool,
    },
    /// Not to be understood.
    Unknown,
    /// circusd is gone.
    End,
}

const WAITING_BYTES_MAX: usize = 4 << 20;

impl Post {
    pub fn new(socket: OwnedFd) -> Post {
        let buffer = vec![0; PACKET_BYTES_MAX];
        Post { socket, buffer, waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    /// The next packet; `None` if there is none now.
    pub fn receive(&mut self) -> Option<Delivery> {
        let received = packet::receive(self.socket.as_fd(), &mut self.buffer);
        Some(match received {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(_) | Ok(Packet { length: 0, .. }) => Delivery::End,
            Ok(Packet { length, descriptor, lost_descriptor }) => {
                match ToWriter::from_packet(&self.buffer[..length]) {
                    Some(said) => Delivery::Packet { said, descriptor, lost_descriptor },
                    None => Delivery::Unknown,
                }
            }
        })
    }

    /// Say this.
    pub fn send(&mut self, said: &FromWriter) {
        let can_be_dropped = match said {
            FromWriter::Drained { .. } | FromWriter::Closed { .. } => false,
            FromWriter::Note { .. } | FromWriter::Lines { .. } => true,
        };
        if !(can_be_dropped && self.waiting_bytes > WAITING_BYTES_MAX) {
            let bytes = said.to_packet();
            self.waiting_bytes += bytes.len();
            self.waiting.push_back(bytes);
        }
        self.flush();
    }

    /// Send what goes now.
    pub fn flush(&mut self) {
        while let Some(bytes) = self.waiting.front() {
            let result: io::Result<()> = packet::send(self.socket.as_fd(), bytes, None);
            if result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                return;
            }
            // Sent, or nobody is there any more, which is noticed when we read.
            self.waiting_bytes -= bytes.len();
            self.waiting.pop_front();
        }
    }

    /// Something waits to be sent.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl AsFd for Post {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

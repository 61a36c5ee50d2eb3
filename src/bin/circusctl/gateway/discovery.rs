//! Discovery over UDP: whoever sends a datagram, whatever is in it, hears where the control
//! endpoint is.

use circus::moment::Moment;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// More than any number of people who look for us; less than what makes us worth abusing to flood
/// somebody whose address was forged.
const ANSWERS_A_SECOND_MAX: u32 = 20;
/// Then others have their turn.
const DATAGRAMS_A_TURN: usize = 64;
const DATAGRAM_BYTES_MAX: usize = 1024;

/// The socket and what it says.
pub struct Discovery {
    socket: UdpSocket,
    answer: String,
    second: Moment,
    answers: u32,
}

impl Discovery {
    /// On a bound socket.
    pub fn new(socket: OwnedFd, endpoint: &str) -> io::Result<Discovery> {
        let socket = UdpSocket::from(socket);
        socket.set_nonblocking(true)?;
        let answer = format!("{{\"endpoint\": {}}}", serde_json::Value::from(endpoint));
        Ok(Discovery { socket, answer, second: Moment::default(), answers: 0 })
    }

    /// Answer whoever has asked.
    pub fn answer(&mut self, now: Moment) {
        if now.since_ms(self.second) >= 1000 {
            self.second = now;
            self.answers = 0;
        }
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_A_TURN {
            let Ok((_, sender)) = self.socket.recv_from(&mut datagram) else { return };
            if self.answers < ANSWERS_A_SECOND_MAX {
                self.answers += 1;
                // A lost datagram is nothing new.
                let _ = self.socket.send_to(self.answer.as_bytes(), sender);
            }
        }
    }
}

impl AsFd for Discovery {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

//! Where things were when it was recorded, and where they are now.

use crate::differences::SAME;
use crate::plans::Plan;
use crate::record;
use crate::replay::Target;
use crate::zmtp::DEADLINE;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

/// Texts of then and what they are now.
#[derive(Debug)]
pub struct Places {
    pairs: Vec<(String, String)>,
    pub endpoint: String,
    pub pubsub: String,
    /// Where discovery is asked.
    discovery: Option<u16>,
}

impl Places {
    /// For a test in this folder.
    pub fn new(plan: &Plan, target: &Target, folder: &Path) -> Places {
        let ini = record::read(&format!("{}.ini", plan.name));
        let option = |name: &str| {
            let is_it =
                |line: &&str| line.split_once('=').is_some_and(|(key, _)| key.trim() == name);
            let line = ini.lines().find(is_it).unwrap_or_default();
            line.split_once('=').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let folder = folder.display().to_string();
        let mut pairs = vec![(format!("/tmp/example/{}", plan.name), folder.clone())];
        for (name, file) in [("endpoint", "ctl.sock"), ("pubsub_endpoint", "pub.sock")] {
            let then = option(name);
            if then.starts_with("tcp:") {
                let now = match plan.tcp {
                    true => format!("tcp://127.0.0.1:{}", free_tcp_port()),
                    false => format!("ipc://{folder}/{file}"),
                };
                pairs.push((then, now));
            }
        }
        let group = option("multicast_endpoint");
        let discovery = group.rsplit_once(':').map(|(start, port)| {
            let free = free_udp_port();
            pairs.push((format!("{start}:{port}"), format!("{start}:{free}")));
            free
        });
        let same = SAME
            .iter()
            .filter(|same| matches!(target, Target::Here) && same.recording == plan.name);
        pairs.extend(same.map(|same| (same.later.to_owned(), same.pid.to_owned())));
        let mut places =
            Places { pairs, endpoint: String::new(), pubsub: String::new(), discovery };
        places.endpoint = places.apply(&option("endpoint"));
        places.pubsub = places.apply(&option("pubsub_endpoint"));
        places
    }

    /// A text of then, as it is now.
    pub fn apply(&self, text: &str) -> String {
        let apply = |text: String, (then, now): &(String, String)| text.replace(then, now);
        self.pairs.iter().fold(text.to_owned(), apply)
    }

    /// A configuration of then, as it is now.
    pub fn configuration(&self, plan: &Plan, ini: &str) -> String {
        self.apply(&(plan.edit)(ini))
    }

    /// Send a datagram to where clients look for the endpoint.
    pub fn ask_discovery(&self, bytes: &[u8]) -> io::Result<String> {
        let port = self.discovery.ok_or(io::ErrorKind::NotFound)?;
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.send_to(bytes, ("127.0.0.1", port))?;
        let mut space = [0; 4096];
        let (length, _) = socket.recv_from(&mut space)?;
        Ok(String::from_utf8_lossy(&space[..length]).into_owned())
    }
}

fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

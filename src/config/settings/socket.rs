//! Sockets that circusd binds and its watchers share.

/// Section `[socket:NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSettings {
    /// The name, in lower case as in Circus.
    pub name: Box<str>,
    /// Where it is bound.
    pub place: SocketPlace,
    /// Option `type`.
    pub kind: SocketKind,
    /// The kernel's number of the protocol, where one was asked for.
    pub protocol: Option<u8>,
    /// Connections that may wait.
    pub backlog: u32,
    /// Reads, writes and accepts wait.
    pub blocking: bool,
    /// Every process gets a socket of its own at the same port.
    pub so_reuseport: bool,
}

/// Where a socket is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketPlace {
    /// A port of this machine.
    Internet {
        /// Version 6 of the protocol.
        is_v6: bool,
        /// A number, or a name that is looked up when it is bound; empty for every address.
        host: Box<str>,
        /// 0 is any free one.
        port: u16,
        /// Only what comes by this network interface.
        interface: Option<Box<str>>,
    },
    /// A file.
    Unix {
        /// Absolute.
        path: Box<str>,
        /// Its permissions.
        mode: u32,
        /// Its user, where that is not ours.
        owner: Option<u32>,
        /// Its group, where that is not ours.
        group: Option<u32>,
        /// Take the place of a socket that nobody serves.
        replace: bool,
    },
}

/// What a socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// `SOCK_STREAM`
    Stream,
    /// `SOCK_DGRAM`
    Datagram,
    /// `SOCK_RAW`
    Raw,
    /// `SOCK_RDM`
    Rdm,
    /// `SOCK_SEQPACKET`
    SeqPacket,
}

impl SocketKind {
    /// All, by the names of socket(2).
    pub const ALL: [(&'static str, SocketKind); 5] = [
        ("SOCK_STREAM", SocketKind::Stream),
        ("SOCK_DGRAM", SocketKind::Datagram),
        ("SOCK_RAW", SocketKind::Raw),
        ("SOCK_RDM", SocketKind::Rdm),
        ("SOCK_SEQPACKET", SocketKind::SeqPacket),
    ];

    /// Somebody connects to it, and may wait for that.
    pub fn listens(self) -> bool {
        matches!(self, SocketKind::Stream | SocketKind::SeqPacket)
    }
}

impl SocketSettings {
    /// What is bound for these settings serves for the other ones too, with a few adjustments.
    pub fn can_become(&self, other: &SocketSettings) -> bool {
        let place = match (&self.place, &other.place) {
            (SocketPlace::Unix { path, .. }, SocketPlace::Unix { path: theirs, .. }) => {
                path == theirs
            }
            (place, theirs) => place == theirs,
        };
        let fixed = |it: &SocketSettings| (it.kind, it.protocol, it.so_reuseport);
        place && fixed(self) == fixed(other)
    }

    /// The port that it asks for, if it asks for one.
    pub fn port(&self) -> Option<u16> {
        match self.place {
            SocketPlace::Internet { port, .. } => Some(port).filter(|port| *port > 0),
            SocketPlace::Unix { .. } => None,
        }
    }

    /// Whichever is free.
    pub fn asks_for_any_port(&self) -> bool {
        matches!(self.place, SocketPlace::Internet { port: 0, .. })
    }

    /// Two cannot be there at the same time.
    pub fn has_the_place_of(&self, other: &SocketSettings) -> bool {
        match (&self.place, &other.place) {
            (SocketPlace::Unix { path, .. }, SocketPlace::Unix { path: theirs, .. }) => {
                path == theirs
            }
            // Each gets a port of its own.
            (SocketPlace::Internet { port: 0, .. }, _) => false,
            (
                SocketPlace::Internet { is_v6, host, port, interface },
                SocketPlace::Internet {
                    is_v6: v6,
                    host: their_host,
                    port: their_port,
                    interface: theirs,
                },
            ) => {
                let apart = interface.is_some() && theirs.is_some() && interface != theirs;
                let same =
                    (is_v6, host, port, self.kind) == (v6, their_host, their_port, other.kind);
                same && !apart
            }
            (SocketPlace::Unix { .. }, SocketPlace::Internet { .. })
            | (SocketPlace::Internet { .. }, SocketPlace::Unix { .. }) => false,
        }
    }
}

/// What a watcher does with the sockets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SocketUse {
    /// `use_sockets`.
    pub wanted: WantedSockets,
    /// `stdin_socket`, in lower case.
    pub stdin: Option<Box<str>>,
    /// `listen_fds`.
    pub listen_fds: bool,
    /// `on_demand`.
    pub on_demand: bool,
    /// `idle_timeout`.
    pub idle_timeout_ms: Option<u64>,
}

/// Which sockets the processes of a watcher get.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WantedSockets {
    /// Those that its command names.
    #[default]
    Named,
    /// Those that its command names; all if it names none.
    All,
    /// These, in lower case, and those that its command names.
    These(Box<[Box<str>]>),
}

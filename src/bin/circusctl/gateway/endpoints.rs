//! libzmq's side: the sockets on the listeners that circusd has bound, and their limits.

use super::args::Args;
use super::curve::{self, Doorkeeper};
use crate::zeromq;
use circus::wire::REQUEST_BYTES_MAX;
use std::os::fd::OwnedFd;
use zmq::{Context, Socket};

/// A subscription is the start of a topic: longer ones are nobody's.
const SUBSCRIPTION_BYTES_MAX: i64 = 1024;
/// Requests (or subscriptions) of one peer that wait in here; what is beyond stays with the peer.
const WAITING_MAX: i32 = 32;
/// Messages for one peer that does not read; then they are dropped.
const UNREAD_MAX: i32 = 1000;
/// A peer that has not said what it speaks by then is no client.
const HANDSHAKE_MS: i32 = 5000;
/// For what was given to libzmq but not yet to the kernel when circusd says goodbye.
const LINGER_AT_THE_END_MS: i32 = 100;

/// All sockets of libzmq.
pub struct Endpoints {
    pub control: Socket,
    pub publications: Socket,
    /// Only with keys.
    pub doorkeeper: Option<Doorkeeper>,
    /// Whether the kernel says whose processes the clients are.
    pub knows_users: bool,
    /// Dropped last: it waits until the sockets have delivered.
    _context: Context,
}

impl Endpoints {
    /// Serve both endpoints. The error is a sentence.
    pub fn open(args: &Args, control: OwnedFd, publications: OwnedFd) -> Result<Self, String> {
        zeromq::seed();
        let context = Context::new();
        let mut secret_key = None;
        let mut doorkeeper = None;
        if let Some(files) = &args.curve {
            secret_key = Some(curve::read_secret_key(&files.secret_key)?);
            doorkeeper = Some(Doorkeeper::new(&context, files)?);
        }
        let serve = |kind, endpoint: &str, bytes_max, listener| {
            let secret_key = secret_key.filter(|_| !is_local(endpoint));
            serve(&context, kind, endpoint, bytes_max, secret_key.as_ref(), listener)
                .map_err(|error| format!("cannot serve {endpoint}: {error}"))
        };
        let requests_bytes_max = REQUEST_BYTES_MAX as i64;
        let control = serve(zmq::ROUTER, &args.endpoint, requests_bytes_max, control)?;
        // So that a reply which finds its client's queue full is told about.
        control.set_router_mandatory(true).map_err(|error| error.to_string())?;
        let publications = serve(zmq::XPUB, &args.pubsub, SUBSCRIPTION_BYTES_MAX, publications)?;
        // Every subscription is told of, not only the first to a topic.
        publications.set_xpub_verbose(true).map_err(|error| error.to_string())?;
        let knows_users = is_local(&args.endpoint);
        Ok(Endpoints { control, publications, doorkeeper, knows_users, _context: context })
    }

    /// Deliver what was given to libzmq, if that is possible soon, and let go of everything.
    pub fn close(self) {
        let _ = self.control.set_linger(LINGER_AT_THE_END_MS);
        let _ = self.publications.set_linger(LINGER_AT_THE_END_MS);
    }
}

/// Of this machine: there the kernel knows the peers, and there are no keys.
fn is_local(endpoint: &str) -> bool {
    endpoint.starts_with("ipc://")
}

fn serve(
    context: &Context,
    kind: zmq::SocketType,
    endpoint: &str,
    bytes_max: i64,
    secret_key: Option<&circus::curve::Key>,
    listener: OwnedFd,
) -> zmq::Result<Socket> {
    let mut socket = context.socket(kind)?;
    socket.set_maxmsgsize(bytes_max)?;
    socket.set_rcvhwm(WAITING_MAX)?;
    socket.set_sndhwm(UNREAD_MAX)?;
    socket.set_handshake_ivl(HANDSHAKE_MS)?;
    socket.set_linger(0)?;
    if !is_local(endpoint) {
        // The kernel finds out about peers that vanished; nothing of ours wakes for it.
        socket.set_tcp_keepalive(1)?;
        socket.set_tcp_keepalive_idle(60)?;
    }
    match secret_key {
        Some(key) => {
            socket.set_curve_server(true)?;
            socket.set_curve_secretkey(key)?;
            socket.set_zap_domain(curve::KEYED)?;
            zeromq::enforce_domain(&mut socket)?;
        }
        None => socket.set_zap_domain(curve::OPEN)?,
    }
    zeromq::use_listener(&mut socket, listener)?;
    socket.bind(endpoint)?;
    Ok(socket)
}

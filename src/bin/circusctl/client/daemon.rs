//! The conversation with circusd: one request, one reply, never longer than was said. Why nobody
//! answers is asked of the kernel only when the answer is late, so that it costs nothing else.

use super::certificate::Keys;
use super::endpoint::{self, Places};
use super::failure::Failure;
use super::json::Json;
use super::words::Options;
use circus::sys::signals::SignalFd;
use circus::sys::{connect, identity};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// circusd, as we reach it.
pub struct Daemon<'a> {
    pub endpoint: String,
    keys: Option<Keys>,
    timeout_ms: Option<u64>,
    /// Ctrl-C, where it is read from a descriptor.
    interrupts: Option<&'a SignalFd>,
}

/// A request that was sent and not answered yet.
pub struct Call {
    pub socket: zmq::Socket,
    id: String,
}

/// How long to wait.
pub struct Patience {
    deadline: Option<Instant>,
    /// The kernel was asked why nobody answers.
    asked: bool,
    /// The answer comes when work is done.
    waiting: bool,
    /// No connection over tcp is possible, or it is not known.
    unreachable: bool,
}

impl<'a> Daemon<'a> {
    /// Where it is, from what was given or found.
    pub fn new(options: &Options, interrupts: Option<&'a SignalFd>) -> Result<Daemon<'a>, Failure> {
        let endpoint = match &options.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => {
                let places = Places::ask();
                places.given.clone().map_or_else(|| places.find(), Ok)?
            }
        };
        let keys = Keys::find(options)?;
        Ok(Daemon { endpoint, keys, timeout_ms: options.timeout_ms, interrupts })
    }

    /// Ask, and wait for the answer; a refusal is a failure.
    pub fn ask(&self, command: &str, properties: Vec<(String, Json)>) -> Result<Json, Failure> {
        accepted(self.reply(command, properties)?)
    }

    /// Ask, and wait for the answer, whatever it is.
    pub fn reply(&self, command: &str, properties: Vec<(String, Json)>) -> Result<Json, Failure> {
        let waiting = properties
            .iter()
            .any(|(name, value)| name == "waiting" && value.as_bool() == Some(true));
        let call = self.call(command, properties)?;
        let mut patience = Patience { waiting, ..self.patience() };
        loop {
            if !self.wait(&call.socket, patience.next())? {
                self.persist(&mut patience)?;
            } else if let Some(reply) = call.take()? {
                return Ok(reply);
            }
        }
    }

    /// Send a request.
    pub fn call(&self, command: &str, properties: Vec<(String, Json)>) -> Result<Call, Failure> {
        let id = random_id();
        let request = Json::object([
            ("command", Json::text(command)),
            ("properties", Json::Object(properties)),
            ("id", Json::text(&id)),
        ]);
        let request = request.line();
        if request.len() > REQUEST_BYTES_MAX {
            return Err(Failure::Usage("the request is larger than 256 KiB".to_string()));
        }
        let socket = self.socket(zmq::DEALER)?;
        self.connect(&socket, &self.endpoint)?;
        socket.send(&request, zmq::DONTWAIT).map_err(ours)?;
        Ok(Call { socket, id })
    }

    /// A socket of ours, not yet connected.
    pub fn socket(&self, kind: zmq::SocketType) -> Result<zmq::Socket, Failure> {
        let socket = context().socket(kind).map_err(ours)?;
        let prepare = || {
            socket.set_linger(0)?;
            socket.set_maxmsgsize(MESSAGE_BYTES_MAX)?;
            if self.endpoint.starts_with("tcp://") {
                socket.set_ipv6(true)?;
            }
            if kind == zmq::DEALER {
                socket.set_identity(random_id().as_bytes())?;
            }
            match &self.keys {
                Some(keys) => keys.apply(&socket),
                None => Ok(()),
            }
        };
        prepare().map_err(ours)?;
        Ok(socket)
    }

    /// Connect it: libzmq goes on trying until it works.
    pub fn connect(&self, socket: &zmq::Socket, endpoint: &str) -> Result<(), Failure> {
        // The binding would panic at a NUL byte.
        let valid = !endpoint.contains(char::is_control)
            && (endpoint.starts_with("ipc://") || endpoint.starts_with("tcp://"));
        let result = if valid { socket.connect(endpoint) } else { Err(zmq::Error::EINVAL) };
        result.map_err(|error| {
            Failure::Usage(match error {
                zmq::Error::EINVAL => {
                    format!("the endpoint {endpoint:?} is not ipc://PATH or tcp://HOST:PORT")
                }
                other => format!("the endpoint {endpoint}: {other}"),
            })
        })
    }

    /// Wait until there is something to read; for ever if there is no limit.
    fn wait(&self, socket: &zmq::Socket, patience: Option<Duration>) -> Result<bool, Failure> {
        let mut items = vec![socket.as_poll_item(zmq::POLLIN)];
        self.wait_for(&mut items, patience)?;
        Ok(items[0].is_readable())
    }

    /// Wait until one of these is ready, or Ctrl-C.
    pub fn wait_for<'b>(
        &self,
        items: &mut Vec<zmq::PollItem<'b>>,
        patience: Option<Duration>,
    ) -> Result<(), Failure> {
        wait_for(self.interrupts, items, patience)
    }

    /// How long to wait for an answer, from now on.
    pub fn patience(&self) -> Patience {
        let deadline = self.timeout_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        Patience { deadline, asked: false, waiting: false, unreachable: false }
    }

    /// Nothing has come while we were patient: whether to go on.
    pub fn persist(&self, patience: &mut Patience) -> Result<(), Failure> {
        if patience.left().is_some_and(|left| left.is_zero()) {
            return Err(self.timed_out(patience));
        }
        if !patience.asked {
            patience.asked = true;
            patience.unreachable = !self.diagnose(patience.left())?;
        }
        Ok(())
    }

    /// Why nobody answers, if the kernel knows: nobody is there, or we may not. Whether somebody
    /// can be connected to.
    fn diagnose(&self, left: Option<Duration>) -> Result<bool, Failure> {
        if let Some(path) = endpoint::path(&self.endpoint) {
            return connect::check(path)
                .map(|_| true)
                .map_err(|error| Failure::Trouble(self.refused(path, error)));
        }
        let address = endpoint::address(&self.endpoint).unwrap_or("");
        let address = address.replace("localhost:", "127.0.0.1:");
        // Names are left alone: to look one up may take longer than there is time.
        let Ok(address) = address.parse::<SocketAddr>() else { return Ok(false) };
        let left = left.unwrap_or(Duration::MAX).clamp(Duration::from_millis(1), TCP_PATIENCE);
        match TcpStream::connect_timeout(&address, left) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                Err(Failure::Trouble(format!(
                    "nobody listens at {}\nIs circusd running, with this endpoint?",
                    self.endpoint
                )))
            }
            result => Ok(result.is_ok()),
        }
    }

    fn refused(&self, path: &Path, error: io::Error) -> String {
        let shown = path.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                format!("there is no {shown}\nIs circusd running, with this endpoint?")
            }
            ErrorKind::ConnectionRefused => {
                format!("nobody listens at {shown}\ncircusd has ended, or is no circusd")
            }
            ErrorKind::PermissionDenied => {
                // What we cannot see into, or the socket itself.
                let seen = path.ancestors().find_map(|at| Some((at, at.metadata().ok()?)));
                let (at, owner) = seen.map_or((path, 0), |(at, metadata)| (at, metadata.uid()));
                endpoint::permission_denied(at, owner, identity::uid())
            }
            _ => format!("cannot connect to {shown}: {error}"),
        }
    }

    /// The time is over: a line for each thing to know.
    fn timed_out(&self, patience: &Patience) -> Failure {
        let seconds = self.timeout_ms.unwrap_or(0) as f64 / 1000.0;
        let mut lines =
            vec![format!("timed out: no answer from {} within {seconds} s", self.endpoint)];
        if patience.waiting {
            lines.push("The work may go on. To wait for longer: --timeout 60".to_string());
        }
        if self.endpoint.starts_with("tcp://") {
            if patience.unreachable {
                lines.push("Can that address be reached from here?".to_string());
            }
            let hint = match self.keys.is_none() {
                true => "If it wants CURVE, give --curve-key and --curve-server-key",
                false => {
                    "Is --curve-server-key its public key, and ours in its curve_authorized_keys?"
                }
            };
            lines.push(hint.to_string());
        }
        Failure::Trouble(lines.join("\n"))
    }
}

impl Patience {
    /// Until something must be looked at; `None` is for ever.
    pub fn next(&self) -> Option<Duration> {
        let left = self.left();
        if self.asked { left } else { Some(left.map_or(LATE, |left| left.min(LATE))) }
    }

    fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

impl Call {
    /// The reply, if what has come is that; anything else is skipped.
    pub fn take(&self) -> Result<Option<Json>, Failure> {
        let frames = match self.socket.recv_multipart(zmq::DONTWAIT) {
            Ok(frames) => frames,
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => return Ok(None),
            Err(error) => return Err(ours(error)),
        };
        let Some(text) = frames.last() else { return Ok(None) };
        let reply = Json::read(text)
            .map_err(|error| Failure::Trouble(format!("the reply is no JSON: {error}")))?;
        // A request that cannot be read is answered without id; the socket has sent no other.
        let is_ours = match reply.get("id") {
            Some(Json::Text(id)) => *id == self.id,
            Some(Json::Null) | None => is_refusal(&reply),
            Some(_) => false,
        };
        Ok(Some(reply).filter(|_| is_ours))
    }
}

/// Wait for so long, or until Ctrl-C.
pub fn wait_for_interrupt(daemon: &Daemon<'_>, patience: Duration) -> Result<(), Failure> {
    wait_for(daemon.interrupts, &mut Vec::new(), Some(patience))
}

/// Wait until one of these is ready, or Ctrl-C.
pub fn wait_for<'b>(
    interrupts: Option<&SignalFd>,
    items: &mut Vec<zmq::PollItem<'b>>,
    patience: Option<Duration>,
) -> Result<(), Failure> {
    let ours_from = items.len();
    if let Some(interrupts) = interrupts {
        items.push(zmq::PollItem::from_fd(interrupts.as_fd().as_raw_fd(), zmq::POLLIN));
    }
    // Rounded up: a rest of less than a millisecond must not be waited for in a loop.
    let ms = patience.map_or(-1, |patience| patience.as_micros().div_ceil(1000) as i64);
    match zmq::poll(items, ms) {
        // The terminal's size has changed, or we were stopped and continued.
        Ok(_) | Err(zmq::Error::EINTR) => {}
        Err(error) => return Err(ours(error)),
    }
    let interrupted = items[ours_from..].iter().any(zmq::PollItem::is_readable);
    items.truncate(ours_from);
    if interrupted {
        return Err(Failure::Interrupted);
    }
    Ok(())
}

/// The reply, unless it is a refusal.
pub fn accepted(reply: Json) -> Result<Json, Failure> {
    match refusal(&reply) {
        Some(failure) => Err(failure),
        None => Ok(reply),
    }
}

/// What a reply refuses, if it does.
pub fn refusal(reply: &Json) -> Option<Failure> {
    let reason = reply.get("reason").and_then(Json::as_text).unwrap_or("no reason was given");
    is_refusal(reply).then(|| Failure::Refused(reason.to_string()))
}

fn is_refusal(reply: &Json) -> bool {
    reply.get("status").and_then(Json::as_text) == Some("error")
}

/// Something of libzmq's.
pub fn ours(error: zmq::Error) -> Failure {
    Failure::Trouble(format!("ZeroMQ: {error}"))
}

/// One for the whole process, never taken down: to wait for its threads would take longer than
/// most commands.
fn context() -> &'static zmq::Context {
    static CONTEXT: OnceLock<zmq::Context> = OnceLock::new();
    CONTEXT.get_or_init(zmq::Context::new)
}

/// 32 hexadecimal digits, as Circus's clients have them.
fn random_id() -> String {
    format!("{:016x}{:016x}", identity::seed(), identity::seed())
}

/// When an answer is late enough to look for the reason.
const LATE: Duration = Duration::from_millis(40);
/// How long a connection over tcp may take before its answer is waited for without it.
const TCP_PATIENCE: Duration = Duration::from_millis(500);
/// What circusd takes.
const REQUEST_BYTES_MAX: usize = 262_144;
/// Four times what circusd answers.
const MESSAGE_BYTES_MAX: i64 = 16 * 1024 * 1024;

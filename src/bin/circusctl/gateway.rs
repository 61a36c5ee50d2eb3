//! The control gateway: libzmq in a process of its own, between clients and circusd, which starts
//! it with the listening sockets and one end of a stream socket, and starts another one whenever
//! it dies. It knows nothing of commands, and has no state that anybody would miss.

mod args;
mod bridge;
mod curve;
mod discovery;
mod endpoints;
mod notes;
mod subscriptions;

use crate::zeromq;
use bridge::{Bridge, End};
use circus::sys::signals;
use circus::wire::FromGateway;
use discovery::Discovery;
use endpoints::Endpoints;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

/// The command line or a file that it names is wrong.
const EXIT_USAGE: u8 = 2;
/// circusd and we do not understand each other.
const EXIT_BROKEN: u8 = 70;

const CIRCUSD: i32 = 3;
const CONTROL: i32 = 4;
const PUBLICATIONS: i32 = 5;
const MULTICAST: i32 = 6;

/// How many descriptors we take if we may: connections, and what libzmq needs for itself. A
/// connection takes 65 kB of address space, a third of it real.
const DESCRIPTORS: u64 = zeromq::DESCRIPTORS_MAX as u64;
/// What libzmq, the standard streams and a key file need.
const DESCRIPTORS_RESERVED: u64 = 16;
const DESCRIPTORS_MIN: u64 = 2 * DESCRIPTORS_RESERVED;
/// As much memory as all limits together may need, and then some. Beyond it libzmq aborts, and
/// circusd starts another gateway: better that than a container without memory.
const DATA_BYTES_MAX: u64 = 128 << 20;

const CRITICAL: u8 = 4;

/// Serve until circusd closes its end.
pub fn run(words: Vec<OsString>) -> ExitCode {
    // What a terminal sends to all of us is circusd's business: it says when we end.
    signals::block_all();
    let Some(circusd) = zeromq::inherited_socket(CIRCUSD) else {
        eprintln!("circusctl: circusd starts the gateway, nobody else");
        return ExitCode::from(EXIT_USAGE);
    };
    match open(words) {
        Ok((endpoints, discovery)) => {
            let _ = fcntl(&circusd, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK));
            match Bridge::new(circusd, endpoints, discovery).run() {
                End::Goodbye => ExitCode::SUCCESS,
                End::Broken(reason) => {
                    eprintln!("circusctl gateway: circusd sent {reason}");
                    ExitCode::from(EXIT_BROKEN)
                }
            }
        }
        Err(reason) => {
            let mut note = Vec::new();
            FromGateway::Note { level: CRITICAL, text: &reason }.append_to(&mut note);
            // If circusd does not even take that, it has other troubles.
            let _ = nix::unistd::write(&circusd, &note);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn open(words: Vec<OsString>) -> Result<(Endpoints, Option<Discovery>), String> {
    restrict_ourselves()?;
    let args = args::parse(words)?;
    let control = socket_under(CONTROL)?;
    let publications = socket_under(PUBLICATIONS)?;
    let mut discovery = None;
    if args.multicast {
        let socket = Discovery::new(socket_under(MULTICAST)?, &args.endpoint);
        discovery = Some(socket.map_err(|error| format!("cannot serve discovery: {error}"))?);
    }
    Ok((Endpoints::open(&args, control, publications)?, discovery))
}

fn socket_under(number: i32) -> Result<OwnedFd, String> {
    zeromq::inherited_socket(number).ok_or_else(|| format!("no socket under the number {number}"))
}

/// We speak with strangers, through much code that is not ours: have no more than that needs.
fn restrict_ourselves() -> Result<(), String> {
    // Where the kernel does not know one of these, we do without.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    let _ = prctl::set_no_new_privs();
    let _ = prctl::set_dumpable(false);
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let (_, hard) = getrlimit(Resource::RLIMIT_DATA).unwrap_or((0, u64::MAX));
    let data = DATA_BYTES_MAX.min(hard);
    let _ = setrlimit(Resource::RLIMIT_DATA, data, data);
    let (mut soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| format!("cannot ask for the limit on descriptors: {error}"))?;
    let wanted = DESCRIPTORS.min(hard);
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
        soft = wanted;
    }
    if soft < DESCRIPTORS_MIN {
        return Err(format!("a limit of {soft} descriptors is too low: raise it to 1024"));
    }
    let count = soft.min(DESCRIPTORS) - DESCRIPTORS_RESERVED;
    zeromq::limit_descriptors(count as usize, PUBLICATIONS);
    Ok(())
}

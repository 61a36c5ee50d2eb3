//! What the protocol itself costs: a server that answers a constant, and a client that asks once and
//! ends. Roles of the measuring program, so that both are linked as ours are.

use std::ffi::OsString;
use std::process::ExitCode;
use zmq::{Context, Message};

/// What a client sends; all servers are sent the same.
pub const REQUEST: &str = r#"{"id": "bench", "command": "status", "properties": {"name": "s0"}}"#;
/// As long as circusd's own.
const REPLY: &str = r#"{"status": "active", "time": 1795331504.1709943, "id": "bench"}"#;

/// Take the words as a role, if they are one.
pub fn role(words: &[OsString]) -> Option<ExitCode> {
    let [_, role, endpoint] = words else { return None };
    let (role, endpoint) = (role.to_str()?, endpoint.to_str()?);
    let result = match role {
        "echo" => serve(endpoint),
        "ask" => ask(endpoint),
        _ => return None,
    };
    if let Err(error) = result {
        eprintln!("{role} {endpoint}: {error}");
        return Some(ExitCode::FAILURE);
    }
    // To take libzmq down would only take time.
    circus::sys::identity::exit_now(0)
}

fn serve(endpoint: &str) -> zmq::Result<()> {
    let context = Context::new();
    let socket = context.socket(zmq::ROUTER)?;
    socket.bind(endpoint)?;
    let (mut identity, mut request) = (Message::new(), Message::new());
    loop {
        socket.recv(&mut identity, 0)?;
        socket.recv(&mut request, 0)?;
        socket.send(&*identity, zmq::SNDMORE)?;
        socket.send(REPLY, 0)?;
    }
}

fn ask(endpoint: &str) -> zmq::Result<()> {
    let context = Context::new();
    let socket = context.socket(zmq::DEALER)?;
    socket.connect(endpoint)?;
    socket.send(REQUEST, 0)?;
    println!("{}", String::from_utf8_lossy(&socket.recv_bytes(0)?));
    // Not dropped: that would wait for its threads.
    std::mem::forget((socket, context));
    Ok(())
}

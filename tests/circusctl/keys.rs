//! CURVE keys as the page on circusctl says it, with the real circusd at the other side.

use crate::world::{Run, World, until_some};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// A circusd, which ends with it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Two ports of the loopback interface that nobody uses.
fn ports() -> [u16; 2] {
    let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    free.map(|listener| listener.local_addr().expect("bound").port())
}

fn serve(world: &World, control: u16, publications: u16) -> Server {
    let ini = format!(
        "[circus]\nendpoint = tcp://127.0.0.1:{control}\n\
         pubsub_endpoint = tcp://127.0.0.1:{publications}\n\
         curve_secret_key = server.key_secret\ncurve_authorized_keys = authorized_keys\n\
         [watcher:web]\ncmd = sleep 1000\n"
    );
    std::fs::write(world.folder.join("circus.ini"), ini).expect("a folder of ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_circusd"));
    command.arg(world.folder.join("circus.ini"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Server(command.spawn().expect("circusd was built"))
}

#[test]
fn keys_go_where_keygen_says() {
    let world = World::new();
    let path = |name: &str| world.folder.join(name).display().to_string();
    let made: Vec<Run> = ["server", "client", "stranger"]
        .map(|name| world.run(&["keygen", "--output", &path(name)]))
        .into();
    for run in &made {
        assert_eq!((run.code, run.err.as_str()), (0, ""));
    }
    // The line that is to be added for a client is on a line of its own.
    let (_, after) = made[1].out.split_once("curve_authorized_keys names:\n").expect("it is said");
    let line = after.lines().next().expect("a key").trim();
    std::fs::write(world.folder.join("authorized_keys"), format!("# who may\n\n{line}  alice\n"))
        .expect("a folder of ours");

    let [control, publications] = ports();
    let _server = serve(&world, control, publications);
    let endpoint = format!("tcp://127.0.0.1:{control}");
    let ask = |own: &str, server: &str, timeout: &str, words: &[&str]| {
        let (own, server) = (path(own), path(server));
        let mut all = vec!["--endpoint", &endpoint, "--timeout", timeout];
        all.extend(["--curve-key", &own, "--curve-server-key", &server]);
        all.extend(words);
        world.run(&all)
    };
    until_some("circusd answers", || {
        let run = ask("client.key_secret", "server.key", "20", &["status", "web"]);
        (run.out == "active\n").then_some(())
    });
    for (own, server) in
        [("stranger.key_secret", "server.key"), ("client.key_secret", "client.key")]
    {
        let run = ask(own, server, "0.5", &["status", "web"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""));
        assert!(run.err.contains("ours in its curve_authorized_keys?"), "{}", run.err);
    }
    // The secret file is not the public one.
    let run = ask("client.key", "server.key", "0.5", &["status"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("has no secret-key"), "{}", run.err);
}

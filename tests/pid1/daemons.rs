//! Programs that make themselves daemons and say so (`MAINPID=`).

use crate::control::{operate, operated};
use crate::world::namespaces_are_possible;

/// Forks, tells who goes on, and leaves. The daemon ends with 7 when told to.
const DAEMON: &str = r#"
import os, signal, socket, sys, time
path = os.environ["NOTIFY_SOCKET"]
child = os.fork()
if child:
    said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    said.sendto(b"MAINPID=%d\nREADY=1" % child, "\0" + path[1:])
    time.sleep(0.2)
    os._exit(0)
os.setsid()
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
signal.signal(signal.SIGUSR1, lambda *_: os._exit(3))
while True:
    signal.pause()
"#;

#[test]
fn a_daemon_is_supervised_in_place_of_the_process_that_made_it() {
    if !namespaces_are_possible() {
        return;
    }
    let run = operated("[watcher:d]\ncmd = python3 @/daemon.py\nready = notify\n");
    run.write("daemon.py", DAEMON);
    let mut run = run.start();
    run.wait_for_log("goes on in place of pid");
    assert_eq!(operate(&run, "health --wait 20 d"), "d: healthy");
    // It is a process of the watcher like any other: its death is seen, and it is started again.
    operate(&run, "signal d USR1");
    run.wait_for_log("exited with code 3");
    assert_eq!(operate(&run, "health --wait 20 d"), "d: healthy");
    run.stop();
    assert!(!run.log().contains("left pid"), "{}", run.log());
    assert!(run.log().contains("d stopped"), "{}", run.log());
}

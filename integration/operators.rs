//! `docker exec app circusctl …` without an option: who finds circusd, and who may do what.

use crate::container::{CONFIG, Container};
use crate::docker::{self, Ended};
use crate::image;

const WATCHERS: &str = "[watcher:web]\ncmd = sleep 1001\nnumprocesses = 2\n";

/// The watchers are up: so is the control endpoint.
fn running(options: &[&str], circus: &str) -> Container {
    let container = Container::with_config(options, &format!("{circus}{WATCHERS}"));
    container.wait_for("web started");
    container.wait_for_pids("sleep 1001", 2);
    container
}

fn as_user(container: &Container, uid: &str, words: &[&str]) -> Ended {
    container.exec_as(&["-u", uid], &[&["circusctl"], words].concat())
}

/// It may look, change things, and look again.
#[track_caller]
fn may_do_everything(container: &Container, uid: &str) {
    let script = "circusctl status && circusctl stop --waiting && circusctl status && \
                  circusctl start --waiting";
    let ended = container.exec_as(&["-u", uid], &["sh", "-c", script]);
    let printed = "web: active\nok\nweb: stopped\nok\n";
    assert_eq!((ended.code, &*ended.stdout), (0, printed), "{ended:?}");
}

#[track_caller]
fn is_kept_out(container: &Container, uid: &str) {
    let ended = as_user(container, uid, &["status"]);
    assert_eq!((ended.code, &*ended.stdout), (1, ""), "{ended:?}");
    assert!(ended.stderr.starts_with("error: permission denied: "), "{ended:?}");
    assert!(ended.stderr.contains(&format!("we are user {uid}")), "{ended:?}");
}

#[test]
fn root_operates_it_and_another_user_is_told_why_not() {
    if !docker::is_here() {
        return;
    }
    let container = running(&[], "");
    may_do_everything(&container, "0");
    is_kept_out(&container, "12345");
    let private = container.sh("stat -c '%a %u' /run/circus /run/circus/control.sock").stdout;
    assert_eq!(private, "700 0\n600 0\n");
}

#[test]
fn the_user_that_circusd_runs_as_operates_it_and_so_does_root() {
    if !docker::is_here() {
        return;
    }
    let container = running(&["--user", "12345"], "");
    may_do_everything(&container, "12345");
    may_do_everything(&container, "0");
    is_kept_out(&container, "23456");
}

#[test]
fn on_a_read_only_root_the_first_directory_that_works_is_taken() {
    if !docker::is_here() {
        return;
    }
    let locked_down: &[&str] = &["--read-only", "--user", "12345", "--cap-drop", "ALL"];
    let cases: [(&[&str], &str); 4] = [
        (&["--read-only", "--tmpfs", "/run"], "/run/circus"),
        (&["--read-only"], "/dev/shm/circus-0"),
        (locked_down, "/dev/shm/circus-12345"),
        (
            &[
                "--read-only",
                "--user",
                "12345",
                "--tmpfs",
                "/x:mode=777",
                "-e",
                "XDG_RUNTIME_DIR=/x",
            ],
            "/x/circus",
        ),
    ];
    for (options, directory) in cases {
        let container = running(options, "");
        let endpoint = format!("endpoint: ipc://{directory}/control.sock");
        assert_eq!(container.operate(&["globaloptions", "endpoint"]), endpoint);
    }
}

#[test]
fn where_no_directory_works_the_services_run_and_one_line_says_why() {
    if !docker::is_here() {
        return;
    }
    let options = ["--read-only", "--user", "12345", "--tmpfs", "/dev/shm:mode=700"];
    let container = running(&options, "");
    let logs = container.logs();
    let lines: Vec<&str> = logs.lines().filter(|line| line.contains("endpoint")).collect();
    let [line] = lines[..] else { panic!("not one line: {logs}") };
    for place in ["/run/circus", "/tmp/circus-12345", "/dev/shm/circus-12345", "mount a tmpfs"] {
        assert!(line.contains(place), "{line}");
    }
    let ended = container.circusctl(&["status"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("no control socket was found"), "{ended:?}");
}

#[test]
fn with_endpoint_mode_0666_another_user_may_look_and_change_nothing() {
    if !docker::is_here() {
        return;
    }
    let container = running(&[], "[circus]\nendpoint_mode = 0666\n");
    assert!(!container.has_line(&["WARNING"]), "{}", container.logs());
    let status = as_user(&container, "12345", &["status"]);
    assert_eq!((status.code, &*status.stdout), (0, "web: active\n"), "{status:?}");
    let before = container.pids("sleep 1001");
    let commands: [&[&str]; 7] = [
        &["stop"],
        &["incr", "web"],
        &["quit", "--yes"],
        &["reloadconfig"],
        &["signal", "web", "9"],
        &["set", "web", "numprocesses", "0"],
        &["add", "--start", "mine", "sleep 1002"],
    ];
    for words in commands {
        let ended = as_user(&container, "12345", words);
        let reason = "error: user 12345 may only look; root may change things\n";
        assert_eq!((ended.code, &*ended.stderr), (3, reason), "{words:?}");
    }
    assert_eq!(container.pids("sleep 1001"), before);
    assert_eq!(container.operate(&["list"]), "web");
}

#[test]
fn a_second_circusd_does_not_take_the_endpoint() {
    if !docker::is_here() {
        return;
    }
    // The second is to leave all as it is: it would make the directory private.
    let container = running(&[], "[circus]\nendpoint_mode = 0666\n");
    let second = "printf '[watcher:two]\\ncmd = sleep 1002\\n' >/tmp/two.ini
        /circusd /tmp/two.ini >/tmp/two.log 2>&1 & echo $! >/tmp/two.pid";
    assert_eq!(container.exec_as(&["-d"], &["sh", "-c", second]).code, 0);
    container.wait_for_pids("sleep 1002", 1);
    let log = container.wait_for_sh("grep 'no control endpoint' /tmp/two.log");
    assert!(log.contains("/run/circus: another circusd (pid 1) serves it"), "{log}");
    assert_eq!(as_user(&container, "12345", &["list"]).stdout, "web\n");
    container.wait_for_sh("kill $(cat /tmp/two.pid); ! kill -0 $(cat /tmp/two.pid)");
    assert_eq!(as_user(&container, "12345", &["list"]).stdout, "web\n");
    let configured = "printf '[circus]\\nendpoint = ipc:///run/circus/control.sock\\n\
        pubsub_endpoint = ipc:///tmp/p.sock\\n[watcher:two]\\ncmd = sleep 1002\\n' >/tmp/three.ini
        /circusd /tmp/three.ini";
    let ended = container.sh(configured);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("another circusd (pid 1) serves it"), "{ended:?}");
    assert_eq!(container.pids("sleep 1002"), []);
    assert_eq!(container.operate(&["list"]), "web");
}

#[test]
fn without_circusctl_the_services_run_and_one_line_says_so() {
    if !docker::is_here() {
        return;
    }
    let alone = image::circusd_alone();
    let container = Container::with_config_in(&[], &alone, WATCHERS, &[CONFIG]);
    container.wait_for_pids("sleep 1001", 2);
    let logs = container.logs();
    let told = logs.lines().filter(|line| line.contains("circusctl")).count();
    assert_eq!(told, 1, "{logs}");
    assert!(container.has_line(&["[WARNING] circusctl is neither beside circusd nor in PATH"]));
    assert_eq!(container.sh("ls /run/circus 2>&1").code, 2, "no endpoint without a gateway");
    container.stop(10);
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn a_configured_endpoint_that_cannot_be_had_is_2_and_nothing_starts() {
    if !docker::is_here() {
        return;
    }
    // Forty letters are a key, as far as anybody can see.
    let file = image::workshop().join("any.key");
    std::fs::write(&file, "0123456789abcdefghijklmnopqrstuvwxyzABCD\n")
        .expect("target/ is writable");
    let volume = format!("{}:/any.key:ro", file.display());
    let keys = "curve_secret_key = /any.key\ncurve_authorized_keys = /any.key\n";
    let no_keys = "curve_secret_key = /any.key\ncurve_authorized_keys = /no/keys\n";
    let cases = [
        ("ipc:///no/such/c.sock", "", "cannot bind the endpoint ipc:///no/such/c.sock"),
        ("ipc:///etc/passwd", "", "cannot bind the endpoint ipc:///etc/passwd"),
        ("tcp://192.0.2.1:5555", keys, "cannot bind the endpoint tcp://192.0.2.1:5555"),
        ("tcp://0.0.0.0:5555", no_keys, "curve_authorized_keys: cannot read /no/keys: No such"),
        ("tcp://0.0.0.0:5555", "", "circus.ini:2: endpoint: `tcp://0.0.0.0:5555`"),
        ("tcp://[::]:5555", "", "needs curve_secret_key and curve_authorized_keys"),
    ];
    for (endpoint, more, message) in cases {
        let ini = format!(
            "[circus]\nendpoint = {endpoint}\npubsub_endpoint = ipc:///tmp/p.sock\n{more}\
             [watcher:web]\ncmd = sh -c 'echo it was started'\n"
        );
        let container = Container::with_config(&["-v", &volume], &ini);
        assert_eq!(container.exit_code(), 2, "{endpoint}");
        assert!(container.logs().contains(message), "{endpoint}: {}", container.logs());
        assert_eq!(container.count("it was started"), 0);
    }
}

#[test]
fn from_scratch_both_programs_work_without_anything_else() {
    if !docker::is_here() {
        return;
    }
    // The service is the client that prints what happens: there is no other program.
    let ini = "[watcher:listener]\ncmd = /circusctl listen\n\
               [watcher:spare]\ncmd = /circusctl listen spare\nautostart = False\n";
    let container = Container::with_config_in(&[], &image::scratch(), ini, &[CONFIG]);
    container.wait_for("listener started");
    let ctl = |words: &[&str]| container.exec(&[&["/circusctl"], words].concat());
    let status = ctl(&["status"]);
    assert_eq!(
        (status.code, &*status.stdout),
        (0, "listener: active\nspare: stopped\n"),
        "{status:?}"
    );
    crate::deadline::wait_until(
        "the listener hears of it",
        || {
            ctl(&["restart", "spare", "--waiting"]);
            container.logs()
        },
        |logs| logs.lines().any(|line| line.contains(" spare ") && line.contains(" spawn ")),
    );
    assert_eq!(ctl(&["stop", "spare", "--waiting"]).stdout, "ok\n");
    assert_eq!(ctl(&["quit", "--yes"]).stdout, "ok\n");
    assert_eq!(container.exit_code(), 0);
}

//! Who waits for whom, as an operator sees it and acts on it.

use crate::control::{ask, operate, operated};
use crate::world::namespaces_are_possible;

const CHAIN: &str = "[watcher:web]\ncmd = sleep 902\ndepends_on = db, cache:started\n\
                     [watcher:cache]\ncmd = sleep 901\n\
                     [watcher:db]\ncmd = sleep 900\nready = after:0.2\ndepends_on = migrate\n\
                     [watcher:migrate]\ncmd = test -e @/allowed\noneshot = True\nrespawn = False\n";

#[test]
fn a_failed_oneshot_holds_all_up_until_it_is_run_again_with_success() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated(CHAIN).start();
    run.wait_for_log("db is waiting for migrate, which failed");
    let said = ask(&run, "health db web migrate");
    assert_eq!(said.code, 1);
    for part in ["migrate: stopped (failed)", "waiting for migrate, which failed", "web: stopped"] {
        assert!(said.out.contains(part), "{said:?}");
    }
    let tree = operate(&run, "tree");
    for part in [
        " web  stopped (waiting for db, which waits for migrate, which failed)\n",
        " db  stopped (waiting for migrate, which failed)\n",
        " migrate  stopped (failed)\n",
        " cache:started  active",
    ] {
        assert!(tree.contains(part), "{tree}");
    }
    // Nobody waits out a minute for what does not come.
    let said = ask(&run, "health --wait web");
    let reason = "web: stopped (waiting for db, which waits for migrate, which failed)";
    assert_eq!((said.code, said.out.trim()), (1, reason));
    let said = ask(&run, "start web --waiting");
    assert!(said.code != 0 && said.err.contains("start migrate first"), "{said:?}");
    run.write("allowed", "");
    operate(&run, "restart migrate");
    assert_eq!(operate(&run, "health --wait 20"), "healthy: all 4 watchers");
    let table = operate(&run, "status migrate --detail");
    assert!(table.contains("completed") && table.contains("exit code 0, "), "{table}");
    run.stop();
    let log = run.log();
    let at = |line: &str| log.find(line).unwrap_or_else(|| panic!("{line} in {log}"));
    assert!(at("migrate completed") < at("db started"));
    assert!(at("db ready") < at("web started"));
    assert!(at("web stopped") < at("db stopped"));
}

#[test]
fn a_stop_with_dependants_begins_with_those_and_another_leaves_them_alone() {
    if !namespaces_are_possible() {
        return;
    }
    let run = operated(CHAIN);
    run.write("allowed", "");
    let mut run = run.start();
    assert_eq!(operate(&run, "health --wait 20 web"), "web: healthy");
    operate(&run, "stop db --waiting");
    assert_eq!(operate(&run, "status web"), "active");
    operate(&run, "start db --waiting");
    operate(&run, "stop db --with-dependants --waiting");
    assert_eq!(
        operate(&run, "status"),
        "cache: active\ndb: stopped\nmigrate: completed\nweb: stopped"
    );
    let log = run.log();
    let (web, db) = (log.rfind("web stopped"), log.rfind("db stopped"));
    assert!(web.is_some() && web < db, "{log}");
    run.stop();
}

#[test]
fn a_restart_with_dependants_stops_and_starts_them_in_order() {
    if !namespaces_are_possible() {
        return;
    }
    let run = operated(CHAIN);
    run.write("allowed", "");
    let mut run = run.start();
    assert_eq!(operate(&run, "health --wait"), "healthy: all 4 watchers");
    let before = run.log().len();
    operate(&run, "restart db --with-dependants --waiting");
    let log = run.log()[before..].to_string();
    let at = |line: &str| log.find(line).unwrap_or_else(|| panic!("{line} in {log}"));
    assert!(at("web stopped") < at("db stopped"));
    assert!(at("db stopped") < at("db ready"));
    assert!(at("db ready") < at("web started"));
    assert!(!log.contains("migrate"), "{log}");
    run.stop();
}

#[test]
fn an_essential_watcher_that_waits_in_vain_ends_the_container() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 902\ndepends_on = db\nessential = True\n\
               [watcher:db]\ncmd = sh -c 'exit 7'\nready = after:100\nmax_restarts = 0\n";
    let mut run = operated(ini).start();
    assert_eq!(run.exit_code(), 7);
    let log = run.log();
    let last = "web is essential and waiting for db, which failed: stopping, exit code 7";
    assert!(log.contains(last), "{log}");
    let warning = "web is essential and db is not";
    assert!(log.contains(warning), "{log}");
}

#[test]
fn what_a_process_says_of_itself_is_shown() {
    if !namespaces_are_possible() {
        return;
    }
    // bash has no sockets of this kind.
    let program = "import os, socket, time\n\
                   s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                   s.connect(os.environ['NOTIFY_SOCKET'].replace(chr(64), '\\0', 1))\n\
                   s.send(b'READY=1\\nSTATUS=5 clients')\n\
                   time.sleep(900)\n";
    let ini = "[watcher:app]\ncmd = python3 @/app.py\nready = notify\n";
    let run = operated(ini);
    run.write("app.py", program);
    let mut run = run.start();
    assert_eq!(operate(&run, "health --wait 20"), "app: healthy");
    let table = operate(&run, "status app --detail");
    assert!(table.contains("SAYS") && table.ends_with("5 clients"), "{table}");
    assert!(operate(&run, "tree").ends_with(" app  active: 5 clients"));
    run.stop();
}

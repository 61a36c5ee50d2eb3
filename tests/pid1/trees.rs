//! What a process leaves behind is gone before its slot starts again, and at the stop.

use crate::world::{World, namespaces_are_possible, until, until_some};
use std::net::TcpListener;

/// A shell that does not pass signals on, with a child and one that has left its session. First
/// it notes how many of those it sees.
const WRAPPER: &str = r#"
count=0
for file in /proc/[0-9]*/cmdline; do
    words=$(tr '\0' ' ' 2>/dev/null < $file) || true
    case "$words" in "sleep 910 "*|"sleep 911 "*) count=$((count + 1));; esac
done
echo "life sees $count" >> @/lives
sleep 910 & setsid sleep 911 & wait
"#;

const INI: &str = "[watcher:w]\ncmd = bash @/wrapper.sh\n";

/// Binds a port as servers do that do not ask to share it.
const SERVER: &str = r#"
use Socket;
socket(my $server, PF_INET, SOCK_STREAM, 0) or die;
my $ok = bind($server, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) && listen($server, 5);
open(my $facts, '>>', $ARGV[1]) or die;
syswrite($facts, $ok ? "bound\n" : "failed: $!\n");
$ok or exit 1;
$SIG{TERM} = 'IGNORE';
sleep 900;
"#;

#[test]
fn a_stop_leaves_nothing_of_a_shell_wrapper() {
    let mut worlds = vec![World::plain(INI)];
    if namespaces_are_possible() {
        worlds.push(World::pid_1(INI));
    }
    for world in worlds {
        let wrapper = "sleep 900 & setsid sleep 901 & echo life >> @/lives; wait\n";
        let mut run = world.with("wrapper.sh", wrapper).start();
        run.wait_for_file("lives", "life");
        run.wait_for_log("w started");
        run.stop();
        assert!(!run.log().contains("killed"), "{}", run.log());
    }
}

#[test]
fn none_of_the_old_processes_lives_when_the_replacement_starts() {
    let mut worlds = vec![World::plain(INI)];
    if namespaces_are_possible() {
        worlds.push(World::pid_1(INI));
    }
    for world in worlds {
        let mut run = world.with("wrapper.sh", WRAPPER).start();
        let command = format!("bash {}/wrapper.sh", run.folder().display());
        for life in 1..5 {
            let bash = run.wait_for_child(&command);
            until("it has its sleeps", || {
                let all: Vec<String> = run.others().iter().map(|p| p.command()).collect();
                ["sleep 910", "sleep 911"].iter().all(|sleep| all.iter().any(|c| c == sleep))
                    && run.file("lives").lines().count() == life
            });
            bash.send("KILL");
            run.wait_for_replacement(&command, bash);
        }
        until("five lives", || run.file("lives").lines().count() == 5);
        run.stop();
        assert_eq!(run.file("lives"), "life sees 0\n".repeat(5));
    }
}

#[test]
fn a_replacement_that_binds_a_port_succeeds_at_the_first_try() {
    if !namespaces_are_possible() {
        return;
    }
    let port = {
        let any = TcpListener::bind("127.0.0.1:0").expect("a port");
        any.local_addr().expect("its number").port()
    };
    let wrapper = format!("setsid perl @/server.pl {port} @/facts & wait\n");
    let ini = "[watcher:w]\ncmd = bash @/wrapper.sh\ngraceful_timeout = 0.3\n";
    let world = World::pid_1(ini).with("server.pl", SERVER).with("wrapper.sh", &wrapper);
    let mut run = world.start();
    let command = format!("bash {}/wrapper.sh", run.folder().display());
    for life in 1..4 {
        let bash = run.wait_for_child(&command);
        until("it has bound", || run.file("facts").lines().count() == life);
        bash.send("KILL");
        run.wait_for_replacement(&command, bash);
    }
    until("four servers", || run.file("facts").lines().count() == 4);
    run.stop();
    assert_eq!(run.file("facts"), "bound\n".repeat(4));
}

#[test]
fn without_kill_tree_a_descendant_is_left_alone_until_everything_stops() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = bash @/wrapper.sh\nkill_tree = False\n";
    let once = "[ -e @/once ] || { touch @/once; setsid sleep 901 & }\nsleep 900 & wait\n";
    let mut run = World::pid_1(ini).with("wrapper.sh", once).start();
    let command = format!("bash {}/wrapper.sh", run.folder().display());
    let bash = run.wait_for_child(&command);
    let find = || run.others().into_iter().find(|p| p.command() == "sleep 901");
    let descendant = until_some("its descendant is there", find);
    bash.send("KILL");
    run.wait_for_replacement(&command, bash);
    assert!(descendant.is_alive());
    run.stop();
    assert!(run.log().contains("of no watcher"), "{}", run.log());
}

#[test]
fn stop_children_reaches_the_children_of_a_shell_that_waits() {
    if !namespaces_are_possible() {
        return;
    }
    // It ends when its child does, and only then.
    let script = "trap '' TERM\n(trap - TERM; exec perl @/child.pl) &\nwait\n";
    let child = "$SIG{TERM} = sub { open(my $f, '>>', '@/facts'); print $f \"child\\n\"; exit };\n\
                 open(my $f, '>>', '@/facts'); print $f \"ready\\n\"; close $f; sleep 900;\n";
    let ini = "[watcher:w]\ncmd = bash @/parent.sh\nstop_children = True\ngraceful_timeout = 600\n";
    let mut run = World::pid_1(ini).with("parent.sh", script).with("child.pl", child).start();
    run.wait_for_file("facts", "ready");
    run.stop();
    assert_eq!(run.file("facts"), "ready\nchild\n");
}

#[test]
fn a_chain_of_descendants_that_appear_one_after_the_other_is_cleared_to_its_end() {
    if !namespaces_are_possible() {
        return;
    }
    // Each one leaves another behind when it is asked to end; the last one just ends.
    let link = "trap 'setsid bash @/link.sh '$(($1 - 1))' & exit' TERM\n\
                [ $1 = 0 ] && exec sleep 901\necho link $1 >> @/facts\nsleep 902 & wait\n";
    let ini = "[watcher:w]\ncmd = bash @/link.sh 5\n[watcher:o]\ncmd = sleep 900\n\
               [circus]\nloglevel = debug\n";
    let mut run = World::pid_1(ini).with("link.sh", link).start();
    run.wait_for_file("facts", "link 5\n");
    run.stop();
    assert!(run.log().contains("w left "), "{}", run.log());
}

#[test]
fn a_process_that_flees_by_forking_does_not_outlive_the_stop() {
    if !namespaces_are_possible() {
        return;
    }
    let comet = "$SIG{TERM} = 'IGNORE'; fork and exit while 1;";
    let ini = "[watcher:w]\ncmd = perl @/comet.pl\nrespawn = False\ngraceful_timeout = 0.2\n\
               [watcher:o]\ncmd = sleep 900\n";
    let mut run = World::pid_1(ini).with("comet.pl", comet).start();
    run.wait_for_child("sleep 900");
    run.wait_for_log("w (pid ");
    run.stop();
}

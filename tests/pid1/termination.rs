//! Where Kubernetes reads why a container ended.

use crate::world::{World, namespaces_are_possible};

/// A /dev with a file that can be seen from outside, as a kubelet mounts it.
const DEV: &str = "mkdir @/dev && mount -t tmpfs none @/dev && touch @/dev/null @/dev/termination-log \
                   && mount --bind /dev/null @/dev/null && \
                   mount --bind @/reason @/dev/termination-log && mount --rbind @/dev /dev; ";

fn reason(prepare: &str, ini: &str) -> (i32, String) {
    let world = World::pid_1(ini);
    world.write("reason", "untouched\n");
    let mut run = world.through_bash(&format!("{prepare}exec \"$@\"")).start();
    run.wait_for_log("stopping");
    (run.exit_code(), run.file("reason"))
}

#[test]
fn the_reason_of_a_failure_is_left_where_kubernetes_reads_it() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sh -c 'exit 7'\nessential = True\nmax_restarts = 1\n\
               [watcher:other]\ncmd = sleep 900\n";
    let (code, text) = reason(DEV, ini);
    assert_eq!(code, 7);
    assert!(text.starts_with("web (pid "), "{text}");
    assert!(text.contains("exited with code 7") && text.contains("given up"), "{text}");
    assert!(text.ends_with("\nexit code 7\n"), "{text}");
    let ini = "[circus]\nexit_when_done = True\n[watcher:one]\ncmd = sh -c 'exit 5'\noneshot = True\n\
               respawn = False\n[watcher:two]\ncmd = true\ndepends_on = one\n";
    let (code, text) = reason(DEV, ini);
    assert_eq!(code, 5);
    assert!(text.starts_with("one (pid ") && text.ends_with("code 5\n"), "{text}");
}

#[test]
fn a_good_end_and_a_link_to_elsewhere_leave_the_file_alone() {
    if !namespaces_are_possible() {
        return;
    }
    let done = "[circus]\nexit_when_done = True\n[watcher:one]\ncmd = true\noneshot = True\n";
    assert_eq!(reason(DEV, done), (0, "untouched\n".to_string()));
    let link = DEV
        .replace("@/dev/termination-log", "@/dev/there")
        .replace("&& mount --rbind", "&& ln -s /dev/there @/dev/termination-log && mount --rbind");
    let failing = "[circus]\nexit_when_done = True\n[watcher:one]\ncmd = false\noneshot = True\n\
                   respawn = False\n";
    assert_eq!(reason(&link, failing), (1, "untouched\n".to_string()));
    // A pipe that nobody reads does not keep it from ending.
    let pipe = DEV
        .replace("@/dev/null @/dev/termination-log", "@/dev/null && mkfifo @/dev/termination-log")
        .replace("mount --bind @/reason @/dev/termination-log &&", "");
    assert_eq!(reason(&pipe, failing), (1, "untouched\n".to_string()));
}

//! The order of starts, and the delays between them.

use crate::process::Process;
use crate::world::{World, namespaces_are_possible};

/// By the kernel's record of when each process was made.
fn gap_ms(first: Process, second: Process) -> u64 {
    (second.made_at_ticks() - first.made_at_ticks()) * 10
}

#[test]
fn starts_follow_priority_and_both_warmup_delays() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[circus]\nwarmup_delay = 0.3\n\
               [watcher:last]\ncmd = sleep 903\npriority = -1\n\
               [watcher:second]\ncmd = sleep 902\npriority = 5\n\
               [watcher:first]\ncmd = sleep 901\npriority = 10\nnumprocesses = 3\nwarmup_delay = 0.2\n";
    let mut run = World::pid_1(ini).start();
    let last = run.wait_for_child("sleep 903");
    let second = run.wait_for_child("sleep 902");
    let mut first = run.wait_for_children("sleep 901", 3);
    first.sort_by_key(|process| process.made_at_ticks());
    // The kernel's record has steps of 10 ms.
    for pair in first.windows(2) {
        assert!(
            gap_ms(pair[0], pair[1]) >= 180,
            "{}",
            gap_ms(pair[0], pair[1])
        );
    }
    assert!(
        gap_ms(first[0], second) >= 880,
        "{}",
        gap_ms(first[0], second)
    );
    assert!(gap_ms(second, last) >= 280, "{}", gap_ms(second, last));
    run.stop();
}

#[test]
fn equal_priorities_start_in_the_order_of_their_names() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[circus]\nwarmup_delay = 0.05\n[watcher:z]\ncmd = sleep 903\n\
               [watcher:a]\ncmd = sleep 901\n[watcher:m]\ncmd = sleep 902\n";
    let mut run = World::pid_1(ini).start();
    let all = ["sleep 901", "sleep 902", "sleep 903"].map(|command| run.wait_for_child(command));
    assert!(all.is_sorted_by_key(|process| process.made_at_ticks()));
    run.stop();
}

#[test]
fn lower_priorities_wait_for_a_oneshot() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:serve]\ncmd = sh @/serve.sh\n\
               [watcher:beside]\ncmd = sleep 901\npriority = 10\n\
               [watcher:migrate]\ncmd = sh @/migrate.sh\noneshot = True\npriority = 10\n";
    let migrate = "until [ -e @/go ]; do sleep 0.01; done\necho migrated >> @/facts\n";
    let serve = "echo serving >> @/facts\nexec sleep 902\n";
    let mut run = World::pid_1(ini)
        .with("migrate.sh", migrate)
        .with("serve.sh", serve)
        .start();
    run.wait_for_log("beside started");
    assert_eq!(run.file("facts"), "");
    run.write("go", "");
    run.wait_for_child("sleep 902");
    assert_eq!(run.file("facts"), "migrated\nserving\n");
    run.stop();
}

#[test]
fn what_does_not_start_by_itself_is_not_started() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:a]\ncmd = sleep 901\nautostart = False\npriority = 5\n\
               [watcher:b]\ncmd = sleep 902\n[watcher:c]\ncmd = sleep 903\nenabled = False\n";
    let mut run = World::pid_1(ini).start();
    let b = run.wait_for_child("sleep 902");
    run.wait_for_log("b started");
    assert_eq!(run.process.children(), [b]);
    run.stop();
}

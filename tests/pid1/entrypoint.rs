//! A single command: every signal is passed on, its exit code is ours, nothing is left.

use crate::signals::NOTER;
use crate::world::{World, namespaces_are_possible, until};

#[test]
fn the_exit_code_is_that_of_the_command() {
    if !namespaces_are_possible() {
        return;
    }
    for code in [
        0, 1, 2, 7, 42, 63, 64, 70, 100, 125, 126, 127, 128, 129, 143, 200, 254, 255,
    ] {
        let mut run = World::entrypoint(&["sh", "-c", &format!("exit {code}")]).start();
        assert_eq!(run.exit_code(), code);
        assert_eq!(
            run.file("out") + &run.file("err"),
            "",
            "quiet about what is normal"
        );
    }
}

#[test]
fn the_exit_code_of_a_killed_command_is_128_and_the_signal() {
    if !namespaces_are_possible() {
        return;
    }
    let bash = "ulimit -c 0; exec \"$@\"";
    for number in (1..=15).chain([24, 25, 26, 27, 29, 30, 31, 34, 35, 50, 63, 64]) {
        // Perl ignores this one, bash ignores SIGQUIT.
        let script = format!("$SIG{{FPE}} = 'DEFAULT'; kill {number}, $$; sleep 900");
        let world = World::entrypoint(&["perl", "-e", &script]).through_bash(bash);
        assert_eq!(world.start().exit_code(), 128 + number);
    }
}

#[test]
fn every_signal_that_can_be_caught_is_passed_on() {
    if !namespaces_are_possible() {
        return;
    }
    for plain in [false, true] {
        let world = if plain {
            World::plain("")
        } else {
            World::pid_1("")
        };
        let script = world.write("noter.pl", NOTER).display().to_string();
        let facts = world.folder.join("facts").display().to_string();
        let mut run = world.words(&["--", "perl", &script, &facts]).start();
        run.wait_for_file("facts", "ready\n");
        let mut expected = String::from("ready\n");
        for number in (1..=31)
            .chain(34..=64)
            .filter(|number| ![9, 17, 19].contains(number))
        {
            run.send(&number.to_string());
            expected.push_str(&format!("got {number}\n"));
            until(&format!("signal {number} arrives"), || {
                run.file("facts") == expected
            });
        }
        run.process.children()[0].send("KILL");
        assert_eq!(run.exit_code(), 137);
    }
}

#[test]
fn descendants_that_are_left_when_the_command_ends_are_ended() {
    let script = "setsid sleep 900 & sleep 901 & exit 5";
    let mut worlds = vec![World::plain("").words(&["--", "sh", "-c", script])];
    if namespaces_are_possible() {
        worlds.push(World::entrypoint(&["sh", "-c", script]));
    }
    for world in worlds {
        let mut run = world.start();
        assert_eq!(run.exit_code(), 5);
        assert_eq!(run.others(), []);
    }
}

#[test]
fn descendants_may_end_by_themselves_in_an_orderly_way() {
    if !namespaces_are_possible() {
        return;
    }
    let script = "trap 'sleep 0.1; echo orderly >> facts; exit' TERM; echo up >> facts\n\
                  while :; do sleep 0.02; done\n";
    let world = World::pid_1("");
    let path = world.write("child.sh", script).display().to_string();
    let main = format!("setsid sh {path} & until grep -q up facts; do sleep 0.01; done; exit 6");
    let mut run = world.words(&["--", "sh", "-c", &main]).start();
    assert_eq!(run.exit_code(), 6);
    assert_eq!(run.file("facts"), "up\norderly\n");
}

#[test]
fn a_missing_command_is_127_and_one_that_cannot_be_executed_126() {
    if !namespaces_are_possible() {
        return;
    }
    let world = World::pid_1("");
    let file = world.write("file", "no program\n").display().to_string();
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&file, mode).expect("its mode");
    let world = world.words(&["--", &file]);
    let others =
        ["nowhere-to-be-found", "/nowhere/to/be/found"].map(|word| World::entrypoint(&[word]));
    let cases = [(world, 126)]
        .into_iter()
        .chain(others.map(|world| (world, 127)));
    for (world, code) in cases {
        let mut run = world.start();
        assert_eq!(run.exit_code(), code);
        assert_eq!(run.log(), "", "stdout belongs to the command");
        assert!(run.file("err").contains("cannot"), "{}", run.file("err"));
    }
}

#[test]
fn the_command_reads_our_stdin_and_has_our_environment_and_folder() {
    if !namespaces_are_possible() {
        return;
    }
    let world = World::entrypoint(&["sh", "-c", "read line; echo \"$line $WORD\"; pwd"]);
    let folder = world.folder.display().to_string();
    let input = std::fs::File::open(world.write("input", "one\n")).expect("the file is there");
    let world = world.through(&["env", "WORD=two"]);
    let file = |name: &str| std::fs::File::create(world.folder.join(name)).expect("a file");
    let (out, err) = (file("out"), file("err"));
    let mut run = world.start_with(input.into(), out.into(), err.into());
    assert_eq!(run.exit_code(), 0);
    assert_eq!(run.log(), format!("one two\n{folder}\n"));
}

#[test]
fn watchers_run_beside_a_command_until_it_ends() {
    if !namespaces_are_possible() {
        return;
    }
    let script = "until grep -q 'w started' out; do sleep 0.01; done; exit 9";
    let world = World::pid_1("[watcher:w]\ncmd = sleep 900\n").words(&["--", "sh", "-c", script]);
    let mut run = world.start();
    assert_eq!(run.exit_code(), 9);
    assert_eq!(run.others(), []);
}

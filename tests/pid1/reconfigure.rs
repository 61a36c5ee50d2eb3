//! `reloadconfig`: what has changed in the file changes here, in one step or not at all.

use crate::control::{ask, operate, operated, with_endpoints};
use crate::process::Process;
use crate::world::{Running, namespaces_are_possible};

const BEFORE: &str = "
[watcher:same]
cmd = sleep 901
[watcher:number]
cmd = sleep 902
[watcher:command]
cmd = sleep 903
[watcher:option]
cmd = sleep 904
graceful_timeout = 5
[watcher:gone]
cmd = sleep 905
";

const AFTER: &str = "
[watcher:same]
cmd = sleep 901
[watcher:number]
cmd = sleep 902
numprocesses = 3
[watcher:command]
cmd = sleep 913
[watcher:option]
cmd = sleep 904
stop_signal = INT
[watcher:new]
cmd = sleep 906
numprocesses = 2
[watcher:idle]
cmd = sleep 907
autostart = False
[env:option]
ADDED = yes
";

/// What a dry run says of it.
const CHANGES: &str = "gone: removed
command: reloaded (cmd)
idle: added
new: added
number: adjusted (numprocesses)
option: reloaded (graceful_timeout, stop_signal, env)";

fn started(ini: &str) -> Running {
    let run = operated(ini).start();
    for name in ["same", "number", "command", "option", "gone"] {
        run.wait_for_log(&format!("{name} started"));
    }
    run
}

fn rewrite(run: &Running, ini: &str) {
    run.write("circus.ini", &with_endpoints(ini));
}

/// All watched processes.
fn services(run: &Running) -> Vec<(Process, String)> {
    let all = run.process.children().into_iter().map(|process| (process, process.command()));
    let mut services: Vec<_> = all.filter(|(_, command)| command.starts_with("sleep")).collect();
    services.sort();
    services
}

#[test]
fn what_has_changed_is_changed_and_the_rest_runs_on() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = started(BEFORE);
    let [same, number] = ["sleep 901", "sleep 902"].map(|command| run.wait_for_child(command));
    let option = run.wait_for_child("sleep 904");
    rewrite(&run, AFTER);
    let before = services(&run);
    assert_eq!(operate(&run, "reloadconfig --dry-run"), CHANGES);
    assert_eq!(services(&run), before, "a dry run changes nothing");
    assert_eq!(operate(&run, "reloadconfig --waiting"), "ok");
    assert_eq!(run.children("sleep 901"), [same]);
    let numbers = run.wait_for_children("sleep 902", 3);
    assert!(numbers.contains(&number), "{numbers:?} with {number:?}");
    run.wait_for_child("sleep 913");
    let renewed = run.wait_for_child("sleep 904");
    assert_ne!(renewed, option);
    assert_eq!(renewed.environment()["ADDED"], "yes");
    run.wait_for_children("sleep 906", 2);
    for gone in ["sleep 903", "sleep 905", "sleep 907"] {
        run.wait_for_children(gone, 0);
    }
    let status = "command: active\nidle: stopped\nnew: active\nnumber: active\noption: active\n\
                  same: active";
    assert_eq!(operate(&run, "status"), status);
    let options = "graceful_timeout: 30.0\nstop_signal: 2\nenv: ADDED=yes";
    assert_eq!(operate(&run, "get option graceful_timeout stop_signal env"), options);
    assert_eq!(operate(&run, "reloadconfig --dry-run"), "nothing would change");
    let settled = services(&run);
    operate(&run, "reloadconfig --waiting");
    assert_eq!(services(&run), settled);
    // And back.
    rewrite(&run, BEFORE);
    operate(&run, "reloadconfig --waiting");
    assert_eq!(run.children("sleep 901"), [same]);
    assert_eq!(operate(&run, "list"), "command,gone,number,option,same");
    for (command, count) in [("sleep 902", 1), ("sleep 903", 1), ("sleep 905", 1), ("sleep 906", 0)]
    {
        run.wait_for_children(command, count);
    }
    run.stop();
}

#[test]
fn a_broken_file_changes_nothing_and_the_reply_names_file_and_line() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = started(BEFORE);
    let before = services(&run);
    // Lines of the broken file, counted with those of the endpoints.
    for (line, reason) in [
        ("numproceses = 2", "circus.ini:21: numproceses: is no option of [watcher:NAME]"),
        ("stop_signal = LOUD", "circus.ini:21: stop_signal: `LOUD` is no signal"),
        ("no option at all", "circus.ini:21: no option at all: has no value"),
        ("[watcher:x]", "circus.ini:21: cmd: is missing"),
        ("env_file = @/absent", "circus.ini:21: env_file: cannot read "),
        ("depends_on = nobody", "circus.ini:21: depends_on: "),
        ("user = me", "circus.ini:21: user: is no option"),
    ] {
        let (watchers, _) = AFTER.split_once("[env:option]").expect("it is the last section");
        rewrite(&run, &format!("{watchers}{line}\n"));
        for words in ["reloadconfig", "reloadconfig --waiting", "reloadconfig --dry-run"] {
            let said = ask(&run, words);
            assert_eq!((said.code, &*said.out), (3, ""), "{line}: {said:?}");
            assert!(said.err.starts_with("error: nothing was changed: "), "{said:?}");
            assert!(said.err.contains(reason), "{line}: {said:?}");
        }
        assert_eq!(services(&run), before, "{line}");
    }
    // Several: a line each.
    rewrite(&run, &format!("{BEFORE}numproceses = 2\nstop_signal = LOUD\n"));
    let said = ask(&run, "reloadconfig");
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "error: nothing was changed:"), "{said:?}");
    assert!(lines[1].contains("circus.ini:16: numproceses: "), "{said:?}");
    assert!(lines[2].contains("circus.ini:17: stop_signal: "), "{said:?}");
    std::fs::remove_file(run.folder().join("circus.ini")).expect("it was there");
    let said = ask(&run, "reloadconfig --waiting");
    assert!(said.err.contains("circus.ini: cannot be read: No such file"), "{said:?}");
    assert_eq!(services(&run), before);
    assert_eq!(operate(&run, "get option graceful_timeout"), "graceful_timeout: 5.0");
    run.stop();
}

#[test]
fn restart_of_all_reads_the_file_again_or_changes_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = started(BEFORE);
    let before = services(&run);
    rewrite(&run, &format!("{AFTER}oops\n"));
    assert_eq!(ask(&run, "restart --waiting").code, 3);
    assert_eq!(services(&run), before);
    rewrite(&run, AFTER);
    assert_eq!(operate(&run, "restart --waiting"), "ok");
    let after = services(&run);
    assert!(after.iter().all(|(process, _)| before.iter().all(|(old, _)| old != process)));
    let commands: Vec<&str> = after.iter().map(|(_, command)| &**command).collect();
    for (command, count) in
        [("sleep 901", 1), ("sleep 902", 3), ("sleep 913", 1), ("sleep 906", 2), ("sleep 905", 0)]
    {
        assert_eq!(commands.iter().filter(|it| **it == command).count(), count, "{commands:?}");
    }
    run.stop();
}

#[test]
fn what_clients_have_set_or_added_stays_unless_the_file_has_changed_for_it() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = started(BEFORE);
    operate(&run, "set number numprocesses 4 --waiting");
    operate(&run, "add --start mine sleep 908");
    operate(&run, "rm gone --waiting");
    run.wait_for_children("sleep 902", 4);
    assert_eq!(operate(&run, "reloadconfig --dry-run"), "gone: added");
    operate(&run, "reloadconfig --waiting");
    assert_eq!(operate(&run, "list"), "command,gone,mine,number,option,same");
    run.wait_for_children("sleep 902", 4);
    run.wait_for_child("sleep 905");
    rewrite(&run, &BEFORE.replace("902", "902\ngraceful_timeout = 9"));
    operate(&run, "reloadconfig --waiting");
    run.wait_for_children("sleep 902", 1);
    run.wait_for_child("sleep 908");
    run.stop();
}

#[test]
fn what_only_a_new_start_brings_about_is_said_until_then() {
    if !namespaces_are_possible() {
        return;
    }
    let before = "[watcher:same]\ncmd = sleep 901\n";
    let mut run = operated(before).start();
    run.wait_for_log("same started");
    assert_eq!(ask(&run, "reloadconfig --dry-run").err, "");
    let later = format!("{before}[circus]\numask = 077\nlogoutput = stderr\n");
    rewrite(&run, &later);
    let sentence = "warning: changed for the next start of circusd: logoutput, umask\n";
    let dry = ask(&run, "reloadconfig --dry-run");
    assert_eq!(dry.err, sentence);
    assert_eq!(dry.out, "[circus]: adjusted (logoutput, umask)\n");
    let said = ask(&run, "reloadconfig --waiting");
    assert_eq!((&*said.out, &*said.err), ("ok\n", sentence));
    run.wait_for_log("changed for the next start of circusd: logoutput, umask");
    assert_eq!(ask(&run, "reloadconfig --dry-run"), dry, "it is still so");
    let reply = operate(&run, "--json reloadconfig");
    assert!(reply.contains(r#""warnings": ["changed for the next start"#), "{reply}");
    // As it was.
    rewrite(&run, before);
    let said = ask(&run, "reloadconfig --dry-run");
    assert_eq!(said.err, "");
    run.stop();
}

#[test]
fn what_a_start_would_warn_of_a_reload_warns_of_too() {
    if !namespaces_are_possible() {
        return;
    }
    let before = "[watcher:same]\ncmd = sleep 901\n";
    let mut run = operated(before).start();
    run.wait_for_log("same started");
    rewrite(
        &run,
        &format!("{before}shell_args = x\nvirtualenv_py_ver = 3\n[plugin:p]\nuse = x.y\n"),
    );
    let dry = ask(&run, "reloadconfig --dry-run");
    assert!(dry.err.contains("shell_args: is ignored without"), "{dry:?}");
    assert!(dry.err.contains("warning: not supported yet: "), "{dry:?}");
    assert!(!run.log().contains("is ignored without"), "a dry run leaves nothing in the log");
    assert_eq!(ask(&run, "reloadconfig --waiting").err, dry.err);
    run.wait_for_log("shell_args: is ignored without");
    run.wait_for_log("not supported yet: ");
    run.stop();
}

#[test]
fn a_level_that_is_no_longer_written_is_no_longer_in_force() {
    if !namespaces_are_possible() {
        return;
    }
    let watcher = "[watcher:same]\ncmd = sleep 901\n";
    let mut run = operated(&format!("loglevel = error\n{watcher}")).start();
    run.wait_for_child("sleep 901");
    operate(&run, "restart same --waiting");
    assert_eq!(run.log(), "");
    rewrite(&run, watcher);
    operate(&run, "reloadconfig --waiting");
    operate(&run, "restart same --waiting");
    run.wait_for_log("same stopped");
    run.stop();
}

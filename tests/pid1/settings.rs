//! What a process gets: looked at from outside, in /proc.

use crate::process::Process;
use crate::world::{Running, World, namespaces_are_possible, until};

/// 32 and 33, which libc keeps for itself.
const OF_LIBC: u64 = 0b11 << 31;

/// circusd with one watcher of these options; its process has become its program.
fn with_options(options: &str) -> (Running, Process) {
    start(World::pid_1(&format!("[watcher:w]\ncmd = sleep 900\n{options}")))
}

fn start(world: World) -> (Running, Process) {
    let run = world.start();
    let child = run.wait_for_child("sleep 900");
    run.wait_for_log("w started");
    // It has loaded its libraries.
    until("it sleeps", || child.stat(3) == "S");
    (run, child)
}

#[test]
fn the_environment_is_ours_then_that_of_the_sections_the_last_wins() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\n[env]\nA = 1\nB = 1\nOURS = x\n\
               [env:w*]\nB = 2\nC = 2\n[env:w]\nC = 3\nD = $(circus.env.OURS)\n[env:other]\nE = 5\n";
    let (mut run, child) = start(World::pid_1(ini).through(&["env", "OURS=ours", "KEPT=kept"]));
    let environment = child.environment();
    let value = |name: &str| environment.get(name).map(String::as_str);
    let all = ["A", "B", "C", "D", "E", "OURS", "KEPT"].map(value);
    let expected =
        ["1", "2", "3", "ours", "", "x", "kept"].map(|v| Some(v).filter(|v| !v.is_empty()));
    assert_eq!(all, expected);
    run.stop();
}

#[test]
fn without_copy_env_there_is_nothing_but_what_is_written() {
    if !namespaces_are_possible() {
        return;
    }
    let options = "copy_env = False\n[env:w]\nA = 1\n";
    let (mut run, child) = with_options(options);
    let names: Vec<String> = child.environment().into_keys().collect();
    assert_eq!(names, ["A"]);
    run.stop();
}

#[test]
fn user_group_and_supplementary_groups_are_those_asked_for() {
    if !namespaces_are_possible() {
        return;
    }
    let (mut run, child) = with_options("uid = 61234\ngid = 61235\n");
    assert_eq!(child.status("Uid"), "61234 61234 61234 61234");
    assert_eq!(child.status("Gid"), "61235 61235 61235 61235");
    assert!(
        !child.status("Groups").split(' ').any(|group| group == "0"),
        "{}",
        child.status("Groups")
    );
    assert_eq!(child.mask("CapEff"), 0);
    run.stop();
}

#[test]
fn limits_are_those_asked_for() {
    if !namespaces_are_possible() {
        return;
    }
    let options = "rlimit_nofile = 123\nrlimit_core = 0\nrlimit_nproc = 4567\nrlimit_cpu =\n";
    let (mut run, child) = with_options(options);
    assert_eq!(child.limit("Max open files"), "123");
    assert_eq!(child.limit("Max core file size"), "0");
    assert_eq!(child.limit("Max processes"), "4567");
    assert_eq!(child.limit("Max cpu time"), "unlimited");
    run.stop();
}

#[test]
fn umask_directory_niceness_and_oom_score_are_those_asked_for() {
    if !namespaces_are_possible() {
        return;
    }
    let options =
        "umask = 027\nworking_dir = /usr\nnice = 7\noom_score_adj = 321\nno_new_privs = True\n";
    let (mut run, child) = with_options(options);
    assert_eq!(child.status("Umask"), "0027");
    assert_eq!(std::fs::read_link(child.path("cwd")).expect("it is there").to_str(), Some("/usr"));
    assert_eq!(child.stat(19), "7");
    assert_eq!(child.read("oom_score_adj").trim(), "321");
    assert_eq!(child.status("NoNewPrivs"), "1");
    run.stop();
}

#[test]
fn capabilities_are_those_asked_for_and_no_others() {
    if !namespaces_are_possible() {
        return;
    }
    const NET_BIND_SERVICE: u64 = 1 << 10;
    let sets = ["CapEff", "CapPrm", "CapBnd", "CapInh"];
    let cases = [
        ("capabilities = none\n", 0),
        ("capabilities = none\nuid = 61234\n", 0),
        ("capabilities = CAP_NET_BIND_SERVICE\n", NET_BIND_SERVICE),
        ("capabilities = net_bind_service\nuid = 61234\ngid = 61234\n", NET_BIND_SERVICE),
    ];
    for (options, wanted) in cases {
        let (mut run, child) = with_options(options);
        assert_eq!(sets.map(|set| child.mask(set)), [wanted; 4], "{options}");
        run.stop();
    }
}

#[test]
fn each_process_has_its_own_session_no_blocked_and_no_ignored_signal_and_no_stray_descriptor() {
    if !namespaces_are_possible() {
        return;
    }
    let line = "trap '' HUP PIPE USR1 INT; exec 7</etc/passwd 100>/dev/null; exec \"$@\"";
    let world = World::pid_1("[watcher:w]\ncmd = sleep 900\nnumprocesses = 3\n").through_bash(line);
    let mut run = world.start();
    let children = run.wait_for_children("sleep 900", 3);
    run.wait_for_log("w started");
    for child in children {
        until("it sleeps", || child.stat(3) == "S");
        assert_eq!((child.mask("SigBlk"), child.mask("SigIgn") & !OF_LIBC), (0, 0));
        let descriptors = child.descriptors();
        assert_eq!(descriptors.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(descriptors[&0], "/dev/null");
        assert!(descriptors[&1].ends_with("/out"), "{descriptors:?}");
        // The leader of its session and of its group.
        assert_eq!(child.stat(6), child.0.to_string());
        assert_eq!(child.stat(5), child.0.to_string());
    }
    run.stop();
}

#[test]
fn streams_that_are_to_be_closed_lead_nowhere() {
    if !namespaces_are_possible() {
        return;
    }
    let (mut run, child) = with_options("close_child_stdout = True\nclose_child_stderr = True\n");
    let descriptors = child.descriptors();
    assert!(descriptors.values().all(|target| target == "/dev/null"), "{descriptors:?}");
    assert_eq!(descriptors.len(), 3);
    run.stop();
}

#[test]
fn what_cannot_be_set_is_told_with_its_reason() {
    if !namespaces_are_possible() {
        return;
    }
    let cases = [
        ("working_dir = /nowhere/at/all\n", "/nowhere/at/all"),
        ("cmd = /etc/passwd\n", "Permission denied"),
    ];
    for (options, reason) in cases {
        let command = if options.starts_with("cmd") { "" } else { "cmd = sleep 900\n" };
        let ini = format!("[watcher:w]\n{command}{options}max_retry = 1\n");
        let mut run = World::pid_1(&ini).start();
        run.wait_for_log("given up");
        assert!(run.log().contains(reason), "{}", run.log());
        run.stop();
    }
}

/// What it says before it ends with this code.
fn says(world: &World, words: &[&str], code: i32) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_circusd"));
    let output = command.arg(world.folder.join("circus.ini")).args(words).output().expect("built");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn a_key_file_that_is_none_is_told_before_anything_starts() {
    let key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
    let ini = "[circus]\nendpoint = tcp://127.0.0.1:5555\ncurve_secret_key = @/own\n\
               curve_authorized_keys = @/friends\n[watcher:w]\ncmd = sleep 900\n";
    let public = format!("curve\n    public-key = \"{key}\"\n");
    let bad = World::plain(ini).with("own", &public).with("friends", "no key\n");
    let expected = [
        "curve_secret_key: @/own: it has the public key only; name the file NAME.key_secret that",
        "curve_authorized_keys: @/friends: no public key of 40 letters (Z85) in line 1; write a",
    ];
    for words in [&["--check"][..], &[]] {
        let text = says(&bad, words, 2);
        for sentence in expected {
            let sentence = sentence.replace('@', &bad.folder.display().to_string());
            assert!(text.contains(&sentence), "{text}");
        }
        assert!(text.contains("nothing was started"), "{text}");
    }
    let missing = World::plain(ini).with("own", key);
    let text = says(&missing, &["--check"], 2);
    assert!(text.contains("curve_authorized_keys: cannot read "), "{text}");
    let good = World::plain(ini).with("own", key).with("friends", &public);
    assert!(says(&good, &["--check"], 0).contains("is valid"));
}

#[test]
fn a_check_says_what_is_waited_for_and_how_it_is_looked_after() {
    let ini = "[watcher:web]\ncmd = sleep 900\nready = tcp://127.0.0.1:80\ncheck = exec:true\n\
               check_interval = 2.5\ndepends_on = db:started, migrate\n\
               [watcher:db]\ncmd = sleep 900\n[watcher:migrate]\ncmd = true\noneshot = True\n";
    let text = says(&World::plain(ini), &["--check"], 0);
    let line = "waits for db (started) and migrate (completed), ready by tcp://127.0.0.1:80, \
                checked by exec:true every 2.5 s";
    assert!(text.contains(line), "{text}");
}

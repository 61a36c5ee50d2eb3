//! A wrong configuration: nothing starts, the code is 2, and the log says where and what.

use crate::container::{CONFIG, Container};
use crate::{docker, image};

const WRONG: &str = "[watcher:web]
cmd = sleep 1001
numproceses = 2

[watcher:api]
cmd = sleep 1001
graceful_timeout = soon
";

#[test]
fn every_mistake_of_a_file_is_told_with_its_line() {
    if !docker::is_here() {
        return;
    }
    for words in [&[CONFIG][..], &["--check", CONFIG]] {
        let container = Container::with_config_in(&[], &image::circusd(), WRONG, words);
        assert_eq!(container.exit_code(), 2);
        assert!(container.has_line(&["circus.ini:3", "numprocesses"]), "no suggestion");
        assert!(container.has_line(&["circus.ini:7", "soon"]));
    }
}

#[test]
fn check_tells_what_would_run_and_starts_nothing() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sh -c 'echo it was started'\nnumprocesses = 2\n";
    let words = ["--check", CONFIG];
    let container = Container::with_config_in(&[], &image::circusd(), ini, &words);
    assert_eq!(container.exit_code(), 0);
    assert!(container.logs().contains("web"));
    assert_eq!(container.count("it was started"), 0);
}

#[test]
fn a_missing_file_is_named() {
    if !docker::is_here() {
        return;
    }
    let ended = Container::to_end(&[], &image::circusd(), &["/no/such.ini"]);
    assert_eq!(ended.code, 2);
    assert!((ended.stdout + &ended.stderr).contains("/no/such.ini"));
}

#[test]
fn without_a_word_the_default_file_is_read_and_named_when_missing() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 1001\n";
    let container = Container::with_config_in(&[], &image::circusd(), ini, &[]);
    container.wait_for_pids("sleep 1001", 1);
    let ended = Container::to_end(&[], &image::circusd(), &[]);
    assert_eq!(ended.code, 2);
    assert!((ended.stdout + &ended.stderr).contains(CONFIG));
}

#[test]
fn an_unset_variable_is_named_and_no_other_value_is_printed() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = server $(circus.env.PORT)\n";
    let options = ["-e", "PASSWORD=open-sesame"];
    let container = Container::with_config(&options, ini);
    assert_eq!(container.exit_code(), 2);
    assert!(container.has_line(&["circus.ini:2", "cmd", "PORT"]));
    assert!(!container.logs().contains("open-sesame"));
}

#[test]
fn an_unknown_option_of_the_command_line_is_2() {
    if !docker::is_here() {
        return;
    }
    let ended = Container::to_end(&[], &image::circusd(), &["--no-such-option"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("--no-such-option"), "{ended:?}");
}

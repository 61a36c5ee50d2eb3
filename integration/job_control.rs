//! `docker run -it IMAGE bash`: the command has the terminal, with all that a shell makes of it.

use crate::terminal::Terminal;
use crate::{docker, image};

const CTRL_C: &str = "\u{3}";
const CTRL_Z: &str = "\u{1a}";

/// A shell at its first prompt.
fn shell() -> Terminal {
    let mut terminal = Terminal::run(&image::circusd(), &["--", "bash", "--norc"]);
    terminal.wait_for("# ");
    terminal
}

/// Starts a job in the foreground and waits until it runs.
fn run_job(terminal: &mut Terminal) {
    terminal.command("sh -c 'echo job$((4+4)); exec sleep 1000'", "job8");
}

#[test]
fn ctrl_c_ends_the_job_and_not_the_shell() {
    if !docker::is_here() {
        return;
    }
    let mut terminal = shell();
    run_job(&mut terminal);
    terminal.keys(CTRL_C);
    terminal.wait_for("# ");
    terminal.command("echo code$?", "code130");
    terminal.keys("exit 5\r");
    assert_eq!(terminal.exit_code(), 5);
}

#[test]
fn ctrl_z_stops_the_job_and_fg_goes_on() {
    if !docker::is_here() {
        return;
    }
    let mut terminal = shell();
    // One process: a shell that runs commands by vfork cannot be stopped in the middle of that.
    let job = "$|=1; $SIG{CONT}=sub{print q(goes on).(4+5)}; print q(job).(4+4); sleep 9 while 1";
    terminal.command(&format!("perl -e '{job}'"), "job8");
    terminal.keys(CTRL_Z);
    terminal.wait_for("Stopped");
    terminal.wait_for("# ");
    terminal.command("echo stopped$(jobs -s | wc -l)", "stopped1");
    terminal.command("fg", "goes on9");
    terminal.keys(CTRL_C);
    terminal.wait_for("# ");
    terminal.command("echo stopped$(jobs -s | wc -l)", "stopped0");
    terminal.keys("exit 5\r");
    assert_eq!(terminal.exit_code(), 5);
}

#[test]
fn a_new_window_size_arrives() {
    if !docker::is_here() {
        return;
    }
    let script = "trap 'stty size' WINCH; echo up; while :; do sleep 0.1; done";
    let mut terminal = Terminal::run(&image::circusd(), &["--", "bash", "-c", script]);
    terminal.wait_for("up");
    terminal.resize(33, 97);
    terminal.wait_for("33 97");
    terminal.resize(44, 98);
    terminal.wait_for("44 98");
}

#[test]
fn ctrl_c_ends_a_command_that_is_no_shell() {
    if !docker::is_here() {
        return;
    }
    let script = "echo up; exec sleep 1000";
    let mut terminal = Terminal::run(&image::circusd(), &["--", "sh", "-c", script]);
    terminal.wait_for("up");
    terminal.keys(CTRL_C);
    assert_eq!(terminal.exit_code(), 130);
}

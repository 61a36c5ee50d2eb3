//! What the recorder did beside its requests, done again.

use crate::plans::{Deed, For};
use crate::replay::Replay;
use crate::world::World;
use std::fs;

impl Replay<'_> {
    pub fn deed(&mut self, number: usize, who: For, deed: Deed) {
        let is_for_us = match who {
            For::Both => true,
            For::Here => self.is_here(),
            For::Circus => !self.is_here(),
        };
        if !is_for_us {
            return;
        }
        self.wait_for_publications(number);
        match deed {
            Deed::Signal(signal) => {
                if signal == "HUP" {
                    self.wait_for_idleness();
                }
                self.asked_to_end |= signal == "TERM";
                self.running.send(signal);
            }
            Deed::Kill(then) => {
                let inner = self.pids.now(then);
                let found = self.running.others().into_iter().find(|process| {
                    let inner_pid = process.status("NSpid");
                    inner_pid.split_whitespace().last().and_then(|pid| pid.parse().ok()) == inner
                });
                match found {
                    Some(process) => process.send("KILL"),
                    None => self.outcome.problem(format!("no process to kill that was {then}")),
                }
            }
            Deed::KillCommand(command) => {
                self.running.wait_for_child(command).send("KILL");
            }
            Deed::Ask(request) => {
                let reply = self.clients.ask("main", request.as_bytes());
                if !reply.as_ref().is_ok_and(|reply| reply.contains("\"ok\"")) {
                    self.outcome.problem(format!("{request}: {reply:?}"));
                }
            }
            Deed::AddSections(sections) => {
                let path = self.running.folder().join("circus.ini");
                let ini = fs::read_to_string(&path).expect("it is there");
                fs::write(&path, format!("{ini}\n{sections}")).expect("a file for the test");
            }
            Deed::SecondDaemon(words) => self.second_daemon(words),
        }
    }

    /// Another circusd must not take over the endpoints of this one.
    pub fn second_daemon(&mut self, words: &str) {
        let ini =
            fs::read_to_string(self.running.folder().join("circus.ini")).expect("it is there");
        let mut second = World::pid_1(&ini).start();
        let code = second.exit_code();
        let said = format!("{}{}", second.log(), second.file("err"));
        if code == 0 || !said.contains(words) {
            self.outcome.problem(format!("a second circusd ended with {code} and said {said:?}"));
        }
    }
}

//! Clients that want one thing after another, of a core in all kinds of trouble: in the end every
//! one of them was answered once, and every watcher is as the last command for it wanted.

use crate::dice::Dice;
use crate::rules::{Plain, Rules};
use crate::world::{Trouble, World};
use crate::{COMMAND_SEEDS, Run, load};
use circus::commands::{Answer, Command, Matching, Receivers, Selection};
use circus::config::options::Change;
use circus::config::settings::{Config, WatcherSettings};
use circus::process::Pid;
use circus::signal::Signal;
use circus::supervisor::{Asker, Configuration, Event, Mode, Supervisor, Ticket};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a watcher must come to.
#[derive(Debug, Clone)]
struct Wanted {
    number: u32,
    up: bool,
    numprocesses: u32,
    autostart: bool,
    singleton: bool,
    /// It waits for somebody when it is up.
    on_demand: bool,
}

struct Clients {
    run: Run,
    dice: Dice,
    wanted: BTreeMap<String, Wanted>,
    /// Numbers of watchers that were removed with all their processes.
    removed: Vec<u32>,
    /// What the file says.
    file: Vec<Rc<WatcherSettings>>,
    owed: BTreeSet<Ticket>,
    issued: u64,
    next_number: u32,
}

fn ini(dice: &mut Dice, names: &[&str]) -> String {
    let mut text = String::from("[circus]\n");
    if dice.percent(20) {
        text += "warmup_delay = 0.2\n";
    }
    for name in ["a", "b"] {
        // Another port, now and then: whoever uses it is reloaded.
        text += &format!("[socket:{name}]\nhost = {name}\nport = {}\n", dice.pick(&[1, 1, 2, 0]));
    }
    for name in names {
        text += &format!("[watcher:{name}]\ncmd = x\nmax_retry = -1\nmax_restarts = -1\n");
        text += &format!("numprocesses = {}\n", dice.pick(&[0, 1, 1, 2, 5]));
        text += &format!("priority = {}\n", dice.pick(&[0, 0, 1, 9]));
        text += &format!("graceful_timeout = {}\n", dice.pick(&["0", "0.5", "3", "30"]));
        text += &quiet_hooks(dice);
        // The make-believe kernel wants to know for good.
        if *name == "w1" {
            text += "kill_tree = False\n";
        }
        for (chance, line) in [
            (15, "use_sockets = a\non_demand = True"),
            (15, "use_sockets = b"),
            (15, "use_sockets = True"),
            (20, "stop_children = True"),
            (20, "warmup_delay = 0.3"),
            (20, "send_hup = True"),
            (20, "autostart = False"),
            (20, "stop_signal = KILL"),
        ] {
            if dice.percent(chance) {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

/// Hooks whose answers change nothing in the end.
fn quiet_hooks(dice: &mut Dice) -> String {
    let mut text = String::new();
    if !dice.percent(30) {
        return text;
    }
    for hook in ["before_stop", "after_stop", "before_signal", "after_signal", "after_reap"] {
        if dice.percent(30) {
            text += &format!("hooks.{hook} = x\n");
        }
    }
    text + "hook_timeout = 1\n"
}

impl Clients {
    fn new(seed: u64, told: bool) -> Clients {
        let mut dice = Dice::new(seed ^ 0xc11e);
        let text = ini(&mut dice, &["w0", "w1", "w2", "w3"]);
        if told {
            println!("{text}");
        }
        let config = load(&text);
        let trouble = Trouble {
            fork_fails: dice.pick(&[0, 0, 20]),
            exec_fails: dice.pick(&[0, 5, 30]),
            crashes: dice.pick(&[0, 30, 80]),
            ignores: dice.pick(&[0, 10, 40]),
            forks: dice.pick(&[0, 20, 50]),
            hangs: dice.pick(&[0, 0, 0, 30]),
            probes: dice.pick(&[0, 20]),
        };
        let kill_tree = config.watchers.iter().map(|watcher| watcher.kill_tree).collect();
        let watchers = config.watchers.clone();
        let mut core = Supervisor::new(config.circus, watchers.clone(), Mode::Watchers, seed, seed);
        core.set_sockets(config.sockets);
        let wanted = watchers.iter().enumerate().map(|(number, watcher)| {
            let wanted = Wanted {
                number: number as u32,
                up: watcher.autostart,
                numprocesses: watcher.numprocesses,
                autostart: watcher.autostart,
                singleton: watcher.singleton,
                on_demand: crate::is_on_demand(watcher),
            };
            (watcher.name.to_string(), wanted)
        });
        Clients {
            wanted: wanted.collect(),
            next_number: watchers.len() as u32,
            file: watchers,
            // Clients change what depends on what.
            run: Run {
                core,
                world: World::new(seed, trouble, kill_tree),
                told,
                rules: Rules::default(),
            },
            dice,
            removed: Vec::new(),
            owed: BTreeSet::new(),
            issued: 0,
        }
    }

    fn asker(&mut self) -> Asker {
        let waiting = self.dice.percent(50);
        if self.dice.percent(20) {
            return Asker { ticket: None, waiting };
        }
        self.issued += 1;
        let ticket = Ticket(self.issued);
        self.owed.insert(ticket);
        Asker { ticket: Some(ticket), waiting }
    }

    fn command(&mut self, command: Command) {
        let asker = self.asker();
        self.run.tell(Event::Command { asker, command });
    }

    fn any_name(&mut self) -> Option<String> {
        let names: Vec<&String> = self.wanted.keys().collect();
        let last = names.len().checked_sub(1)?;
        Some(names[self.dice.upto(last as u64) as usize].clone())
    }

    /// One watcher, or all: with the names of those that it is for.
    fn selection(&mut self) -> Option<(Selection, Vec<String>)> {
        if self.dice.percent(20) {
            return Some((Selection::All, self.wanted.keys().cloned().collect()));
        }
        let name = self.any_name()?;
        let pattern = name.to_uppercase().into();
        Some((Selection::Matching { pattern, matching: Matching::Simple }, vec![name]))
    }

    /// A random command, and what it means for the model.
    fn act(&mut self) -> Option<()> {
        let is_one = |selection: &Selection| matches!(selection, Selection::Matching { .. });
        match self.dice.upto(14) {
            0 | 1 => {
                let (selection, names) = self.selection()?;
                for name in names {
                    let wanted = self.wanted.get_mut(&name)?;
                    wanted.up |= is_one(&selection) || wanted.autostart;
                }
                self.command(Command::Start(selection));
            }
            2..=4 => {
                let (selection, names) = self.selection()?;
                for name in names {
                    self.wanted.get_mut(&name)?.up = false;
                }
                self.command(Command::Stop(selection));
            }
            5 => {
                let (selection, names) = self.selection()?;
                for name in names {
                    let wanted = self.wanted.get_mut(&name)?;
                    wanted.up = is_one(&selection) || wanted.autostart;
                }
                self.command(Command::Restart(selection));
            }
            6 | 7 => {
                let name = self.any_name().filter(|_| self.dice.percent(80));
                if let Some(name) = &name {
                    self.wanted.get_mut(name)?.up = true;
                }
                let (graceful, sequential) = (self.dice.percent(80), self.dice.percent(40));
                let name = name.map(|name| name.into());
                self.command(Command::Reload { name, graceful, sequential });
            }
            8 | 9 => {
                let name = self.any_name()?;
                let nb = self.dice.upto(3) as u32;
                let more = self.dice.percent(50);
                let wanted = self.wanted.get_mut(&name)?;
                let old = wanted.numprocesses;
                wanted.numprocesses = if more { old + nb } else { old.saturating_sub(nb) };
                let name = name.into();
                self.command(match more {
                    true => Command::Incr { name, nb },
                    false => Command::Decr { name, nb },
                });
            }
            10 => self.kill_or_signal()?,
            11 => self.remove_or_add()?,
            12 => self.change()?,
            13 => {
                let pick = self.dice.upto(9);
                self.run.demand(pick);
            }
            _ => self.configure(),
        }
        Some(())
    }

    fn kill_or_signal(&mut self) -> Option<()> {
        let name: Box<str> = self.any_name()?.into();
        let number = self.wanted[&*name].number;
        let pid: Option<Pid> = self.run.core.running(number).first().map(|process| process.pid);
        let pid = pid.filter(|_| self.dice.percent(50));
        if self.dice.percent(50) {
            let signal = self.dice.pick(&[None, Some(Signal::KILL)]);
            let grace_ms = self.dice.pick(&[None, Some(10)]);
            self.command(Command::Kill { name, pid, signal, grace_ms });
        } else {
            let receivers = Receivers { pid, child: None, children: false, recursive: false };
            self.command(Command::Signal { name, signal: Some(Signal::HUP), receivers });
        }
        Some(())
    }

    fn remove_or_add(&mut self) -> Option<()> {
        if self.dice.percent(50) {
            let name = self.any_name()?;
            let nostop = self.dice.percent(20);
            let number = self.wanted.remove(&name)?.number;
            if !nostop {
                self.removed.push(number);
            }
            self.command(Command::Rm { name: name.into(), nostop });
            if nostop {
                let Run { core, world, .. } = &mut self.run;
                world.let_go(number, |pid| core.is_leader(pid));
            }
            return Some(());
        }
        let name = self.dice.pick(&["w0", "w1", "x0", "x1"]);
        let text = ini(&mut self.dice, &[name]);
        let settings = load(&text).watchers.remove(0);
        let start = self.dice.percent(70);
        if !self.wanted.contains_key(name) {
            self.note_new(&settings, start);
        }
        let asker = self.asker();
        self.run.tell(Event::Add { asker, settings, start });
        Some(())
    }

    fn note_new(&mut self, settings: &WatcherSettings, up: bool) {
        let wanted = Wanted {
            number: self.next_number,
            up,
            numprocesses: settings.numprocesses,
            autostart: settings.autostart,
            singleton: settings.singleton,
            on_demand: crate::is_on_demand(settings),
        };
        self.next_number += 1;
        self.run.world.add_watcher(settings.kill_tree);
        self.wanted.insert(settings.name.to_string(), wanted);
    }

    /// Like the command `set`.
    fn change(&mut self) -> Option<()> {
        let name = self.any_name()?;
        let wanted = self.wanted.get_mut(&name)?;
        let number = wanted.number;
        let mut settings = (**self.run.core.settings(number)).clone();
        settings.graceful_timeout_ms = self.dice.pick(&[0, 500, 3000]);
        settings.numprocesses = self.dice.upto(3) as u32;
        wanted.numprocesses = settings.numprocesses;
        let change = self.dice.pick(&[Change::Adjust, Change::Reload, Change::Restart]);
        let asker = self.asker();
        let options = vec!["numprocesses".into()];
        let settings = Rc::new(settings);
        self.run.tell(Event::Change { asker, watcher: number, settings, options, change });
        Some(())
    }

    /// The file is read again: some watchers are new, some are gone, some differ.
    fn configure(&mut self) {
        let names = ["w0", "w1", "w2", "w3", "w4"];
        let kept: Vec<&str> = names.into_iter().filter(|_| self.dice.percent(80)).collect();
        let text = ini(&mut self.dice, &kept);
        if self.run.told {
            println!("{text}");
        }
        let config = load(&text);
        let restart = self.dice.percent(30);
        let Config { circus, watchers, sockets, .. } = config;
        let configuration = Configuration { circus, watchers, sockets };
        for change in self.run.core.changes(&configuration) {
            use circus::commands::ChangeKind;
            let name = change.name.to_string();
            if name.starts_with("[socket:") {
                continue;
            }
            match change.kind {
                ChangeKind::Removed => {
                    let wanted = self.wanted.remove(&name).expect("it was there");
                    self.removed.push(wanted.number);
                }
                ChangeKind::Added if !self.wanted.contains_key(&name) => {
                    let new = configuration.watchers.iter().find(|watcher| *watcher.name == *name);
                    let new = new.expect("it is in the file").clone();
                    self.note_new(&new, new.autostart);
                }
                ChangeKind::Added
                | ChangeKind::Adjusted
                | ChangeKind::Reloaded
                | ChangeKind::Restarted => {
                    let new = configuration.watchers.iter().find(|watcher| *watcher.name == *name);
                    let new = new.expect("it is in the file");
                    let wanted = self.wanted.get_mut(&name).expect("it is there");
                    wanted.numprocesses = new.numprocesses;
                    wanted.autostart = new.autostart;
                    wanted.singleton = new.singleton;
                    wanted.on_demand = crate::is_on_demand(new);
                }
            }
        }
        if restart {
            for wanted in self.wanted.values_mut() {
                wanted.up = wanted.autostart;
            }
        }
        self.file = configuration.watchers.clone();
        let asker = self.asker();
        let configuration = Box::new(configuration);
        self.run.tell(Event::Configure { asker, configuration, restart });
    }

    /// A reload in turn may have taken some away, and says so until another one succeeds.
    fn bring_back(&mut self) {
        let names: Vec<String> = self.wanted.keys().cloned().collect();
        for name in names {
            let command = Command::Status { name: Some((&*name).into()), detail: true };
            let answer = self.run.core.read(&command, self.run.world.now, &Plain(&[]));
            let Some(Answer::Details(details)) = answer else { panic!("{name}: {answer:?}") };
            if &*details[0].note == "not all reloaded" {
                let name = Some((&*name).into());
                self.command(Command::Reload { name, graceful: true, sequential: true });
                self.run.settle("after another reload");
                self.take_answers();
            }
        }
    }

    /// What is up on demand waits or runs, and runs when somebody has come.
    fn serve_everybody(&mut self) {
        let waiting: Vec<u32> = self.run.core.waits_for_demand(self.run.world.now).collect();
        for number in &waiting {
            let wanted = self.wanted.values().find(|wanted| wanted.number == *number);
            let wanted = wanted.expect("nobody waits for a watcher that was removed");
            assert!(wanted.on_demand && wanted.up, "{wanted:?}");
            assert_eq!(self.run.world.leaders(*number), 0, "{wanted:?}");
            self.run.tell(Event::Demanded { watcher: *number });
            self.run.settle("after somebody has come");
        }
    }

    /// Nobody is answered twice or without having asked.
    fn take_answers(&mut self) {
        for ticket in self.run.world.answered.drain(..) {
            assert!(self.owed.remove(&ticket), "{ticket:?} is answered once");
        }
    }
}

fn simulate(seed: u64, told: bool) {
    let mut clients = Clients::new(seed, told);
    clients.run.tell(Event::Begin);
    let horizon = clients.run.world.now.after_ms(100_000);
    for _ in 0..clients.dice.pick(&[3, 20, 60]) {
        clients.act();
        for _ in 0..clients.dice.pick(&[0, 1, 5, 40]) {
            if clients.dice.percent(5) {
                clients.run.world.kill_any();
            }
            clients.run.step(horizon);
        }
        clients.take_answers();
    }
    clients.run.world.heal();
    clients.run.settle("after the commands");
    clients.take_answers();
    assert!(clients.owed.is_empty(), "not answered: {:?}", clients.owed);
    assert!(clients.run.world.exit.is_none(), "nobody has asked for the end");
    assert_eq!(clients.run.world.zombies(), 0, "every zombie is reaped");
    clients.bring_back();
    clients.serve_everybody();
    for (name, wanted) in &clients.wanted {
        let expected = if wanted.up { wanted.numprocesses as usize } else { 0 };
        let count = clients.run.world.leaders(wanted.number);
        if wanted.on_demand && wanted.up {
            // Those that have ended well are not started again.
            let some = expected.min(1)..=expected;
            assert!(some.contains(&count), "{name} serves: {count} {wanted:?}");
            continue;
        }
        assert_eq!(count, expected, "{name} is as the last command wanted: {wanted:?}");
    }
    for number in &clients.removed {
        assert_eq!(clients.run.world.leaders(*number), 0, "a removed watcher has no process");
    }
    // Whatever is going on, `quit` ends it, and all who wait hear of it.
    for _ in 0..4 {
        clients.act();
    }
    clients.command(Command::Quit);
    clients.act();
    clients.run.settle("after quit");
    clients.take_answers();
    assert_eq!(clients.run.world.exit, Some(0));
    assert!(clients.owed.is_empty(), "not answered at the end: {:?}", clients.owed);
    assert_eq!(clients.run.world.alive(), 0, "nothing is left alive");
}

#[test]
fn commands_leave_what_the_last_of_them_wanted() {
    if let Ok(seed) = std::env::var("SEED") {
        simulate(seed.parse().expect("SEED is a number"), true);
        return;
    }
    let count =
        std::env::var("SEEDS").map_or(COMMAND_SEEDS, |n| n.parse().expect("SEEDS is a number"));
    let failed: Vec<u64> = (0..count)
        .filter(|seed| std::panic::catch_unwind(|| simulate(*seed, false)).is_err())
        .collect();
    assert!(failed.is_empty(), "run one of these alone, as SEED=…: {failed:?}");
}

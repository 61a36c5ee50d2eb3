//! What circusd asks for.

use circus::config::settings::{LineForm, Overflow, StreamSettings, StreamTarget};
use circus::wire::log::{Channel, FromWriter, ToWriter};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::Writer;
use super::form::{Form, Source};
use super::input::Input;
use super::memory::Tail;
use super::post::Delivery;
use super::sink::{Now, Sink};

/// More are left for the next time: pipes have their turn too.
const PACKETS_AT_ONCE: usize = 64;

type Options = [(Box<str>, Box<str>)];

impl Writer {
    pub(super) fn receive(&mut self, now: Now) {
        for _ in 0..PACKETS_AT_ONCE {
            match self.post.receive() {
                None => return,
                Some(Delivery::End) => return self.be_alone(now),
                Some(Delivery::Unknown) => {
                    self.note(3, "circusd has said something that is not understood".to_string());
                }
                Some(Delivery::Packet { said, descriptor, lost_descriptor }) => {
                    self.handle(said, descriptor, lost_descriptor, now);
                }
            }
        }
    }

    fn handle(&mut self, said: ToWriter, pipe: Option<OwnedFd>, lost_pipe: bool, now: Now) {
        match said {
            ToWriter::Open { id, watcher, wid, pid, channel, options } => {
                let source = Source { watcher, wid, pid, channel };
                let Some(pipe) = pipe else {
                    let Source { watcher, wid, .. } = source;
                    let reason = if lost_pipe { "too many open files" } else { "there is none" };
                    let text = format!("cannot take the output of {watcher}.{wid}: {reason}");
                    return self.note(3, text);
                };
                self.open(id, source, pipe, &options, now);
            }
            ToWriter::Ended { id } => self.ended(id, now),
            ToWriter::Change { watcher, channel, options } => {
                self.change(&watcher, channel, &options, now);
            }
            ToWriter::Forget { watcher } => self.memory.forget(&watcher),
            ToWriter::Reopen => self.sinks.iter_mut().flatten().for_each(Sink::reopen),
            ToWriter::Ring { bytes } => self.memory.set_size(bytes),
            ToWriter::Tail { token, watcher, channel, count, after, since } => {
                let count = count as usize;
                let tail = Tail { token, watcher, channel, count, after, since };
                let answer = self.memory.tail(&tail);
                self.post.send(&answer);
            }
            ToWriter::Finish { within_ms } => {
                self.finish = Some(now.moment.after_ms(within_ms));
            }
        }
    }

    fn open(&mut self, id: u64, source: Source, pipe: OwnedFd, options: &Options, now: Now) {
        if let Some(place) = self.places.get(&id) {
            self.remove(*place);
        }
        let settings = self.settings(&source.watcher, options);
        let ring = self.memory.join(&source.watcher, source.channel);
        let form = Form::new(Rc::new(source), &settings);
        let sink = self.join(&settings.target, &form, now);
        let input = match Input::new(id, pipe, form, sink, ring) {
            Ok(input) => input,
            Err(error) => {
                self.memory.leave(ring);
                self.leave(sink);
                return self.note(3, format!("cannot take a pipe: {}", super::told(&error)));
            }
        };
        let place = match self.inputs.iter().position(Option::is_none) {
            Some(free) => {
                self.inputs[free] = Some(input);
                free
            }
            None => {
                self.inputs.push(Some(input));
                self.inputs.len() - 1
            }
        };
        self.places.insert(id, place);
        self.attend(place);
    }

    /// What is not understood goes to memory: a process never waits for our mistakes.
    fn settings(&mut self, watcher: &str, options: &Options) -> StreamSettings {
        StreamSettings::from_options(options).unwrap_or_else(|reason| {
            self.note(3, format!("a stream of {watcher} cannot be written: {reason}"));
            StreamSettings {
                target: StreamTarget::Memory,
                form: LineForm::Plain,
                time_format: None,
                prefix: None,
                overflow: Overflow::Drop,
            }
        })
    }

    fn ended(&mut self, id: u64, now: Now) {
        if let Some(place) = self.places.get(&id) {
            return self.drain(*place, now);
        }
        let index = self.closed.iter().position(|(closed, _)| *closed == id);
        let last = index.and_then(|index| self.closed.remove(index)).and_then(|(_, last)| last);
        self.post.send(&FromWriter::Drained { id, last });
    }

    fn change(&mut self, watcher: &str, channel: Channel, options: &Options, now: Now) {
        let settings = self.settings(watcher, options);
        for place in 0..self.inputs.len() {
            let Some(input) = &self.inputs[place] else { continue };
            let source = input.form.source().clone();
            if (&*source.watcher, source.channel) != (watcher, channel) {
                continue;
            }
            let form = Form::new(source, &settings);
            let sink = self.join(&settings.target, &form, now);
            let Some(input) = &mut self.inputs[place] else { continue };
            input.form = form;
            let old = std::mem::replace(&mut input.sink, sink);
            self.leave(old);
            self.conclude(place);
        }
    }

    /// The sink for this target, for one more that writes there.
    fn join(&mut self, target: &StreamTarget, form: &Form, now: Now) -> Option<usize> {
        let is_it =
            |sink: &Option<Sink>| sink.as_ref().is_some_and(|sink| sink.place.is_for(target));
        let index = match self.sinks.iter().position(is_it) {
            Some(index) => index,
            None => {
                let sink = Sink::new(target)?;
                match self.sinks.iter().position(Option::is_none) {
                    Some(free) => {
                        self.sinks[free] = Some(sink);
                        free
                    }
                    None => {
                        self.sinks.push(Some(sink));
                        self.sinks.len() - 1
                    }
                }
            }
        };
        let sink = self.sinks[index].as_mut()?;
        sink.users += 1;
        sink.place.set(target);
        sink.open(form, now, &mut self.notes);
        Some(index)
    }

    fn leave(&mut self, sink: Option<usize>) {
        if let Some(sink) = sink.and_then(|index| self.sinks[index].as_mut()) {
            sink.users -= 1;
        }
    }
}

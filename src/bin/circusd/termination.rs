//! Why the container ended, for a platform that asks for it in a file (Kubernetes shows it as the
//! container's termination message).

use circus::supervisor::{Names, Next, Report, StopCause};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where Kubernetes puts it, if nothing else is asked for.
pub const PLACE: &str = "/dev/termination-log";

/// More is cut by Kubernetes too.
const MESSAGE_BYTES_MAX: usize = 4096;

/// What has failed for good so far.
#[derive(Debug, Default)]
pub struct Failures {
    /// Watcher and sentence: the first one, and the last one.
    first: Option<(u32, String)>,
    last: Option<(u32, String)>,
    /// The watcher whose end ends everything.
    essential: Option<u32>,
}

impl Failures {
    /// Notes what may be the reason in the end.
    pub fn note(&mut self, report: &Report, names: &dyn Names) {
        match report {
            Report::Died {
                slot, success: false, next: Next::Over | Next::GivenUp { .. }, ..
            } => {
                let failure = (slot.watcher, report.whole_text(names));
                self.first.get_or_insert_with(|| failure.clone());
                self.last = Some(failure);
            }
            Report::Stopping { cause: StopCause::Essential { watcher, .. } } => {
                self.essential = Some(*watcher);
            }
            Report::Stopping { cause: StopCause::Hopeless { blocker, .. } } => {
                self.essential = Some(blocker.culprit());
            }
            _ => {}
        }
    }

    /// The reason for this exit code; `None` if nothing has failed.
    fn message(&self, code: u8) -> Option<String> {
        let of_essential = self.last.as_ref().filter(|(w, _)| Some(*w) == self.essential);
        let (_, text) = of_essential.or(self.first.as_ref())?;
        let mut message = format!("{text}\nexit code {code}\n");
        let end = (0..=MESSAGE_BYTES_MAX.min(message.len())).rev();
        let end = end.into_iter().find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or_default());
        Some(message)
    }

    /// Leave a message if something has failed and somebody has put a file there for it.
    pub fn leave(&self, place: &Path, code: u8) {
        if let Some(message) = self.message(code).filter(|_| code != 0) {
            // Whoever wants it has made the file; where it cannot be written there is nobody to tell.
            let _ = write(place, &message);
        }
    }
}

/// Into a plain file that is there: never through a link, never into something that may block.
fn write(place: &Path, message: &str) -> io::Result<()> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    let mut file = OpenOptions::new().write(true).custom_flags(flags).open(place)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    file.set_len(0)?;
    file.write_all(message.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use circus::process::{Ending, Failure, Pid};
    use circus::supervisor::SlotId;

    struct Plain;

    impl Names for Plain {
        fn watcher(&self, watcher: u32) -> &str {
            ["web", "db"][watcher as usize]
        }
        fn has_many(&self, _: u32) -> bool {
            false
        }
        fn error(&self, errno: i32) -> String {
            errno.to_string()
        }
        fn object(&self, _: SlotId, _: Failure) -> String {
            String::new()
        }
    }

    fn death(watcher: u32, code: u8, next: Next) -> Report {
        Report::Died {
            slot: SlotId { watcher, index: 0 },
            pid: Pid::new(7).expect("positive"),
            ending: Ending::Exited(code),
            fault: None,
            success: code == 0,
            lived_ms: 2000,
            memory_short: false,
            said: None,
            next,
        }
    }

    fn failures(reports: &[Report]) -> Failures {
        let mut failures = Failures::default();
        reports.iter().for_each(|report| failures.note(report, &Plain));
        failures
    }

    #[test]
    fn the_failure_of_what_ended_everything_is_told_else_the_first_one() {
        let again = Next::Start { delay_ms: 0 };
        assert_eq!(failures(&[death(0, 1, again), death(1, 0, Next::Over)]).message(0), None);
        let two = [death(0, 1, Next::Over), death(1, 3, Next::Over)];
        let text = "web (pid 7) exited with code 1 after 2.0 s; not started again\nexit code 1\n";
        assert_eq!(failures(&two).message(1).as_deref(), Some(text));
        let cause = StopCause::Essential { watcher: 1, code: 3 };
        let [one, other] = two;
        let message = failures(&[one, other, Report::Stopping { cause }]).message(3);
        assert!(
            message.is_some_and(|message| message.starts_with("db (pid 7) exited with code 3"))
        );
    }

    #[test]
    fn it_is_left_only_in_a_plain_file_that_is_there() {
        let folder =
            std::env::temp_dir().join(format!("circus-termination-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let failures = failures(&[death(1, 3, Next::GivenUp { failures: 1 })]);
        let plain = folder.join("plain");
        failures.leave(&plain, 3);
        assert!(!plain.exists(), "nobody has asked for it");
        std::fs::write(&plain, "what was there before, and was longer than what comes".repeat(9))
            .expect("a file");
        failures.leave(&plain, 0);
        failures.leave(&plain, 3);
        let text = std::fs::read_to_string(&plain).expect("a file");
        assert_eq!(text, "db (pid 7) exited with code 3 after 2.0 s; given up\nexit code 3\n");
        let link = folder.join("link");
        let target = folder.join("target");
        std::fs::write(&target, "mine").expect("a file");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        failures.leave(&link, 3);
        assert_eq!(std::fs::read_to_string(&target).expect("a file"), "mine");
        let _ = std::fs::remove_dir_all(&folder);
    }
}

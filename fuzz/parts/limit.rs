//! How long one thing may take. It is the time of the processor that counts, so that a busy machine
//! finds nothing that is not there.

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

/// Much more than any input of 64 KiB is worth, with all the checks of these builds.
const WORK_MS_MAX: i64 = 1000;

/// Whatever an input leads to, it is done soon.
pub fn in_time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = processor_ms();
    let done = work();
    let took = processor_ms() - before;
    assert!(took <= WORK_MS_MAX, "{what} took {took} ms of processor time");
    done
}

fn processor_ms() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    time.expect("every Linux has this clock").num_milliseconds()
}

//! Waiting for a fact: asks again and again, and fails loudly when it takes far too long.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Far longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until the answer is accepted and returns it; panics with the last answer at the deadline.
#[track_caller]
pub fn wait_until<T: Debug>(
    fact: &str,
    mut ask: impl FnMut() -> T,
    accept: impl Fn(&T) -> bool,
) -> T {
    let begin = Instant::now();
    loop {
        let answer = ask();
        if accept(&answer) {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "never true: {fact}\nlast seen: {answer:#?}");
        thread::sleep(PAUSE);
    }
}

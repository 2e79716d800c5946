//! Waiting for what must happen: each wait has an end, and none is for luck.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long anything that must happen may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A gate that one side waits at and the other opens.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<usize>, Condvar)>);

impl Gate {
    /// Lets one through.
    pub fn pass(&self) {
        self.let_through(1);
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.let_through(usize::MAX / 2);
    }

    fn let_through(&self, count: usize) {
        let mut passes = self.0.0.lock().unwrap();
        *passes = passes.saturating_add(count);
        self.0.1.notify_all();
    }

    /// Waits until one is let through.
    pub fn wait(&self) {
        assert!(self.wait_or_give_up(), "the gate was not opened in time");
    }

    /// The same, telling whether it was let through.
    pub fn wait_or_give_up(&self) -> bool {
        let guard = self.0.0.lock().unwrap();
        let closed = |passes: &mut usize| *passes == 0;
        let (mut passes, time) = self.0.1.wait_timeout_while(guard, PATIENCE, closed).unwrap();
        if time.timed_out() {
            return false;
        }
        *passes -= 1;
        true
    }
}

/// Asks again and again, a moment apart, until there is an answer; fails after [`PATIENCE`].
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let moment = Duration::from_millis(5);
    for _ in 0..PATIENCE.as_millis() / moment.as_millis() {
        if let Some(answer) = ask() {
            return answer;
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "the moment between two looks at a condition"
        )]
        std::thread::sleep(moment);
    }
    panic!("it did not happen in time: {what}");
}

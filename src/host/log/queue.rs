//! Lines on their way out: bounded, never waited for, written by a thread that lives only while
//! there is something to write.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use log::Level;

use super::sink::{Sink, Target};
use crate::base::limits;
use crate::base::time::Instant;
use crate::host::clock;

/// The queue before one target.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug)]
struct State {
    lines: VecDeque<Line>,
    target: Target,
    /// Lines that found the queue full since it was last told.
    lost: u64,
    /// Whether a thread is there to write.
    running: bool,
    /// Whether that thread is at a line.
    writing: bool,
    /// When the target last refused.
    refused: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Line {
    Text(Level, String),
    Lost(u64),
}

impl Queue {
    /// An empty queue before `target`; nothing is opened and no thread started yet.
    pub fn new(target: Target) -> Self {
        let state = State {
            lines: VecDeque::new(),
            target,
            lost: 0,
            running: false,
            writing: false,
            refused: None,
        };
        let (filled, emptied) = (Condvar::new(), Condvar::new());
        Self(Arc::new(Shared { state: Mutex::new(state), filled, emptied }))
    }

    /// Takes a line, or counts it as lost when the queue is full. Never waits for a reader.
    pub fn push(&self, level: Level, text: String) {
        let mut state = self.0.lock();
        if state.lines.len() >= limits::operator::LOG_LINES {
            state.lost += 1;
        } else {
            state.lines.push_back(Line::Text(level, text));
        }
        let waits =
            state.refused.is_some_and(|then| clock::now() - then < limits::operator::LOG_RETRY);
        if state.running {
            self.0.filled.notify_one();
        } else if !waits {
            self.start(&mut state);
        }
    }

    /// Sends what comes from now on elsewhere; lines that wait go there too.
    pub fn retarget(&self, target: Target) {
        let mut state = self.0.lock();
        state.target = target;
        state.refused = None;
    }

    /// Waits until everything is written, but not longer than `limit`; says whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        let mut state = self.0.lock();
        if !state.running && !state.lines.is_empty() {
            self.start(&mut state);
        }
        let pending = |state: &mut State| {
            state.running && (state.writing || !state.lines.is_empty() || state.lost > 0)
        };
        let waited = self.0.emptied.wait_timeout_while(state, limit, pending);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.lines.is_empty() && !state.writing
    }

    /// Whether a thread of the log lives now.
    pub fn busy(&self) -> bool {
        self.0.lock().running
    }

    fn start(&self, state: &mut State) {
        let shared = Arc::clone(&self.0);
        let named = thread::Builder::new().name("neap-log".into()).stack_size(STACK);
        // Without a thread the lines stay in the queue and the next one tries again.
        state.running = named.spawn(move || shared.write_out()).is_ok();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_out(&self) {
        let mut open: Option<(Target, Sink)> = None;
        while let Some((line, target)) = self.next() {
            if open.as_ref().is_some_and(|(opened, _)| *opened != target) {
                open = None;
            }
            if !write(&mut open, &target, &line) {
                return self.put_back(line);
            }
        }
    }

    /// The next line, or none once nothing came for a while.
    fn next(&self) -> Option<(Line, Target)> {
        let mut state = self.lock();
        state.writing = false;
        if state.lines.is_empty() && state.lost == 0 {
            self.emptied.notify_all();
            let idle = |state: &mut State| state.lines.is_empty() && state.lost == 0;
            let waited = self.filled.wait_timeout_while(state, limits::operator::LOG_LINGER, idle);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let line = state.lines.pop_front().or_else(|| {
            let lost = core::mem::take(&mut state.lost);
            (lost > 0).then_some(Line::Lost(lost))
        });
        state.writing = line.is_some();
        state.running = line.is_some();
        line.map(|line| (line, state.target.clone()))
    }

    /// Ends the thread with its line kept, since the target refused.
    fn put_back(&self, line: Line) {
        let mut state = self.lock();
        match line {
            Line::Lost(lost) => state.lost += lost,
            text @ Line::Text(..) => state.lines.push_front(text),
        }
        state.writing = false;
        state.running = false;
        state.refused = Some(clock::now());
        self.emptied.notify_all();
    }
}

/// Writes through the open sink; when syslogd went away since, once more through a new one.
fn write(open: &mut Option<(Target, Sink)>, target: &Target, line: &Line) -> bool {
    let (level, text) = match line {
        Line::Text(level, text) => (*level, text.as_str()),
        Line::Lost(lost) => {
            (Level::Warn, &*format!("{lost} log lines were lost: nobody read them"))
        }
    };
    if let Some((_, sink)) = open {
        if sink.write(level, text).is_ok() {
            return true;
        }
    }
    *open = target.open().ok().map(|sink| (target.clone(), sink));
    open.as_mut().is_some_and(|(_, sink)| sink.write(level, text).is_ok())
}

/// The thread formats one line at a time; musl's default of 128 KiB is more than it takes.
const STACK: usize = 64 * 1024;

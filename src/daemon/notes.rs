//! The notebook's port: pages are read before the first player is served, and written by a
//! thread of the pool, since a sync on worn flash may take a second.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use smol::{LocalExecutor, Timer};

use super::run::Run;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::page::Page;
use crate::host::clock;
use crate::host::notebook::{self, Notebook};
use crate::net::ground::tasks;
use crate::node::event::Input;
use crate::store::files::{Fault, Files, Folder};

/// Pages that wait to be written.
pub struct Notes {
    notebook: Notebook,
    state: Arc<State>,
    executor: Rc<LocalExecutor<'static>>,
    pending: RefCell<Map<Page, String>>,
    writing: Cell<bool>,
    /// Whether it was said already that pages cannot be written.
    failed: Cell<bool>,
}

/// The state folder, and the lock on it.
struct State(PathBuf, Folder);

impl State {
    /// Makes the folder ours while neap runs. One that cannot be locked is nobody's.
    fn hold(&self) -> io::Result<()> {
        let Self(path, lock) = self;
        // Keys lie there. What cannot be made is told by who writes to it.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(path);
        match lock.prepare() {
            Err(Fault::Locked) => Err(io::Error::other(format!(
                "another neap uses {}: give each its own network.state",
                path.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether a node that runs has a state folder.
pub fn is_used(folder: &Path) -> bool {
    let lock = Folder::held_by(folder.into(), notebook::LOCK);
    folder.join(notebook::LOCK).exists() && matches!(lock.prepare(), Err(Fault::Locked))
}

impl Notes {
    /// The notes of a state folder.
    pub fn new(folder: &Path, executor: Rc<LocalExecutor<'static>>) -> Rc<Self> {
        Rc::new(Self {
            notebook: Notebook::new(folder),
            state: Arc::new(State(folder.into(), Folder::held_by(folder.into(), notebook::LOCK))),
            executor,
            pending: RefCell::default(),
            writing: Cell::default(),
            failed: Cell::default(),
        })
    }

    /// Makes the state folder ours.
    ///
    /// # Errors
    /// Another neap uses it: two nodes with one key would be one to others.
    pub fn hold(&self) -> io::Result<()> {
        self.state.hold()
    }

    /// Hands in every page as it was written last. Where the owner's word cannot be read, that
    /// there was one is.
    pub fn read(&self, run: &Run) {
        for page in Page::ALL {
            let text = self.notebook.read(page).unwrap_or_else(|error| {
                let path = self.notebook.path(page);
                log::warn!("{} is not known: {}: {error}", page.words(), path.display());
                (page == Page::Switch).then(String::new)
            });
            run.submit(Input::Noted { page, text });
        }
    }

    /// Writes a page soon; what waits of it already is replaced.
    pub fn write(self: &Rc<Self>, page: Page, text: String) {
        self.pending.borrow_mut().insert(page, text);
        if !self.writing.replace(true) {
            let notes = Rc::clone(self);
            tasks::spawn(&self.executor, async move { notes.work().await }).detach();
        }
    }

    /// Waits until all is written, for as long as the end of the program may take. Nobody else
    /// writes beside the one who does: the earlier page might be named last.
    pub async fn finish(&self) {
        let late = clock::now() + limits::http::SHUTDOWN;
        while self.writing.get() && clock::now() < late {
            Timer::after(LOOK).await;
        }
    }

    async fn work(&self) {
        while let Some((page, text)) = self.next() {
            let (notebook, state) = (self.notebook.clone(), Arc::clone(&self.state));
            let write = move || state.hold().and_then(|()| notebook.write(page, &text));
            let written = smol::unblock(write).await;
            self.told(page, written);
        }
        self.writing.set(false);
    }

    fn next(&self) -> Option<(Page, String)> {
        self.pending.borrow_mut().pop_first()
    }

    /// Says once that it fails, and once that it works again.
    fn told(&self, page: Page, written: io::Result<()>) {
        match written {
            Ok(()) => {
                if self.failed.replace(false) {
                    log::info!("notes are kept again in {}", self.notebook.path(page).display());
                }
            }
            Err(error) => {
                if !self.failed.replace(true) {
                    log::warn!(
                        "{} will be forgotten at the next start: {}: {error}",
                        page.words(),
                        self.notebook.path(page).display()
                    );
                }
            }
        }
    }
}

/// How often it is looked at the end whether all is written.
const LOOK: Duration = Duration::from_millis(10);

//! The notebook: small pages in the state folder, written whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::base::limits;
use crate::base::page::Page;
use crate::config::file::open;

/// The pages of one state folder.
#[derive(Clone, Debug)]
pub struct Notebook {
    folder: PathBuf,
}

/// The file that says that a neap uses the folder; the slices of a disk tier may lie there too.
pub const LOCK: &str = "state.lock";

impl Notebook {
    /// The notebook in a folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// Where a page lies.
    pub fn path(&self, page: Page) -> PathBuf {
        self.folder.join(page.file())
    }

    /// What was written on a page; none where there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is longer than [`limits::device::PAGE`], or is no text.
    pub fn read(&self, page: Page) -> io::Result<Option<String>> {
        let file = match open(&self.path(page)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(limits::device::PAGE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limits::device::PAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
        }
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))
    }

    /// Writes a page anew: under a passing name first, so that a power cut leaves the old page
    /// or the new one. It is synced, since a cap that a power cut resets is none; the machine
    /// writes seldom enough for that (`limits::device::NOTE`).
    ///
    /// # Errors
    ///
    /// The folder or the file cannot be made or written, or the text is too long.
    pub fn write(&self, page: Page, text: &str) -> io::Result<()> {
        if text.len() as u64 > limits::device::PAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is too long"));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let passing = self.folder.join(passing(page));
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
        let mut file = open.open(&passing)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let named = written.and_then(|()| fs::rename(&passing, self.path(page)));
        if named.is_err() {
            // What is half written takes room on a full disk.
            let _ = fs::remove_file(&passing);
        }
        named
    }
}

/// The pages that lie in a state folder, for who forgets them, with what a power cut left of one.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let names = Page::ALL.iter().flat_map(|page| [page.file().to_owned(), passing(*page)]);
    names.map(|name| folder.join(name)).filter(|path| path.exists()).collect()
}

/// The name that a page has while it is written.
fn passing(page: Page) -> String {
    format!("{}.new", page.file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn notebook(name: &str) -> Notebook {
        let folder = std::env::temp_dir().join(format!("neap-note-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Notebook::new(&folder)
    }

    #[test]
    fn a_page_comes_back_as_it_was_written_last() {
        let notebook = notebook("back");
        assert_eq!(notebook.read(Page::Caps).expect("no page"), None);
        notebook.write(Page::Caps, "a long first version").expect("written");
        notebook.write(Page::Caps, "second").expect("written");
        notebook.write(Page::Ledger, "other").expect("written");
        assert_eq!(notebook.read(Page::Caps).expect("read"), Some("second".into()));
        let mode = fs::metadata(notebook.path(Page::Caps)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(files(&notebook.folder).len(), 2);
        assert_eq!(fs::read_dir(&notebook.folder).expect("a folder").count(), 2);
        let _ = fs::remove_dir_all(&notebook.folder);
    }

    #[test]
    fn a_page_cut_short_by_a_power_cut_leaves_the_one_before() {
        let notebook = notebook("cut");
        notebook.write(Page::Caps, "before").expect("written");
        fs::write(notebook.folder.join("caps.note.new"), "aft").expect("what a cut leaves");
        assert_eq!(notebook.read(Page::Caps).expect("read"), Some("before".into()));
        assert_eq!(files(&notebook.folder).len(), 2, "both can be forgotten");
        notebook.write(Page::Caps, "after").expect("written over what was left");
        assert_eq!(notebook.read(Page::Caps).expect("read"), Some("after".into()));
        let _ = fs::remove_dir_all(&notebook.folder);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let notebook = notebook("odd");
        notebook.write(Page::Caps, "x").expect("written");
        fs::write(notebook.path(Page::Caps), [0xff, 0xfe]).expect("garbage");
        assert!(notebook.read(Page::Caps).is_err(), "no text");
        let long = "x".repeat(usize::try_from(limits::device::PAGE).expect("small") + 1);
        fs::write(notebook.path(Page::Caps), &long).expect("too long");
        assert!(notebook.read(Page::Caps).is_err(), "too long");
        assert!(notebook.write(Page::Caps, &long).is_err());
        let _ = fs::remove_dir_all(&notebook.folder);
        fs::write(&notebook.folder, "a file where the folder should be").expect("written");
        assert!(notebook.write(Page::Caps, "x").is_err());
        let _ = fs::remove_file(&notebook.folder);
    }
}

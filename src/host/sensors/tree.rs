//! A tree of small files such as `/sys`: read within bounds, and nothing of it trusted.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::base::limits;

/// The root of such a tree; tests and odd devices have another one.
#[derive(Clone, Debug)]
pub struct Tree(PathBuf);

impl Tree {
    /// The tree below a folder.
    pub fn new(root: &Path) -> Self {
        Self(root.into())
    }

    /// Where something of it lies.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.0.join(inside)
    }

    /// A folder of it as a tree of its own.
    pub fn below(&self, inside: impl AsRef<Path>) -> Self {
        Self(self.path(inside))
    }

    /// Whether something is there.
    pub fn has(&self, inside: impl AsRef<Path>) -> bool {
        self.path(inside).exists()
    }

    /// What a file says, without the blanks around it; none where it is missing, cannot be read
    /// (a sensor that sleeps says so), is no text or says nothing.
    pub fn text(&self, inside: impl AsRef<Path>) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.path(inside)).ok()?;
        file.take(limits::device::SENSOR_FILE).read_to_string(&mut text).ok()?;
        let blank = text.trim_end().len();
        text.truncate(blank);
        let text = if text.starts_with(char::is_whitespace) { text.trim().into() } else { text };
        (!text.is_empty()).then_some(text)
    }

    /// The whole number that a file holds.
    pub fn number(&self, inside: impl AsRef<Path>) -> Option<i64> {
        self.text(inside)?.parse().ok()
    }

    /// The number that a file holds, where it may not be negative.
    pub fn count(&self, inside: impl AsRef<Path>) -> Option<u64> {
        self.text(inside)?.parse().ok()
    }

    /// The names in a folder in their order, at most [`limits::device::SENSORS`].
    pub fn names(&self, inside: impl AsRef<Path>) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.path(inside)) else { return Vec::new() };
        let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(limits::device::SENSORS).collect();
        names.sort_unstable();
        names
    }
}

/// The number behind a word at the beginning of a line, as in `MemAvailable: 12 kB`.
pub fn field(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.trim_start_matches([':', ' ', '\t']).split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A tree of a test's own, gone with it.
    pub(in crate::host::sensors) struct Made(pub(in crate::host::sensors) Tree);

    impl Made {
        pub(in crate::host::sensors) fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = format!("neap-sensors-{}-{name}", std::process::id());
            let root = std::env::temp_dir().join(folder);
            let _ = fs::remove_dir_all(&root);
            fs::create_dir_all(&root).expect("a folder of the test");
            let made = Self(Tree(root));
            files.iter().for_each(|(path, text)| made.write(path, text));
            made
        }

        pub(in crate::host::sensors) fn write(&self, path: &str, text: &str) {
            let path = self.0.path(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the test");
            fs::write(path, text).expect("a file of the test");
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.0);
        }
    }

    #[test]
    fn what_is_missing_or_odd_is_none() {
        let made = Made::new(
            "odd",
            &[
                ("a", " 12 \n"),
                ("b", "-3\n"),
                ("c", "x"),
                ("d", "\n"),
                ("e/f", "99999999999999999999"),
            ],
        );
        let tree = &made.0;
        fs::write(tree.path("g"), [0xff, 0xfe]).expect("a file of the test");
        assert_eq!(
            (tree.count("a"), tree.number("b"), tree.count("b")),
            (Some(12), Some(-3), None)
        );
        for odd in ["c", "d", "e", "e/f", "g", "none"] {
            assert_eq!((tree.number(odd), tree.count(odd)), (None, None), "{odd}");
        }
        assert_eq!(tree.names("e"), ["f"]);
        assert_eq!(tree.names("none"), [""; 0]);
        assert_eq!(field("a 1\nMemAvailable:  7 kB\n", "MemAvailable"), Some(7));
        assert_eq!(field("high\n", "high"), None);
    }
}

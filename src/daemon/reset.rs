//! `neap reset`: forgets what this device learnt, after asking, as when it changes hands.

use std::io::{BufRead, Write};
use std::os::unix::net::UnixStream;

use super::check::{Outcome, configured};
use super::notes;
use crate::base::units::Size;
use crate::config::layers::{Flags, Paths};
use crate::host::notebook;
use crate::net::peer::identity;
use crate::store::files::{Fault, Files, Folder};
use crate::store::forget::{Forgotten, forget};

/// Removes what neap wrote; asks on `ask` and reads `answer` unless `yes` is said already.
///
/// The configuration is the owner's and stays. Counters live in memory and end with the process.
pub fn outcome(
    (paths, flags): (&Paths, &Flags),
    yes: bool,
    answer: &mut dyn BufRead,
    ask: &mut dyn Write,
) -> Outcome {
    let config = match configured(paths, flags) {
        Ok(loaded) => loaded.config,
        Err(outcome) => return outcome,
    };
    if let Some(control) = config.admin.control.filter(|path| UnixStream::connect(path).is_ok()) {
        let err = format!("neap: {}: neap is running: stop it first\n", control.display());
        return Outcome { err, code: 70, ..said(String::new()) };
    }
    let state = &config.network.state;
    if notes::is_used(state) {
        return failed(Fault::Locked, &state.display().to_string());
    }
    // Nothing is to be forgotten of it.
    let unlock = || drop(std::fs::remove_file(state.join(notebook::LOCK)));
    let place = config.cache.path.display().to_string();
    let folder = config.cache.path.exists().then(|| Folder::new(config.cache.path));
    if let Some(Err(fault)) = folder.as_ref().map(Folder::prepare) {
        return failed(fault, &place);
    }
    let cache = |remove| match &folder {
        Some(folder) => forget(folder, remove),
        None => Ok(Forgotten::default()),
    };
    let keys = identity::files(state);
    let notes = notebook::files(state);
    let kept = (keys.len(), notes.len());
    let found = match cache(false) {
        Ok(found) => found,
        Err(fault) => return failed(fault, &place),
    };
    if folder.is_none() && kept == (0, 0) {
        unlock();
        return said(format!("neap: there is no {place} and no key: nothing to forget\n"));
    }
    let what = words(&found, &place, kept);
    if !yes && !agreed(&what, answer, ask) {
        return Outcome {
            err: "neap: nothing was removed\n".into(),
            code: 70,
            ..said(String::new())
        };
    }
    let gone = match cache(true) {
        Ok(gone) => gone,
        Err(fault) => return failed(fault, &place),
    };
    for file in keys.iter().chain(&notes) {
        if let Err(error) = std::fs::remove_file(file) {
            return failed(Fault::of(&error), &file.display().to_string());
        }
    }
    unlock();
    said(format!("neap: removed {}\n", words(&gone, &place, kept)))
}

fn agreed(what: &str, answer: &mut dyn BufRead, ask: &mut dyn Write) -> bool {
    let question = format!("Remove {what}? Type yes: ");
    let asked = ask.write_all(question.as_bytes()).and_then(|()| ask.flush());
    let mut line = String::new();
    asked.and_then(|()| answer.read_line(&mut line)).is_ok() && line.trim() == "yes"
}

fn words(found: &Forgotten, place: &str, (keys, notes): (usize, usize)) -> String {
    let cache = format!("{} files ({}) from {place}", found.files, Size(found.bytes));
    match (keys, notes) {
        (0, 0) => cache,
        (0, _) => format!("{cache}, and what was noted"),
        (_, 0) => format!("{cache}, and this node's key"),
        (_, _) => format!("{cache}, this node's key and what was noted"),
    }
}

fn said(out: String) -> Outcome {
    Outcome { out, ..Outcome::default() }
}

fn failed(fault: Fault, place: &str) -> Outcome {
    let code = if fault == Fault::Denied { 77 } else { 70 };
    let hint = if fault == Fault::Locked { ": stop neap first" } else { "" };
    Outcome { err: format!("neap: {place}: {fault}{hint}\n"), code, ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// A folder with one slice, and the flags that lead to it.
    fn device(name: &str) -> (PathBuf, Flags) {
        let root = std::env::temp_dir().join(format!("neap-reset-{name}-{}", std::process::id()));
        let slice =
            root.join("cache/ab").join(format!("ab{}-{:08x}-{:016x}", "0".repeat(30), 0, 1));
        fs::create_dir_all(root.join("cache/ab")).expect("a folder of ours");
        fs::write(slice, "slice").expect("a file of ours");
        let file = root.join("neap.toml");
        let (cache, state) = (root.join("cache"), root.join("state"));
        fs::create_dir_all(&state).expect("a folder of ours");
        fs::write(state.join(identity::FILE), "a key").expect("a file of ours");
        let text = format!(
            "[cache]\npath = \"{}\"\n[network]\nstate = \"{}\"\n",
            cache.display(),
            state.display()
        );
        fs::write(&file, text).expect("a file of ours");
        (root, Flags { config: Some(file), ..Flags::default() })
    }

    fn reset(flags: &Flags, yes: bool, typed: &str) -> (Outcome, String) {
        let mut asked = Vec::new();
        let from = (&Paths::default(), flags);
        let outcome = outcome(from, yes, &mut typed.as_bytes(), &mut asked);
        (outcome, String::from_utf8(asked).expect("words"))
    }

    fn slices(root: &Path) -> usize {
        fs::read_dir(root.join("cache/ab")).expect("a folder of ours").count()
    }

    #[test]
    fn nothing_goes_before_the_owner_says_yes() {
        let (root, flags) = device("asks");
        for typed in ["no\n", "", "y\n"] {
            let (outcome, asked) = reset(&flags, false, typed);
            assert_eq!((outcome.code, slices(&root)), (70, 1), "{typed}");
            assert!(root.join("state").join(identity::FILE).exists());
            assert!(asked.starts_with("Remove 1 files (5 B) from "), "{asked}");
        }
        let (outcome, _) = reset(&flags, false, "yes\n");
        assert_eq!((outcome.code, slices(&root)), (0, 0));
        assert!(outcome.out.starts_with("neap: removed 1 files"), "{}", outcome.out);
        assert!(!root.join("state").join(identity::FILE).exists());
        fs::remove_dir_all(root).expect("a folder of ours");
    }

    #[test]
    fn a_folder_in_use_stays() {
        let (root, flags) = device("locked");
        let other = Folder::new(root.join("cache"));
        other.prepare().expect("nobody else uses it");
        let (outcome, asked) = reset(&flags, true, "");
        assert_eq!((outcome.code, slices(&root), asked.as_str()), (70, 1, ""));
        assert!(outcome.err.ends_with("another process uses the folder: stop neap first\n"));
        drop(other);
        assert_eq!(reset(&flags, true, "").0.code, 0);
        assert_eq!(slices(&root), 0);
        // What only says that a folder was in use goes also where nothing else is to be forgotten.
        fs::remove_dir_all(root.join("cache")).expect("a folder of ours");
        let lock = root.join("state").join(notebook::LOCK);
        fs::write(&lock, "").expect("a file of ours");
        let (outcome, _) = reset(&flags, true, "");
        assert!(outcome.out.contains("nothing to forget") && !lock.exists(), "{}", outcome.out);
        fs::remove_dir_all(&root).expect("a folder of ours");
        assert!(reset(&flags, true, "").0.code != 0, "the configuration is gone too");
    }
}

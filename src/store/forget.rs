//! Removes everything that the disk tier wrote into its folder, and nothing else.

use super::files::{Fault, Files, LOCK};
use super::scan::is_sub_folder;
use super::sheet::{SheetName, TEMPORARY};

/// What was found, or removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Slices and unfinished ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Walks through the folder's slices and removes them if `remove` is set, else only counts.
///
/// The folder must be prepared: then no running neap has it.
///
/// # Errors
/// The first fault; what was removed before it stays removed.
pub fn forget(files: &dyn Files, remove: bool) -> Result<Forgotten, Fault> {
    let mut all = Forgotten::default();
    let of = |error: std::io::Error| Fault::of(&error);
    for folder in files.list("").map_err(of)?.into_iter().filter(|name| is_sub_folder(name)) {
        for name in files.list(&folder).map_err(of)? {
            if SheetName::parse(name.strip_suffix(TEMPORARY).unwrap_or(&name)).is_none() {
                continue;
            }
            let path = format!("{folder}/{name}");
            all.files += 1;
            all.bytes += files.size(&path).map_err(of)?;
            if remove {
                files.remove(&path).map_err(of)?;
            }
        }
    }
    if remove {
        // The lock goes with the process; its file is the last trace. A read-only disk has none.
        let _ = files.remove(LOCK);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::files::Folder;
    use super::*;
    use crate::base::digest::Digest;

    #[test]
    fn slices_go_and_what_others_put_there_stays() {
        let path = std::env::temp_dir().join(format!("neap-forget-{}", std::process::id()));
        let folder = Folder::new(path.clone());
        folder.prepare().expect("a folder of our own");
        let name = SheetName::new(Digest::of(b"k"), 0, 1);
        for name in [name.to_string(), name.temporary()] {
            std::io::Write::write_all(
                &mut folder.create(&name).expect("a folder of our own"),
                b"slice",
            )
            .expect("a folder of our own");
        }
        let sub = path.join(&name.to_string()[..2]);
        for kept in [path.join("photo.jpg"), sub.join("notes")] {
            fs::write(kept, "not neap's").expect("a folder of our own");
        }
        let all = Forgotten { files: 2, bytes: 10 };
        assert_eq!(forget(&folder, false), Ok(all));
        assert_eq!(forget(&folder, true), Ok(all));
        assert_eq!(forget(&folder, true), Ok(Forgotten::default()));
        assert!(path.join("photo.jpg").exists() && sub.join("notes").exists());
        assert!(!path.join(LOCK).exists());
        fs::remove_dir_all(path).expect("a folder of our own");
    }
}

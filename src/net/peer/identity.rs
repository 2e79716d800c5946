//! Who this node is: an Ed25519 key in one file that only its owner can read.

use core::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::base::limits;
use crate::base::peer::NodeKey;
use crate::base::time::Date;
use crate::config::file::open;
use crate::wire::membership::Admission;

/// A node's key with both its parts.
pub struct Identity {
    /// The public part: the node's name among its peers.
    pub key: NodeKey,
    pair: Ed25519KeyPair,
    /// PKCS#8 (RFC 5958, RFC 8410), as it stands in the file.
    pub(super) der: Vec<u8>,
}

/// Why there is no key to be had: where, what, and what to do.
#[derive(Debug)]
pub struct KeyFault {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Io(&'static str, io::Error),
    NotMade(io::Error),
    Open(u32),
    NoFile,
    Damaged,
    NoRandom,
}

impl Identity {
    /// The key in a state directory; made at the first start, never in place of one that is there.
    pub fn open(folder: &Path) -> Result<Self, KeyFault> {
        let path = folder.join(FILE);
        match Self::read(&path) {
            Err(KeyFault { what: What::Io(_, error), .. })
                if error.kind() == io::ErrorKind::NotFound => {}
            read => return read,
        }
        make(folder, &path)?;
        Self::read(&path)
    }

    /// The key of a node that starts: where one can be neither found nor kept, as on a system that
    /// is all read-only, one that is gone with the start.
    pub fn start(folder: &Path) -> io::Result<Self> {
        match Self::open(folder) {
            Err(fault @ KeyFault { what: What::NotMade(_), .. }) => {
                log::warn!("{fault}: this start has one that ends with it");
                Self::passing()
            }
            key => Ok(key?),
        }
    }

    /// The key in a file.
    pub fn read(path: &Path) -> Result<Self, KeyFault> {
        let fault = |what| KeyFault { path: path.into(), what };
        let failed = |error| fault(What::Io("cannot be read", error));
        let file = open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(fault(What::NoFile));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(fault(What::Open(metadata.mode() & 0o777)));
        }
        let mut der = Vec::new();
        file.take(limits::config::KEY_FILE).read_to_end(&mut der).map_err(failed)?;
        Self::from_der(der).ok_or_else(|| fault(What::Damaged))
    }

    /// A key that lives in memory only.
    pub fn passing() -> io::Result<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| io::Error::other(NO_RANDOM))?;
        Self::from_der(document.as_ref().into()).ok_or_else(|| io::Error::other(NO_RANDOM))
    }

    /// Makes a new key; the old file stays beside it as `node.key.old`.
    pub fn rotate(folder: &Path) -> Result<(Self, Option<PathBuf>), KeyFault> {
        let path = folder.join(FILE);
        let old = folder.join(format!("{FILE}.old"));
        let kept = match fs::rename(&path, &old) {
            Ok(()) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(KeyFault { path, what: What::Io("cannot be renamed", error) });
            }
        };
        let made = make(folder, &path);
        if let (Err(_), Some(kept)) = (&made, &kept) {
            // Better the old key than none: the next start would make another.
            let _ = fs::rename(kept, &path);
        }
        made?;
        Ok((Self::read(&path)?, kept))
    }

    /// Both parts, to sign with.
    pub const fn pair(&self) -> &Ed25519KeyPair {
        &self.pair
    }

    /// A signature (RFC 8032) over `content`.
    pub fn sign(&self, content: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(content).as_ref());
        signature
    }

    /// An admission of `node` by this key.
    pub fn admit(&self, node: NodeKey, expires: Date) -> Admission {
        let signature = self.sign(&Admission::content(self.key, node, expires));
        Admission { operator: self.key, node, expires, signature }
    }

    fn from_der(der: Vec<u8>) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok()?;
        let key = NodeKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { key, pair, der })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.key)
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let mut failed = |what: &str, error: &io::Error| {
            write!(f, "the node's key {path} {what}: {error}")?;
            let denied = error.kind() == io::ErrorKind::PermissionDenied;
            f.write_str(if denied { ": it must belong to the user of the service" } else { "" })
        };
        match &self.what {
            What::Io(what, error) => failed(what, error),
            What::NotMade(error) => failed("cannot be made", error),
            What::Open(mode) => write!(
                f,
                "the node's key {path} has mode {mode:04o}, so others may have read it: make a \
                 new one with 'neap key --new', or 'chmod 600 {path}' if nobody else had access"
            ),
            What::NoFile => write!(f, "the node's key {path} is no file"),
            What::Damaged => write!(
                f,
                "the node's key {path} is damaged: put back its copy, or make a new one with \
                 'neap key --new' and admit it anew"
            ),
            What::NoRandom => write!(f, "the node's key {path} cannot be made: {NO_RANDOM}"),
        }
    }
}

impl KeyFault {
    /// The kind of the system's error under it, for the exit code.
    pub fn kind(&self) -> io::ErrorKind {
        match &self.what {
            What::Io(_, error) | What::NotMade(error) => error.kind(),
            What::Open(_) => io::ErrorKind::PermissionDenied,
            What::NoFile | What::Damaged => io::ErrorKind::InvalidData,
            What::NoRandom => io::ErrorKind::Other,
        }
    }
}

impl From<KeyFault> for io::Error {
    fn from(fault: KeyFault) -> Self {
        Self::new(fault.kind(), fault.to_string())
    }
}

/// Writes a new key under a passing name and links it to its own: whole or not at all, and never
/// over one that is there.
fn make(folder: &Path, path: &Path) -> Result<(), KeyFault> {
    let fault = |what| KeyFault { path: path.into(), what };
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let document = document.map_err(|_| fault(What::NoRandom))?;
    let made = || {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let passing = folder.join(format!("{FILE}.{}", std::process::id()));
        // What a killed start left is of no use to anybody.
        let _ = fs::remove_file(&passing);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&passing)?;
        let written = file.write_all(document.as_ref()).and_then(|()| file.sync_all());
        // Made by root, it is still for whom the folder is; others are not allowed to give.
        let owner = fs::metadata(folder)?;
        let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
        let linked = written.and_then(|()| settle(&passing, path));
        let _ = fs::remove_file(&passing);
        linked?;
        File::open(folder)?.sync_all()
    };
    made().map_err(|error| fault(What::NotMade(error)))
}

/// Gives a finished file its name, unless another start was faster.
fn settle(passing: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(passing, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some flash file systems have no links.
        Err(_) if !path.exists() => fs::rename(passing, path),
        linked => linked,
    }
}

/// The files in a state folder that hold keys of a node: the old one's too, and what a killed
/// start left.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let rest = |name: &str| name.strip_prefix(FILE).map(str::to_owned);
    let ours = |name: &str| rest(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(ours));
    named.map(|entry| entry.path()).collect()
}

/// The key's file in the state directory.
pub const FILE: &str = "node.key";

const NO_RANDOM: &str = "the system gives no random numbers";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder of its own for each test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("neap-key-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn the_first_start_makes_a_key_and_the_next_keeps_it() {
        let folder = folder("first").join("neap");
        let first = Identity::open(&folder).expect("a key");
        assert_eq!(Identity::open(&folder).expect("the same").key, first.key);
        assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "nothing else is left");
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = folder("mode");
        Identity::open(&folder).expect("a key");
        for open in [0o640, 0o604, 0o644] {
            fs::set_permissions(folder.join(FILE), fs::Permissions::from_mode(open)).expect("set");
            let fault = Identity::open(&folder).expect_err("too open");
            assert_eq!(fault.kind(), io::ErrorKind::PermissionDenied);
            assert!(fault.to_string().contains("neap key --new"), "{fault}");
        }
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn a_damaged_key_is_never_replaced() {
        let folder = folder("damaged");
        Identity::open(&folder).expect("a key");
        let path = folder.join(FILE);
        let whole = fs::read(&path).expect("read");
        for damaged in [&b""[..], &whole[..whole.len() - 1], &[0; 83]] {
            fs::write(&path, damaged).expect("written");
            let fault = Identity::open(&folder).expect_err("damaged");
            assert_eq!(fault.kind(), io::ErrorKind::InvalidData, "{fault}");
            assert_eq!(fs::read(&path).expect("read"), damaged);
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        assert!(Identity::open(&folder).is_err());
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn a_new_key_keeps_the_old_one_beside_it() {
        let folder = folder("new");
        let (first, none) = Identity::rotate(&folder).expect("a key");
        assert_eq!(none, None);
        let (second, kept) = Identity::rotate(&folder).expect("a key");
        assert_ne!(first.key, second.key);
        let kept = Identity::read(&kept.expect("the old one")).expect("still a key");
        assert_eq!(kept.key, first.key);
        let _ = fs::remove_dir_all(folder);
    }

    #[test]
    fn an_admission_by_a_key_is_its_own() {
        let (operator, node) =
            (Identity::passing().expect("a key"), Identity::passing().expect("a key"));
        let admission = operator.admit(node.key, Date(10));
        assert_eq!(admission.check(node.key, &[operator.key], Date(9)), Ok(()));
    }
}

//! How worn the storage below the cache is: eMMC and UFS tell tenths of their life, UBI how many
//! spare blocks of the flash are used up. What NVMe knows of itself (`percentage_used`) the
//! kernel shows only to an ioctl, which this program does not make.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use super::tree::Tree;
use crate::engine::caps::readings::Wear;

/// The wear of the device that holds `folder`, or the folder above where it is not there yet;
/// none where it is in memory, or the kernel does not tell.
pub fn read(proc: &Tree, sys: &Tree, folder: &Path) -> Option<Wear> {
    let device = folder.ancestors().find_map(|place| fs::metadata(place).ok())?.dev();
    let (major, minor) = (major(device), minor(device));
    if major == 0 {
        return ubi(proc, sys, minor);
    }
    let block = fs::canonicalize(sys.path(format!("dev/block/{major}:{minor}"))).ok()?;
    disks(block, 0).into_iter().find_map(|disk| life(&disk))
}

/// The disks below a block device: what an encrypted or joined volume lies on.
fn disks(block: PathBuf, depth: u8) -> Vec<PathBuf> {
    let below = fs::read_dir(block.join("slaves")).into_iter().flatten().take(8);
    let below: Vec<PathBuf> =
        below.filter_map(|entry| fs::canonicalize(entry.ok()?.path()).ok()).collect();
    if below.is_empty() || depth > 4 {
        return vec![block];
    }
    below.into_iter().flat_map(|slave| disks(slave, depth + 1)).collect()
}

/// What a disk, or the disk that a partition is of, tells of its life.
fn life(block: &Path) -> Option<Wear> {
    let whole = if block.join("partition").exists() { block.parent()? } else { block };
    let source = whole.file_name()?.to_str()?.to_owned();
    let device = fs::canonicalize(whole.join("device")).ok()?;
    let emmc = || Tree::new(&device).text("life_time");
    let ufs = || {
        let health = |place: &Path| {
            let health = Tree::new(place).below("health_descriptor");
            let life = |part| health.text(format!("life_time_estimation_{part}"));
            Some(format!("{} {}", life('a')?, life('b').unwrap_or_default()))
        };
        device.ancestors().take(6).find_map(health)
    };
    let permille = tenths(&emmc().or_else(ufs)?)?;
    Some(Wear { permille, source })
}

/// The worse of the two areas' tenths: 1 for up to a tenth, 11 for beyond the end (JEDEC
/// JESD84-B51, `DEVICE_LIFE_TIME_EST_TYP_A` and `_B`); 0 says nothing.
fn tenths(text: &str) -> Option<u16> {
    let tenth = |word: &str| u16::from_str_radix(word.trim_start_matches("0x"), 16).ok();
    let worst = text.split_whitespace().filter_map(tenth).filter(|t| (1..=11).contains(t)).max()?;
    Some((worst * 100).min(1000))
}

/// Flash without a controller has no block device: the mount tells which UBI device it is, whose
/// spare blocks take the place of bad ones until there is none left (ABI/stable/sysfs-class-ubi).
fn ubi(proc: &Tree, sys: &Tree, minor: u64) -> Option<Wear> {
    let mounts = proc.text("self/mountinfo")?;
    let source = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ubifs ")?;
        let numbers = place.split(' ').nth(2)?;
        (numbers == format!("0:{minor}")).then(|| kind.split([':', '_', ' ']).next())?
    })?;
    let files = sys.below("class/ubi").below(source);
    let (bad, spare) = (files.count("bad_peb_count")?, files.count("reserved_for_bad")?);
    let permille = bad.saturating_mul(1000).checked_div(bad.saturating_add(spare))?;
    Some(Wear { permille: u16::try_from(permille).ok()?, source: source.into() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tree::tests::Made;
    use super::*;

    /// A tree in which the disk that holds this test's folder is an eMMC's second partition.
    #[test]
    fn a_partition_tells_of_its_disk() {
        let made = Made::new(
            "wear",
            &[
                ("devices/mmc0/mmc0:0001/life_time", "0x02 0x05"),
                ("devices/mmc0/mmc0:0001/block/mmcblk0/mmcblk0p2/partition", "2"),
            ],
        );
        let (major, minor) = (179, 2);
        let disk = made.0.path("devices/mmc0/mmc0:0001/block/mmcblk0");
        symlink(made.0.path("devices/mmc0/mmc0:0001"), disk.join("device")).expect("a link");
        made.write("dev/block/none", "");
        let name = made.0.path(format!("dev/block/{major}:{minor}"));
        symlink(disk.join("mmcblk0p2"), &name).expect("a link");
        let found = |path: &Path| {
            disks(fs::canonicalize(path).expect("a link"), 0).into_iter().find_map(|d| life(&d))
        };
        let wear = Wear { permille: 500, source: "mmcblk0".into() };
        assert_eq!(found(&name), Some(wear.clone()));
        let volume = made.0.path("devices/virtual/block/dm-0/slaves");
        fs::create_dir_all(&volume).expect("a folder");
        symlink(disk.join("mmcblk0p2"), volume.join("mmcblk0p2")).expect("a link");
        assert_eq!(found(volume.parent().expect("a folder")), Some(wear));
        assert_eq!(read(&made.0, &made.0, "/nowhere/at/all".as_ref()), None);
    }

    #[test]
    fn tenths_are_read_as_the_standard_writes_them() {
        for (text, wanted) in [
            ("0x01 0x01", Some(100)),
            ("0x0b 0x01", Some(1000)),
            ("0x00 0x03", Some(300)),
            ("0x00 0x00", None),
            ("0xff", None),
            ("-1 garbage", None),
            ("", None),
        ] {
            assert_eq!(tenths(text), wanted, "{text}");
        }
    }

    #[test]
    fn ubi_tells_how_many_spare_blocks_are_left() {
        let made = Made::new(
            "ubi",
            &[
                (
                    "self/mountinfo",
                    "21 1 0:20 / /proc rw - proc proc rw\n\
                     30 1 0:17 / /var rw,relatime - ubifs ubi0:data rw",
                ),
                ("class/ubi/ubi0/bad_peb_count", "5"),
                ("class/ubi/ubi0/reserved_for_bad", "15"),
            ],
        );
        let wear = Wear { permille: 250, source: "ubi0".into() };
        assert_eq!(ubi(&made.0, &made.0, 17), Some(wear));
        assert_eq!(ubi(&made.0, &made.0, 20), None);
    }
}

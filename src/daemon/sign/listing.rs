//! Which files are to get records: those of a folder, those that a playlist lists, or those named.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::fault::{Fault, shown};
use super::naming::Naming;
use crate::base::limits;
use crate::base::map::Map;
use crate::base::set::Set;
use crate::base::url::Locator;
use crate::wire::dash::template::matched;
use crate::wire::plan::{Addressing, Kind, MediaPlan, Plan, Rendition, Segment, Template};
use crate::wire::playlist::{self, Format};
use crate::wire::record_file::ENDING;
use crate::wire::rewrite::Source;

/// A file to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is to devices.
    pub(super) resource: Locator,
    /// Its bytes when it was listed.
    pub(super) length: u64,
}

/// The files to be signed, and what stands in the way.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    naming: &'a Naming,
    pub(super) items: Map<PathBuf, Item>,
    pub(super) faults: Vec<Fault>,
    /// Files of a folder that are no media as far as their names tell.
    pub(super) skipped: usize,
    /// Links to folders in a folder: one could lead in a circle, so they are not followed.
    pub(super) links: usize,
    read: Set<PathBuf>,
}

/// The folder that names are relative to, and a playlist in it.
struct Playlist<'a> {
    root: &'a Path,
    path: &'a Path,
}

impl<'a> Listing<'a> {
    pub(super) fn new(naming: &'a Naming, paths: &[PathBuf]) -> Self {
        let (items, faults, read) = (Map::new(), Vec::new(), Set::new());
        let mut listing = Self { naming, items, faults, skipped: 0, links: 0, read };
        for path in paths {
            match fs::metadata(path) {
                Err(error) => {
                    listing.faults.push(Fault::system(path, "cannot be looked at", &error));
                }
                Ok(about) if about.is_dir() => listing.folder(path, Path::new(""), 0),
                Ok(about) => listing.named(path, &about),
            }
        }
        listing
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.items.values().map(|item| item.length).sum()
    }

    /// A file that was named: a playlist, or media whatever it is called.
    fn named(&mut self, path: &Path, about: &Metadata) {
        let root = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default();
        match format(path) {
            Some(format) => self.playlist(&Playlist { root, path }, format),
            None => self.add(path.into(), self.naming.resource(name.as_ref()), about),
        }
    }

    /// The media below `root/below`.
    fn folder(&mut self, root: &Path, below: &Path, depth: usize) {
        let folder = root.join(below);
        if depth > limits::stream::DEPTH {
            return self.faults.push(Fault::at(&folder, "is nested too deeply: sign it by itself"));
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                return self.faults.push(Fault::system(&folder, "cannot be listed", &error));
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, below) = (entry.path(), below.join(&name));
            // A link to a file is that file.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match fs::metadata(&path) {
                Ok(_) if is_folder => self.folder(root, &below, depth + 1),
                Ok(about) if about.is_file() && media_type(&path).is_some() => {
                    self.add(path, self.naming.resource(&below), &about);
                }
                Ok(_)
                    if format(&path).is_some()
                        || path.as_os_str().as_encoded_bytes().ends_with(ENDING.as_bytes()) => {}
                Ok(about) if about.is_dir() => self.links += 1,
                Ok(_) => self.skipped += 1,
                Err(error) => {
                    self.faults.push(Fault::system(&path, "cannot be looked at", &error));
                }
            }
        }
    }

    /// What a playlist lists, and the playlists that it lists.
    fn playlist(&mut self, list: &Playlist<'_>, format: Format) {
        if !self.read.insert(list.path.into()) || self.read.len() > limits::stream::RENDITIONS {
            return;
        }
        let Ok(name) = list.path.strip_prefix(list.root) else { return };
        let asked = self.naming.resource(name);
        let Some(url) = self.naming.url(&asked) else { return };
        let body = match bounded(list.path) {
            Ok(body) => body,
            Err(error) => {
                return self.faults.push(Fault::system(list.path, "cannot be read", &error));
            }
        };
        let source = Source { url: &url, asked: &asked, places: &self.naming.places };
        let read = playlist::read(format, &body, &source);
        let before = self.items.len() + self.faults.len();
        match read.plan {
            Some(Plan::Variants(plan)) => {
                plan.variants.iter().for_each(|variant| self.variant(list, &variant.locator));
            }
            Some(Plan::Media(plan)) => self.media(list, &plan),
            Some(Plan::Manifest(plan)) => {
                plan.renditions.iter().for_each(|rendition| self.rendition(list, rendition));
            }
            None => {
                let why = read.warning.map(|why| format!(": {why}")).unwrap_or_default();
                return self.faults.push(Fault::at(list.path, format!("cannot be read{why}")));
            }
        }
        if self.items.len() + self.faults.len() == before && self.read.len() == 1 {
            let what = "lists nothing that lies below --base; name its folder in place of it, or \
                        give --origin NAME=URL if it lists whole URLs";
            self.faults.push(Fault::at(list.path, what));
        }
    }

    fn variant(&mut self, list: &Playlist<'_>, resource: &Locator) {
        let Some(path) = self.local(list, resource) else { return };
        let format = format(&path).unwrap_or(Format::Hls);
        self.playlist(&Playlist { root: list.root, path: &path }, format);
    }

    fn media(&mut self, list: &Playlist<'_>, plan: &MediaPlan) {
        plan.segments.iter().for_each(|segment| self.segment(list, segment));
    }

    fn rendition(&mut self, list: &Playlist<'_>, rendition: &Rendition) {
        rendition.init.iter().for_each(|segment| self.segment(list, segment));
        match &rendition.media {
            Addressing::List(segments) => {
                segments.iter().for_each(|segment| self.segment(list, segment));
            }
            Addressing::File(file) => self.listed(list, file),
            Addressing::Template(template) => self.template(list, template),
        }
    }

    fn segment(&mut self, list: &Playlist<'_>, segment: &Segment) {
        match segment.kind {
            Kind::Key => {}
            // Packagers drop parts once their segment is whole.
            Kind::Part if self.path(list, &segment.locator).is_none_or(|path| !path.exists()) => {}
            Kind::Media | Kind::Init | Kind::Part => self.listed(list, &segment.locator),
        }
    }

    /// The files that a template names, as far as they are there.
    fn template(&mut self, list: &Playlist<'_>, template: &Template) {
        let pattern = &template.locator.target;
        let folder = pattern.rfind('/').map_or("/", |end| &pattern[..end]);
        let inside = Locator { target: format!("{folder}/x"), ..template.locator.clone() };
        let Some(inside) = self.path(list, &inside).filter(|_| !folder.contains('$')) else {
            let what = format!("names segments in a way that cannot be followed: {pattern}");
            return self.faults.push(Fault::at(list.path, what + "; name their folder"));
        };
        let entries = inside.parent().map(fs::read_dir);
        for entry in entries.into_iter().flatten().flatten().flatten() {
            let Ok(name) = entry.path().strip_prefix(list.root).map(Path::to_path_buf) else {
                continue;
            };
            let resource = self.naming.resource(&name);
            if matched(pattern, &resource.target).is_some() {
                self.listed(list, &resource);
            }
        }
    }

    fn listed(&mut self, list: &Playlist<'_>, resource: &Locator) {
        let Some(path) = self.local(list, resource) else { return };
        match fs::metadata(&path) {
            Ok(about) => self.add(path, resource.clone(), &about),
            Err(error) => {
                let doing = format!("is listed by {} but cannot be looked at", shown(list.path));
                self.faults.push(Fault::system(&path, &doing, &error));
            }
        }
    }

    /// Where a resource lies here, or a fault if it lies elsewhere.
    fn local(&mut self, list: &Playlist<'_>, resource: &Locator) -> Option<PathBuf> {
        let path = self.path(list, resource);
        if path.is_none() {
            let what = format!(
                "lists {}, which lies outside of its folder: sign the folder above it, with a \
                 shorter --base",
                resource.target
            );
            self.faults.push(Fault::at(list.path, what));
        }
        path
    }

    fn path(&self, list: &Playlist<'_>, resource: &Locator) -> Option<PathBuf> {
        self.naming.file(resource).map(|path| list.root.join(path))
    }

    fn add(&mut self, path: PathBuf, resource: Locator, about: &Metadata) {
        if about.len() > 0 && about.is_file() {
            self.items.insert(path, Item { resource, length: about.len() });
        } else {
            self.faults.push(Fault::at(&path, "is empty or no file, and gets no record"));
        }
    }
}

fn format(path: &Path) -> Option<Format> {
    playlist::recognise(None, &path.to_string_lossy())
}

fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    // One byte more than may be: then the reader says that it is too large.
    File::open(path)?.take(limits::stream::PLAYLIST as u64 + 1).read_to_end(&mut body)?;
    Ok(body)
}

/// The media type of a file by the ending of its name, as origins state it.
pub(super) fn media_type(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == ending).map(|(_, name)| *name)
}

/// IANA's registrations, and RFC 8216, 4 and ISO/IEC 23000-19, 7 for the endings.
const TYPES: [(&str, &str); 19] = [
    ("ts", "video/mp2t"),
    ("m2ts", "video/mp2t"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("m4s", "video/iso.segment"),
    ("cmfv", "video/mp4"),
    ("cmfa", "audio/mp4"),
    ("cmft", "application/mp4"),
    ("m4a", "audio/mp4"),
    ("aac", "audio/aac"),
    ("ac3", "audio/ac3"),
    ("ec3", "audio/eac3"),
    ("mp3", "audio/mpeg"),
    ("webm", "video/webm"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("vtt", "text/vtt"),
    ("webvtt", "text/vtt"),
    ("ttml", "application/ttml+xml"),
];

//! A file as written: read within bounds, its TOML, and the line of every byte.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use toml::de::{DeTable, Error};

use crate::base::limits;

use super::problem::{Problem, Source};

/// The text of a configuration file.
#[derive(Clone, Debug)]
pub struct Text {
    /// The file's path, as messages name it.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
    /// The first byte of every line.
    lines: Vec<usize>,
}

/// A file's TOML as far as it can be read.
#[derive(Debug)]
pub struct Parsed<'i> {
    /// The tables; what could not be read is left out.
    pub table: DeTable<'i>,
    /// What is no TOML.
    pub problems: Vec<Problem>,
    /// Lines that may be looked into for wrong keys and values: where a mistake in the TOML may
    /// have shifted the meaning of what follows, only those before it.
    sound: Sound,
}

/// Which lines of a file mean what they seem to.
#[derive(Debug)]
enum Sound {
    /// All but these.
    AllBut(Vec<usize>),
    /// Those before this one.
    Before(usize),
}

impl Text {
    /// Reads a file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, Problem> {
        let mut bytes = Vec::new();
        let read = open(path)
            .and_then(|file| file.take(limits::config::CONFIG + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, &error)),
            Ok(_) => {}
        }
        if bytes.len() as u64 > limits::config::CONFIG {
            return Err(Problem::new(Source::File(path.into()), "the file is larger than 1 MiB"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Self::new(path, text))),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + valid.iter().filter(|b| **b == b'\n').count();
                let text = "the text is not UTF-8";
                Err(Problem::new(Source::Line(path.into(), line), text))
            }
        }
    }

    /// A text that was read from `path`.
    pub fn new(path: &Path, text: String) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        let lines = core::iter::once(0).chain(ends).collect();
        Self { path: path.into(), text, lines }
    }

    /// The line, from 1, in which byte `at` stands.
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// The line of byte `at` as a source.
    pub fn source(&self, at: usize) -> Source {
        Source::Line(self.path.clone(), self.line(at))
    }

    /// Reads the TOML; every mistake is a problem, the first one in each line.
    pub fn parse(&self) -> Parsed<'_> {
        let (table, mut errors) = DeTable::parse_recoverable(&self.text);
        errors.sort_unstable_by_key(|error| error.span().map_or(0, |span| span.start));
        let mut problems = Vec::new();
        let (mut wrong, mut shifted) = (Vec::new(), None);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let line = self.line(at);
            if !self.keeps_to_its_line(&error, at) && shifted.is_none() {
                shifted = Some(line);
            }
            if wrong.last() != Some(&line) && problems.len() < limits::config::PROBLEMS {
                problems.push(self.problem(&error, at));
            }
            wrong.push(line);
        }
        let sound = match shifted {
            Some(_) => Sound::Before(wrong[0]),
            None => Sound::AllBut(wrong),
        };
        Parsed { table: table.into_inner(), problems, sound }
    }

    fn problem(&self, error: &Error, at: usize) -> Problem {
        let line = self.line(at);
        let before = self.text.get(self.lines[line - 1]..at).unwrap_or_default();
        let column = before.chars().count() + 1;
        let message: String = match error.message() {
            message if message.starts_with("invalid boolean") => WORD.into(),
            message if message.starts_with("string values must be quoted") => TEXT.into(),
            message => message.replace(|c: char| c.is_control(), " "),
        };
        Problem::new(Source::Column(self.path.clone(), line, column), message)
    }

    /// Whether the mistake is one of a value and leaves the meaning of other lines alone.
    fn keeps_to_its_line(&self, error: &Error, at: usize) -> bool {
        let start = self.lines[self.line(at) - 1];
        let before = self.text.get(start..at).unwrap_or_default();
        let header = self.text[start..].trim_start().starts_with('[');
        let value = before.contains('=') || error.message().starts_with("duplicate key");
        value && !header && LOCAL.iter().any(|local| error.message().starts_with(local))
    }
}

impl Parsed<'_> {
    /// Whether what stands in this line means what it seems to.
    pub fn sound(&self, line: usize) -> bool {
        match &self.sound {
            Sound::AllBut(wrong) => wrong.binary_search(&line).is_err(),
            Sound::Before(first) => line < *first,
        }
    }
}

/// A file or folder that the system does not let us read.
pub fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let text = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => {
            "it may not be read: it must belong to the user of the service".into()
        }
        io::ErrorKind::IsADirectory => "it is a folder".into(),
        _ => format!("it cannot be read ({error})"),
    };
    let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
    Problem { source: Source::File(path.into()), text, forbidden }
}

/// Opens a file that is read whole, perhaps by the loop that serves players. A pipe is none: who
/// opens it waits until somebody writes.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.file_type().is_fifo() {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, and no file")),
        false => Ok(file),
    }
}

/// For a bare word: the parser takes one that begins with `t` or `f` for a misspelt boolean.
const WORD: &str = "expected true, false or a string in quotes";

/// For a bare text.
const TEXT: &str = "expected a string in quotes";

/// Beginnings of the parser's messages after which the next line is read as it was meant.
const LOCAL: [&str; 4] =
    ["string values must be quoted", "invalid boolean", "invalid basic string", "duplicate key"];

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let text = Text::new(Path::new("n.toml"), text.into());
        text.parse().problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_mistake_in_the_toml_is_named_with_line_and_column() {
        assert_eq!(
            problems("[cache]\nmemory = 48 MiB\n[log\nlevel = \"info\"\n"),
            [
                "n.toml:2:10: expected a string in quotes",
                "n.toml:3:5: unclosed table, expected `]`",
            ]
        );
        assert_eq!(problems("a = 1\na = 2\n"), ["n.toml:2:1: duplicate key"]);
        assert_eq!(problems("ä = 1\n")[0].split(' ').next(), Some("n.toml:1:1:"));
        assert_eq!(problems(""), [""; 0]);
    }

    #[test]
    fn only_a_mistake_within_a_value_leaves_the_rest_readable() {
        let lines = |text: &str| {
            let text = Text::new(Path::new("n.toml"), text.into());
            let parsed = text.parse();
            (1..=3).filter(|line| parsed.sound(*line)).collect::<Vec<_>>()
        };
        assert_eq!(lines("a = 1\nb = tru\nc = 3\n"), [1, 3]);
        assert_eq!(lines("a = 1\n[b\nc = 3\n"), [1]);
        assert_eq!(lines("a = 1\nb = [1,\nc = 3\n"), [1, 2]);
        assert_eq!(lines("a = 1\nb = 2\nc = 3\n"), [1, 2, 3]);
    }

    #[test]
    fn every_byte_has_its_line() {
        let text = Text::new(Path::new("n"), "a\n\nb".into());
        let lines: Vec<_> = (0..5).map(|at| text.line(at)).collect();
        assert_eq!(lines, [1, 1, 2, 3, 3]);
    }
}

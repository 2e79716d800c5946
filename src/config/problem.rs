//! What is wrong or odd in the configuration, and where it stands.

use core::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Built in.
    #[default]
    Default,
    /// A file as a whole, such as one that cannot be read.
    File(PathBuf),
    /// A line of a file; the first line is 1.
    Line(PathBuf, usize),
    /// Line and column of a file, in characters; the first column is 1.
    Column(PathBuf, usize, usize),
    /// A flag of the command line, with its dashes.
    Flag(&'static str),
}

/// A reason for which the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub source: Source,
    /// Key, what was expected and what was found: one phrase.
    pub text: String,
    /// Whether the system refused access, rather than the text being wrong.
    pub forbidden: bool,
}

/// Something that works and is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where the value comes from that is odd.
    pub source: Source,
    /// The key, such as `cache.disk` or `origin.tv.url`.
    pub key: String,
    /// What is odd and what follows from it: one phrase.
    pub text: String,
}

impl Problem {
    /// A fault in what is written.
    pub fn new(source: Source, text: impl Into<String>) -> Self {
        Self { source, text: text.into(), forbidden: false }
    }

    /// Whether the text is no TOML there, rather than TOML with another meaning than wanted.
    pub fn of_syntax(&self) -> bool {
        matches!(self.source, Source::Column(..))
    }
}

impl Source {
    /// The line in its file; zero for what is no line.
    pub fn line(&self) -> usize {
        match self {
            Self::Line(_, line) | Self::Column(_, line, _) => *line,
            Self::Default | Self::File(_) | Self::Flag(_) => 0,
        }
    }
}

/// The exit code that a failed start ends with: 77 where access was refused, else 78.
pub fn exit_code(problems: &[Problem]) -> u8 {
    if problems.iter().any(|problem| problem.forbidden) { 77 } else { 78 }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file's name may hold a line break; a message and a comment may not.
        let clean =
            |path: &PathBuf| path.to_string_lossy().replace(|c: char| c.is_control(), "\u{fffd}");
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(&clean(path)),
            Self::Line(path, line) => write!(f, "{}:{line}", clean(path)),
            Self::Column(path, line, column) => write!(f, "{}:{line}:{column}", clean(path)),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.text)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.source, self.key, self.text)
    }
}

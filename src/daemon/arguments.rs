//! The command line: what it asks for, or why it asks for nothing we know.

use core::fmt;
use std::ffi::OsString;

use lexopt::Arg;

use crate::config::layers::Flags;
use crate::config::nearest::nearest;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run until a signal ends it.
    Run(Flags),
    /// Print the effective configuration and what is odd about it.
    Check {
        /// The layer above the files.
        flags: Flags,
        /// Print only what is wrong or odd.
        quiet: bool,
    },
    /// Ask the running neap how it does.
    Status {
        /// The layer above the files; the control socket's path comes from there.
        flags: Flags,
        /// Print JSON, for machines.
        json: bool,
    },
    /// Forget what was written on this device.
    Reset {
        /// The layer above the files; the cache's folder comes from there.
        flags: Flags,
        /// Do not ask.
        yes: bool,
    },
    /// Print [`HELP`].
    Help,
    /// Print [`VERSION`].
    Version,
}

/// Why a command line cannot be obeyed: one phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; 'neap --help' shows what there is", self.0)
    }
}

impl Command {
    /// Reads the arguments behind the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Usage> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut seen = Seen::default();
        while let Some(argument) = parser.next().map_err(|error| usage(&error))? {
            let flag = match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(Self::Help),
                Arg::Short('V') | Arg::Long("version") => return Ok(Self::Version),
                Arg::Value(word) => {
                    seen.word(&word.to_string_lossy())?;
                    continue;
                }
                Arg::Short(letter) => format!("-{letter}"),
                Arg::Long(name) => format!("--{name}"),
            };
            seen.flag(&flag, &mut parser)?;
        }
        seen.command()
    }
}

/// The arguments so far.
#[derive(Default)]
struct Seen {
    word: Option<&'static str>,
    flags: Flags,
    json: bool,
    quiet: bool,
    yes: bool,
}

impl Seen {
    fn word(&mut self, word: &str) -> Result<(), Usage> {
        if self.word.is_some() {
            return Err(Usage(format!("'{}' is one word too many", clean(word))));
        }
        let known = WORDS.into_iter().find(|known| *known == word);
        self.word = Some(known.ok_or_else(|| unknown("command", word, &WORDS))?);
        Ok(())
    }

    fn flag(&mut self, flag: &str, parser: &mut lexopt::Parser) -> Result<(), Usage> {
        let mut value = || parser.value().map_err(|error| usage(&error));
        let text = |value: OsString| {
            value.into_string().map_err(|_| Usage(format!("the value of '{flag}' is not UTF-8")))
        };
        match flag {
            "--config" | "-c" if self.flags.config.is_some() => {
                return Err(Usage(format!("'{flag}' stands twice")));
            }
            "--config" | "-c" => self.flags.config = Some(value()?.into()),
            "--origin" => self.flags.origins.push(text(value()?)?),
            "--listen" => self.flags.listen.push(text(value()?)?),
            "--log-level" => self.flags.level = Some(text(value()?)?),
            "--verbose" | "-v" => self.flags.verbose = true,
            "--json" => self.json = true,
            "--quiet" | "-q" => self.quiet = true,
            "--yes" => self.yes = true,
            _ => return Err(unknown("flag", flag, &FLAGS)),
        }
        Ok(())
    }

    fn command(self) -> Result<Command, Usage> {
        let Self { word, flags, json, quiet, yes } = self;
        if json && word != Some("status") {
            return Err(Usage("'--json' belongs to 'neap status'".into()));
        }
        if quiet && word != Some("check") {
            return Err(Usage("'--quiet' belongs to 'neap check'".into()));
        }
        if yes && word != Some("reset") {
            return Err(Usage("'--yes' belongs to 'neap reset'".into()));
        }
        Ok(match word {
            Some("reset") => Command::Reset { flags, yes },
            Some("check") => Command::Check { flags, quiet },
            Some("status") => Command::Status { flags, json },
            _ => Command::Run(flags),
        })
    }
}

fn unknown(what: &str, found: &str, known: &[&'static str]) -> Usage {
    let near = nearest(found, known.iter().copied());
    let meant = near.map(|near| format!(", did you mean '{near}'?"));
    Usage(format!("unknown {what} '{}'{}", clean(found), meant.unwrap_or_default()))
}

fn usage(error: &lexopt::Error) -> Usage {
    Usage(clean(&error.to_string()))
}

/// One line, whatever was typed.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

const WORDS: [&str; 3] = ["check", "reset", "status"];

const FLAGS: [&str; 10] = [
    "--config",
    "--origin",
    "--listen",
    "--log-level",
    "--verbose",
    "--quiet",
    "--json",
    "--yes",
    "--help",
    "--version",
];

/// What `neap --version` prints.
pub const VERSION: &str = concat!("neap ", env!("CARGO_PKG_VERSION"), "\n");

/// What `neap --help` prints: at most 80 columns.
pub const HELP: &str = "\
neap fetches each video segment once, for every player on this device.

Usage:
  neap [FLAGS]                  run until SIGTERM; SIGHUP reads the files anew
  neap check [--quiet] [FLAGS]  print what is configured and where it came from
  neap status [--json] [FLAGS]  print how the running neap does
  neap reset [--yes] [FLAGS]    forget what is on disk, after asking

Flags:
  -c, --config FILE        read FILE and FILE.d/*.toml in place of
                           /etc/neap/neap.toml and /etc/neap/neap.toml.d/*.toml
      --origin [NAME=]URL  add an origin; without NAME it is called after its
                           host (may be repeated)
      --listen ADDR:PORT   listen for players here (may be repeated)
      --log-level LEVEL    error, warn, info, debug or trace
  -v, --verbose            the same as --log-level debug
  -q, --quiet              check: print only what is wrong or odd
      --json               status: print JSON
      --yes                reset: do not ask
  -h, --help               print this
  -V, --version            print the version

Example:
  neap --origin tv=https://cdn.example.com/live/
  A player then opens http://127.0.0.1:8642/tv/channel1/index.m3u8
  and gets https://cdn.example.com/live/channel1/index.m3u8.

Exit codes: 0 done, 70 fault in neap, 77 access refused, 78 wrong configuration
or command line. All keys of the file: /etc/neap/neap.toml.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words = line.split_whitespace().map(OsString::from);
        Command::parse(words).map_err(|usage| usage.0)
    }

    #[test]
    fn every_command_is_understood() {
        let none = Flags::default();
        assert_eq!(parse(""), Ok(Command::Run(none.clone())));
        assert_eq!(parse("check"), Ok(Command::Check { flags: none.clone(), quiet: false }));
        assert_eq!(parse("check -q"), Ok(Command::Check { flags: none.clone(), quiet: true }));
        assert_eq!(parse("--json status"), Ok(Command::Status { flags: none, json: true }));
        let none = Flags::default();
        assert_eq!(parse("reset --yes"), Ok(Command::Reset { flags: none, yes: true }));
        assert_eq!(parse("status --help --nonsense"), Ok(Command::Help));
        assert_eq!(parse("-V"), Ok(Command::Version));
    }

    #[test]
    fn every_flag_is_understood() {
        let flags = Flags {
            config: Some("/a.toml".into()),
            origins: vec!["a=http://a/".into(), "http://b/".into()],
            listen: vec!["[::1]:1".into(), "127.0.0.1:1".into()],
            level: Some("warn".into()),
            verbose: true,
        };
        let line = "--config=/a.toml --origin a=http://a/ --origin http://b/ --listen [::1]:1 \
                    --listen=127.0.0.1:1 --log-level warn -v";
        assert_eq!(parse(line), Ok(Command::Run(flags)));
    }

    #[test]
    fn wrong_usage_is_one_line() {
        for (line, fault) in [
            ("chek", "unknown command 'chek', did you mean 'check'?"),
            ("run", "unknown command 'run'"),
            ("check status", "'status' is one word too many"),
            ("--orign x", "unknown flag '--orign', did you mean '--origin'?"),
            ("-x", "unknown flag '-x'"),
            ("--config", "missing argument for option '--config'"),
            ("--verbose=yes", "unexpected argument for option '--verbose': \"yes\""),
            ("-c a -c b", "'-c' stands twice"),
            ("--json", "'--json' belongs to 'neap status'"),
            ("--yes", "'--yes' belongs to 'neap reset'"),
            ("status --quiet", "'--quiet' belongs to 'neap check'"),
        ] {
            assert_eq!(parse(line), Err(fault.into()), "{line}");
        }
        let usage = Command::parse(["a\nb".into()]).expect_err("no such command");
        assert!(!usage.to_string().contains('\n'));
    }

    #[test]
    fn a_value_that_is_not_utf_8_is_refused_except_in_paths() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = || OsString::from_vec(vec![b'/', 0xff]);
        let refused = Command::parse(["--origin".into(), bytes()]);
        assert_eq!(refused, Err(Usage("the value of '--origin' is not UTF-8".into())));
        let taken = Command::parse(["--config".into(), bytes()]);
        let flags = Flags { config: Some(bytes().into()), ..Flags::default() };
        assert_eq!(taken, Ok(Command::Run(flags)));
    }

    #[test]
    fn the_help_fits_a_terminal_and_names_every_flag() {
        assert!(HELP.lines().all(|line| line.chars().count() <= 80));
        for word in FLAGS.iter().chain(&WORDS) {
            assert!(HELP.contains(word), "{word}");
        }
    }
}

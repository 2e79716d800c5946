//! The command line: what it asks for, or why it asks for nothing we know.

use core::fmt;
use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg;

use crate::base::control::Control;
use crate::base::peer::NodeKey;
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
    /// Tell the running neap what to do.
    Control {
        /// The layer above the files; the control socket's path comes from there.
        flags: Flags,
        /// What.
        control: Control,
    },
    /// Fit the power model to a meter.
    Calibrate(Flags),
    /// Print what was given and taken.
    Ledger(Flags),
    /// Print the operator's word on who shares.
    Switch {
        /// The layer above the files; the network's name comes from there.
        flags: Flags,
        /// So many of a hundred nodes.
        percent: u8,
        /// For how long.
        days: u32,
        /// The operator's key.
        key: PathBuf,
    },
    /// Print this node's key.
    Key {
        /// The layer above the files; the state directory comes from there.
        flags: Flags,
        /// Make a new one first.
        new: bool,
    },
    /// Print an admission of a node to the network.
    Admit {
        /// The layer above the files; the operator's key comes from there unless it is named.
        flags: Flags,
        /// The node's key.
        node: NodeKey,
        /// For how long.
        days: u32,
        /// The operator's key.
        key: Option<PathBuf>,
    },
    /// Make the records of a publisher's media.
    Sign(Sign),
    /// Forget what was written on this device.
    Reset {
        /// The layer above the files; the cache's folder comes from there.
        flags: Flags,
        /// Do not ask.
        yes: bool,
    },
    /// Print [`super::help::HELP`].
    Help,
    /// Print [`super::help::VERSION`].
    Version,
}

/// What `neap sign` is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sign {
    /// The file with the key that signs.
    pub key: PathBuf,
    /// The origin, as a name, a URL, or both.
    pub origin: Option<String>,
    /// The URL or path of the folder at the origin.
    pub base: Option<String>,
    /// How long the records are valid.
    pub valid: Option<String>,
    /// Folders, playlists and media files.
    pub paths: Vec<PathBuf>,
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
                Arg::Value(word) if seen.word.is_none() && word == "help" => return Ok(Self::Help),
                Arg::Value(word) if seen.word.is_none() && word == "version" => {
                    return Ok(Self::Version);
                }
                Arg::Value(word) => {
                    seen.word(word)?;
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
    new: bool,
    node: Option<NodeKey>,
    days: Option<u32>,
    key: Option<PathBuf>,
    sign: Sign,
    yes: bool,
    /// Whether sharing is on, as `neap sharing` is told.
    on: Option<bool>,
    forget: bool,
    percent: Option<u8>,
    operator: Option<PathBuf>,
    line: Option<String>,
}

impl Seen {
    fn word(&mut self, word: OsString) -> Result<(), Usage> {
        if self.word == Some("sign") {
            self.sign.paths.push(word.into());
            return Ok(());
        }
        let word = word.to_string_lossy();
        if self.word == Some("admit") && self.node.is_none() {
            let node = word.parse().map_err(|why| Usage(format!("'{}': {why}", clean(&word))))?;
            self.node = Some(node);
            return Ok(());
        }
        if self.word == Some("sharing") && self.on.is_none() {
            let found = || Usage(format!("{SHARING}, found '{}'", clean(&word)));
            self.on = Some(word == "on");
            return if word == "on" || word == "off" { Ok(()) } else { Err(found()) };
        }
        if self.word.is_some() {
            return Err(Usage(format!("'{}' is one word too many", clean(&word))));
        }
        let known = WORDS.into_iter().find(|known| *known == word);
        self.word = Some(known.ok_or_else(|| unknown("command", &word, &WORDS))?);
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
            "--base" => self.sign.base = Some(text(value()?)?),
            "--valid" => self.sign.valid = Some(text(value()?)?),
            "--json" => self.json = true,
            "--quiet" | "-q" => self.quiet = true,
            "--new" => self.new = true,
            "--key" => self.key = Some(value()?.into()),
            "--days" => {
                let days = text(value()?)?;
                let number = days.parse().ok().filter(|days| (1..=36_500).contains(days));
                let wrong = || Usage(format!("'--days {}' is no number of days", clean(&days)));
                self.days = Some(number.ok_or_else(wrong)?);
            }
            "--yes" => self.yes = true,
            "--forget" => self.forget = true,
            "--percent" => {
                let percent = text(value()?)?;
                let number = percent.parse().ok().filter(|percent| *percent <= 100);
                let wrong = || Usage(format!("'--percent {}' is not 0 to 100", clean(&percent)));
                self.percent = Some(number.ok_or_else(wrong)?);
            }
            "--operator-key" => self.operator = Some(value()?.into()),
            "--apply" => self.line = Some(text(value()?)?),
            _ => return Err(unknown("flag", flag, &FLAGS)),
        }
        Ok(())
    }

    fn command(self) -> Result<Command, Usage> {
        let told = self.control()?;
        let Self { word, flags, json, quiet, yes, new, node, days, key, sign, .. } = self;
        if json && word != Some("status") {
            return Err(Usage("'--json' belongs to 'neap status'".into()));
        }
        if quiet && word != Some("check") {
            return Err(Usage("'--quiet' belongs to 'neap check'".into()));
        }
        if yes && word != Some("reset") {
            return Err(Usage("'--yes' belongs to 'neap reset'".into()));
        }
        if new && word != Some("key") {
            return Err(Usage("'--new' belongs to 'neap key'".into()));
        }
        if days.is_some() && !matches!(word, Some("admit" | "switch")) {
            return Err(Usage("'--days' belongs to 'neap admit' and 'neap switch'".into()));
        }
        if key.is_some() && !matches!(word, Some("admit" | "sign")) {
            return Err(Usage("'--key' belongs to 'neap admit' and 'neap sign'".into()));
        }
        if word == Some("sign") {
            return signing(sign, key, flags).map(Command::Sign);
        }
        if sign != Sign::default() {
            return Err(Usage("'--base' and '--valid' belong to 'neap sign'".into()));
        }
        Ok(match word {
            Some("key") => Command::Key { flags, new },
            Some("admit") => {
                let node = node.ok_or_else(|| Usage("'neap admit' wants a node's key".into()))?;
                Command::Admit { flags, node, days: days.unwrap_or(YEAR), key }
            }
            Some("reset") => Command::Reset { flags, yes },
            Some("check") => Command::Check { flags, quiet },
            Some("status") => Command::Status { flags, json },
            Some("calibrate") => Command::Calibrate(flags),
            Some("standby" | "wake" | "sharing" | "ledger" | "switch") => match told {
                Some(control) => Command::Control { flags, control },
                None if word == Some("ledger") => Command::Ledger(flags),
                None => {
                    let wants = "'neap switch' wants '--percent N' and '--operator-key FILE', or \
                                 '--apply LINE'";
                    let percent = self.percent.ok_or_else(|| Usage(wants.into()))?;
                    let key = self.operator.ok_or_else(|| Usage(wants.into()))?;
                    Command::Switch { flags, percent, days: days.unwrap_or(WEEK), key }
                }
            },
            _ => Command::Run(flags),
        })
    }
}

impl Seen {
    /// What the running neap is to be told; nothing where the command only prints.
    fn control(&self) -> Result<Option<Control>, Usage> {
        let only = |word, flag: &str, given: bool| match given && self.word != Some(word) {
            true => Err(Usage(format!("'{flag}' belongs to 'neap {word}'"))),
            false => Ok(()),
        };
        only("ledger", "--forget", self.forget)?;
        only("switch", "--percent", self.percent.is_some())?;
        only("switch", "--operator-key", self.operator.is_some())?;
        only("switch", "--apply", self.line.is_some())?;
        Ok(match self.word {
            Some("standby") => Some(Control::Standby),
            Some("wake") => Some(Control::Wake),
            Some("sharing") => {
                let wants = || Usage(SHARING.into());
                Some(Control::Sharing { on: self.on.ok_or_else(wants)? })
            }
            Some("ledger") => self.forget.then_some(Control::ForgetLedger),
            Some("switch") => self.line.clone().map(|line| Control::Switch { line }),
            _ => None,
        })
    }
}

fn signing(sign: Sign, key: Option<PathBuf>, flags: Flags) -> Result<Sign, Usage> {
    let missing = || Usage("'neap sign' needs '--key FILE', a key that 'neap key' made".into());
    let key = key.ok_or_else(missing)?;
    if sign.paths.is_empty() {
        return Err(Usage("'neap sign' needs a folder, a playlist or media files".into()));
    }
    let mut origins = flags.origins.into_iter();
    let origin = origins.next();
    if origins.next().is_some() {
        return Err(Usage("'neap sign' signs for one '--origin' at a time".into()));
    }
    Ok(Sign { key, origin, ..sign })
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

const SHARING: &str = "'neap sharing' wants 'on' or 'off'";

/// Days of an admission that says nothing else.
const YEAR: u32 = 365;

/// Days of a switch that says nothing else: what is forgotten ends.
const WEEK: u32 = 7;

const WORDS: [&str; 12] = [
    "check",
    "status",
    "standby",
    "wake",
    "calibrate",
    "sharing",
    "ledger",
    "switch",
    "sign",
    "key",
    "admit",
    "reset",
];

const FLAGS: [&str; 19] = [
    "--config",
    "--origin",
    "--listen",
    "--log-level",
    "--verbose",
    "--quiet",
    "--json",
    "--new",
    "--days",
    "--key",
    "--base",
    "--valid",
    "--yes",
    "--forget",
    "--percent",
    "--operator-key",
    "--apply",
    "--help",
    "--version",
];

#[cfg(test)]
mod tests {
    use super::super::help::HELP;
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
        let call = |control| Command::Control { flags: none.clone(), control };
        assert_eq!(parse("standby"), Ok(call(Control::Standby)));
        assert_eq!(parse("calibrate"), Ok(Command::Calibrate(none.clone())));
        assert_eq!(parse("wake"), Ok(call(Control::Wake)));
        assert_eq!(parse("sharing off"), Ok(call(Control::Sharing { on: false })));
        assert_eq!(parse("ledger --forget"), Ok(call(Control::ForgetLedger)));
        assert_eq!(parse("ledger"), Ok(Command::Ledger(none.clone())));
        let line = "switch:00".into();
        assert_eq!(parse("switch --apply switch:00"), Ok(call(Control::Switch { line })));
        let flags = none.clone();
        let switch = Command::Switch { flags, percent: 10, days: 2, key: "/k".into() };
        assert_eq!(parse("switch --percent 10 --operator-key /k --days 2"), Ok(switch));
        for wrong in ["sharing", "switch", "switch --percent 101", "key --forget"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("--json status"), Ok(Command::Status { flags: none, json: true }));
        let none = Flags::default();
        assert_eq!(parse("reset --yes"), Ok(Command::Reset { flags: none, yes: true }));
        assert_eq!(parse("status --help --nonsense"), Ok(Command::Help));
        let sign = Sign {
            key: "k".into(),
            origin: Some("tv".into()),
            base: Some("/ch1/".into()),
            valid: None,
            paths: vec!["a".into(), "sign".into()],
        };
        let line = "--key k sign a --origin tv sign --base=/ch1/";
        assert_eq!(parse(line), Ok(Command::Sign(sign)));
        assert_eq!(parse("-V"), Ok(Command::Version));
        assert_eq!((parse("help"), parse("version")), (Ok(Command::Help), Ok(Command::Version)));
        let flags = Flags::default;
        assert_eq!(parse("key"), Ok(Command::Key { flags: flags(), new: false }));
        assert_eq!(parse("key --new"), Ok(Command::Key { flags: flags(), new: true }));
        let node = NodeKey([0xa5; 32]);
        let admit = |days, key| Command::Admit { flags: flags(), node, days, key };
        assert_eq!(parse(&format!("admit {node}")), Ok(admit(365, None)));
        let line = format!("admit {node} --days 30 --key /op.key");
        assert_eq!(parse(&line), Ok(admit(30, Some("/op.key".into()))));
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
            ("check help", "'help' is one word too many"),
            ("sharing", "'neap sharing' wants 'on' or 'off'"),
            ("sharing maybe", "'neap sharing' wants 'on' or 'off', found 'maybe'"),
            ("sharing on off", "'off' is one word too many"),
            ("--orign x", "unknown flag '--orign', did you mean '--origin'?"),
            ("-x", "unknown flag '-x'"),
            ("--config", "missing argument for option '--config'"),
            ("--verbose=yes", "unexpected argument for option '--verbose': \"yes\""),
            ("-c a -c b", "'-c' stands twice"),
            ("--json", "'--json' belongs to 'neap status'"),
            ("--yes", "'--yes' belongs to 'neap reset'"),
            ("status --quiet", "'--quiet' belongs to 'neap check'"),
            ("status --new", "'--new' belongs to 'neap key'"),
            ("key --days 3", "'--days' belongs to 'neap admit' and 'neap switch'"),
            ("admit", "'neap admit' wants a node's key"),
            (
                "admit x --days 0",
                "'x': expected 'ed25519:' and 64 hex digits, as 'neap key' prints them",
            ),
            ("key a", "'a' is one word too many"),
            ("admit --days 0", "'--days 0' is no number of days"),
            ("status --key k", "'--key' belongs to 'neap admit' and 'neap sign'"),
            ("status --base b", "'--base' and '--valid' belong to 'neap sign'"),
            ("sign a", "'neap sign' needs '--key FILE', a key that 'neap key' made"),
            ("sign --key k", "'neap sign' needs a folder, a playlist or media files"),
            (
                "sign --key k --origin a --origin b c",
                "'neap sign' signs for one '--origin' at a time",
            ),
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

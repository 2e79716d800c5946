//! The binary: arguments in, exit code out.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use neap::daemon::arguments::Command;
use neap::daemon::calibrate::command::calibrate;
use neap::daemon::check::{Outcome, check};
use neap::daemon::help::{HELP, VERSION};
use neap::daemon::sign::command::sign;
use neap::daemon::{control, key, ledger, reset, start, status};

fn main() -> ExitCode {
    let said = |out: &str| Outcome { out: out.into(), ..Outcome::default() };
    let outcome = match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => said(HELP),
        Ok(Command::Version) => said(VERSION),
        Ok(Command::Check { flags, quiet }) => check(&Default::default(), &flags, quiet),
        Ok(Command::Run(flags)) => start::run(&Default::default(), &flags),
        Ok(Command::Sign(wanted)) => sign(&wanted),
        Ok(Command::Reset { flags, yes }) => {
            let from = (&Default::default(), &flags);
            reset::outcome(from, yes, &mut std::io::stdin().lock(), &mut std::io::stderr())
        }
        Ok(Command::Status { flags, json }) => status::outcome(&Default::default(), &flags, json),
        Ok(Command::Control { flags, control }) => {
            control::outcome(&Default::default(), &flags, &control)
        }
        Ok(Command::Ledger(flags)) => ledger::outcome(&Default::default(), &flags),
        Ok(Command::Switch { flags, percent, days, key }) => {
            key::switch(&Default::default(), &flags, (percent, days, &key))
        }
        Ok(Command::Calibrate(flags)) => {
            let (input, out) = (&mut std::io::stdin().lock(), &mut std::io::stderr());
            calibrate(&Default::default(), &flags, input, out)
        }
        Ok(Command::Key { flags, new }) => key::print(&Default::default(), &flags, new),
        Ok(Command::Admit { flags, node, days, key }) => {
            let admit = key::Admit { node, days, key };
            key::admit(&Default::default(), &flags, &admit)
        }
        Err(usage) => Outcome { err: format!("neap: {usage}\n"), code: 78, ..Outcome::default() },
    };
    let mut out = std::io::stdout();
    let said = out.write_all(outcome.out.as_bytes()).and_then(|()| out.flush());
    let _ = std::io::stderr().write_all(outcome.err.as_bytes());
    match said {
        // Whoever reads along may have gone (`neap check | head`): that is no fault of ours.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "neap: standard output: {error}");
            ExitCode::from(outcome.code.max(70))
        }
        _ => ExitCode::from(outcome.code),
    }
}

//! What the machine does when it is told to: standby and back.

use super::event::Output;
use super::machine::Machine;
use crate::base::control::{Control, Told};

impl Machine {
    /// Does what a call says.
    pub(super) fn on_control(&mut self, control: &Control) {
        match control {
            Control::Standby => self.rest(),
            Control::Wake => self.wake(),
            Control::Sharing { on } => self.set_sharing(*on),
            Control::ForgetLedger => self.forget_ledger(),
            Control::Switch { line } => self.call_switch(line),
        }
    }

    /// What the operator is told of a call that was just handed in.
    pub fn told(&self, control: &Control) -> Told {
        match control {
            Control::Standby => Ok("neap is in standby: it sends nothing and sets no timer until \
                                    a player asks or 'neap wake' comes"
                .into()),
            Control::Wake => Ok("neap is awake".into()),
            Control::Sharing { on } if !self.config.network.exists() => {
                let none = "no network is configured (network.name), so nothing is shared";
                match on {
                    true => Err(none.into()),
                    false => Ok(format!("{none}; with one, nothing is until 'neap sharing on'")),
                }
            }
            Control::Sharing { on: false } => {
                Ok("nothing is taken from other nodes and nothing is \
                                                  given to them, until 'neap sharing on'"
                    .into())
            }
            Control::Sharing { on: true } if !self.config.sharing.enabled => {
                Err("sharing.enabled is false in the configuration, and goes before a call".into())
            }
            Control::Sharing { on: true } => match &self.network_fault {
                None => Ok("neap shares as its configuration says".into()),
                Some(fault) => {
                    Err(format!("nothing is shared: {fault}; restart neap once that is mended"))
                }
            },
            Control::ForgetLedger => Ok("the ledger is empty".into()),
            Control::Switch { line } => self.told_switch(line),
        }
    }

    /// Whether the node is in standby.
    pub const fn is_resting(&self) -> bool {
        self.resting
    }

    /// Goes into standby: links end in order, and nothing is wanted any more that no player
    /// waits for.
    pub(super) fn rest(&mut self) {
        if self.resting {
            return;
        }
        self.resting = true;
        self.say(log::Level::Info, "standby: nothing is sent and no timer is set".into());
        self.configure_swarm();
        let ahead = self.fetches.iter().filter(|(_, fetch)| fetch.followers.is_empty());
        for fetch in ahead.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.put(Output::Cancel { fetch });
            self.forget(fetch);
        }
        self.put(Output::Rest);
    }

    /// Comes back from standby: the swarm begins anew.
    pub(super) fn wake(&mut self) {
        if !self.resting {
            return;
        }
        self.resting = false;
        self.say(log::Level::Info, "awake again".into());
        self.put(Output::Wake);
        self.configure_swarm();
    }
}

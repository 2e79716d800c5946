//! Whether this node shares at all: its owner's word, and the operator's switch, which goes from
//! node to node.

use super::event::Output;
use super::machine::Machine;
use super::peering::Parting;
use super::report::FaultKind;
use crate::base::control::Told;
use crate::base::limits;
use crate::base::page::Page;
use crate::base::peer::PeerId;
use crate::base::time::Date;
use crate::wire::message::Message;
use crate::wire::switch::Switch;

/// What was said of sharing beside the configuration; it outlives a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Consent {
    /// The owner switched sharing off by a call.
    pub(super) refused: bool,
    /// What was noted of it cannot be read: it may have been switched off.
    pub(super) is_lost: bool,
    /// The operator's last word.
    switch: Option<Switch>,
}

impl Consent {
    /// As it is written down.
    fn to_text(&self) -> String {
        let owner = if self.refused { "off" } else { "on" };
        let switch = self.switch.as_ref().map(|switch| format!("{switch}\n"));
        format!("{HEAD}\n{owner}\n{}", switch.unwrap_or_default())
    }

    /// The owner's word is the second line in every version.
    fn of(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let head = lines.next().filter(|head| head.starts_with(NAME))?;
        let refused = match lines.next()? {
            "off" => true,
            "on" => false,
            _ => return None,
        };
        let switch = lines.next().filter(|_| head == HEAD).and_then(Switch::parse);
        Some(Self { refused, is_lost: false, switch })
    }
}

impl Machine {
    /// Whether there are peers for this node: a network that is configured, and nobody who has
    /// switched sharing off.
    pub fn may_share_at_all(&self) -> bool {
        let on = self.config.network.exists() && self.config.sharing.enabled;
        on && !self.resting && !self.consent.refused && !self.consent.is_lost
    }

    /// The owner switches sharing on or off.
    pub(super) fn set_sharing(&mut self, on: bool) {
        if self.consent.refused == on || self.consent.is_lost {
            (self.consent.refused, self.consent.is_lost) = (!on, false);
            let words = if on { "on" } else { "off" };
            self.say(log::Level::Info, format!("sharing was switched {words} by a call"));
            self.note_consent();
            self.configure_swarm();
        }
    }

    /// Whether the operator's switch keeps this node from sharing now: it stays linked, so that
    /// it hears the next word, and asks for, says and gives nothing.
    pub(super) fn is_muted(&self) -> bool {
        let Some((own, _)) = self.own else { return false };
        let is_over = |switch: &Switch| self.date().is_some_and(|date| switch.expires <= date);
        let holds = self.consent.switch.as_ref().filter(|switch| !is_over(switch));
        holds.is_some_and(|switch| !switch.lets_share(own))
    }

    /// The operator's last word, as far as it outranks others and is passed on. One that was taken
    /// while no date was known and bears one to come does not, but is obeyed till there is another:
    /// it may be the clock that is behind, and who was switched off is not to share meanwhile.
    fn known_switch(&self) -> Option<&Switch> {
        self.consent.switch.as_ref().filter(|switch| !self.is_to_come(switch))
    }

    /// Whether a switch bears a date to come, by this node's clock if that is set.
    fn is_to_come(&self, switch: &Switch) -> bool {
        let made = Date(i64::try_from(switch.sequence).unwrap_or(i64::MAX));
        self.date().is_some_and(|date| made.since(date) > limits::operator::SWITCH_AHEAD)
    }

    /// A switch came by a call.
    pub(super) fn call_switch(&mut self, line: &str) {
        if let Some(switch) = Switch::parse(line) {
            let _ = self.take_switch(switch, None);
        }
    }

    /// What the operator is told of a switch that was just handed in.
    pub(super) fn told_switch(&self, line: &str) -> Told {
        let Some(switch) = Switch::parse(line) else {
            return Err("that is no line as 'neap switch' prints it".into());
        };
        let network = &self.config.network;
        if !switch.holds(&network.operators, &network.name) {
            return Err("the switch is not signed by one of network.operators for this \
                        network: see [network] operators and name"
                .into());
        }
        if self.is_to_come(&switch) {
            return Err(TO_COME.into());
        }
        if self.consent.switch.as_ref() != Some(&switch) {
            return Err("the switch is over, or a later one is known already".into());
        }
        let here = if self.is_muted() { "does not share" } else { "shares" };
        let percent = switch.percent;
        Ok(format!("{percent} of 100 nodes share from now on; this one {here}, and passes it on"))
    }

    /// A peer passes an operator's switch on. A forged one is no mistake; one of an operator whom
    /// this node does not name says nothing of its bringer, who may name more of them.
    pub(super) fn on_switch(&mut self, peer: PeerId, switch: Switch) {
        if self.take_switch(switch, Some(peer)).is_err() {
            self.ban(peer, Parting::Liar("it passed on a switch that no operator signed"));
        }
    }

    /// A new link hears the operator's last word.
    pub(super) fn tell_switch(&mut self, peer: PeerId) {
        if let Some(switch) = self.known_switch().cloned() {
            self.tell(peer, Message::Switch(Box::new(switch)));
        }
    }

    /// Obeys a switch that is newer than the one known, and passes it on to all but its bringer.
    fn take_switch(&mut self, switch: Switch, by: Option<PeerId>) -> Result<(), Forged> {
        let known = self.known_switch().map_or(0, |known| known.sequence);
        let network = &self.config.network;
        if switch.sequence <= known || !switch.concerns(&network.operators, &network.name) {
            return Ok(());
        }
        if !switch.is_signed() {
            return Err(Forged);
        }
        if self.date().is_some_and(|date| switch.expires <= date) {
            return Ok(());
        }
        if self.is_to_come(&switch) {
            self.fault(FaultKind::Peer, TO_COME);
            self.say(log::Level::Warn, TO_COME.into());
            return Ok(());
        }
        let percent = switch.percent;
        self.consent.switch = Some(switch);
        self.note_consent();
        let here = if self.is_muted() { "not here" } else { "here too" };
        let line = format!("the operator lets {percent} of 100 nodes share: {here}");
        self.say(log::Level::Info, line);
        self.obey();
        let Some(swarm) = &self.swarm else { return Ok(()) };
        let others: Vec<_> = swarm.links.keys().copied().filter(|p| Some(*p) != by).collect();
        others.into_iter().for_each(|peer| self.tell_switch(peer));
        Ok(())
    }

    /// Ends what is under way by way of peers, where that may not be any more.
    fn obey(&mut self) {
        if !self.is_muted() {
            return;
        }
        let Some(swarm) = &mut self.swarm else { return };
        swarm.muted = true;
        let resources: Vec<_> = swarm.downloads.keys().copied().collect();
        if let Some(meeting) = &mut swarm.meeting {
            meeting.leave();
        }
        resources.into_iter().for_each(|resource| self.end_download(resource));
    }

    /// What an earlier run wrote down.
    pub(super) fn on_switch_page(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        let noted = Consent::of(text).unwrap_or(Consent { is_lost: true, ..Consent::default() });
        let network = &self.config.network;
        let holds = |switch: &Switch| switch.holds(&network.operators, &network.name);
        self.consent.switch = noted.switch.filter(holds);
        (self.consent.refused, self.consent.is_lost) = (noted.refused, noted.is_lost);
        self.configure_swarm();
    }

    fn note_consent(&mut self) {
        let text = self.consent.to_text();
        self.put(Output::Note { page: Page::Switch, text });
    }
}

/// What is said of a switch that bears a date to come.
const TO_COME: &str = "an operator's switch bears a date more than a day ahead of this device's \
                       clock, so it is not obeyed. Compare the clocks, and make it anew.";

/// Nobody who may has signed it.
struct Forged;

/// How the first line begins, and that line with the version of what follows.
const NAME: &str = "neap switch ";
const HEAD: &str = "neap switch 1";

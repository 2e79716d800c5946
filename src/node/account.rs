//! The ledger as the machine keeps it: what was given and taken, noted now and then, shown, and
//! forgotten when the owner says so.

use super::event::Output;
use super::machine::Machine;
use super::status::Account;
use crate::base::digest::Digest;
use crate::base::limits;
use crate::base::page::Page;
use crate::base::peer::PeerId;
use crate::base::time::Instant;
use crate::engine::peers::ledger::Ledger;

/// The ledger, and when it was last written down.
#[derive(Debug, Default)]
pub(super) struct Books {
    ledger: Ledger,
    noted: Instant,
}

impl Machine {
    /// A peer was given bytes of a resource.
    pub(super) fn book_given(&mut self, peer: PeerId, resource: Digest, bytes: u64) {
        if let Some((origin, tier)) = self.account_of(peer, resource) {
            self.books.ledger.on_given(&origin, tier, bytes);
        }
    }

    /// A peer gave good bytes of a resource.
    pub(super) fn book_taken(&mut self, peer: PeerId, resource: Digest, bytes: u64) {
        if let Some((origin, tier)) = self.account_of(peer, resource) {
            self.books.ledger.on_taken(&origin, tier, bytes);
        }
    }

    fn account_of(
        &self,
        peer: PeerId,
        resource: Digest,
    ) -> Option<(String, crate::base::peer::Tier)> {
        let swarm = self.swarm.as_ref()?;
        let (link, kin) = (swarm.links.get(&peer)?, swarm.kin.get(&resource)?);
        let origin = self.config.origins.get(usize::from(kin.origin.0))?;
        Some((origin.name.clone(), link.tier))
    }

    /// Writes the ledger down if it changed and the last time is a while ago; at the end in any
    /// case. It needs no timer: what is not yet written is written at the end.
    pub(super) fn note_ledger(&mut self, ends: bool) {
        let Books { ledger, noted } = &mut self.books;
        let is_due = ends || self.now - *noted >= limits::device::NOTE;
        if is_due && ledger.take_change() {
            *noted = self.now;
            let text = ledger.to_text();
            self.put(Output::Note { page: Page::Ledger, text });
        }
    }

    /// What an earlier run wrote down.
    pub(super) fn on_ledger_page(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.books.ledger.add_text(text);
        }
    }

    /// The owner wants the ledger forgotten.
    pub(super) fn forget_ledger(&mut self) {
        self.books.ledger.forget();
        self.note_ledger(true);
    }

    /// The ledger for the status.
    pub(super) fn accounts(&self) -> Vec<Account> {
        let account = |(origin, tier, account): (&str, crate::base::peer::Tier, _)| {
            let crate::engine::peers::ledger::Account { given, taken } = account;
            Account {
                origin: origin.into(),
                tier: tier.name().into(),
                given_bytes: given,
                taken_bytes: taken,
            }
        };
        self.books.ledger.accounts().map(account).collect()
    }
}

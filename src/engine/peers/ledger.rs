//! The ledger: bytes given to peers and taken from them, by origin and tier. It is kept on the
//! device, shown to its owner, and forgotten when he says so.

use core::fmt::Write;

use crate::base::limits;
use crate::base::map::Map;
use crate::base::peer::Tier;

/// All accounts of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    accounts: Map<(String, Tier), Account>,
    changed: bool,
}

/// What went to and came from one tier of one origin, in bytes of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Bytes that peers were given.
    pub given: u64,
    /// Bytes that peers gave and that proved to be good.
    pub taken: u64,
}

impl Ledger {
    /// A peer was given something of an origin.
    pub fn on_given(&mut self, origin: &str, tier: Tier, bytes: u64) {
        if let Some(account) = self.account(origin, tier) {
            account.given = account.given.saturating_add(bytes);
        }
    }

    /// A peer gave something of an origin.
    pub fn on_taken(&mut self, origin: &str, tier: Tier, bytes: u64) {
        if let Some(account) = self.account(origin, tier) {
            account.taken = account.taken.saturating_add(bytes);
        }
    }

    fn account(&mut self, origin: &str, tier: Tier) -> Option<&mut Account> {
        self.changed = true;
        let key = (origin.to_owned(), tier);
        if self.accounts.len() >= limits::upload::ACCOUNTS && !self.accounts.contains_key(&key) {
            return None;
        }
        Some(self.accounts.entry(key).or_default())
    }

    /// The accounts, by origin and then from near to far.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, Tier, Account)> {
        self.accounts.iter().map(|((origin, tier), account)| (&**origin, *tier, *account))
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.accounts.clear();
        self.changed = true;
    }

    /// Whether something changed since this was last asked.
    pub const fn take_change(&mut self) -> bool {
        core::mem::replace(&mut self.changed, false)
    }

    /// As it is written down: a line for each account.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for (origin, tier, Account { given, taken }) in self.accounts() {
            let _ = writeln!(text, "{origin} {} {given} {taken}", tier.name());
        }
        text
    }

    /// Adds what was written down before; lines that are none of ours are left out.
    pub fn add_text(&mut self, text: &str) {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return;
        }
        for line in lines.take(limits::upload::ACCOUNTS) {
            let words: Vec<&str> = line.split(' ').collect();
            let [origin, tier, given, taken] = words[..] else { continue };
            let tier = [Tier::Home, Tier::Isp, Tier::Wan].into_iter().find(|t| t.name() == tier);
            let (Some(tier), Ok(given), Ok(taken)) = (tier, given.parse(), taken.parse()) else {
                continue;
            };
            self.on_given(origin, tier, given);
            self.on_taken(origin, tier, taken);
        }
        self.changed = false;
    }
}

/// The first line, with the version of what follows.
const HEAD: &str = "neap ledger 1";

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.on_given("tv", Tier::Wan, 7);
        ledger.on_taken("tv", Tier::Home, 5);
        ledger.on_taken("tv", Tier::Home, 5);
        ledger.on_given("a", Tier::Isp, u64::MAX);
        ledger
    }

    #[test]
    fn each_origin_and_tier_has_its_account() {
        let mut ledger = ledger();
        let shown: Vec<_> = ledger
            .accounts()
            .map(|(origin, tier, a)| format!("{origin} {} {}/{}", tier.name(), a.given, a.taken))
            .collect();
        assert_eq!(shown, ["a isp 18446744073709551615/0", "tv home 0/10", "tv wan 7/0"]);
        assert!(ledger.take_change() && !ledger.take_change());
        ledger.forget();
        assert!(ledger.take_change() && ledger.accounts().count() == 0);
    }

    #[test]
    fn what_is_written_down_is_read_again_and_added() {
        let text = ledger().to_text();
        let mut again = Ledger::default();
        again.add_text(&text);
        assert_eq!(again.to_text(), text);
        assert!(!again.take_change());
        again.add_text(&text);
        assert!(again.to_text().contains("tv home 0 20\n"));
        for end in 0..text.len() {
            let mut part = Ledger::default();
            part.add_text(&text[..end]);
            assert!(part.accounts.len() <= 3);
        }
    }

    #[test]
    fn lines_of_others_are_left_out_and_all_is_bounded() {
        let mut ledger = Ledger::default();
        ledger.add_text("neap ledger 2\ntv wan 1 1\n");
        ledger.add_text("neap ledger 1\ntv far 1 1\ntv wan -1 1\ntv wan 1\n\ntv wan 1 1 1\n");
        assert_eq!(ledger.accounts().count(), 0);
        for number in 0..2 * limits::upload::ACCOUNTS {
            ledger.on_given(&number.to_string(), Tier::Wan, 1);
        }
        assert_eq!(ledger.accounts().count(), limits::upload::ACCOUNTS);
    }
}

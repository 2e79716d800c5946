//! Every checker that watches a world while it runs, and what they found.

use super::answers::Answers;
use super::bans::Bans;
use super::bounds::Bounds;
use super::caps::Caps;
use super::policy::Policy;
use super::privacy::Privacy;
use super::trace::Trace;
use super::verified::Verified;

/// The checkers.
#[derive(Default)]
pub struct Checks {
    pub verified: Verified,
    pub answers: Answers,
    pub bounds: Bounds,
    pub policy: Policy,
    pub privacy: Privacy,
    pub bans: Bans,
    pub caps: Caps,
    pub trace: Trace,
    /// What the world itself found odd.
    own: Breaches,
}

/// Rules that were broken, in words; the first few.
#[derive(Default)]
pub struct Breaches(Vec<String>);

impl Breaches {
    pub fn add(&mut self, what: String) {
        if self.0.len() < KEPT {
            self.0.push(what);
        }
    }

    pub fn all(&self) -> &[String] {
        &self.0
    }
}

impl Checks {
    /// Something that must hold of every machine.
    pub fn assert(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.own.add(what());
        }
    }

    /// Everything that was found.
    pub fn breaches(&self) -> Vec<String> {
        let all = [
            ("machine", &self.own),
            ("verified", &self.verified.breaches),
            ("answers", &self.answers.breaches),
            ("bounds", &self.bounds.breaches),
            ("policy", &self.policy.breaches),
            ("privacy", &self.privacy.breaches),
            ("bans", &self.bans.breaches),
            ("caps", &self.caps.breaches),
        ];
        let named = |(name, breaches): (&str, &Breaches)| {
            breaches.all().iter().map(|what| format!("{name}: {what}")).collect::<Vec<_>>()
        };
        all.into_iter().flat_map(named).collect()
    }
}

/// Breaches that one checker keeps: the first ones tell.
const KEPT: usize = 5;

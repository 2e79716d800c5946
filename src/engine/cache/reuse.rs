//! Whether a stored response may be used now (RFC 9111, 4; RFC 5861; RFC 8246).

use core::time::Duration;

use super::freshness::Policy;
use crate::base::limits;
use crate::base::time::{Date, Instant};
use crate::wire::http::directives::RequestDirectives;

/// What a request may do with a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Use it.
    Fresh,
    /// Use it although it is stale: the player said that it may be (RFC 9111, 5.2.1.2).
    Stale,
    /// Use it and validate it beside (RFC 5861, 3).
    StaleWhileRevalidate,
    /// Validate it first (RFC 9111, 4.3).
    Validate,
    /// It would have to be validated, and the player wants no origin: 504 (RFC 9111, 5.2.1.7).
    Unavailable,
}

impl Policy {
    /// Whether and how `request` may use the response at `now` (RFC 9111, 4).
    pub fn reuse(&self, request: &RequestDirectives, now: Instant) -> Reuse {
        let reuse = self.reuse_with_origin(request, now);
        if reuse == Reuse::Validate && request.only_if_cached { Reuse::Unavailable } else { reuse }
    }

    /// Whether an answer of the origin's with 500, 502, 503 or 504, or none, may be
    /// replaced by the stored one because origin or player says so (RFC 5861, 4).
    pub fn may_serve_stale_on_error(&self, request: &RequestDirectives, now: Instant) -> bool {
        let allowed = self.stale_if_error.max(request.stale_if_error);
        self.may_be_stale_for(request) && allowed.is_some_and(|time| self.stale_for(now) <= time)
    }

    /// Whether the response may be used while the origin can't be reached (RFC 9111, 4.2.4).
    ///
    /// Nothing needs to allow that, so that neap bounds it to a day; a live playlist that is
    /// held longer than its cap is of no use to a player and stays out.
    pub fn may_serve_disconnected(&self, request: &RequestDirectives, now: Instant) -> bool {
        let near =
            self.stale_for(now) <= limits::cache::DISCONNECTED && self.is_within_hold_cap(now);
        self.may_be_stale_for(request) && near
    }

    /// What the field `Age` tells a player: what the origin states, and the time here. What else
    /// age may be is left out, since players compare it with what they do themselves (a box whose
    /// clock is five seconds ahead would put hls.js off blocking reloads).
    pub fn told_age(&self, now: Instant) -> Duration {
        self.age(now) - self.untold
    }

    /// current_age (RFC 9111, 4.2.3).
    pub fn age(&self, now: Instant) -> Duration {
        self.initial_age + (now - self.since)
    }

    /// Whether it is fresh, whatever a request wants (RFC 9111, 4.2).
    pub fn is_fresh(&self, now: Instant) -> bool {
        !self.age_unknown && self.lifetime > self.age(now) && self.is_within_hold_cap(now)
    }

    /// The moment from which it is stale; the past where it was never fresh.
    pub fn fresh_until(&self) -> Instant {
        if self.age_unknown {
            return self.since;
        }
        let left = self.lifetime.saturating_sub(self.initial_age);
        let cap = self.hold_cap.map_or(left, |cap| cap.saturating_sub(self.held));
        self.since + left.min(cap)
    }

    /// Whether every use needs the origin's word first (RFC 9111, 5.2.2.4).
    pub const fn needs_validation(&self) -> bool {
        self.no_cache || self.lifetime.is_zero()
    }

    /// The origin's date, by which the most recent of several responses is chosen.
    pub const fn date(&self) -> Option<Date> {
        self.date
    }

    /// Makes it stale at once, as after a HEAD that contradicts it (RFC 9111, 4.3.5).
    pub fn spoil(&mut self) {
        self.age_unknown = true;
    }

    /// Whether there is any case in which it may be used stale.
    pub(super) fn may_ever_be_stale(&self) -> bool {
        let allowed = self.stale_while_revalidate.max(self.stale_if_error);
        !self.never_stale && allowed.is_some_and(|time| time > Duration::ZERO)
    }

    fn reuse_with_origin(&self, request: &RequestDirectives, now: Instant) -> Reuse {
        let age = self.age(now);
        let fresh = self.is_fresh(now);
        // RFC 8246, 2.1: a reload asks for max-age=0, and what never changes needs no asking.
        let settled = self.immutable && fresh;
        let too_old = request.max_age.is_some_and(|most| age > most) && !settled;
        if self.no_cache || request.no_cache || too_old {
            return Reuse::Validate;
        }
        if fresh {
            let left = self.lifetime.saturating_sub(age);
            let enough = request.min_fresh.is_none_or(|least| left >= least);
            return if enough { Reuse::Fresh } else { Reuse::Validate };
        }
        if self.never_stale || self.age_unknown || request.min_fresh.is_some() {
            return Reuse::Validate;
        }
        self.reuse_stale(request, now)
    }

    fn reuse_stale(&self, request: &RequestDirectives, now: Instant) -> Reuse {
        let stale = self.stale_for(now);
        let within = |most: Option<Duration>| most.is_some_and(|most| stale <= most);
        if !self.is_within_hold_cap(now) {
            return Reuse::Validate;
        }
        // RFC 9111, 5.2.1.1: who limits the age does not want a stale response.
        if within(self.stale_while_revalidate) && request.max_age.is_none() {
            return Reuse::StaleWhileRevalidate;
        }
        if within(request.max_stale) { Reuse::Stale } else { Reuse::Validate }
    }

    fn may_be_stale_for(&self, request: &RequestDirectives) -> bool {
        let refused = request.no_cache || request.max_age.is_some() || request.min_fresh.is_some();
        !self.never_stale && !self.age_unknown && !refused
    }

    fn stale_for(&self, now: Instant) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    fn is_within_hold_cap(&self, now: Instant) -> bool {
        self.hold_cap.is_none_or(|cap| self.held + (now - self.since) < cap)
    }
}

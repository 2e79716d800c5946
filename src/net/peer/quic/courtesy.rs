//! LEDBAT++ as quinn-proto asks for it, and what it sees of the way.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory};

use super::ledbat::Ledbat;
use super::train::{Carried, Train};

/// Makes the controller of each connection.
pub struct Courtesy;

#[derive(Clone)]
struct Polite {
    began: Instant,
    ledbat: Ledbat,
    train: Train,
    seen: Seen,
}

/// What the way was last seen to carry; connection and controller both hold it.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Option<Carried>>>);

impl Seen {
    /// Where the controller of a connection writes; one that nobody writes to for another's.
    pub fn of(controller: &dyn Controller) -> Self {
        let polite = controller.clone_box().into_any().downcast::<Polite>();
        polite.map(|polite| polite.seen).unwrap_or_default()
    }

    /// What was seen since it was last asked for.
    pub fn take(&self) -> Option<Carried> {
        self.0.lock().ok()?.take()
    }
}

impl ControllerFactory for Courtesy {
    fn build(self: Arc<Self>, now: Instant, packet: u16) -> Box<dyn Controller> {
        Box::new(Polite {
            began: now,
            ledbat: Ledbat::new(packet),
            train: Train::default(),
            seen: Seen::default(),
        })
    }
}

impl Controller for Polite {
    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        _: &RttEstimator,
    ) {
        let times = (now.duration_since(self.began), sent.duration_since(self.began));
        self.ledbat.on_ack(times, bytes, app_limited);
        self.train.on_ack(times.1, bytes);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, _: bool, _: Option<u64>) {
        let now = now.duration_since(self.began);
        let queued = self.ledbat.queued();
        self.ledbat.on_batch();
        if let Some(carried) = self.train.on_batch(now, (in_flight, queued)) {
            if let Ok(mut seen) = self.seen.0.lock() {
                *seen = Some(carried);
            }
        }
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent: bool, _: u64) {
        let (now, sent) = (now.duration_since(self.began), sent.duration_since(self.began));
        self.ledbat.on_loss(now, sent, is_persistent);
    }

    fn on_mtu_update(&mut self, packet: u16) {
        self.ledbat.on_packet_size(packet);
    }

    fn window(&self) -> u64 {
        self.ledbat.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.ledbat.window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

//! LEDBAT++ as quinn-proto asks for it.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory};

use super::ledbat::Ledbat;

/// Makes the controller of each connection.
pub struct Courtesy;

#[derive(Clone)]
struct Polite {
    began: Instant,
    ledbat: Ledbat,
}

impl ControllerFactory for Courtesy {
    fn build(self: Arc<Self>, now: Instant, packet: u16) -> Box<dyn Controller> {
        Box::new(Polite { began: now, ledbat: Ledbat::new(packet) })
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
    }

    fn on_end_acks(&mut self, _: Instant, _: u64, _: bool, _: Option<u64>) {
        self.ledbat.on_batch();
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

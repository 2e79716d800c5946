//! Where the caps meet the engines: readings in, a grant before each piece of work.

use super::machine::Machine;
use crate::base::page::Page;
use crate::engine::caps::readings::Readings;

impl Machine {
    /// The device told something of itself.
    pub(super) fn on_reading(&mut self, _readings: &Readings) {}

    /// A page of the notebook is here.
    pub(super) fn on_noted(&mut self, page: Page, _text: Option<&str>) {
        match page {
            Page::Caps | Page::Ledger | Page::Switch => {}
        }
    }

    /// The node goes down.
    pub(super) fn on_stopping(&mut self) {}
}

//! The shared board: what workers and coordinator see of each other at once.

use std::collections::BTreeMap;

use outpace_model::Phase;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) limit: u32,
    pub(crate) position: u32,
    pub(crate) phase: Phase,
}

#[derive(Debug, Default)]
pub(crate) struct Board(BTreeMap<u32, Lane>);

impl Board {
    pub(crate) fn reset(&mut self, lane: u32) {
        self.0.insert(lane, Lane { limit: u32::MAX, position: 0, phase: Phase::Idle });
    }

    pub(crate) fn lane(&mut self, lane: u32) -> &mut Lane {
        self.0.get_mut(&lane).expect("a lane is reset before it is used")
    }
}

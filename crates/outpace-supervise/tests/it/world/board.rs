//! The shared board: what workers and coordinator see of each other at once.

use std::collections::BTreeMap;

use outpace_model::{ItemIndex, Phase};
use outpace_supervise::Sight;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    pub(crate) limit: u32,
    pub(crate) position: u32,
    pub(crate) phase: Phase,
    pub(crate) sequence: u32,
    pub(crate) item: Option<ItemIndex>,
    pub(crate) answered: u32,
}

impl Lane {
    pub(crate) fn sight(self) -> Sight {
        let Self { sequence, item, phase, answered, .. } = self;
        Sight { sequence, item, phase, answered }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Board(BTreeMap<u32, Lane>);

impl Board {
    pub(crate) fn reset(&mut self, lane: u32) {
        let fresh =
            Lane { limit: u32::MAX, position: 0, phase: Phase::Idle, sequence: 0, item: None, answered: 0 };
        self.0.insert(lane, fresh);
    }

    pub(crate) fn lane(&mut self, lane: u32) -> &mut Lane {
        self.0.get_mut(&lane).expect("a lane is reset before it is used")
    }
}

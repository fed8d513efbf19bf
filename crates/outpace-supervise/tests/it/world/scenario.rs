//! What is to be simulated.

use std::time::Duration;

use outpace_model::{DistMode, ItemIndex};
use outpace_protocol::{Demands, Marks, Need, Resource, StartMethod, Timeouts};

use super::dice::Dice;

/// The controller's `Stop`, at a moment of its choice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub(crate) at: Duration,
    pub(crate) interrupt: bool,
    pub(crate) kill: bool,
}

/// How often things go wrong, in thousandths of the occasions for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A process dies, at each of its steps.
    pub(crate) crash: u32,
    /// A process does nothing more, at each of its steps.
    pub(crate) hang: u32,
    /// A process sends bytes that are no protocol, at each of its steps.
    pub(crate) garbage: u32,
    /// Its connection ends long before, or long after, its process.
    pub(crate) linger: u32,
    /// A test fails.
    pub(crate) failure: u32,
    /// A worker ends its session on its own after a test (`session.shouldstop`).
    pub(crate) gives_up: u32,
    /// A process does not react to SIGINT.
    pub(crate) deaf: u32,
    /// A process does not let fail what it is asked to, each time.
    pub(crate) stubborn: u32,
    /// The kernel starts no process.
    pub(crate) spawn: u32,
    /// The session of the template or of a spawned worker ends without a collection.
    pub(crate) usage_error: u32,
    /// A spawned worker collects other tests.
    pub(crate) different: u32,
    /// The verdict on a crash is to run the test again.
    pub(crate) requeue: u32,
    /// A plugin wants a finished test (or any other number) run again.
    pub(crate) again: u32,
    /// A reading finds that the run uses too much memory.
    pub(crate) hungry: u32,
}

/// One run to simulate.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) mode: DistMode,
    pub(crate) start_method: StartMethod,
    pub(crate) unsafe_to_fork: bool,
    pub(crate) items: u32,
    pub(crate) workers: u32,
    /// How many the run may grow to; 0 = those it begins with.
    pub(crate) most: u32,
    /// The longest a test takes.
    pub(crate) longest: Duration,
    /// The longest a process takes to start and collect.
    pub(crate) slowest_start: Duration,
    pub(crate) maxfail: u32,
    /// How many tests stop in a debugger, in thousandths.
    pub(crate) debugged: u32,
    /// How often a test that failed may run again at the end.
    pub(crate) retries: u32,
    /// How many workers the controller replaces.
    pub(crate) replacements: u32,
    pub(crate) stop: Option<Stop>,
    pub(crate) template_dies: Option<Duration>,
    pub(crate) timeouts: Timeouts,
    /// Tests with a limit of their own, in milliseconds.
    pub(crate) limits: Vec<(ItemIndex, u64)>,
    pub(crate) faults: Faults,
    pub(crate) marked: Marked,
}

/// How many tests are marked, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marked {
    pub(crate) serial_first: bool,
    pub(crate) serial: u32,
    pub(crate) needy: u32,
}

/// How much there is of each resource.
const CAPACITIES: [u64; 2] = [1, 3];

impl Scenario {
    /// What a test may take; `None` = as long as it likes.
    pub(crate) fn limit_of(&self, item: ItemIndex) -> Option<Duration> {
        let own = self.limits.iter().find(|(limited, _)| *limited == item).map(|(_, limit)| *limit);
        let limit = own.unwrap_or(self.timeouts.test);
        (limit > 0).then(|| Duration::from_millis(limit))
    }

    pub(crate) fn marks(&self) -> Marks {
        let mut dice = Dice::new(self.seed ^ 1);
        let mut marks = Marks { serial_first: self.marked.serial_first, ..Marks::default() };
        marks.resources.extend(CAPACITIES.map(|capacity| Resource {
            name: format!("r{capacity}"),
            capacity,
            values: Vec::new(),
        }));
        for item in (0..self.items).map(ItemIndex) {
            if dice.permille(self.marked.serial) {
                marks.serial.push(item);
            }
            let mut needs = Vec::new();
            for (resource, capacity) in (0..).zip(CAPACITIES) {
                if dice.permille(self.marked.needy) {
                    let (amount, lasting) = (1 + dice.below(capacity), dice.permille(300));
                    needs.push(Need { resource, amount, lasting });
                }
            }
            if !needs.is_empty() {
                marks.demands.push(Demands { items: vec![item], needs });
            }
        }
        if marks.is_empty() { Marks::default() } else { marks }
    }

    /// Tests that stay together, by number; the number of a file in the unit modes.
    pub(crate) fn unit_of(&self, item: ItemIndex) -> u32 {
        if matches!(self.mode, DistMode::LoadFile | DistMode::LoadScope) { item.0 / 4 } else { item.0 }
    }

    /// The node ids: four tests a file.
    pub(crate) fn node_ids(&self) -> Vec<String> {
        (0..self.items).map(|item| format!("f{}.py::t{item}", item / 4)).collect()
    }
}

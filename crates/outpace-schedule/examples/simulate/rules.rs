//! The rules that are compared, and outpace's own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use outpace_model::{DistMode, WorkerIndex};
use outpace_schedule::{Marks, Plan, Scheduler};

use crate::rivals;
use crate::suites::Suite;

pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    /// When the last test ends.
    pub(crate) run: fn(&Suite, u32) -> u64,
}

pub(crate) const ALL: [Rule; 6] = [
    Rule { name: "xdist load", colour: "#b0b0b0", run: rivals::load },
    Rule { name: "xdist worksteal", colour: "#7f7f7f", run: rivals::worksteal },
    Rule { name: "xdist loadfile", colour: "#d9a05b", run: rivals::loadfile },
    Rule {
        name: "load, cold",
        colour: "#6aaed6",
        run: |suite, workers| run(suite, workers, DistMode::Load, false),
    },
    Rule {
        name: "load, warm",
        colour: "#08519c",
        run: |suite, workers| run(suite, workers, DistMode::Load, true),
    },
    Rule {
        name: "loadfile, warm",
        colour: "#a63603",
        run: |suite, workers| run(suite, workers, DistMode::LoadFile, true),
    },
];

fn run(suite: &Suite, workers: u32, mode: DistMode, is_warm: bool) -> u64 {
    let mut scheduler = Scheduler::new(&Plan {
        mode,
        node_ids: suite.node_ids.clone(),
        groups: Vec::new(),
        workers: (0..workers).map(WorkerIndex).collect(),
        reorder: true,
        marks: Marks::default(),
        expected: if is_warm { suite.expected.clone() } else { Vec::new() },
    });
    let mut free: BinaryHeap<Reverse<(u64, u32)>> = (0..workers).map(|worker| Reverse((0, worker))).collect();
    let mut end = 0;
    while let Some(Reverse((now, worker))) = free.pop() {
        end = end.max(now);
        if let [item] = scheduler.take(WorkerIndex(worker), 1)[..] {
            free.push(Reverse((now + suite.times[item.get()], worker)));
        }
    }
    end
}

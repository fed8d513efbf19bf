//! A scheduler in the controller: a few tests at a time to each worker, some of them taken back.

use std::collections::{BTreeMap, VecDeque};

use outpace_model::{ItemIndex, WorkerIndex};
use outpace_protocol::{FromController, ToController};

use super::simulation::World;

#[derive(Debug, Default)]
pub(crate) struct OwnScheduler {
    queue: VecDeque<ItemIndex>,
    assigned: BTreeMap<WorkerIndex, Vec<ItemIndex>>,
    retired: bool,
    /// Requests to take tests back that have not been answered.
    takes_back: u32,
}

impl OwnScheduler {
    pub(crate) fn new(items: u32) -> Self {
        Self { queue: (0..items).map(ItemIndex).collect(), ..Self::default() }
    }
}

impl World {
    pub(crate) fn schedule_externally(&mut self, message: &ToController) {
        let scheduler = &mut self.controller.scheduler;
        match message {
            ToController::Ready { worker, .. } => {
                scheduler.assigned.insert(*worker, Vec::new());
                scheduler.retired = false;
            }
            ToController::Result { worker, item, finished: true, .. } => {
                if let Some(assigned) = scheduler.assigned.get_mut(worker) {
                    assigned.retain(|each| each != item);
                }
            }
            ToController::Down(down) => {
                let left = scheduler.assigned.remove(&down.worker).unwrap_or_default();
                scheduler.queue.extend(left.into_iter().filter(|each| Some(*each) != down.item));
            }
            ToController::Unscheduled { worker, items } => {
                scheduler.takes_back -= 1;
                if let Some(assigned) = scheduler.assigned.get_mut(worker) {
                    assigned.retain(|each| !items.contains(each));
                    scheduler.queue.extend(items);
                }
            }
            _ => return,
        }
        self.assign_more();
    }

    /// A worker always has two tests while there are any: it must know the next one to tear a test down.
    fn assign_more(&mut self) {
        let workers: Vec<WorkerIndex> = self.controller.scheduler.assigned.keys().copied().collect();
        for worker in workers {
            let wanted = usize::try_from(2 + self.dice.below(4)).expect("small");
            let takes_back = self.dice.permille(50);
            let scheduler = &mut self.controller.scheduler;
            // Whoever was told that nothing more comes may be gone before it could be given another test.
            let takes_back = takes_back && !scheduler.retired;
            let Some(assigned) = scheduler.assigned.get_mut(&worker) else { continue };
            if assigned.len() < 2 && !scheduler.queue.is_empty() {
                let count = wanted.min(scheduler.queue.len());
                let items: Vec<ItemIndex> = scheduler.queue.drain(..count).collect();
                assigned.extend(&items);
                self.say(FromController::Assign { worker, items });
            } else if takes_back && let Some(item) = assigned.last() {
                let items = vec![*item];
                scheduler.takes_back += 1;
                self.say(FromController::Unassign { worker, items });
            }
        }
        let scheduler = &mut self.controller.scheduler;
        let has_all = scheduler.queue.is_empty() && scheduler.takes_back == 0;
        if has_all && nearly_idle(scheduler) && !scheduler.retired {
            scheduler.retired = true;
            let workers: Vec<WorkerIndex> = scheduler.assigned.keys().copied().collect();
            for worker in workers {
                self.say(FromController::Retire { worker });
            }
        }
    }
}

/// As xdist: the end is signalled while every worker still has at most one test, so that it can be torn down.
fn nearly_idle(scheduler: &OwnScheduler) -> bool {
    scheduler.assigned.values().all(|assigned| assigned.len() < 2)
}

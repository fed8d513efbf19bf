//! Serial tests and resources between the collection, the scheduler and the workers. What may start is the scheduler's.

use std::collections::BTreeMap;

use outpace_model::{ItemIndex, WorkerIndex};
use outpace_protocol::{Demands, Marks, Need, ToWorker};
use outpace_schedule::{Demand, Mark, Scheduler, Share};

use crate::event::Action;
use crate::run::Run;

impl Run {
    /// Whether some tests may not run beside others.
    pub(crate) fn is_gated(&self) -> bool {
        self.scheduler.as_ref().is_some_and(Scheduler::is_gated)
    }

    /// Tells the worker which values of its resources a test has.
    pub(crate) fn lease(&mut self, index: WorkerIndex, position: u32, items: &[ItemIndex]) {
        let (Some(scheduler), [item], Some((collection, _))) = (&self.scheduler, items, &self.reference)
        else {
            return;
        };
        let mut environ = BTreeMap::new();
        for Share { resource, units } in scheduler.shares(index, *item) {
            // A resource that comes from a known conflict has no name.
            let named = collection.marks.resources.get(resource as usize);
            if let Some(resource) = named.filter(|resource| !resource.values.is_empty()) {
                let values: Vec<&str> = units
                    .iter()
                    .filter_map(|unit| resource.values.get(*unit as usize))
                    .map(String::as_str)
                    .collect();
                environ.insert(resource.name.clone(), values.join(","));
            }
        }
        if !environ.is_empty() {
            self.act(Action::Send(self.peer_of(index), ToWorker::Lease { position, environ }));
        }
    }
}

/// The marks of a collection as the scheduler wants them.
pub(crate) fn marks_of(marks: &Marks) -> outpace_schedule::Marks {
    let mut items = BTreeMap::<ItemIndex, Mark>::new();
    for item in &marks.serial {
        items.entry(*item).or_default().serial = true;
    }
    for Demands { items: holders, needs } in &marks.demands {
        let demand =
            |need: &Need| Demand { resource: need.resource, amount: need.amount, lasting: need.lasting };
        for item in holders {
            items.entry(*item).or_default().demands = needs.iter().map(demand).collect();
        }
    }
    let capacities = marks.resources.iter().map(|resource| resource.capacity).collect();
    outpace_schedule::Marks { serial_first: marks.serial_first, capacities, items }
}

//! What a timeline needs of the coordinator: when things happen, and what workers wait for.
//!
//! Nothing is noted, and nothing said, unless the controller has asked for it.

use std::collections::BTreeMap;
use std::time::Duration;

use outpace_model::{DistMode, WorkerIndex};
use outpace_protocol::{ToController, Waited, WaitedFor};
use outpace_schedule::{Hindrance, Scheduler};

use crate::event::Action;
use crate::run::Run;
use crate::worker::{Asking, Stage, Worker};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wait {
    why: WaitedFor,
    /// Places in the collection's list.
    resources: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct Timeline {
    /// Microseconds since 1970 when the run's own time was zero.
    epoch: u64,
    waiting: BTreeMap<WorkerIndex, (Wait, Duration)>,
}

impl Timeline {
    pub(crate) fn new(at: u64, now: Duration) -> Self {
        Self { epoch: at.saturating_sub(micros(now)), waiting: BTreeMap::new() }
    }

    /// What is said before a message that does not tell its time by itself.
    pub(crate) fn stamp(&self, message: &ToController, now: Duration) -> Option<ToController> {
        use ToController as To;
        let is_told = matches!(
            message,
            To::Collected { .. }
                | To::Ready { .. }
                | To::Started(_)
                | To::Result { finished: false, .. }
                | To::Down(_)
                | To::Looked(_)
                | To::Recycled(_)
                | To::Grow { .. }
                | To::Waited(_)
                | To::Lend(_)
                | To::Returned { .. }
        );
        is_told.then(|| To::At { at: self.epoch.saturating_add(micros(now)) })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Run {
    /// Called after each event: what workers wait for now, and what they did wait for.
    pub(crate) fn note_waits(&mut self) {
        let Some(mut timeline) = self.timeline.take() else { return };
        let now = self.now;
        let waits: BTreeMap<WorkerIndex, Wait> = self
            .workers
            .iter()
            .filter_map(|(index, worker)| Some((*index, self.wait_of(*index, worker)?)))
            .collect();
        let over: Vec<(WorkerIndex, Wait, Duration)> = timeline
            .waiting
            .iter()
            .filter(|(index, (wait, _))| waits.get(index) != Some(wait))
            .map(|(index, (wait, since))| (*index, wait.clone(), *since))
            .collect();
        for (index, ..) in &over {
            timeline.waiting.remove(index);
        }
        for (index, wait) in waits {
            timeline.waiting.entry(index).or_insert((wait, now));
        }
        self.timeline = Some(timeline);
        for (worker, wait, since) in over {
            let resources = wait.resources.iter().filter_map(|place| self.name_of_resource(*place)).collect();
            let micros = micros(now.saturating_sub(since));
            self.tell(ToController::Waited(Waited { worker, why: wait.why, resources, micros }));
        }
    }

    fn wait_of(&self, index: WorkerIndex, worker: &Worker) -> Option<Wait> {
        let wait = |why| Some(Wait { why, resources: Vec::new() });
        if worker.stage != Stage::Active || self.stopping {
            return None;
        }
        if self.is_held(index) {
            return wait(WaitedFor::Held);
        }
        if worker.asking != Some(Asking::Idle) {
            return None;
        }
        if self.is_paused() && !self.debugging.concerns(self.peer_of(index)) {
            return wait(WaitedFor::Debugger);
        }
        match self.scheduler.as_ref().and_then(|scheduler| Scheduler::hindrance(scheduler, index)) {
            Some(Hindrance::Serial) => wait(WaitedFor::Serial),
            Some(Hindrance::Resources(resources)) => Some(Wait { why: WaitedFor::Resource, resources }),
            None if self.mode() == DistMode::External => wait(WaitedFor::Scheduler),
            None => wait(WaitedFor::Tests),
        }
    }

    fn name_of_resource(&self, place: u32) -> Option<String> {
        let (collection, _) = self.reference.as_ref()?;
        Some(collection.marks.resources.get(place as usize)?.name.clone())
    }

    /// Says something to the controller, and when, where that is asked for.
    pub(crate) fn tell(&mut self, message: ToController) {
        if let Some(at) = self.timeline.as_ref().and_then(|timeline| timeline.stamp(&message, self.now)) {
            self.act(Action::ToController(at));
        }
        self.act(Action::ToController(message));
    }
}

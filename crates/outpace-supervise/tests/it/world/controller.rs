//! The user's pytest: announces workers, judges crashes, replaces workers, stops.

use std::time::Duration;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_protocol::{FromController, Plan, ToController};

use super::happening::Happening;
use super::scheduler::OwnScheduler;
use super::simulation::World;

#[derive(Debug, Default)]
pub(crate) struct Controller {
    /// When the last message under way arrives at the coordinator, and here.
    outbound: Duration,
    inbound: Duration,
    announced: u32,
    replaced: u32,
    finished: bool,
    pub(crate) scheduler: OwnScheduler,
}

impl World {
    pub(crate) fn open_controller(&mut self) {
        let workers: Vec<WorkerIndex> = (0..self.scenario.workers).map(WorkerIndex).collect();
        self.say(FromController::Template { argv: vec!["python".to_owned()] });
        for worker in &workers {
            self.say(FromController::Worker { worker: *worker, input: Vec::new() });
        }
        self.controller.announced = self.scenario.workers;
        self.controller.outbound += self.dice.micros(0, 4_000);
        self.say(FromController::Plan(Plan {
            mode: self.scenario.mode,
            reorder: true,
            maxfail: self.scenario.maxfail,
            start_method: self.scenario.start_method,
            workers,
            timeouts: self.scenario.timeouts,
        }));
        self.controller.scheduler = OwnScheduler::new(self.scenario.items);
        if let Some(stop) = self.scenario.stop {
            let message = FromController::Stop { interrupt: stop.interrupt, kill: stop.kill };
            self.agenda.put(stop.at, Happening::FromController(message));
        }
    }

    pub(crate) fn say(&mut self, message: FromController) {
        let arrival = self.now + self.dice.micros(10, 1_000);
        self.controller.outbound = self.controller.outbound.max(arrival);
        self.agenda.put(self.controller.outbound, Happening::FromController(message));
    }

    pub(crate) fn tell_controller(&mut self, message: ToController) {
        let arrival = self.now + self.dice.micros(10, 1_000);
        self.controller.inbound = self.controller.inbound.max(arrival);
        self.agenda.put(self.controller.inbound, Happening::ToController(message));
    }

    pub(crate) fn on_controller(&mut self, message: &ToController) {
        match message {
            ToController::Down(down) if down.crashed => self.on_crash(down.worker, down.item),
            ToController::Result { finished: true, .. } if self.dice.permille(self.scenario.faults.again) => {
                let item = self.dice.below(u64::from(self.scenario.items) + 2);
                self.say(FromController::Requeue { item: ItemIndex(u32::try_from(item).expect("small")) });
            }
            ToController::Finished(_) => {
                self.controller.finished = true;
                self.say(FromController::Done);
            }
            _ => {}
        }
        if self.scenario.mode == DistMode::External && !self.controller.finished {
            self.schedule_externally(message);
        }
    }

    fn on_crash(&mut self, worker: WorkerIndex, item: Option<ItemIndex>) {
        if self.controller.replaced < self.scenario.replacements {
            self.controller.replaced += 1;
            let worker = WorkerIndex(self.controller.announced);
            self.controller.announced += 1;
            self.say(FromController::Worker { worker, input: Vec::new() });
        }
        let requeue = item.is_some() && self.dice.permille(self.scenario.faults.requeue);
        self.say(FromController::Verdict { worker, requeue });
    }
}

//! The user's pytest: announces workers, judges crashes, replaces workers, stops.

use std::time::Duration;

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_protocol::{FromController, Plan, ToController};

use outpace_supervise::{Event, Load, Usage};

use super::happening::Happening;
use super::process::Process;
use super::scheduler::OwnScheduler;
use super::simulation::World;

const MEASURED_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(crate) struct Controller {
    /// When the last message under way arrives at the coordinator, and here.
    outbound: Duration,
    inbound: Duration,
    announced: u32,
    replaced: u32,
    finished: bool,
    /// Readings in a row with nothing else under way.
    calm: u32,
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
        if self.scenario.retries > 0 {
            self.say(FromController::Retry { times: self.scenario.retries });
        }
        if self.scenario.most > 0 {
            self.say(FromController::Elastic { most: self.scenario.most });
        }
        if self.scenario.most > 0 || self.scenario.faults.hungry > 0 {
            self.agenda.put(self.measured_every(), Happening::Measured);
        }
        if self.scenario.history {
            self.say(FromController::Timeline { at: 0 });
            self.say(FromController::History { path: "history".to_owned(), root: "/".to_owned() });
        }
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
            ToController::Grow { count, .. } if !self.controller.finished => {
                for _ in 0..*count {
                    self.announce_another();
                }
            }
            ToController::Recycled(_) if !self.controller.finished => self.announce_another(),
            ToController::Lend(lend) => {
                let path = (!self.dice.permille(200)).then(|| "/dev/tty".to_owned());
                let pause = self.dice.permille(500);
                let turn = lend.turn;
                self.say(FromController::Lent { turn, path, why: String::new(), pause, group: 1 });
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

    fn announce_another(&mut self) {
        let worker = WorkerIndex(self.controller.announced);
        self.controller.announced += 1;
        self.say(FromController::Worker { worker, input: Vec::new() });
    }

    /// The load is whatever it likes; where nothing else is under way it is none.
    pub(crate) fn on_measured(&mut self) {
        let calm = self.agenda.next_at().is_none();
        self.controller.calm = if calm { self.controller.calm + 1 } else { 0 };
        assert!(self.controller.calm < 10_000, "somebody is held for ever: {self:#?}");
        if self.run.is_elastic() {
            let idle =
                if calm { 2.0 } else { f64::from(u8::try_from(self.dice.below(21)).expect("small")) / 10.0 };
            let mut some = |chance| {
                let index = u32::try_from(self.dice.below(4)).expect("small");
                if self.dice.permille(chance) { vec![WorkerIndex(index)] } else { Vec::new() }
            };
            let (in_setup, asleep) = (some(200), some(300));
            let room = u32::try_from(self.dice.below(20)).expect("small");
            self.deliver(Event::Load(Load { span: 0.1, cores: 2.0, idle, room, in_setup, asleep }));
        }
        if self.dice.permille(self.scenario.faults.hungry) {
            self.find_too_much_used();
        }
        let waits = |process: &Process| process.alive && process.held && !process.hung;
        let somebody_waits = self.processes.values().any(waits);
        if !calm || (somebody_waits && !self.controller.finished) {
            self.agenda.put(self.now + self.measured_every(), Happening::Measured);
        }
    }

    /// Often enough that much happens in a short run.
    fn measured_every(&self) -> Duration {
        if self.scenario.faults.hungry > 0 { MEASURED_EVERY / 10 } else { MEASURED_EVERY }
    }

    fn find_too_much_used(&mut self) {
        let living: Vec<WorkerIndex> = self.run.living().map(|(worker, _)| worker).collect();
        let own = living.into_iter().map(|worker| (worker, self.dice.below(200), Vec::new())).collect();
        self.deliver(Event::Memory(Usage { limit: 60, base: 10, own }));
    }

    fn on_crash(&mut self, worker: WorkerIndex, item: Option<ItemIndex>) {
        if self.controller.replaced < self.scenario.replacements {
            self.controller.replaced += 1;
            self.announce_another();
        }
        let requeue = item.is_some() && self.dice.permille(self.scenario.faults.requeue);
        self.say(FromController::Verdict { worker, requeue });
    }
}

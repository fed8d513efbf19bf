//! A run with fake workers, and what its controller saw.

use std::time::{Duration, Instant};

use outpace_model::{DistMode, ItemIndex, WorkerIndex};
use outpace_os::{Pid, is_alive};
use outpace_protocol::{Down, Finished, FromController, Plan, StartMethod, Timeouts, ToController};

use crate::controller::{Controller, VERSION};

pub(crate) const TESTS: u32 = 6;

pub(crate) struct Run {
    pub(crate) controller: Controller,
    /// Behaviours of replacements, in order.
    pub(crate) replacements: Vec<&'static str>,
    pub(crate) announced: u32,
    pub(crate) pids: Vec<i32>,
    pub(crate) results: Vec<ItemIndex>,
    pub(crate) begun: Vec<WorkerIndex>,
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) downs: Vec<Down>,
}

impl Run {
    /// Starts a run of spawned workers that behave so.
    pub(crate) fn of(behaviours: &[&'static str]) -> Self {
        let mut run = Self {
            controller: Controller::start(),
            replacements: Vec::new(),
            announced: 0,
            pids: Vec::new(),
            results: Vec::new(),
            begun: Vec::new(),
            events: Vec::new(),
            downs: Vec::new(),
        };
        run.controller.greet(VERSION);
        assert!(matches!(run.controller.receive(), Some(ToController::Welcome(_))));
        run.controller.send(&FromController::Template { argv: worker_command(VERSION) });
        for behaviour in behaviours {
            run.announce(behaviour);
        }
        run.controller.send(&FromController::Plan(Plan {
            mode: DistMode::Load,
            reorder: true,
            maxfail: 0,
            start_method: StartMethod::Spawn,
            workers: (0..run.announced).map(WorkerIndex).collect(),
            timeouts: Timeouts::default(),
        }));
        run
    }

    fn announce(&mut self, behaviour: &str) {
        let (worker, input) = (WorkerIndex(self.announced), behaviour.as_bytes().to_vec());
        self.announced += 1;
        self.controller.send(&FromController::Worker { worker, input });
    }

    /// Takes part in the run until this is so.
    pub(crate) fn until(&mut self, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let message = self.controller.receive().expect("a coordinator that goes on");
            assert!(self.take(message).is_none(), "the run is over too early");
        }
    }

    /// Takes part in the run to its end.
    pub(crate) fn finish(&mut self) -> Finished {
        loop {
            let message = self.controller.receive().expect("a coordinator that goes on");
            if let Some(finished) = self.take(message) {
                self.controller.send(&FromController::Done);
                assert!(self.controller.wait(), "the coordinator ends well");
                self.assert_nobody_is_left();
                return finished;
            }
        }
    }

    fn take(&mut self, message: ToController) -> Option<Finished> {
        match message {
            ToController::Result { worker, item, finished, .. } => {
                if finished {
                    self.results.push(item);
                } else {
                    self.begun.push(worker);
                }
            }
            ToController::Event { blob, .. } => self.events.push(blob),
            ToController::Down(down) => {
                if down.crashed {
                    if !self.replacements.is_empty() {
                        let behaviour = self.replacements.remove(0);
                        self.announce(behaviour);
                    }
                    self.controller.send(&FromController::Verdict { worker: down.worker, requeue: false });
                }
                self.downs.push(down);
            }
            ToController::Finished(finished) => return Some(finished),
            ToController::Fatal { message } => panic!("fatal: {message}"),
            _ => {}
        }
        None
    }

    /// The crash of this worker.
    pub(crate) fn crash_of(&self, worker: u32) -> &Down {
        let down = self.downs.iter().find(|down| down.worker == WorkerIndex(worker)).expect("an end");
        assert!(down.crashed, "{down:?}");
        down
    }

    pub(crate) fn sorted_results(&self) -> Vec<u32> {
        let mut items: Vec<u32> = self.results.iter().map(|item| item.0).collect();
        items.sort_unstable();
        items
    }

    /// The processes of the run that there are now.
    pub(crate) fn note_processes(&mut self) {
        self.pids = descendants(self.controller.coordinator_pid());
    }

    pub(crate) fn assert_nobody_is_left(&self) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.pids.iter().any(|pid| is_alive(Pid(*pid))) {
            assert!(Instant::now() < until, "some of {:?} are left", self.pids);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) fn worker_command(version: &str) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_worker.py");
    ["python3", "-S", "-E", script, version].map(str::to_owned).into()
}

fn descendants(root: u32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        let listed = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in listed {
            let text = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let children: Vec<u32> =
                text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            found.extend(children.iter().map(|child| child.cast_signed()));
            open.extend(children);
        }
    }
    found
}

//! What the event loop reads of the machine and of its processes now and then, made into events.

use std::time::Instant;

use outpace_model::{ItemIndex, Phase, WorkerIndex};
use outpace_os::{Exit, Pid, name_of, offer_to_memory_killer};
use outpace_protocol::ToWorker;
use outpace_supervise::{Event, Load, Peer, Sight};

use crate::event_loop::Engine;
use crate::load::{Meter, Reading};
use crate::looking::sight;
use crate::memory::Living;

impl Engine {
    pub(crate) fn measure(&mut self) {
        let at = |(worker, pid)| {
            let lane = self.lanes.get(&self.run.peer_of(worker))?;
            Some((worker, pid, sight(&self.board, *lane)))
        };
        let workers: Vec<(WorkerIndex, i32, Sight)> = self.run.living().filter_map(at).collect();
        let in_setup =
            |(_, _, sight): &&(WorkerIndex, i32, Sight)| matches!(sight.phase, Phase::Start | Phase::Setup);
        let in_setup = workers.iter().filter(in_setup).map(|(worker, ..)| *worker).collect();
        let asleep = self.sleepers.among(&workers, Instant::now());
        let pids: Vec<i32> = workers.iter().map(|(_, pid, _)| *pid).collect();
        if let Some(reading) = self.meter.get_or_insert_with(Meter::new).read(&pids, self.gauge.left()) {
            let Reading { span, cores, idle, room } = reading;
            self.handle(Event::Load(Load { span, cores, idle, room, in_setup, asleep }));
        }
    }

    pub(crate) fn weigh(&mut self) {
        let living: Vec<Living> = self.run.living().map(|(worker, pid)| self.living(worker, pid)).collect();
        let usage = self.gauge.read(self.run.template_pid(), &living);
        self.handle(Event::Memory(usage));
    }

    fn living(&self, worker: WorkerIndex, pid: i32) -> Living {
        let lane = self.lanes.get(&self.run.peer_of(worker));
        let item = lane.and_then(|lane| self.board.item(*lane)).map(ItemIndex);
        Living { worker, pid, item, is_fork: self.run.is_forked(worker) }
    }

    fn living_at(&self, peer: Peer) -> Option<Living> {
        let (worker, pid) = self.run.living().find(|(worker, _)| self.run.peer_of(*worker) == peer)?;
        Some(self.living(worker, pid))
    }

    /// The first look at a worker that is ready. Should memory run out, it is the one to go: it can be replaced.
    pub(crate) fn weigh_at_the_beginning(&mut self, peer: Peer) {
        if let Some(living) = self.living_at(peer) {
            self.gauge.read_one(&living);
            offer_to_memory_killer(Pid(living.pid));
        }
    }

    /// The last look at a worker that has finished, and waits for it.
    pub(crate) fn weigh_before_the_end(&mut self, peer: Peer) {
        if let Some(living) = self.living_at(peer)
            && self.gauge.look_before_the_end(self.run.template_pid(), &living)
        {
            self.send(peer, &ToWorker::Go);
        }
    }

    /// How a process ended, in words.
    pub(crate) fn cause(&mut self, pid: i32, exit: Exit) -> String {
        let killed = matches!(exit, Exit::Signal { signal, .. } if name_of(signal) == "SIGKILL");
        let why = if killed { self.gauge.last_words(pid) } else { None };
        format!("{exit}{}", why.unwrap_or_default())
    }
}

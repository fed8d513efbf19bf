//! xdist's rules, as they behave when messages take no time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::suites::Suite;

/// What a scheduler does when a worker has ended a test: `queues` hold what each worker has yet to end, the running test first.
trait Rule {
    fn begin(&mut self, queues: &mut [VecDeque<usize>]);
    fn ended(&mut self, worker: usize, took: u64, queues: &mut [VecDeque<usize>]);
}

fn simulate(suite: &Suite, workers: u32, rule: &mut impl Rule) -> u64 {
    let mut queues = vec![VecDeque::new(); workers as usize];
    rule.begin(&mut queues);
    let mut running = vec![false; queues.len()];
    let mut events = BinaryHeap::new();
    let mut idle: Vec<usize> = (0..queues.len()).collect();
    let (mut now, mut ended) = (0, 0);
    loop {
        idle.retain(|&worker| {
            let Some(&test) = queues[worker].front() else { return true };
            running[worker] = true;
            events.push(Reverse((now + suite.times[test], worker)));
            false
        });
        let Some(Reverse((at, worker))) = events.pop() else { break };
        now = at;
        ended += 1;
        let test = queues[worker].pop_front().unwrap_or_default();
        running[worker] = false;
        idle.push(worker);
        rule.ended(worker, suite.times[test], &mut queues);
    }
    assert_eq!(ended, suite.times.len(), "every test runs");
    now
}

struct Load {
    pending: VecDeque<usize>,
}

impl Load {
    fn send(&mut self, queue: &mut VecDeque<usize>, count: usize) {
        queue.extend(self.pending.drain(..count.min(self.pending.len())));
    }
}

impl Rule for Load {
    /// A quarter of its share for each, at least two; one in turn where there are fewer than two for each.
    fn begin(&mut self, queues: &mut [VecDeque<usize>]) {
        let workers = queues.len();
        if self.pending.len() < workers * 2 {
            for turn in 0..self.pending.len() {
                self.send(&mut queues[turn % workers], 1);
            }
        } else {
            let chunk = (self.pending.len() / workers / 4).max(2);
            for queue in queues {
                self.send(queue, chunk);
            }
        }
    }

    /// A worker with less than a quarter of its share is filled to a half, unless it is slow and has two.
    fn ended(&mut self, worker: usize, took: u64, queues: &mut [VecDeque<usize>]) {
        let share = self.pending.len() / queues.len();
        let (least, most) = ((share / 4).max(2), (share / 2).max(2));
        let queue = &mut queues[worker];
        if self.pending.is_empty() || queue.len() >= least || (took >= 100_000 && queue.len() >= 2) {
            return;
        }
        let count = most - queue.len();
        self.send(queue, count);
    }
}

pub(crate) fn load(suite: &Suite, workers: u32) -> u64 {
    simulate(suite, workers, &mut Load { pending: (0..suite.times.len()).collect() })
}

/// With so many tests a worker is not asked for any, and with fewer it is idle.
const LEAST: usize = 2;

struct Worksteal {
    pending: VecDeque<usize>,
    shut_down: Vec<bool>,
}

impl Worksteal {
    fn check(&mut self, queues: &mut [VecDeque<usize>]) {
        let mut idle = self.idle(queues);
        self.share(&idle, queues);
        idle.retain(|&worker| queues[worker].len() < LEAST);
        if idle.is_empty() {
            return;
        }
        // Half of the longest queue, from its end, shared out among the idle ones.
        let up = (0..queues.len()).filter(|&worker| !self.shut_down[worker]);
        let Some(victim) = up.rev().max_by_key(|&worker| queues[worker].len()) else { return };
        let length = queues[victim].len();
        let count = (length / 2).min(length.saturating_sub(LEAST));
        if count == 0 {
            for worker in idle {
                self.shut_down[worker] = true;
            }
            return;
        }
        self.pending.extend(queues[victim].drain(length - count..));
        self.share(&idle, queues);
    }

    fn idle(&self, queues: &[VecDeque<usize>]) -> Vec<usize> {
        (0..queues.len()).filter(|&worker| !self.shut_down[worker] && queues[worker].len() < LEAST).collect()
    }

    fn share(&mut self, idle: &[usize], queues: &mut [VecDeque<usize>]) {
        for (turn, &worker) in idle.iter().enumerate() {
            let count = self.pending.len() / (idle.len() - turn);
            queues[worker].extend(self.pending.drain(..count));
        }
    }
}

impl Rule for Worksteal {
    fn begin(&mut self, queues: &mut [VecDeque<usize>]) {
        self.check(queues);
    }

    fn ended(&mut self, worker: usize, _: u64, queues: &mut [VecDeque<usize>]) {
        if queues[worker].len() < LEAST {
            self.check(queues);
        }
    }
}

pub(crate) fn worksteal(suite: &Suite, workers: u32) -> u64 {
    let shut_down = vec![false; workers as usize];
    simulate(suite, workers, &mut Worksteal { pending: (0..suite.times.len()).collect(), shut_down })
}

struct Loadfile {
    files: VecDeque<Vec<usize>>,
}

impl Rule for Loadfile {
    fn begin(&mut self, queues: &mut [VecDeque<usize>]) {
        for _ in 0..2 {
            for worker in 0..queues.len() {
                self.ended(worker, 0, queues);
            }
        }
    }

    /// Another file when two tests are left.
    fn ended(&mut self, worker: usize, _: u64, queues: &mut [VecDeque<usize>]) {
        if queues[worker].len() <= 2
            && let Some(file) = self.files.pop_front()
        {
            queues[worker].extend(file);
        }
    }
}

pub(crate) fn loadfile(suite: &Suite, workers: u32) -> u64 {
    let mut files: Vec<Vec<usize>> = Vec::new();
    let mut last = None;
    for (test, file) in suite.files.iter().enumerate() {
        match files.last_mut() {
            Some(tests) if last == Some(file) => tests.push(test),
            _ => files.push(vec![test]),
        }
        last = Some(file);
    }
    // Most tests first (`--loadscope-reorder`).
    files.sort_by_key(|tests| Reverse(tests.len()));
    simulate(suite, workers, &mut Loadfile { files: files.into() })
}

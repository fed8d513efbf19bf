//! Which workers sleep: they have been at one test for a while, and in that time neither they nor what they started used
//! the CPU.
//!
//! The machine's idle time does not tell it where other programs fill the CPU. It must not look at what has just begun:
//! short tests are none of its business and cost it nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use outpace_model::WorkerIndex;
use outpace_os::{Pid, TreeUsage, tree_usage};
use outpace_supervise::Sight;

/// Between two looks at the same worker.
const SPAN: Duration = Duration::from_millis(500);
/// Who uses less than this share of a core sleeps: a loop that polls is asleep too.
const LEAST_SHARE: f64 = 0.05;

struct Watched {
    sight: Sight,
    at: Instant,
    /// Seconds of CPU, up to the last look; none before the first.
    used: Option<f64>,
    sleeps: bool,
}

/// What was last seen of the workers that are at a test.
#[derive(Default)]
pub(crate) struct Sleepers(BTreeMap<WorkerIndex, Watched>);

impl Sleepers {
    /// Those of `workers` that sleep in a test; their processes, and what their lanes show.
    pub(crate) fn among(&mut self, workers: &[(WorkerIndex, i32, Sight)], now: Instant) -> Vec<WorkerIndex> {
        self.look(workers, now, |pid| tree_usage(Pid(pid)))
    }

    fn look(
        &mut self,
        workers: &[(WorkerIndex, i32, Sight)],
        now: Instant,
        usage: impl Fn(i32) -> Option<TreeUsage>,
    ) -> Vec<WorkerIndex> {
        self.0.retain(|worker, _| workers.iter().any(|(each, ..)| each == worker));
        for (worker, pid, sight) in workers {
            let new = || Watched { sight: *sight, at: now, used: None, sleeps: false };
            let watched = self.0.entry(*worker).or_insert_with(new);
            if watched.sight != *sight || sight.item.is_none() {
                *watched = new();
            } else if now >= watched.at + SPAN {
                let span = now.duration_since(watched.at).as_secs_f64();
                let usage = usage(*pid);
                watched.sleeps = usage.zip(watched.used).is_some_and(|(usage, before)| {
                    !usage.is_running && usage.cpu_seconds - before < span * LEAST_SHARE
                });
                watched.used = usage.map(|usage| usage.cpu_seconds);
                watched.at = now;
            }
        }
        self.0.iter().filter(|(_, watched)| watched.sleeps).map(|(worker, _)| *worker).collect()
    }
}

#[cfg(test)]
mod tests {
    use outpace_model::{ItemIndex, Phase};

    use super::*;

    const WORKER: WorkerIndex = WorkerIndex(3);

    fn at(item: Option<u32>) -> Vec<(WorkerIndex, i32, Sight)> {
        let sight = Sight { sequence: 7, item: item.map(ItemIndex), phase: Phase::Call, answered: 0 };
        vec![(WORKER, 1, sight)]
    }

    /// Whether the worker sleeps after each of these readings, half a second apart.
    fn sleeps(
        workers: &[Vec<(WorkerIndex, i32, Sight)>],
        cpu_seconds: &[f64],
        is_running: bool,
    ) -> Vec<bool> {
        let start = Instant::now();
        let mut sleepers = Sleepers::default();
        let mut now = start;
        workers
            .iter()
            .zip(cpu_seconds)
            .map(|(workers, cpu_seconds)| {
                let usage = TreeUsage { cpu_seconds: *cpu_seconds, is_running };
                now += SPAN;
                sleepers.look(workers, now, |_| Some(usage)) == [WORKER]
            })
            .collect()
    }

    #[test]
    fn who_uses_no_cpu_between_two_looks_sleeps() {
        let same = vec![at(Some(1)); 5];
        assert_eq!(sleeps(&same, &[0.0; 5], false), [false, false, true, true, true]);
        assert_eq!(sleeps(&same, &[0.0, 0.0, 0.0, 0.4, 0.4], false), [false, false, true, false, true]);
    }

    #[test]
    fn who_waits_for_a_core_does_not() {
        assert_eq!(sleeps(&vec![at(Some(1)); 4], &[0.0; 4], true), [false; 4]);
    }

    #[test]
    fn a_new_test_begins_anew_and_nobody_sleeps_between_tests() {
        let next = [at(Some(1)), at(Some(1)), at(Some(1)), at(Some(2)), at(Some(2)), at(Some(2))];
        assert_eq!(sleeps(&next, &[0.0; 6], false), [false, false, true, false, false, true]);
        assert_eq!(sleeps(&vec![at(None); 5], &[0.0; 5], false), [false; 5]);
    }
}

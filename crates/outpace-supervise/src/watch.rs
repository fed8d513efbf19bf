//! What each process is busy with, since when, and what is done when that takes too long.
//!
//! The event loop looks at the lanes now and then and tells of what has changed ([`Event::Seen`](crate::Event)). One
//! *pursuit* is a test, the collection of a file, a start, the end of a session or of a process. Once a pursuit is slow,
//! somebody looks at the process ([`Action::Look`]) and the controller is told where it is, again and again. Once it is
//! over its limit, its end comes in steps, and each is left as soon as the process is seen at something else:
//!
//! 1. look, while it stands still if it can: a call in C may end because it is looked at; tell the controller;
//! 2. ask it to fail ([`Action::AskToFail`]) until it answers: fixtures are torn down, the process lives on;
//! 3. after the grace SIGTERM, after [`LAST_WORDS`] SIGKILL, to the process and its group.
//!
//! This module must not end a process that is merely slow, and must not blame a test that was not seen too long at it.

use std::collections::BTreeMap;
use std::time::Duration;

use outpace_model::{ItemIndex, Phase};
use outpace_protocol::{Timeouts, Why};

use crate::event::{Action, Peer};
use crate::run::{Run, TemplateStage};
use crate::stop::EXIT;
use crate::worker::Stage;

mod steps;

/// How often lanes are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// A look that is not answered by then will not be.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How often a process is asked to fail until it answers.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Between SIGTERM and SIGKILL.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

/// What a lane says of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Tests and files begun so far.
    pub sequence: u32,
    /// The test it runs.
    pub item: Option<ItemIndex>,
    /// The phase it is in.
    pub phase: Phase,
    /// The last pursuit that it let fail because it was asked to: a sequence + 1.
    pub answered: u32,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The Python stacks, or why there are none.
    pub stacks: String,
    /// What the kernel says, line by line.
    pub native: Vec<String>,
}

/// What a process is busy with, as far as its time is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pursuit {
    Start(u32),
    Test(u32, ItemIndex),
    Between(u32),
    Finish,
    Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Within its limit.
    Quiet,
    /// Over its limit, and being looked at.
    Looking,
    /// Asked to fail; it has not answered.
    Asking { until: Duration },
    /// It fails, and tears down what it set up.
    Failing,
    /// SIGTERM was sent.
    Terminated,
    /// SIGKILL was sent.
    Killed,
}

#[derive(Debug)]
pub(crate) struct Watch {
    pursuit: Pursuit,
    since: Duration,
    phase: Phase,
    phase_since: Duration,
    /// When it is to be said that it is slow.
    slow_at: Option<Duration>,
    limit: Option<Duration>,
    step: Step,
    /// When the step is over.
    step_ends: Option<Duration>,
}

impl Watch {
    fn due(&self) -> Option<Duration> {
        match self.step {
            Step::Quiet => self.slow_at.into_iter().chain(self.limit.map(|limit| self.since + limit)).min(),
            _ => self.step_ends,
        }
    }
}

/// All that is watched.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    sights: BTreeMap<Peer, Sight>,
    watches: BTreeMap<Peer, Watch>,
    /// Only tests whose limit is not the common one.
    limits: BTreeMap<ItemIndex, Duration>,
    times: Timeouts,
}

impl Watching {
    pub(crate) fn set_times(&mut self, times: Timeouts) {
        self.times = times;
    }

    pub(crate) fn set_limits(&mut self, limits: &[(ItemIndex, u64)]) {
        self.limits = limits.iter().map(|(item, limit)| (*item, Duration::from_millis(*limit))).collect();
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.watches.values().filter_map(Watch::due).min()
    }

    fn slow(&self) -> Option<Duration> {
        positive(Duration::from_millis(self.times.slow))
    }

    fn test(&self) -> Option<Duration> {
        positive(Duration::from_millis(self.times.test))
    }

    fn grace(&self) -> Duration {
        Duration::from_millis(self.times.grace)
    }

    /// What anything but a test may take.
    fn longest(&self) -> Option<Duration> {
        self.test().map(|test| test.max(self.slow().unwrap_or_default()))
    }

    fn limit(&self, pursuit: Pursuit) -> Option<Duration> {
        match pursuit {
            Pursuit::Test(_, item) => self.limits.get(&item).copied().map_or_else(|| self.test(), positive),
            Pursuit::Exit => Some(self.longest().unwrap_or(EXIT).min(EXIT)),
            Pursuit::Start(_) | Pursuit::Between(_) | Pursuit::Finish => self.longest(),
        }
    }

    /// How often lanes are to be looked at; `None` while no time matters.
    fn every(&self) -> Option<Duration> {
        let shortest =
            self.limits.values().copied().filter_map(positive).chain(self.slow()).chain(self.test()).min()?;
        Some((shortest / 4).clamp(LOOK_AT_MOST_EVERY, LOOK_EVERY))
    }
}

fn positive(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Run {
    /// How often `Event::Seen` is wanted, where something has changed; `None` while nobody is watched.
    pub fn watch_every(&self) -> Option<Duration> {
        self.watching.every()
    }

    pub(crate) fn on_seen(&mut self, peer: Peer, sight: Sight) {
        self.watching.sights.insert(peer, sight);
        self.refresh(peer);
    }

    pub(crate) fn forget_sight(&mut self, peer: Peer) {
        self.watching.sights.remove(&peer);
        self.watching.watches.remove(&peer);
    }

    /// Who is told something has something to do from now on.
    pub(crate) fn watch_the_addressed(&mut self) {
        if self.plan.is_none() {
            return;
        }
        let unwatched = |action: &Action| match action {
            Action::Send(peer, _) if !self.watching.watches.contains_key(peer) => Some(*peer),
            _ => None,
        };
        let peers: Vec<Peer> = self.actions.iter().filter_map(unwatched).collect();
        for peer in peers {
            self.refresh(peer);
        }
    }

    fn pursuit(&self, peer: Peer, sight: Sight) -> Option<Pursuit> {
        if self.finished || self.plan.is_none() || self.debugging.concerns(peer) {
            return None;
        }
        let Some(index) = self.worker_of(peer) else {
            let collects = self.template == TemplateStage::Collecting && !self.template_is_deaf;
            return collects.then_some(Pursuit::Start(sight.sequence));
        };
        let worker = self.workers.get(&index)?;
        if worker.exit.is_some() || worker.closed.is_some() {
            return None;
        }
        match worker.stage {
            Stage::Announced | Stage::Collected | Stage::Down => None,
            _ if worker.said_bye => Some(Pursuit::Exit),
            Stage::Starting => Some(Pursuit::Start(sight.sequence)),
            Stage::Finishing if sight.phase == Phase::Start => Some(Pursuit::Start(sight.sequence)),
            Stage::Finishing => Some(Pursuit::Finish),
            // It waits for an answer of ours; in the middle of a teardown where a project schedules for itself.
            Stage::Active if worker.asking.is_some() => None,
            // An extra worker that is to start nothing: it may wait for long.
            Stage::Active if sight.item.is_none() && self.is_held(index) => None,
            Stage::Active => match sight.item {
                Some(item) => Some(Pursuit::Test(sight.sequence, item)),
                None if sight.phase == Phase::Finish => Some(Pursuit::Finish),
                None => Some(Pursuit::Between(sight.sequence)),
            },
        }
    }

    /// From when on it is slow, and its limit. What is interrupted has a deadline of its own.
    fn times_of(&self, peer: Peer, pursuit: Pursuit) -> (Option<Duration>, Option<Duration>) {
        let worker = self.worker_of(peer).and_then(|index| self.workers.get(&index));
        if worker.is_some_and(|worker| worker.interrupted) {
            return (None, None);
        }
        (self.watching.slow(), self.watching.limit(pursuit))
    }

    /// Looks at a process that is going to be interrupted, and watches it no more.
    pub(crate) fn look_for_the_last_time(&mut self, peer: Peer) {
        if let Some(watch) = self.watching.watches.get_mut(&peer) {
            (watch.slow_at, watch.limit) = (None, None);
            (watch.step, watch.step_ends) = (Step::Quiet, None);
        }
        if let Some(pid) = self.pid_of(peer) {
            self.act(Action::Look { peer, pid, why: Why::Stop, hold: None });
        }
    }

    /// Brings what is watched of a process up to what is known of it.
    pub(crate) fn refresh(&mut self, peer: Peer) {
        let sight = self.watching.sights.get(&peer).copied().unwrap_or_default();
        let Some(pursuit) = self.pursuit(peer, sight) else {
            self.watching.watches.remove(&peer);
            return;
        };
        let (now, grace) = (self.now, self.watching.grace());
        let (slow, limit) = self.times_of(peer, pursuit);
        let fresh = || Watch {
            pursuit,
            since: now,
            phase: sight.phase,
            phase_since: now,
            slow_at: slow.map(|slow| now + slow),
            limit,
            step: Step::Quiet,
            step_ends: None,
        };
        let watch = self.watching.watches.entry(peer).or_insert_with(fresh);
        if watch.pursuit != pursuit {
            *watch = fresh();
        }
        if watch.phase != sight.phase {
            (watch.phase, watch.phase_since) = (sight.phase, now);
        }
        if let Step::Asking { .. } = watch.step
            && Some(sight.answered) == asked(pursuit)
        {
            watch.step = Step::Failing;
            watch.step_ends = Some(now + grace);
        }
    }
}

/// What a process is asked to let fail; nothing that comes after the tests can fail.
fn asked(pursuit: Pursuit) -> Option<u32> {
    match pursuit {
        Pursuit::Start(sequence) | Pursuit::Test(sequence, _) => Some(sequence.wrapping_add(1) & ASKED),
        Pursuit::Between(_) | Pursuit::Finish | Pursuit::Exit => None,
    }
}

/// The bits of the word in the lane that name a pursuit.
const ASKED: u32 = 0x3fff_ffff;

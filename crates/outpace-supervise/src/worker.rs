//! What is known of one worker.

use std::collections::VecDeque;
use std::time::Duration;

use outpace_model::{Costs, ItemIndex, Phase};
use outpace_protocol::Collection;

use crate::pace::Pace;

/// A test given to a worker and not finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) position: u32,
    pub(crate) item: ItemIndex,
}

/// A question that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The worker sits between tests.
    Idle,
    /// The worker tears a test down and must know what is next.
    Running,
}

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its input is here, its process is not wanted yet.
    Announced,
    /// Being forked, or configuring and collecting.
    Starting,
    /// Spawned, collected, waiting for the others.
    Collected,
    /// Takes tests.
    Active,
    /// Told to finish its session.
    Finishing,
    /// Its connection has ended and its end was told to the controller.
    Down,
}

/// What the connection's end left behind.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) fault: Option<String>,
    pub(crate) position: u32,
    pub(crate) phase: Phase,
}

/// At what a worker took too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hung {
    /// The test, where it was one.
    pub(crate) item: Option<ItemIndex>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts that come independently of each other")]
pub(crate) struct Worker {
    pub(crate) stage: Stage,
    pub(crate) input: Vec<u8>,
    pub(crate) lane: u32,
    pub(crate) pid: Option<i32>,
    /// A fork of it that runs a test in its place.
    pub(crate) acting: Option<i32>,
    pub(crate) granted: VecDeque<Grant>,
    /// The first of them has said something of itself.
    pub(crate) begun: bool,
    pub(crate) next_position: u32,
    pub(crate) asking: Option<Asking>,
    pub(crate) limited: bool,
    /// It is asked for what it has not started, and has not answered.
    pub(crate) revoking: bool,
    pub(crate) pace: Pace,
    pub(crate) has_finished_any: bool,
    /// The test it finished last.
    pub(crate) last_item: Option<ItemIndex>,
    /// What a test cost whose end it is about to tell.
    pub(crate) costs: Option<(ItemIndex, Costs)>,
    /// The test it is in the middle of has failed.
    pub(crate) failing: bool,
    /// When it was last granted a test or finished one.
    pub(crate) active_at: Duration,
    /// External scheduling: nothing more will be assigned.
    pub(crate) retired: bool,
    pub(crate) said_bye: bool,
    pub(crate) interrupted: bool,
    pub(crate) killed: bool,
    /// It was ended because it took too long.
    pub(crate) hung: Option<Hung>,
    pub(crate) closed: Option<Closed>,
    pub(crate) exit: Option<String>,
    /// When patience ends: with the process if it still lives, with the connection if not.
    pub(crate) deadline: Option<Duration>,
    /// What it said it was busy with, before its first test.
    pub(crate) status: String,
    /// What it collected, and its payload, until the reference collection is there to compare it with.
    pub(crate) early: Option<(Collection, Vec<u8>)>,
    /// It is the process that was started as the template.
    pub(crate) is_template: bool,
    /// It is, or is to be, a fork of the template, and dies with it.
    pub(crate) forked: bool,
    /// A crash whose test the controller has not judged yet.
    pub(crate) unjudged: bool,
    pub(crate) crashed_item: Option<ItemIndex>,
}

impl Worker {
    pub(crate) fn new(input: Vec<u8>, lane: u32) -> Self {
        Self {
            stage: Stage::Announced,
            input,
            lane,
            pid: None,
            acting: None,
            granted: VecDeque::new(),
            begun: false,
            next_position: 0,
            asking: None,
            limited: false,
            revoking: false,
            pace: Pace::default(),
            has_finished_any: false,
            last_item: None,
            costs: None,
            failing: false,
            active_at: Duration::ZERO,
            retired: false,
            said_bye: false,
            interrupted: false,
            killed: false,
            hung: None,
            closed: None,
            exit: None,
            deadline: None,
            status: String::new(),
            early: None,
            is_template: false,
            forked: false,
            unjudged: false,
            crashed_item: None,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Announced | Stage::Down)
    }

    /// The processes that are this worker.
    pub(crate) fn pids(&self) -> impl Iterator<Item = i32> + use<> {
        self.pid.into_iter().chain(self.acting)
    }

    /// Tests it holds beyond the one it is certainly busy with.
    pub(crate) fn unstarted(&self) -> usize {
        self.granted.len().saturating_sub(1)
    }

    /// Whether asking it for unstarted tests may bring any: not where it was done, and nothing was granted since.
    pub(crate) fn can_be_revoked(&self) -> bool {
        self.unstarted() > 0 && !self.limited && self.is_live()
    }

    /// Removes and returns what it holds from `position` on.
    pub(crate) fn cut(&mut self, position: u32) -> Vec<ItemIndex> {
        let keep = self.granted.iter().take_while(|grant| grant.position < position).count();
        self.granted.split_off(keep).into_iter().map(|grant| grant.item).collect()
    }

    /// Removes and returns the first test it holds, if it had claimed that.
    pub(crate) fn pop_claimed(&mut self, position: u32) -> Option<ItemIndex> {
        let first = self.granted.front().filter(|grant| grant.position < position)?.item;
        self.granted.pop_front();
        Some(first)
    }

    /// Removes and returns what it holds but the test it is in the middle of.
    pub(crate) fn not_begun(&mut self) -> Vec<ItemIndex> {
        let keep = usize::from(self.begun).min(self.granted.len());
        self.granted.split_off(keep).into_iter().map(|grant| grant.item).collect()
    }
}

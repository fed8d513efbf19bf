//! Who has the terminal, and whether the others wait.

use outpace_model::WorkerIndex;
use outpace_protocol::{FromController, ToController};

use super::happening::Pid;

#[derive(Debug, Default)]
pub(crate) struct Lending {
    /// The turn that the run has told of, and whose it is.
    turn: Option<(u32, WorkerIndex)>,
    paused: bool,
    /// Truth: who has it.
    holder: Option<Pid>,
}

impl Lending {
    pub(crate) fn taken(&mut self, pid: Pid) {
        assert_eq!(self.holder, None, "{pid} has the terminal too");
        self.holder = Some(pid);
    }

    pub(crate) fn left(&mut self, pid: Pid) {
        if self.holder == Some(pid) {
            self.holder = None;
        }
    }

    pub(crate) fn heard(&mut self, message: &FromController) {
        if let FromController::Lent { turn, path: Some(_), pause, .. } = message
            && self.turn.is_some_and(|(current, _)| current == *turn)
        {
            self.paused |= pause;
        }
    }

    pub(crate) fn told(&mut self, message: &ToController) {
        match message {
            ToController::Lend(lend) => {
                assert_eq!(self.turn, None, "two turns at a time");
                self.turn = Some((lend.turn, lend.worker));
            }
            ToController::Returned { turn } => {
                assert_eq!(self.turn.take().map(|(turn, _)| turn), Some(*turn), "another turn ends");
            }
            _ => {}
        }
    }

    /// After all actions of an event: whether the others go on from now on.
    pub(crate) fn settle(&mut self) -> bool {
        let goes_on = self.paused && self.turn.is_none();
        self.paused &= self.turn.is_some();
        goes_on
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether this worker is to start nothing.
    pub(crate) fn must_wait(&self, worker: WorkerIndex) -> bool {
        self.paused && self.turn.is_some_and(|(_, holder)| holder != worker)
    }
}

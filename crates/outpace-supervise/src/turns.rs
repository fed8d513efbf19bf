//! Whose turn it is to have the terminal: one process at a time, in the order in which they asked.
//!
//! A turn has a number, so that an answer of the controller's cannot be taken for another turn's.

use std::collections::VecDeque;

use crate::event::Peer;

/// The process that has the terminal, or is about to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Counted from 1 over the run.
    pub number: u32,
    /// Whose.
    pub peer: Peer,
}

/// Who has the terminal, and who waits for it.
#[derive(Debug, Default)]
pub struct Turns {
    current: Option<Turn>,
    waiting: VecDeque<Peer>,
    last: u32,
}

impl Turns {
    /// A process wants the terminal. Its turn, if it has come; none too where it has it or waits already.
    pub fn want(&mut self, peer: Peer) -> Option<Turn> {
        if self.concerns(peer) {
            return None;
        }
        self.waiting.push_back(peer);
        if self.current.is_none() { self.begin() } else { None }
    }

    /// A process is done with the terminal, or is gone. The turn that ends, if it had one.
    pub fn leave(&mut self, peer: Peer) -> Option<Turn> {
        self.waiting.retain(|waiting| *waiting != peer);
        self.current.take_if(|turn| turn.peer == peer)
    }

    /// The next turn, where nobody has one.
    pub fn begin_next(&mut self) -> Option<Turn> {
        if self.current.is_some() { None } else { self.begin() }
    }

    /// Nobody waits any more, and nobody has it. The turn that ends.
    pub fn end(&mut self) -> Option<Turn> {
        self.waiting.clear();
        self.current.take()
    }

    fn begin(&mut self) -> Option<Turn> {
        let peer = self.waiting.pop_front()?;
        self.last += 1;
        self.current = Some(Turn { number: self.last, peer });
        self.current
    }

    /// The process whose turn has this number, if it still is its turn.
    pub fn holder(&self, number: u32) -> Option<Peer> {
        self.current.filter(|turn| turn.number == number).map(|turn| turn.peer)
    }

    /// Whether it has the terminal or waits for it.
    pub fn concerns(&self, peer: Peer) -> bool {
        self.current.is_some_and(|turn| turn.peer == peer) || self.waiting.contains(&peer)
    }

    /// Whether anybody has it.
    pub fn is_taken(&self) -> bool {
        self.current.is_some()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

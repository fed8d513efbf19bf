//! Tests that are known to be in each other's way.

/// What keeps them out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Apart {
    /// They never run at the same time.
    InTime = 0,
    /// They run one after the other, in the order of the collection, in one process.
    InOrder = 1,
    /// Nothing runs beside them.
    FromAll = 2,
}

impl Apart {
    /// From the number that stands for it.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::InTime, Self::InOrder, Self::FromAll].into_iter().find(|each| *each as u8 == number)
    }
}

/// Tests that cannot run side by side, and for what reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What keeps them out of each other's way.
    pub apart: Apart,
    /// What they meet on, in words.
    pub on: String,
    /// A fixture that outlives its test holds what they meet on.
    pub lasting: bool,
    /// Their node ids.
    pub tests: Vec<String>,
}

impl Conflict {
    /// Whether there is anything left to keep apart.
    pub fn is_one(&self) -> bool {
        self.tests.len() >= if self.apart == Apart::FromAll { 1 } else { 2 }
    }
}

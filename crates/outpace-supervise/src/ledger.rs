//! The book of what became of every test. It decides nothing; it refuses to be wrong.

use outpace_model::ItemIndex;

/// How often each test is still to run, and what happened to it. All modes but `each` run a test once.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    remaining: Vec<u32>,
    interrupted: Vec<ItemIndex>,
    /// How often each test may yet run again because its worker died without fault of its own.
    excuses: Vec<u32>,
    records: u32,
}

impl Ledger {
    pub(crate) fn new(items: usize, times: u32) -> Self {
        Self {
            remaining: vec![times; items],
            interrupted: Vec::new(),
            excuses: vec![times; items],
            records: 0,
        }
    }

    /// One terminal record. A scheduler in the controller may have a test run more often than it is to.
    pub(crate) fn finish(&mut self, item: ItemIndex) {
        self.close(item);
        self.records += 1;
    }

    pub(crate) fn interrupt(&mut self, item: ItemIndex) {
        self.close(item);
        self.interrupted.push(item);
    }

    fn close(&mut self, item: ItemIndex) {
        if let Some(left) = self.remaining.get_mut(item.get()) {
            *left = left.saturating_sub(1);
        }
    }

    /// A crashed test is to run again: its record is withdrawn.
    pub(crate) fn reopen(&mut self, item: ItemIndex) {
        if let Some(left) = self.remaining.get_mut(item.get()) {
            *left += 1;
            self.records = self.records.saturating_sub(1);
        }
    }

    /// A plugin asks for one more run of a test. False when there is no such test, or it is still to be run anyway.
    pub(crate) fn again(&mut self, item: ItemIndex) -> bool {
        self.remaining.get_mut(item.get()).filter(|left| **left == 0).map(|left| *left += 1).is_some()
    }

    /// Whether the test may be run again although it was running when its worker died: once.
    pub(crate) fn excuse(&mut self, item: ItemIndex) -> bool {
        match self.excuses.get_mut(item.get()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    pub(crate) fn not_run(&self) -> Vec<ItemIndex> {
        (0u32..)
            .zip(&self.remaining)
            .filter(|(_, left)| **left > 0)
            .map(|(index, _)| ItemIndex(index))
            .collect()
    }

    pub(crate) fn interrupted(&self) -> Vec<ItemIndex> {
        self.interrupted.clone()
    }
}

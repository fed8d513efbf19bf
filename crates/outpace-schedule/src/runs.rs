//! A queue of items kept as runs of neighbours, so that a million items in order cost one entry.

use std::collections::VecDeque;
use std::ops::Range;

use outpace_model::ItemIndex;

use crate::files::{Files, tolerance};
use crate::plan::number;

/// A queue of items. Neighbouring runs that continue each other are one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    runs: VecDeque<Range<u32>>,
    len: usize,
}

impl Runs {
    /// The items from `span.start` to before `span.end`.
    pub(crate) fn from_span(span: Range<u32>) -> Self {
        let len = span.len();
        let runs = if len == 0 { VecDeque::new() } else { VecDeque::from([span]) };
        Self { runs, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ItemIndex> {
        self.runs.iter().cloned().flatten().map(ItemIndex)
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = &Range<u32>> {
        self.runs.iter()
    }

    /// Takes one item out of the queue, wherever it is; false when it is not there.
    pub(crate) fn remove(&mut self, item: ItemIndex) -> bool {
        let Some(at) = self.runs.iter().position(|run| run.contains(&item.0)) else { return false };
        let run = self.runs[at].clone();
        self.len -= 1;
        self.runs[at] = run.start..item.0;
        if item.0 + 1 < run.end {
            self.runs.insert(at + 1, item.0 + 1..run.end);
        }
        if self.runs[at].is_empty() {
            self.runs.remove(at);
        }
        true
    }

    /// Cuts off the first `count` items.
    pub(crate) fn split_front(&mut self, count: usize) -> Self {
        let mut front = Self::default();
        while let Some(run) = self.runs.front_mut()
            && front.len < count
        {
            let wanted = (count - front.len).min(run.len());
            let middle = run.start + number(wanted);
            front.runs.push_back(run.start..middle);
            front.len += wanted;
            self.len -= wanted;
            run.start = middle;
            if run.start == run.end {
                self.runs.pop_front();
            }
        }
        front
    }

    pub(crate) fn push_back(&mut self, item: ItemIndex) {
        self.len += 1;
        match self.runs.back_mut() {
            Some(run) if run.end == item.0 => run.end += 1,
            _ => self.runs.push_back(item.0..item.0 + 1),
        }
    }

    pub(crate) fn push_front(&mut self, item: ItemIndex) {
        self.len += 1;
        match self.runs.front_mut() {
            Some(run) if run.start == item.0 + 1 => run.start = item.0,
            _ => self.runs.push_front(item.0..item.0 + 1),
        }
    }

    /// Puts `items` before everything else, in their order.
    pub(crate) fn prepend(&mut self, items: &[ItemIndex]) {
        for &item in items.iter().rev() {
            self.push_front(item);
        }
    }

    /// Moves items from the front into `out` until `out` holds `max`.
    pub(crate) fn fill(&mut self, out: &mut Vec<ItemIndex>, max: usize) {
        while let Some(run) = self.runs.front_mut()
            && out.len() < max
        {
            let wanted = (max - out.len()).min(run.len());
            let end = run.start + number(wanted);
            out.extend((run.start..end).map(ItemIndex));
            self.len -= wanted;
            run.start = end;
            if run.start == run.end {
                self.runs.pop_front();
            }
        }
    }

    /// Cuts off the front half, so that who takes it and who keeps the rest both go on in collection order. At a file
    /// boundary when one is near; never empty unless this queue is.
    pub(crate) fn steal_front(&mut self, files: &Files) -> Self {
        let mut stolen = self.split_back(files);
        if !self.is_empty() {
            std::mem::swap(self, &mut stolen);
        }
        stolen
    }

    /// Cuts off the back half, at a file boundary when one is near. Never empty unless this queue is.
    fn split_back(&mut self, files: &Files) -> Self {
        let keep = self.cut_near(self.len / 2, files);
        let mut stolen = Self::default();
        while let Some(mut run) = self.runs.pop_back() {
            let before = self.len - run.len();
            if before < keep {
                let middle = run.start + number(keep - before);
                let tail = middle..run.end;
                run.end = middle;
                self.runs.push_back(run);
                stolen.put_run_first(tail);
                break;
            }
            self.len = before;
            stolen.put_run_first(run);
        }
        self.len = keep;
        stolen
    }

    /// The position nearest to `ideal` at which a file or a run begins; `ideal` itself when none is near.
    fn cut_near(&self, ideal: usize, files: &Files) -> usize {
        let tolerance = tolerance(self.len);
        let mut end = self.len;
        for run in self.runs.iter().rev() {
            let begin = end - run.len();
            if begin <= ideal {
                let item = run.start + number(ideal - begin);
                let boundary = files.nearest(item, number(tolerance), run);
                let inside = boundary.map(|item| begin + (item - run.start) as usize);
                return [Some(begin), inside, Some(end)]
                    .into_iter()
                    .flatten()
                    .filter(|&cut| 0 < cut && cut < self.len && cut.abs_diff(ideal) <= tolerance)
                    .min_by_key(|cut| cut.abs_diff(ideal))
                    .unwrap_or(ideal);
            }
            end = begin;
        }
        ideal
    }

    fn put_run_first(&mut self, run: Range<u32>) {
        if !run.is_empty() {
            self.len += run.len();
            self.runs.push_front(run);
        }
    }
}

impl FromIterator<ItemIndex> for Runs {
    fn from_iter<I: IntoIterator<Item = ItemIndex>>(items: I) -> Self {
        let mut runs = Self::default();
        for item in items {
            runs.push_back(item);
        }
        runs
    }
}

#[cfg(test)]
mod tests;

//! Where files begin in the collection, to cut spans there.

use std::ops::Range;

use crate::plan::{file_of, number};

/// A cut moves to a file boundary that is at most this share of the span away, in percent.
const NEAR_PERCENT: usize = 15;

/// The items that are the first of their file, but for the first item of all.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    starts: Vec<u32>,
}

impl Files {
    pub(crate) fn new(node_ids: &[String]) -> Self {
        let starts = node_ids
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| file_of(&pair[0]) != file_of(&pair[1]))
            .map(|(position, _)| number(position + 1))
            .collect();
        Self { starts }
    }

    /// The file boundary nearest to `cut`, at most `tolerance` away and inside `span`; its edges do not count.
    pub(crate) fn nearest(&self, cut: u32, tolerance: u32, span: &Range<u32>) -> Option<u32> {
        let above = self.starts.partition_point(|&start| start < cut);
        let below = above.checked_sub(1);
        [below, Some(above)]
            .into_iter()
            .flatten()
            .filter_map(|position| self.starts.get(position).copied())
            .filter(|&start| start.abs_diff(cut) <= tolerance && span.start < start && start < span.end)
            .min_by_key(|start| start.abs_diff(cut))
    }
}

/// How far from its ideal place a span of `length` items may be cut.
pub(crate) fn tolerance(length: usize) -> usize {
    length * NEAR_PERCENT / 100
}

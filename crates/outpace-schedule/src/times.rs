//! What items are expected to take, in whole microseconds.

use std::collections::HashMap;
use std::ops::Range;

use outpace_model::ItemIndex;

use crate::plan::{Plan, file_of};
use crate::runs::Runs;

/// What running an item costs beside what was measured of it.
const OVERHEAD: u64 = 200;

/// Expected times of all items of a collection, as running sums.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    sums: Vec<u64>,
}

impl Times {
    /// An item of which nothing is known is taken to be as the median of its file, or of all. None when nothing is known of any.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let micros: Vec<Option<u64>> = plan.expected.iter().map(|each| each.map(micros)).collect();
        let of_all = median(micros.iter().flatten().copied().collect())?;
        let mut by_file = HashMap::new();
        let is_missing = |position: usize| micros.get(position).copied().flatten().is_none();
        if (0..plan.node_ids.len()).any(is_missing) {
            let mut known = HashMap::<&str, Vec<u64>>::new();
            for (node_id, time) in plan.node_ids.iter().zip(&micros) {
                known.entry(file_of(node_id)).or_default().extend(time);
            }
            by_file = known.into_iter().map(|(file, times)| (file, median(times))).collect();
        }
        let mut sum = 0;
        let mut sums = Vec::with_capacity(plan.node_ids.len() + 1);
        sums.push(0);
        for (position, node_id) in plan.node_ids.iter().enumerate() {
            let time = micros.get(position).copied().flatten();
            let time = time.or_else(|| by_file.get(file_of(node_id)).copied().flatten()).unwrap_or(of_all);
            sum += time + OVERHEAD;
            sums.push(sum);
        }
        Some(Self { sums })
    }

    pub(crate) fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    pub(crate) fn of(&self, item: ItemIndex) -> u64 {
        self.sums[item.get() + 1] - self.sums[item.get()]
    }

    pub(crate) fn of_range(&self, range: &Range<u32>) -> u64 {
        self.sums[range.end as usize] - self.sums[range.start as usize]
    }

    pub(crate) fn of_runs(&self, runs: &Runs) -> u64 {
        runs.ranges().map(|range| self.of_range(range)).sum()
    }

    /// What comes before `item` in the queue; none when it is not there.
    pub(crate) fn before(&self, item: ItemIndex, runs: &Runs) -> Option<u64> {
        let mut sum = 0;
        for range in runs.ranges() {
            if range.contains(&item.0) {
                return Some(sum + self.of_range(&(range.start..item.0)));
            }
            sum += self.of_range(range);
        }
        None
    }

    /// How many items from the front are nearest to half of the queue's time: at least one, and not all if there are two.
    pub(crate) fn half(&self, runs: &Runs) -> usize {
        let half = self.of_runs(runs) / 2;
        let (mut count, mut sum) = (0, 0);
        for range in runs.ranges() {
            let time = self.of_range(range);
            if sum + time < half {
                sum += time;
                count += range.len();
                continue;
            }
            let start = self.sums[range.start as usize];
            let within = &self.sums[range.start as usize..=range.end as usize];
            let below = within.partition_point(|&each| sum + (each - start) < half);
            let is_nearer = |each: usize| (sum + (within[each] - start)).abs_diff(half);
            let cut = [below.saturating_sub(1), below].into_iter().min_by_key(|&each| is_nearer(each));
            count += cut.unwrap_or(0);
            break;
        }
        count.clamp(1, runs.len().saturating_sub(1).max(1))
    }
}

fn micros(seconds: f32) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturates")]
    let micros = (f64::from(seconds).clamp(0.0, 1e6) * 1e6) as u64;
    micros
}

fn median(mut times: Vec<u64>) -> Option<u64> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

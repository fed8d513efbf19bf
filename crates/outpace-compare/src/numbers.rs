//! Readings of runs, and the middle of several.

use crate::record::Record;

/// Who runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// pytest alone, in one process.
    Pytest,
    /// pytest-xdist.
    Xdist,
    /// outpace.
    Outpace,
    /// outpace right after that: with what the run before has taught.
    Again,
}

impl Engine {
    /// In the order in which they run.
    pub const ALL: [Self; 4] = [Self::Pytest, Self::Xdist, Self::Outpace, Self::Again];

    /// Whether it is ours.
    pub fn is_outpace(self) -> bool {
        matches!(self, Self::Outpace | Self::Again)
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pytest => "plain pytest",
            Self::Xdist => "pytest-xdist",
            Self::Outpace => "outpace",
            Self::Again => "outpace again",
        }
    }
}

/// One run, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What it reported; none where it ended too early for that.
    pub record: Option<Record>,
    /// pytest's exit code; none where a signal ended it.
    pub exit: Option<i32>,
    /// From start to end.
    pub wall_seconds: f64,
    /// Of all its processes.
    pub cpu_seconds: f64,
    /// The most memory of all its processes at one time.
    pub peak_bytes: Option<u64>,
    /// Processes that were still there when it had ended.
    pub left: usize,
}

/// All runs under one engine, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Runs {
    /// Who ran them.
    pub engine: Engine,
    /// At least one.
    pub readings: Vec<Reading>,
}

impl Runs {
    /// Seconds from start to end.
    pub fn wall(&self) -> f64 {
        median(self.readings.iter().map(|reading| reading.wall_seconds).collect())
    }

    /// CPU seconds.
    pub fn cpu(&self) -> f64 {
        median(self.readings.iter().map(|reading| reading.cpu_seconds).collect())
    }

    /// Bytes.
    pub fn peak(&self) -> Option<f64> {
        let known: Vec<f64> =
            self.readings.iter().filter_map(|reading| reading.peak_bytes).map(as_number).collect();
        (known.len() == self.readings.len()).then(|| median(known))
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
fn as_number(bytes: u64) -> f64 {
    bytes as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|before| values.get(before))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_several() {
        for (values, expected) in [(vec![3.0], 3.0), (vec![9.0, 1.0], 5.0), (vec![7.0, 1.0, 2.0], 2.0)] {
            assert!((median(values) - expected).abs() < 1e-9);
        }
    }
}

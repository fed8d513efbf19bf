//! How many tests to grant at once.
//!
//! A question costs some 50 µs. A grant of about [`TARGET`] seconds of work makes that invisible, and what is
//! granted but not started can be revoked, so a wrong guess costs little.

/// Seconds of work in one grant.
const TARGET: f64 = 0.020;
const MOST: usize = 64;
/// Weight of the newest duration.
const WEIGHT: f64 = 0.25;

/// A worker's recent seconds per test.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    average: Option<f64>,
}

impl Pace {
    pub(crate) fn record(&mut self, seconds: f64) {
        let seconds = seconds.max(0.0);
        self.average = Some(self.average.map_or(seconds, |average| average + WEIGHT * (seconds - average)));
    }

    /// How many tests to grant when `pending` are left for `workers` workers.
    pub(crate) fn batch(&self, pending: usize, workers: usize) -> usize {
        let Some(average) = self.average else { return 1 };
        let wanted = (0..MOST)
            .take_while(|n| f64::from(u8::try_from(*n).unwrap_or(u8::MAX)) * average < TARGET)
            .count();
        let fair = pending / (workers.max(1) * 2);
        wanted.min(fair).max(1)
    }
}

//! Why a parallel run is not faster: what bounds it, and what would help most.

use serde::Serialize;

use crate::record::{Outcome, Round};

/// A long test.
#[derive(Debug, Clone, Serialize)]
pub struct Longest {
    /// Its node id.
    pub id: String,
    /// How long it takes.
    pub seconds: f64,
}

/// What bounds a parallel run.
#[derive(Debug, Clone, Serialize)]
pub struct Faster {
    /// Seconds of all tests, one after the other.
    pub tests_seconds: f64,
    /// What is left of the serial run: start, imports, collection.
    pub other_seconds: f64,
    /// Of the tests' time, the share in which they did not compute.
    pub waiting_share: f64,
    /// No run with so many workers can be shorter than this.
    pub limit_seconds: f64,
    /// Workers.
    pub workers: usize,
    /// The longest tests.
    pub longest: Vec<Longest>,
    /// What would help, the most first.
    pub wins: Vec<String>,
}

/// None where too little ran to say anything.
pub(crate) fn faster(serial: &Round, workers: usize) -> Option<Faster> {
    let mut longest: Vec<Longest> = serial
        .tests
        .iter()
        .filter(|test| test.outcome != Outcome::Skipped)
        .map(|test| Longest { id: test.id.clone(), seconds: test.seconds })
        .collect();
    longest.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let total: f64 = longest.iter().map(|test| test.seconds).sum();
    let top = longest.first()?.seconds;
    let cpu: f64 = serial.tests.iter().map(|test| test.cpu.min(test.span.1 - test.span.0)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a number of workers is small")]
    let lanes = workers.max(1) as f64;
    let share = total / lanes;
    let limit = top.max(share);
    let waiting = if total > 0.0 { (1.0 - cpu / total).clamp(0.0, 1.0) } else { 0.0 };
    let other = (serial.seconds - total).max(0.0);
    let mut wins = Vec::new();
    let second = longest.get(1).map_or(0.0, |test| test.seconds);
    if top > share * 1.2 && top > 0.5 {
        wins.push(format!(
            "split {}: it alone takes {top:.1} s, the limit falls to {:.1} s",
            longest[0].id,
            second.max(share)
        ));
    }
    if waiting > 0.4 && total > 1.0 {
        wins.push(format!(
            "tests wait {:.0} % of their time: `-n auto` adds workers while they do; or replace sleeps by events",
            waiting * 100.0
        ));
    }
    if other > total && other > 1.0 {
        wins.push(format!(
            "{other:.1} s of the serial run are imports and collection: `python -X importtime` says which"
        ));
    }
    longest.truncate(5);
    Some(Faster {
        tests_seconds: total,
        other_seconds: other,
        waiting_share: waiting,
        limit_seconds: limit,
        workers,
        longest,
        wins,
    })
}

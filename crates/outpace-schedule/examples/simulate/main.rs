//! Whole runs in simulation: how long they take under outpace's rules, and under xdist's.
//!
//! `cargo run --release -p outpace-schedule --example simulate -- TABLE.md PLOT.svg`. The same table every time. Nothing but
//! the tests takes time: no process starts, no fixture, no message. What it shows is the order alone.

use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

mod plot;
mod rivals;
mod rules;
mod suites;

use suites::Suite;

const WORKERS: [u32; 6] = [1, 4, 16, 64, 256, 1024];
const TESTS: [usize; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// One row of the table.
pub(crate) struct Row {
    suite: &'static str,
    tests: usize,
    workers: u32,
    /// In the order of [`rules::ALL`]: the run's time, in parts of the least there can be.
    ratios: Vec<f64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, plot] = &arguments[..] else {
        return ExitCode::from(2);
    };
    let mut rows = Vec::new();
    for (suite, make) in suites::ALL {
        for tests in TESTS {
            let suite_of_size = make(tests);
            for workers in
                WORKERS.into_iter().filter(|workers| *workers as usize * 4 <= tests || *workers <= 4)
            {
                rows.push(measure(suite, &suite_of_size, workers));
            }
        }
    }
    let written = fs::write(table, markdown(&rows)).and_then(|()| fs::write(plot, plot::svg(&rows)));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(name: &'static str, suite: &Suite, workers: u32) -> Row {
    let floor = suite.floor(workers);
    let ratio = |rule: &rules::Rule| {
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = (rule.run)(suite, workers) as f64 / floor as f64;
        ratio
    };
    Row { suite: name, tests: suite.times.len(), workers, ratios: rules::ALL.iter().map(ratio).collect() }
}

fn markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "# The order of tests, in simulation\n\n\
         Made with `cargo run --release -p outpace-schedule --example simulate -- docs/benchmarks/scheduling.md \
         docs/benchmarks/scheduling.svg`; it gives the same figures on any machine. Each is the time of the run divided by the least that any \
         order could reach: the longest test, or all tests shared out evenly. Only tests take time; xdist's rules are taken from its \
         documentation and behaviour, and a worker of xdist never waits for a message here. *Warm* knows what the tests take from history, \
         each off by up to a fifth.\n\n\
         ![medians and worst cases by number of workers](scheduling.svg)\n\n\
         `even`: tests of about the same time. `tailed`: most are short, few take a hundred times as long, anywhere. `files`: as `tailed`, but it is whole files that are \
         slow. `skewed`: one file has four fifths of the work. `late`: one test in the last file takes as long as a worker's share.\n\n",
    );
    let names: Vec<&str> = rules::ALL.iter().map(|rule| rule.name).collect();
    let _ = writeln!(out, "## In short\n\n| | {} |\n|---|{}", names.join(" | "), "---:|".repeat(names.len()));
    for (label, share) in [("median", 0.5), ("nine of ten at most", 0.9), ("worst", 1.0)] {
        let figures = (0..names.len()).map(|rule| format!("{:.2}", quantile(rows, rule, share)));
        let _ = writeln!(out, "| {label} | {} |", figures.collect::<Vec<_>>().join(" | "));
    }
    let _ = writeln!(
        out,
        "\n## All\n\n| suite | tests | workers | {} |\n|---|---:|---:|{}",
        names.join(" | "),
        "---:|".repeat(names.len())
    );
    for row in rows {
        let figures: Vec<String> = row.ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let _ =
            writeln!(out, "| {} | {} | {} | {} |", row.suite, row.tests, row.workers, figures.join(" | "));
    }
    out
}

fn quantile(rows: &[Row], rule: usize, share: f64) -> f64 {
    plot::quantile(rows.iter().map(|row| row.ratios[rule]).collect(), share)
}

//! What people read.

use std::collections::BTreeSet;

use crate::differences::{Comparison, Difference};
use crate::numbers::{Engine, Runs};

/// How many differences of an engine are printed.
const MOST_SHOWN: usize = 20;

/// A row an engine: what it took, how it ended.
pub fn table(all: &[Runs]) -> String {
    let mut rows = vec![
        ["", "wall", "CPU", "memory", "exit", "passed", "failed", "errors", "skipped"].map(str::to_owned),
    ];
    rows.extend(all.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(runs: &Runs) -> [String; 9] {
    let mut exits: Vec<String> = runs
        .readings
        .iter()
        .map(|reading| reading.exit.map_or("signal".into(), |code| code.to_string()))
        .collect();
    exits.dedup();
    let counts = runs.readings.iter().find_map(|reading| reading.record.as_ref()).map(crate::Record::counts);
    let number = |value: Option<usize>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    [
        runs.engine.name().to_owned(),
        format!("{:.2} s", runs.wall()),
        format!("{:.2} s", runs.cpu()),
        runs.peak().map_or_else(|| "?".to_owned(), |bytes| format!("{:.0} MB", bytes / 1e6)),
        exits.join(" "),
        number(counts.map(|counts| counts.passed)),
        number(counts.map(|counts| counts.failed)),
        number(counts.map(|counts| counts.errors)),
        number(counts.map(|counts| counts.skipped)),
    ]
}

/// The lines below the table: what differs, what is flaky, how much faster it was.
pub fn conclusion(all: &[Runs], comparison: &Comparison) -> String {
    let mut lines = Vec::new();
    for runs in all.iter().filter(|runs| runs.engine != Engine::Pytest) {
        let of_engine: Vec<&Difference> =
            comparison.differences.iter().filter(|each| each.engine == runs.engine).collect();
        if comparison.is_same(runs.engine) {
            lines.push(format!("{}: every test ends as under plain pytest", runs.engine.name()));
        } else if !of_engine.is_empty() {
            lines.push(format!("{}: not as under plain pytest:", runs.engine.name()));
            lines.extend(of_engine.iter().take(MOST_SHOWN).map(|each| line(each, runs.readings.len())));
            if let Some(more) = of_engine.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
                lines.push(format!("  and {more} more: --json FILE has them all"));
            }
        }
    }
    if is_parallels_fault(comparison) {
        lines.push(
            "what differs under both meets other tests: `outpace --retry-alone` names what ran beside it"
                .to_owned(),
        );
    }
    lines.extend(comparison.ends.iter().map(|(engine, text)| format!("{}: {text}", engine.name())));
    if !comparison.flaky.is_empty() {
        lines.push("flaky by themselves (two runs of plain pytest disagree; not counted above):".to_owned());
        lines.extend(comparison.flaky.iter().map(|node| format!("  {node}")));
    }
    lines.extend(speed(all));
    lines.join("\n")
}

/// Whether what differs under outpace also differs under xdist: then no engine is to blame.
fn is_parallels_fault(comparison: &Comparison) -> bool {
    let of = |engine: Engine| {
        let found = comparison.differences.iter().filter(move |each| each.engine == engine);
        found.map(|each| (&each.node, &each.phase)).collect::<BTreeSet<_>>()
    };
    let ours = of(Engine::Outpace);
    !ours.is_empty() && ours.is_subset(&of(Engine::Xdist))
}

fn line(difference: &Difference, runs: usize) -> String {
    let word = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "not reported".to_owned());
    let how_often = if runs > 1 { format!(" ({} of {runs} runs)", difference.runs) } else { String::new() };
    let Difference { node, phase, before, after, .. } = difference;
    format!("  {node} [{phase}]: {} → {}{how_often}", word(before), word(after))
}

fn speed(all: &[Runs]) -> Vec<String> {
    let (ours, others): (Vec<&Runs>, Vec<&Runs>) = all.iter().partition(|runs| runs.engine.is_outpace());
    let line = |ours: &Runs| {
        let wall = ours.wall();
        let factors: Vec<String> = others
            .iter()
            .map(|other| format!("{:.1} × as fast as {}", other.wall() / wall, other.engine.name()))
            .collect();
        (wall > 0.0 && !factors.is_empty())
            .then(|| format!("{} was {}", ours.engine.name(), factors.join(", ")))
    };
    ours.into_iter().filter_map(line).collect()
}

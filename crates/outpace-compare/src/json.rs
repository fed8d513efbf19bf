//! What programs read. `docs/commands.md` describes it.

use serde_json::{Value, json as value};

use crate::differences::Comparison;
use crate::numbers::{Engine, Reading, Runs};

/// Raised when a key changes its meaning or goes away.
const VERSION: u32 = 1;

/// Everything as one document.
pub fn json(all: &[Runs], comparison: &Comparison) -> String {
    let engines: Vec<Value> = all.iter().map(engine).collect();
    let differences: Vec<Value> = comparison
        .differences
        .iter()
        .map(|each| {
            value!({
                "engine": word(each.engine), "test": each.node, "phase": each.phase,
                "pytest": each.before, "here": each.after, "runs": each.runs,
            })
        })
        .collect();
    let ends: Vec<Value> = comparison
        .ends
        .iter()
        .map(|(engine, text)| value!({"engine": word(*engine), "message": text}))
        .collect();
    let document = value!({
        "version": VERSION,
        "engines": engines,
        "differences": differences,
        "flaky": comparison.flaky,
        "ends": ends,
        "same": comparison.is_ours_same(),
    });
    format!("{document:#}\n")
}

fn engine(runs: &Runs) -> Value {
    value!({
        "engine": word(runs.engine),
        "wall_seconds": runs.wall(),
        "cpu_seconds": runs.cpu(),
        "peak_memory_bytes": runs.peak(),
        "runs": runs.readings.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(reading: &Reading) -> Value {
    let counts = reading.record.as_ref().map(crate::Record::counts);
    let counts = counts.map(|counts| {
        value!({"passed": counts.passed, "failed": counts.failed, "errors": counts.errors, "skipped": counts.skipped})
    });
    value!({
        "exit_code": reading.exit,
        "wall_seconds": reading.wall_seconds,
        "cpu_seconds": reading.cpu_seconds,
        "peak_memory_bytes": reading.peak_bytes,
        "processes_left": reading.left,
        "workers": reading.record.as_ref().map(|record| record.workers.len()),
        "tests": counts,
    })
}

fn word(engine: Engine) -> &'static str {
    match engine {
        Engine::Pytest => "pytest",
        Engine::Xdist => "xdist",
        Engine::Outpace => "outpace",
        Engine::Again => "outpace-again",
    }
}

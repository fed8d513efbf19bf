//! How "why is it not faster?" is told.

use std::fmt::Write;

use crate::faster::{Faster, HeldApart, MemoryUse, SharedFixture};
use crate::load::{Bound, BoundBy};

/// Lists on the screen are short; the document and the JSON have more.
const SHOWN: usize = 3;
/// Seconds that are worth a word.
const WORTH_A_WORD: f64 = 0.05;

/// A few lines for people.
pub(crate) fn on_screen(out: &mut String, faster: &Faster) {
    let _ = writeln!(out, "{}", headline(faster));
    let _ = writeln!(
        out,
        "  tests      {:.1} s ({:.1} s of CPU: they wait {:.0} % of it), the longest {:.1} s",
        faster.tests_seconds,
        faster.cpu_seconds,
        faster.waiting_share * 100.0,
        faster.longest.first().map_or(0.0, |test| test.seconds)
    );
    if faster.imports.seconds >= WORTH_A_WORD {
        let files = faster.imports.files.iter().filter(|file| file.seconds >= WORTH_A_WORD).take(SHOWN);
        let files: Vec<String> = files.map(|file| format!("{} {:.1} s", file.path, file.seconds)).collect();
        let named = if files.is_empty() { String::new() } else { format!(": {}", files.join(", ")) };
        let _ = writeln!(
            out,
            "  imports    {:.1} s, {:.0} % of all{named}",
            faster.imports.seconds,
            faster.imports.share * 100.0
        );
    }
    for fixture in faster.fixtures.iter().filter(|each| each.total_seconds >= WORTH_A_WORD).take(SHOWN) {
        let _ = writeln!(out, "  fixture    {}", told(fixture));
    }
    for each in &faster.apart {
        let label = if each.resource.is_some() { "resource" } else { "serial" };
        let _ = writeln!(out, "  {label:<10} {}", apart(each));
    }
    if let Some(used) = &faster.memory {
        let _ = writeln!(out, "  memory     {}", memory(used));
    }
    for win in &faster.wins {
        let _ = writeln!(out, "  -{:.1} s  {}", win.seconds, win.what);
    }
}

/// The section of the document.
pub(crate) fn in_document(out: &mut String, faster: &Faster, cell: &dyn Fn(&str) -> String) {
    let _ = writeln!(out, "\n## Why it is not faster\n\n{}", headline(faster));
    let _ = writeln!(
        out,
        "The tests take {:.1} s, {:.1} s of that on the CPU: they wait {:.0} % of their time. The rest of the serial run \
         takes {:.1} s.",
        faster.tests_seconds,
        faster.cpu_seconds,
        faster.waiting_share * 100.0,
        faster.other_seconds
    );
    let _ = writeln!(out, "\n| bound | s |\n|---|---|");
    let _ = writeln!(out, "| collecting, before the first test | {:.2} |", faster.imports.seconds);
    for each in &faster.bounds {
        let _ = writeln!(out, "| {} | {:.2} |", cell(&bound(each)), each.seconds);
    }
    if !faster.wins.is_empty() {
        let _ = writeln!(out, "\n| what would help | wins, s |\n|---|---|");
        for win in &faster.wins {
            let _ = writeln!(out, "| {} | {:.1} |", win.what.replace('|', "\\|"), win.seconds);
        }
    }
    let _ = writeln!(out, "\n| longest tests | s |\n|---|---|");
    for test in &faster.longest {
        let _ = writeln!(out, "| `{}` | {:.2} |", cell(&test.id), test.seconds);
    }
    if !faster.imports.files.is_empty() {
        let _ = writeln!(out, "\n| files that take longest to import | s | CPU, s |\n|---|---|---|");
        for file in &faster.imports.files {
            let _ =
                writeln!(out, "| `{}` | {:.2} | {:.2} |", cell(&file.path), file.seconds, file.cpu_seconds);
        }
    }
    if !faster.fixtures.is_empty() {
        let _ = writeln!(
            out,
            "\n| fixture | where | scope | workers | set up | s each |\n|---|---|---|---|---|---|"
        );
        for each in &faster.fixtures {
            let _ = writeln!(
                out,
                "| `{}` | `{}` | {} | {} | {} | {:.2} |",
                cell(&each.name),
                cell(&each.path),
                scope(each),
                each.workers,
                each.times,
                each.seconds
            );
        }
    }
    let _ = writeln!(out);
    for each in &faster.apart {
        let label = if each.resource.is_some() { "resource" } else { "serial" };
        let _ = writeln!(out, "- {label}: {}", apart(each));
    }
    if let Some(used) = &faster.memory {
        let _ = writeln!(out, "- memory: {}", memory(used));
    }
}

fn headline(faster: &Faster) -> String {
    let collecting = if faster.imports.seconds >= WORTH_A_WORD {
        format!("{:.1} s to collect, then ", faster.imports.seconds)
    } else {
        String::new()
    };
    let bound = faster
        .bounds
        .first()
        .map_or_else(String::new, |first| format!(" ({collecting}{:.1} s: {})", first.seconds, bound(first)));
    format!(
        "With {} workers on {} no run can be much shorter than {:.1} s{bound}.",
        faster.workers,
        cores(faster.cores),
        faster.limit_seconds
    )
}

fn cores(number: f64) -> String {
    let word = if (number - 1.0).abs() < 1e-9 { "core" } else { "cores" };
    if number.fract().abs() < 1e-9 { format!("{number:.0} {word}") } else { format!("{number:.1} {word}") }
}

fn bound(bound: &Bound) -> String {
    let name = bound.name.clone().unwrap_or_default();
    match bound.by {
        BoundBy::Longest => format!("the longest test, {name}"),
        BoundBy::Workers => "all tests, divided by the workers".to_owned(),
        BoundBy::Cores => "their CPU time, divided by the cores".to_owned(),
        BoundBy::Serial => "the serial tests, and then the others".to_owned(),
        BoundBy::Resource => format!("the tests that hold {name}"),
        BoundBy::Fixture => "the dearest fixture".to_owned(),
    }
}

fn scope(fixture: &SharedFixture) -> String {
    format!("{:?}", fixture.scope).to_lowercase()
}

fn told(fixture: &SharedFixture) -> String {
    let SharedFixture { name, path, seconds, times, workers, .. } = fixture;
    let where_paid = match (*times, *workers) {
        (1, _) => "once".to_owned(),
        (times, 1) => format!("{times} times in one worker"),
        (times, workers) if usize::try_from(times) == Ok(workers) => format!("in each of {workers} workers"),
        (times, workers) => format!("{times} times in {workers} workers"),
    };
    format!("{name} ({}, {path}): {seconds:.1} s, {where_paid}", scope(fixture))
}

fn apart(each: &HeldApart) -> String {
    let tests = counted(each.tests);
    let what = match &each.resource {
        None => tests,
        Some(name) => format!("{name} (of which there is {}): {tests}", each.capacity),
    };
    format!(
        "{what}, {:.1} s, {:.0} % of all: with any number of workers the tests get at most {:.1} times as fast",
        each.seconds,
        each.share * 100.0,
        each.most_speedup
    )
}

fn memory(used: &MemoryUse) -> String {
    let mut sizes = used.workers.clone();
    sizes.sort_unstable();
    let (usual, most) = (sizes.get(sizes.len() / 2).copied(), sizes.last().copied());
    let mut text = format!(
        "{} a worker at its peak (PSS), {} at most",
        size(usual.unwrap_or_default()),
        size(most.unwrap_or_default())
    );
    if let (Some(available), Some(room)) = (used.available, used.room_for) {
        let verdict = if used.is_limit { "memory limits the workers: " } else { "" };
        let _ = write!(text, "; {verdict}there is room for {room} in {}", size(available));
    }
    text
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (large, small) = (bytes as f64 / 1e9, bytes / 1_000_000);
    if bytes >= 1_000_000_000 { format!("{large:.1} GB") } else { format!("{small} MB") }
}

pub(crate) fn counted(tests: usize) -> String {
    if tests == 1 { "1 test".to_owned() } else { format!("{tests} tests") }
}

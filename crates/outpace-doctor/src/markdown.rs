//! The report as a document that a team can commit.

use std::fmt::Write;

use crate::faster_text::in_document;
use crate::finding::{Finding, Report};
use crate::overrides::addition;
use crate::screen::{Shell, headline};

/// All of it.
pub fn markdown(report: &Report, shell: &Shell) -> String {
    let mut out = String::from("# What stands against running these tests in parallel\n\n");
    let _ = writeln!(out, "Written by `outpace doctor`.\n");
    if let Some(stopped) = &report.stopped {
        let _ = writeln!(out, "There is no serial run to compare with: {}", stopped.trim_end());
        return out;
    }
    summary(&mut out, report);
    for (number, finding) in report.findings.iter().enumerate() {
        let _ = writeln!(out, "\n## {}. {}\n", number + 1, headline(finding));
        one(&mut out, finding, shell);
    }
    if !report.aside.is_empty() {
        let _ = writeln!(out, "\n## Fails serially\n\nNot looked into:\n");
        for aside in &report.aside {
            let message = aside.failure.as_ref().and_then(|failure| failure.message.lines().next());
            let _ = writeln!(out, "- `{}`: {}", aside.id, message.unwrap_or_default());
        }
    }
    ruled_out(&mut out, report);
    if let Some(faster) = &report.faster {
        in_document(&mut out, faster, &cell);
    }
    out
}

fn summary(out: &mut String, report: &Report) {
    let counts = &report.counts;
    let _ = writeln!(out, "| | | |\n|---|---|---|");
    let _ = writeln!(
        out,
        "| serially | {} of {} passed | {:.1} s |",
        counts.passed, counts.tests, counts.serial_seconds
    );
    let _ = writeln!(
        out,
        "| in reverse order | {} failed | {:.1} s |",
        counts.reversed_failed, counts.reversed_seconds
    );
    let _ = writeln!(
        out,
        "| in parallel, {} workers, {} times | {} failed at least once | {:.1} s |",
        counts.workers, counts.rounds, counts.parallel_failed, counts.parallel_seconds
    );
    if report.findings.is_empty() {
        let _ = writeln!(out, "\nNothing stands against it.");
    } else {
        let _ = writeln!(out, "\n| cause | kind | tests |\n|---|---|---|");
        for finding in &report.findings {
            let on = finding.on.as_ref().map_or_else(|| "not seen".to_owned(), |thing| format!("{thing}"));
            let _ = writeln!(out, "| {on} | {} | {} |", finding.class.title(), finding.tests.len());
        }
    }
}

fn one(out: &mut String, finding: &Finding, shell: &Shell) {
    for side in &finding.sides {
        let _ = writeln!(out, "- `{}` {}: `{}`", side.id, side.does, side.place);
    }
    if let Some(note) = &finding.note {
        let _ = writeln!(out, "\n{note}.");
    }
    if let Some(proof) = &finding.proof {
        let _ = writeln!(
            out,
            "\nReproduced {} of {} times:\n\n    {}",
            proof.reproduced,
            proof.of,
            shell.command(&proof.how)
        );
    }
    if !finding.tests.is_empty() {
        let _ = writeln!(out, "\n| test | failure |\n|---|---|");
        for test in &finding.tests {
            let failure = test.failure.as_ref();
            let line = failure.and_then(|failure| failure.message.lines().next()).unwrap_or_default();
            let place = failure.and_then(|failure| failure.place.clone()).unwrap_or_default();
            let _ = writeln!(out, "| `{}` | `{}` {place} |", cell(&test.id), cell(line));
        }
    }
    if !finding.also.is_empty() {
        let _ = writeln!(out, "\nAlso involved:\n");
        for id in &finding.also {
            let _ = writeln!(out, "- `{id}`");
        }
    }
    if !finding.advice.is_empty() {
        let _ = writeln!(out, "\nWhat to do:\n");
        for (number, line) in finding.advice.iter().enumerate() {
            let _ = writeln!(out, "{}. {line}", number + 1);
        }
    }
    if let Some(patch) = &finding.patch {
        let text = addition(std::slice::from_ref(patch), "");
        let _ = writeln!(out, "\n```toml\n{}\n```", text.trim());
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('`', "'")
}

fn ruled_out(out: &mut String, report: &Report) {
    if report.ruled_out.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n## Ruled out\n\nThese meet, and were run side by side without a failure:\n");
    for each in &report.ruled_out {
        let _ = writeln!(out, "- {}: `{}` and `{}`", each.on, each.tests.0, each.tests.1);
    }
}

//! The report on a terminal.

use std::fmt::Write;

use crate::advice::FIX;
use crate::faster_text::on_screen;
use crate::finding::{Class, Finding, Report, Reproduction};

/// How commands are written for the folder that the user is in.
#[derive(Debug, Clone, Default)]
pub struct Shell {
    /// What leads from there to the root folder of the tests: empty, or it ends with a slash.
    pub prefix: String,
    /// Whether a plugin shuffles tests, and must be told not to.
    pub shuffles: bool,
}

impl Shell {
    /// The command that shows it again.
    pub fn command(&self, how: &Reproduction) -> String {
        let quiet = if self.shuffles { " -p no:randomly" } else { "" };
        match how {
            Reproduction::Pair(one, other) => {
                format!("outpace doctor --pair {} {}", self.test(one), self.test(other))
            }
            Reproduction::Serial(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| self.test(id)).collect();
                format!("pytest -n 0{quiet} {}", ids.join(" "))
            }
            Reproduction::Worker(id) => format!("pytest -n 1{quiet} {}", self.test(id)),
        }
    }

    fn test(&self, id: &str) -> String {
        let text = format!("{}{id}", self.prefix);
        let plain = |character: char| character.is_ascii_alphanumeric() || "_./:=@%+-,".contains(character);
        if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
    }
}

/// What was found, for people.
pub fn screen(report: &Report, shell: &Shell) -> String {
    let mut out = String::new();
    if let Some(stopped) = &report.stopped {
        let _ = writeln!(out, "There is no serial run to compare with: {}", stopped.trim_end());
        let _ = writeln!(out, "Make `pytest -n 0` pass first.");
        return out;
    }
    for aside in &report.aside {
        let _ = writeln!(out, "set aside, fails serially: {}", aside.id);
    }
    if !report.aside.is_empty() {
        out.push('\n');
    }
    if report.findings.is_empty() {
        let _ = writeln!(out, "Nothing stands against running these tests in parallel.");
    }
    for (number, finding) in report.findings.iter().enumerate() {
        one(&mut out, number + 1, finding, shell);
        out.push('\n');
    }
    if report.findings.iter().any(|finding| finding.patch.is_some()) {
        let _ = writeln!(
            out,
            "`outpace doctor --fix` adds overrides to pyproject.toml that keep these tests apart."
        );
    }
    if !report.unexamined.is_empty() {
        let _ = writeln!(
            out,
            "{} more failing tests were not looked into; run it again on them.",
            report.unexamined.len()
        );
    }
    if let Some(faster) = &report.faster {
        on_screen(&mut out, faster);
    }
    out
}

/// The first line of a finding.
pub(crate) fn headline(finding: &Finding) -> String {
    let count = finding.tests.len();
    let tests = if count == 1 { "1 test".to_owned() } else { format!("{count} tests") };
    match (finding.class, &finding.on) {
        (Class::ParallelOnly, Some(thing)) => {
            let all = count + finding.also.len();
            let failed = if all == count { String::new() } else { format!(" ({count} failed)") };
            format!("fails only in parallel: {all} tests meet on {thing}{failed}")
        }
        (Class::Order, Some(thing)) => format!("fails after another test: {tests}, because of {thing}"),
        (Class::Alone, Some(thing)) => format!("passes only after another test: {tests}, because of {thing}"),
        (Class::Leak, Some(thing)) => format!("left behind: {thing}"),
        (Class::Collection, _) => {
            format!("{}: {}", finding.class.title(), finding.note.clone().unwrap_or_default())
        }
        _ => format!(
            "{}: {}",
            finding.class.title(),
            finding.tests.first().map_or(tests, |test| test.id.clone())
        ),
    }
}

fn one(out: &mut String, number: usize, finding: &Finding, shell: &Shell) {
    let _ = writeln!(out, "{number}. {}", headline(finding));
    for side in &finding.sides {
        let _ = writeln!(out, "     {}  {} at {}", side.id, side.does, side.place);
    }
    let failure = finding.tests.iter().find_map(|test| test.failure.as_ref());
    if let Some(failure) = failure {
        let line = failure.message.lines().next().unwrap_or_default();
        let _ = writeln!(out, "     > {line}");
    }
    if let Some(proof) = &finding.proof {
        let command = shell.command(&proof.how);
        let _ = writeln!(out, "     reproduced {} of {} times: {command}", proof.reproduced, proof.of);
    }
    if let (Some(note), true) = (&finding.note, finding.class != Class::Collection) {
        let _ = writeln!(out, "     {note}");
    }
    if finding.proof.is_none() {
        for id in finding.also.iter().take(3) {
            let _ = writeln!(out, "     beside: {id}");
        }
    }
    for line in finding.advice.iter().filter(|line| *line != FIX) {
        let _ = writeln!(out, "     → {line}");
    }
}

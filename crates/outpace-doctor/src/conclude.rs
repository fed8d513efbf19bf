//! What follows from everything that was seen: leaks, findings that are one, patches, advice.

use crate::examine::{Examination, Lab};
use crate::faster::faster;
use crate::finding::{Class, Finding, Report, Side};
use crate::{advice, overrides};

impl<L: Lab> Examination<'_, L> {
    /// What was left behind for good, by the test that did it.
    pub(crate) fn leaks(&mut self) {
        for thing in self.serial.left_for_good.clone() {
            if !advice::is_leak(thing.kind) {
                continue;
            }
            let by = self.serial.tests.iter().find_map(|test| {
                test.left.iter().find(|left| left.thing == thing).map(|left| (test, left.place.clone()))
            });
            let Some((test, place)) = by else { continue };
            let known = self.findings.iter().any(|finding| finding.on.as_ref() == Some(&thing));
            if known {
                continue;
            }
            let side = Side { id: test.id.clone(), does: "leaves it".to_owned(), place };
            self.findings.push(Finding { on: Some(thing), sides: vec![side], ..Finding::of(Class::Leak) });
        }
    }

    /// The report.
    pub(crate) fn conclude(mut self) -> Report {
        let mut report = std::mem::take(&mut self.report);
        report.counts.runs = self.trials.runs;
        report.ruled_out = std::mem::take(&mut self.ruled_out);
        report.examined = self.serial.tests.iter().map(|test| test.id.clone()).collect();
        report.examined.retain(|id| !self.open.contains(id));
        self.findings = merged(self.findings);
        for finding in &mut self.findings {
            finding.patch = overrides::patch(finding, &self.serial);
            finding.advice = advice::advice(finding);
        }
        report.confirmed = self.confirmed();
        report.unexamined = self.open;
        self.findings
            .sort_by_key(|finding| (finding.class == Class::Leak, std::cmp::Reverse(finding.tests.len())));
        report.findings = self.findings;
        if report.stopped.is_none() {
            report.faster =
                faster(&self.serial, &self.parallel, report.counts.workers, self.trials.machine());
        }
        report
    }
}

/// Findings of one class on one thing are one.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = merged.iter_mut().find(|known| {
            known.class == finding.class
                && known.on.is_some()
                && known.on == finding.on
                && known.class != Class::Leak
        });
        let Some(known) = same else {
            merged.push(finding);
            continue;
        };
        let sides = finding.sides.into_iter().map(|side| side.id);
        for id in sides.chain(finding.also) {
            let named =
                known.sides.iter().any(|side| side.id == id) || known.tests.iter().any(|test| test.id == id);
            if !named && !known.also.contains(&id) {
                known.also.push(id);
            }
        }
        for test in finding.tests {
            known.also.retain(|id| *id != test.id);
            if !known.tests.iter().any(|other| other.id == test.id) {
                known.tests.push(test);
            }
        }
    }
    merged
}

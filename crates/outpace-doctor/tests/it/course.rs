use std::collections::BTreeSet;

use outpace_doctor::{Class, Options, Report, examine, examine_pair, overrides};
use proptest::prelude::*;

use crate::world::{Spec, World, attribute};

fn options() -> Options {
    Options { workers: 4, rounds: 3, repeat: 5, budget: 500 }
}

fn examined(tests: Vec<Spec>) -> Report {
    let Ok(report) = examine(&mut World::new(tests), &options());
    report
}

fn plain(count: usize) -> Vec<Spec> {
    (0..count).map(|number| Spec::new(&format!("test_{}.py::test_{number}", number / 3))).collect()
}

#[test]
fn a_suite_without_conflicts_is_not_accused() {
    let report = examined(plain(20));
    assert!(report.findings.is_empty() && report.aside.is_empty() && report.ruled_out.is_empty());
    assert_eq!(report.counts.runs, 5);
}

#[test]
fn two_that_write_one_file_are_named() {
    let mut tests = plain(12);
    tests[2].files.push("/tmp/f".to_owned());
    tests[9].files.push("/tmp/f".to_owned());
    let report = examined(tests);
    assert_eq!(report.findings.len(), 1);
    let finding = &report.findings[0];
    assert_eq!(finding.class, Class::ParallelOnly);
    let sides: BTreeSet<&str> = finding.sides.iter().map(|side| side.id.as_str()).collect();
    assert_eq!(sides, BTreeSet::from(["test_0.py::test_2", "test_3.py::test_9"]));
    assert!(finding.proof.as_ref().is_some_and(|proof| proof.reproduced == 5 && proof.of == 5));
}

#[test]
fn what_is_needed_and_what_is_left_is_told_apart() {
    let mut tests = plain(12);
    tests[1].leaves.push("shop.stock".to_owned());
    tests[7].needs.push("shop.stock".to_owned());
    tests[10].leaves.push("shop.mode".to_owned());
    tests[4].suffers.push("shop.mode".to_owned());
    let report = examined(tests);
    let found: Vec<(Class, String)> =
        report.findings.iter().map(|finding| (finding.class, finding.on.clone().unwrap().name)).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&(Class::Alone, "shop.stock".to_owned())));
    assert!(found.contains(&(Class::Order, "shop.mode".to_owned())));
}

#[test]
fn several_that_need_the_same_are_one_finding() {
    let mut tests = plain(12);
    tests[0].leaves.push("shop.stock".to_owned());
    for test in &mut tests[5..9] {
        test.needs.push("shop.stock".to_owned());
    }
    let report = examined(tests);
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].tests.len(), 4);
    assert_eq!(report.findings[0].on, Some(attribute("shop.stock")));
    assert_eq!(overrides(&report).len(), 1);
}

#[test]
fn two_tests_that_are_both_needed_are_both_named() {
    let mut tests = plain(12);
    tests[1].leaves.push("a".to_owned());
    tests[4].leaves.push("b".to_owned());
    tests[8].needs.extend(["a".to_owned(), "b".to_owned()]);
    let report = examined(tests);
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].class, Class::Alone);
}

#[test]
fn a_worker_and_time_are_causes_of_their_own() {
    let mut tests = plain(9);
    tests[3].shy = true;
    tests[5].hurried = true;
    let report = examined(tests);
    let classes: BTreeSet<Class> = report.findings.iter().map(|finding| finding.class).collect();
    assert_eq!(classes, BTreeSet::from([Class::Worker, Class::Time]));
}

#[test]
fn what_fails_serially_is_set_aside() {
    let mut tests = plain(6);
    tests[2].needs.push("nobody leaves this".to_owned());
    let report = examined(tests);
    assert_eq!(report.aside.len(), 1);
    assert!(report.findings.is_empty());
}

#[test]
fn without_a_test_there_is_nothing_to_say() {
    assert!(examined(Vec::new()).stopped.is_some());
}

#[test]
fn the_budget_is_kept_and_what_is_left_is_named() {
    let mut tests = plain(12);
    tests[11].leaves.push("x".to_owned());
    for test in &mut tests[..11] {
        test.suffers.push("x".to_owned());
    }
    let mut world = World::new(tests);
    let Ok(report) = examine(&mut world, &Options { budget: 1, ..options() });
    assert!(!report.unexamined.is_empty() || !report.findings.is_empty());
}

#[test]
fn a_pair_needs_two_tests() {
    let mut world = World::new(plain(3));
    let Ok(found) = examine_pair(&mut world, &options());
    assert!(found.is_err());
}

#[test]
fn a_pair_is_run_side_by_side() {
    let mut tests = plain(2);
    for test in &mut tests {
        test.files.push("/f".to_owned());
    }
    let Ok(found) = examine_pair(&mut World::new(tests), &options());
    let finding = found.unwrap().unwrap();
    assert_eq!(finding.on.unwrap().name, "/f");
    let Ok(none) = examine_pair(&mut World::new(plain(2)), &options());
    assert!(none.unwrap().is_none());
}

#[test]
fn a_pair_that_meets_on_something_unseen_is_named() {
    let mut tests = plain(2);
    let ids: Vec<String> = tests.iter().map(|test| test.id.clone()).collect();
    for test in &mut tests {
        test.secrets.push("semaphore".to_owned());
    }
    let Ok(found) = examine_pair(&mut World::new(tests), &options());
    let finding = found.unwrap().unwrap();
    assert_eq!(finding.sides.iter().map(|side| side.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(finding.on, None);
    assert!(!finding.tests.is_empty() && finding.note.unwrap().contains("was not seen"));
}

/// Suites that pass serially: what a test needs was left before it, what it suffers from is left after it.
fn suites() -> impl Strategy<Value = Vec<Spec>> {
    let plants = prop::collection::vec((0_usize..3, 0_usize..18, 0_usize..18), 0..5);
    plants.prop_map(|plants| {
        let mut tests = plain(18);
        for (number, (kind, a, b)) in plants.into_iter().enumerate() {
            let (first, last) = (a.min(b), a.max(b));
            if first == last {
                continue;
            }
            let name = format!("plant_{number}");
            match kind {
                0 => {
                    tests[first].files.push(name.clone());
                    tests[last].files.push(name);
                }
                1 => {
                    tests[first].leaves.push(name.clone());
                    tests[last].needs.push(name);
                }
                _ => {
                    tests[first].suffers.push(name.clone());
                    tests[last].leaves.push(name);
                }
            }
        }
        tests
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Nothing that was not planted is named, and every test that fails anywhere is in a finding.
    #[test]
    fn only_what_is_there_is_found(tests in suites()) {
        let planted: BTreeSet<String> =
            tests.iter().flat_map(|spec| spec.files.iter().chain(&spec.leaves).cloned()).collect();
        let mut world = World::new(tests);
        let Ok(report) = examine(&mut world, &options());
        prop_assert!(report.stopped.is_none() && report.aside.is_empty());
        for thing in report.findings.iter().filter_map(|finding| finding.on.as_ref()) {
            prop_assert!(planted.contains(&thing.name), "{thing:?}");
        }
        let told: BTreeSet<String> =
            report.findings.iter().flat_map(|finding| finding.tests.iter().map(|test| test.id.clone())).collect();
        prop_assert!(report.unexamined.is_empty());
        prop_assert!(world.failed.is_subset(&told), "{:?} are not in {told:?}", world.failed);
        if planted.is_empty() {
            prop_assert!(report.findings.is_empty());
        }
    }
}

//! What is concluded from runs that agree, disagree, disagree with themselves, or never reported.

use outpace_compare::{Engine, Reading, Record, Runs, compare, conclusion, json, table};

fn reading(outcomes: &[(&str, &str)], exit: i32, wall: f64) -> Reading {
    let reports: Vec<String> =
        outcomes.iter().map(|(test, outcome)| format!(r#"["t.py::{test}", "call", "{outcome}"]"#)).collect();
    let text =
        format!(r#"{{"engine": "x", "workers": {{}}, "collect": [], "reports": [{}]}}"#, reports.join(", "));
    Reading {
        record: Some(Record::parse(&text).expect("a record")),
        exit: Some(exit),
        wall_seconds: wall,
        cpu_seconds: wall / 2.0,
        peak_bytes: Some(50_000_000),
        left: 0,
    }
}

fn runs(engine: Engine, readings: Vec<Reading>) -> Runs {
    Runs { engine, readings }
}

fn shown(all: &[Runs]) -> String {
    let comparison = compare(all);
    format!("{}\n{}\nsame: {}", table(all), conclusion(all, &comparison), comparison.is_same(Engine::Outpace))
}

const GOOD: [(&str, &str); 2] = [("a", "passed"), ("b", "failed")];

#[test]
fn what_fails_everywhere_is_no_difference() {
    let all = [
        runs(Engine::Pytest, vec![reading(&GOOD, 1, 8.0)]),
        runs(Engine::Xdist, vec![reading(&GOOD, 1, 4.0)]),
        runs(Engine::Outpace, vec![reading(&GOOD, 1, 2.0)]),
    ];
    insta::assert_snapshot!(shown(&all), @r"
                     wall      CPU   memory   exit   passed   failed   errors   skipped
    plain pytest   8.00 s   4.00 s    50 MB      1        1        1        0         0
    pytest-xdist   4.00 s   2.00 s    50 MB      1        1        1        0         0
    outpace        2.00 s   1.00 s    50 MB      1        1        1        0         0
    pytest-xdist: every test ends as under plain pytest
    outpace: every test ends as under plain pytest
    outpace was 4.0 × as fast as plain pytest, 2.0 × as fast as pytest-xdist
    same: true
    ");
}

#[test]
fn differences_are_named_with_test_phase_and_outcomes() {
    let other = [("a", "failed"), ("c", "passed")];
    let all = [
        runs(Engine::Pytest, vec![reading(&GOOD, 1, 8.0)]),
        runs(Engine::Xdist, vec![reading(&GOOD, 1, 4.0)]),
        runs(Engine::Outpace, vec![reading(&other, 1, 2.0)]),
    ];
    insta::assert_snapshot!(shown(&all), @r"
                     wall      CPU   memory   exit   passed   failed   errors   skipped
    plain pytest   8.00 s   4.00 s    50 MB      1        1        1        0         0
    pytest-xdist   4.00 s   2.00 s    50 MB      1        1        1        0         0
    outpace        2.00 s   1.00 s    50 MB      1        1        1        0         0
    pytest-xdist: every test ends as under plain pytest
    outpace: not as under plain pytest:
      t.py::a [call]: passed → failed
      t.py::b [call]: failed → not reported
      t.py::c [call]: not reported → passed
    outpace was 4.0 × as fast as plain pytest, 2.0 × as fast as pytest-xdist
    same: false
    ");
}

#[test]
fn a_test_that_disagrees_with_itself_counts_against_nobody() {
    let flaky = [("a", "failed"), ("b", "failed")];
    let worse = [("a", "failed"), ("b", "passed")];
    let all = [
        runs(Engine::Pytest, vec![reading(&GOOD, 1, 8.0), reading(&flaky, 1, 9.0), reading(&GOOD, 1, 1.0)]),
        runs(Engine::Outpace, vec![reading(&flaky, 1, 2.0), reading(&worse, 1, 2.0), reading(&GOOD, 1, 2.0)]),
    ];
    insta::assert_snapshot!(shown(&all), @r"
                     wall      CPU   memory   exit   passed   failed   errors   skipped
    plain pytest   8.00 s   4.00 s    50 MB      1        1        1        0         0
    outpace        2.00 s   1.00 s    50 MB      1        0        2        0         0
    outpace: not as under plain pytest:
      t.py::b [call]: failed → passed (1 of 3 runs)
    flaky by themselves (two runs of plain pytest disagree; not counted above):
      t.py::a
    outpace was 4.0 × as fast as plain pytest
    same: false
    ");
}

#[test]
fn what_differs_in_parallel_under_any_engine_is_said_to() {
    let bad = [("a", "failed"), ("b", "failed")];
    let plain = runs(Engine::Pytest, vec![reading(&GOOD, 1, 1.0)]);
    let ours = runs(Engine::Outpace, vec![reading(&bad, 1, 1.0)]);
    let text = |xdist: &[(&str, &str)]| {
        shown(&[plain.clone(), runs(Engine::Xdist, vec![reading(xdist, 1, 1.0)]), ours.clone()])
    };
    assert!(text(&bad).contains("differs under both"));
    assert!(!text(&GOOD).contains("differs under both"));
}

#[test]
fn a_long_list_is_cut() {
    let names: Vec<String> = (0..30).map(|number| format!("t{number}")).collect();
    let all_are =
        |outcome: &'static str| names.iter().map(|name| (name.as_str(), outcome)).collect::<Vec<_>>();
    let all = [
        runs(Engine::Pytest, vec![reading(&all_are("passed"), 0, 1.0)]),
        runs(Engine::Outpace, vec![reading(&all_are("failed"), 1, 1.0)]),
    ];
    let text = shown(&all);
    assert_eq!(text.matches("passed → failed").count(), 20);
    assert!(text.contains("  and 10 more: --json FILE has them all"), "{text}");
}

#[test]
fn other_ends_are_told() {
    let silent = Reading { record: None, exit: None, peak_bytes: None, ..reading(&[], 0, 1.0) };
    let untidy = Reading { left: 2, ..reading(&GOOD, 1, 2.0) };
    let all = [
        runs(Engine::Pytest, vec![reading(&GOOD, 1, 8.0)]),
        runs(Engine::Xdist, vec![silent]),
        runs(Engine::Outpace, vec![untidy]),
    ];
    insta::assert_snapshot!(shown(&all), @r"
                     wall      CPU   memory     exit   passed   failed   errors   skipped
    plain pytest   8.00 s   4.00 s    50 MB        1        1        1        0         0
    pytest-xdist   1.00 s   0.50 s        ?   signal        ?        ?        ?         ?
    outpace        2.00 s   1.00 s    50 MB        1        1        1        0         0
    pytest-xdist: ended with a signal before it could report
    outpace: left 2 processes running
    outpace was 4.0 × as fast as plain pytest, 0.5 × as fast as pytest-xdist
    same: false
    ");
    let all = [
        runs(Engine::Pytest, vec![reading(&GOOD, 1, 8.0)]),
        runs(Engine::Outpace, vec![reading(&GOOD, 3, 2.0)]),
    ];
    insta::assert_snapshot!(shown(&all), @r"
                     wall      CPU   memory   exit   passed   failed   errors   skipped
    plain pytest   8.00 s   4.00 s    50 MB      1        1        1        0         0
    outpace        2.00 s   1.00 s    50 MB      3        1        1        0         0
    outpace: exit code 3 where plain pytest has 1
    outpace was 4.0 × as fast as plain pytest
    same: false
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one document")]
fn the_document_holds_everything() {
    let all = [
        runs(Engine::Pytest, vec![reading(&GOOD, 1, 8.0)]),
        runs(Engine::Outpace, vec![reading(&[("a", "failed"), ("b", "failed")], 1, 2.0)]),
    ];
    insta::assert_snapshot!(json(&all, &compare(&all)), @r#"
    {
      "differences": [
        {
          "engine": "outpace",
          "here": "failed",
          "phase": "call",
          "pytest": "passed",
          "runs": 1,
          "test": "t.py::a"
        }
      ],
      "ends": [],
      "engines": [
        {
          "cpu_seconds": 4.0,
          "engine": "pytest",
          "peak_memory_bytes": 50000000.0,
          "runs": [
            {
              "cpu_seconds": 4.0,
              "exit_code": 1,
              "peak_memory_bytes": 50000000,
              "processes_left": 0,
              "tests": {
                "errors": 0,
                "failed": 1,
                "passed": 1,
                "skipped": 0
              },
              "wall_seconds": 8.0,
              "workers": 0
            }
          ],
          "wall_seconds": 8.0
        },
        {
          "cpu_seconds": 1.0,
          "engine": "outpace",
          "peak_memory_bytes": 50000000.0,
          "runs": [
            {
              "cpu_seconds": 1.0,
              "exit_code": 1,
              "peak_memory_bytes": 50000000,
              "processes_left": 0,
              "tests": {
                "errors": 0,
                "failed": 2,
                "passed": 0,
                "skipped": 0
              },
              "wall_seconds": 2.0,
              "workers": 0
            }
          ],
          "wall_seconds": 2.0
        }
      ],
      "flaky": [],
      "same": false,
      "version": 1
    }
    "#);
}

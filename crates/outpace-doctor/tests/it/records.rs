use outpace_doctor::{Names, Outcome, assemble};

const PHASES: &str = r#"{"id": "t.py::a", "when": "setup", "outcome": "passed", "worker": "gw0", "seconds": 0.5}
{"id": "t.py::b", "when": "setup", "outcome": "failed", "worker": "gw1", "seconds": 1, "message": "at /x/t/f", "path": "/p/t.py", "line": 3}
{"id": "t.py::a", "when": "call", "outcome": "passed", "worker": "gw0", "seconds": 0.25}
{"id": "t.py::b", "when": "teardown", "outcome": "passed", "worker": "gw1", "seconds": 1}
{"id": "t.py::a", "when": "teardown", "outcome": "passed", "worker": "gw0", "seconds": 0.25}
{"id": "t.py::a", "when": "setup", "outcome": "skipped", "worker": "gw0", "seconds": 0}
{"id": "", "when": "exit", "outcome": "1", "seconds": 0}
{"id": "t.py::c", "when": "se"#;

const RECORDED: &str = r#"{"id": "t.py::a", "worker": "gw0", "lane": 0, "start": 1, "stop": 2, "cpu": 0.1, "place": "t.py:1", "touches": [{"kind": "file", "name": "/x/t/f", "mode": "write", "place": "t.py:2", "count": 1}], "left": [{"kind": "teapot", "name": "n"}]}
{"id": "t.py::b", "worker": "gw1", "lane": 1, "start": 1, "stop": 3}
{"id": "", "left": [{"kind": "variable", "name": "V", "place": ""}]}"#;

#[test]
fn what_the_processes_wrote_is_put_together() {
    let names = Names { root: "/p".to_owned(), temporary: ("/x/t".to_owned(), "/tmp".to_owned()) };
    let round = assemble(PHASES.lines(), RECORDED.lines(), &names);
    assert_eq!(round.exit, Some(1));
    let ids: Vec<(&str, Outcome)> = round.tests.iter().map(|test| (test.id.as_str(), test.outcome)).collect();
    // A test that runs twice is there twice; a line that was cut off is not.
    assert_eq!(
        ids,
        [("t.py::a", Outcome::Passed), ("t.py::a", Outcome::Skipped), ("t.py::b", Outcome::Failed)]
    );
    assert_eq!(round.failures("t.py::a"), (0, 2));
    assert_eq!(round.failures("t.py::b"), (1, 1));
    let first = &round.tests[0];
    assert!((first.seconds - 1.0).abs() < 1e-9);
    assert_eq!(first.touches[0].thing.name, "/tmp/f");
    assert_eq!(first.left.len(), 1);
    let failure = round.tests[2].failure.clone().unwrap();
    assert_eq!((failure.message.as_str(), failure.place.as_deref()), ("at /tmp/f", Some("t.py:3")));
    assert_eq!(round.tests[2].lane, 1);
    assert_eq!(round.left_for_good.len(), 1);
}

#[test]
fn a_test_that_does_not_end_is_named_with_its_line() {
    let names = Names { root: "/p".to_owned(), ..Names::default() };
    let mut round = assemble("".lines(), "".lines(), &names);
    let text = "t.py::a\nTimeout (0:01:00)!\n  File \"/usr/lib/x.py\", line 1 in wait\n  File \"/p/t.py\", line 7 in a\n";
    round.note_hang(text, 60, &names);
    assert_eq!(round.hung, Some(("t.py::a".to_owned(), "t.py:7".to_owned())));
    assert_eq!(round.failures("t.py::a"), (1, 1));
    let mut other = assemble("".lines(), "".lines(), &names);
    other.note_hang("t.py::a\n", 60, &names);
    assert_eq!(other.hung, None);
}

use outpace_doctor::{Aside, Options};
use outpace_doctor::{Override, Report, Reproduction, Shell, addition, examine, markdown, overrides, screen};

use crate::world::{Spec, World};

fn report() -> Report {
    let mut tests: Vec<Spec> =
        ["a.py::test_1[x]", "a.py::test_1[y]", "b.py::test_2", "b.py::test_3", "c.py::test_4"]
            .map(Spec::new)
            .into();
    for test in &mut tests[..3] {
        test.files.push("/tmp/out.csv".to_owned());
    }
    let Ok(report) =
        examine(&mut World::new(tests), &Options { workers: 3, rounds: 3, repeat: 5, budget: 100 });
    report
}

#[test]
fn an_override_names_whole_files_and_single_tests() {
    let patches = overrides(&report());
    assert_eq!(patches.len(), 1);
    assert_eq!(patches[0].filter, "file(a.py) or test(b.py::test_2)");
    assert_eq!(patches[0].resource.as_deref(), Some("file out.csv"));
}

#[test]
fn what_is_there_already_is_not_added_again() {
    let patches = overrides(&report());
    let text = addition(&patches, "");
    assert_eq!(
        text,
        "\n# they meet on the file /tmp/out.csv\n[[tool.outpace.overrides]]\n\
         filter = 'file(a.py) or test(b.py::test_2)'\nresources = ['file out.csv']\n"
    );
    assert_eq!(addition(&patches, &text), "");
}

#[test]
fn quotes_and_control_characters_survive_toml() {
    let patch = Override {
        filter: "test(a.py::test[it's \"\\x\u{1}])".to_owned(),
        resource: None,
        serial: Some("why".to_owned()),
        comment: "two\nlines".to_owned(),
    };
    let text = addition(&[patch], "");
    assert!(text.contains(r#"filter = "test(a.py::test[it's \"\\x\u0001])""#), "{text}");
    assert!(text.contains("# two lines\n"));
}

#[test]
fn commands_are_for_the_folder_and_the_shell() {
    let shell = Shell { prefix: "../".to_owned(), shuffles: true };
    let pair = Reproduction::Pair("a.py::t[x y]".to_owned(), "a.py::t".to_owned());
    assert_eq!(shell.command(&pair), "outpace doctor --pair '../a.py::t[x y]' ../a.py::t");
    let serial = Reproduction::Serial(vec!["a.py::it's".to_owned()]);
    assert_eq!(shell.command(&serial), r"pytest -n 0 -p no:randomly '../a.py::it'\''s'");
}

#[test]
fn both_reports_name_both_tests_the_thing_and_the_fix() {
    let mut report = report();
    report.aside.push(Aside { id: "d.py::test_5".to_owned(), failure: None });
    for text in [screen(&report, &Shell::default()), markdown(&report, &Shell::default())] {
        for part in ["/tmp/out.csv", "a.py::test_1[x]", "b.py::test_2", "tmp_path", "--pair", "d.py::test_5"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}

#[test]
fn a_suite_without_a_serial_run_is_told_so() {
    let report = Report { stopped: Some("it hangs".to_owned()), ..Report::default() };
    assert!(screen(&report, &Shell::default()).contains("it hangs"));
    assert!(markdown(&report, &Shell::default()).contains("it hangs"));
}

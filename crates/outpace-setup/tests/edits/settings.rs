//! pytest's settings, in every file that may have them.

use outpace_setup::{Note, Project, Wishes, plan};

use super::{added, project, show, shown};

#[test]
fn pytest_ini() {
    let text = "; ours\n[pytest]\n; how\naddopts = -ra\n    # quiet\n    -q\n\nmarkers =\n    slow: takes long\n\ntestpaths = tests\n";
    insta::assert_snapshot!(shown(&[("pytest.ini", text)]), @r"
    pytest.ini: `-n auto` in [pytest] addopts
    pytest.ini: the serial marker in [pytest]
    --- a/pytest.ini
    +++ b/pytest.ini
    @@ -4,8 +4,10 @@
     addopts = -ra
         # quiet
         -q
    +    -n auto
     
     markers =
         slow: takes long
    +    serial(reason=None): no other test runs while this one does
     
     testpaths = tests

    note: no list of test dependencies was found: install it with `pip install outpace`
    ");
    insta::assert_snapshot!(added(&[("pytest.ini", "")]), @r"
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    ");
    insta::assert_snapshot!(added(&[(".pytest.ini", "[pytest]\n")]), @r"
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    ");
    insta::assert_snapshot!(added(&[("pytest.ini", "[pytest]\naddopts =\ntestpaths = tests")]), @r"
    -addopts =
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    ");
}

#[test]
fn line_endings_and_a_byte_order_mark_stay() {
    let files = [
        ("pytest.ini", "\u{feff}[pytest]\r\naddopts = -q\r\n"),
        ("pyproject.toml", "\u{feff}[project.optional-dependencies]\r\ntest = [\r\n  \"pytest\",\r\n]\r\n"),
        ("requirements-dev.txt", "pytest\r\n"),
        ("Makefile", "all:\r\n\ttrue\r\n"),
    ];
    let plan = plan(&project(&files), Wishes::default()).unwrap();
    for change in &plan.changes {
        let lone = change.after.replace("\r\n", "").contains('\n');
        assert!(!lone, "{:?}", change.after);
        assert_eq!(
            change.after.starts_with('\u{feff}'),
            change.before.as_ref().unwrap().starts_with('\u{feff}')
        );
    }
    assert_eq!(plan.changes.len(), 4);
}

#[test]
fn the_file_that_pytest_reads_is_the_one_that_changes() {
    let ini = "[pytest]\naddopts = -q\n";
    let toml = "[tool.pytest.ini_options]\naddopts = \"-q\"\n";
    let files =
        [("tox.ini", ini), ("pyproject.toml", toml), ("setup.cfg", "[tool:pytest]\n"), ("pytest.ini", "")];
    let settings = |files: &[(&str, &str)]| plan(&project(files), Wishes::default()).unwrap().settings;
    assert_eq!(settings(&files), "pytest.ini");
    assert_eq!(settings(&files[..3]), "pyproject.toml");
    assert_eq!(settings(&[files[0], ("pyproject.toml", "[project]\nname = \"x\"\n"), files[2]]), "tox.ini");
    assert_eq!(settings(&files[2..3]), "setup.cfg");
    assert_eq!(settings(&[("tox.ini", "[tox]\n"), ("pyproject.toml", "")]), "pyproject.toml");
    assert_eq!(settings(&[("tox.ini", "[tox]\n")]), "pytest.ini");
    let native = [("pyproject.toml", "[tool.pytest]\naddopts = []\n"), ("tox.ini", ini)];
    assert_eq!(settings(&native), "pyproject.toml");
    let older = Project { pytest: Some(8), ..project(&native) };
    assert_eq!(plan(&older, Wishes::default()).unwrap().settings, "tox.ini");
    assert_eq!(settings(&[("pytest.toml", "[pytest]\n"), ("pytest.ini", ini)]), "pytest.toml");
}

#[test]
fn every_form_of_addopts_in_toml() {
    let with = |value: &str| {
        added(&[(
            "pyproject.toml",
            &format!(
                "[dependency-groups]\ndev = [\"outpace\"]\n[tool.pytest.ini_options]\nmarkers = [\"serial\"]\naddopts = {value}\n"
            ),
        )])
    };
    insta::assert_snapshot!(with("''"), @r"
    -addopts = ''
    +addopts = '-n auto'
    ");
    insta::assert_snapshot!(with("'-q' # c"), @r"
    -addopts = '-q' # c
    +addopts = '-q -n auto' # c
    ");
    insta::assert_snapshot!(with("\"\"\"\n  -ra\n  -q\n\"\"\""), @"+  -n auto");
    insta::assert_snapshot!(with("\"\"\"\\\n  -ra \\\n  -q \\\n  \"\"\""), @"+  -n auto");
    insta::assert_snapshot!(with("'''-ra\n-q'''"), @r"
    --q'''
    +-q
    +-n auto'''
    ");
    insta::assert_snapshot!(with("[]"), @r#"
    -addopts = []
    +addopts = ["-n", "auto"]
    "#);
    insta::assert_snapshot!(with("['-q', '-ra']"), @r"
    -addopts = ['-q', '-ra']
    +addopts = ['-q', '-ra', '-n', 'auto']
    ");
    insta::assert_snapshot!(with("[\n  '-q',\n  '-ra',\n]"), @r"
    +  '-n',
    +  'auto',
    ");
    insta::assert_snapshot!(with("\"-n auto\""), @"");
    insta::assert_snapshot!(with("[\"-n\", \"auto\"]"), @"");
}

#[test]
fn markers_are_added_in_every_form() {
    let with = |value: &str| {
        added(&[(
            "pyproject.toml",
            &format!(
                "[dependency-groups]\ndev = [\"outpace\"]\n[tool.pytest.ini_options]\naddopts = \"-nauto\"\nmarkers = {value}\n"
            ),
        )])
    };
    insta::assert_snapshot!(with("'slow: long'"), @r#"
    -markers = 'slow: long'
    +markers = ['slow: long', "serial(reason=None): no other test runs while this one does"]
    "#);
    insta::assert_snapshot!(with("'''\n  slow: long\n'''"), @"+  serial(reason=None): no other test runs while this one does");
    insta::assert_snapshot!(with("[\"slow: long\"]"), @r#"
    -markers = ["slow: long"]
    +markers = ["slow: long", "serial(reason=None): no other test runs while this one does"]
    "#);
    insta::assert_snapshot!(with("[\"serial: mine\"]"), @"");
    insta::assert_snapshot!(with("[\"serialise: no\"]"), @r#"
    -markers = ["serialise: no"]
    +markers = ["serialise: no", "serial(reason=None): no other test runs while this one does"]
    "#);
}

#[test]
fn another_number_of_workers_is_kept_and_told_or_replaced() {
    let replace = Wishes { replace_workers: true, ..Wishes::default() };
    for (file, text) in [
        ("pytest.ini", "[pytest]\naddopts = -q -n 4 -ra\n"),
        ("pytest.ini", "[pytest]\naddopts =\n    -q\n    -n4\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = --numprocesses=4\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = \"-q -n 4 -ra\"\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ['-q', '-n', '4']\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ['-q', '-n4']\n"),
    ] {
        let project = project(&[(file, text)]);
        let kept = plan(&project, Wishes::default()).unwrap();
        assert!(kept.notes.contains(&Note::Workers { file: file.into(), value: "4".into() }), "{kept:?}");
        assert!(!show(&kept).contains("auto"), "{}", show(&kept));
        let replaced = plan(&project, replace).unwrap();
        let after = &replaced.changes.iter().find(|change| change.file == file).unwrap().after;
        assert!(
            !after.contains('4') && after.contains("auto") && after.contains("-q") == text.contains("-q"),
            "{after}"
        );
    }
}

#[test]
fn what_cannot_be_edited_is_refused_with_what_to_write() {
    let refused = |file: &str, text: &str| {
        let error = plan(&project(&[(file, text)]), Wishes::default()).unwrap_err();
        format!("{error}\n{}", error.hint())
    };
    insta::assert_snapshot!(refused("pyproject.toml", "[project]\nname = \n"), @r"
    pyproject.toml:2:8: string values must be quoted, expected literal string
    nothing was changed; mend the file, then run `outpace init` again
    ");
    insta::assert_snapshot!(refused("pyproject.toml", "[tool.pytest]\na = 1\n[tool.pytest.ini_options]\nb = 1\n"), @r"
    pyproject.toml: [tool.pytest] and [tool.pytest.ini_options] exclude each other
    pytest 9 refuses this file: keep one of the two
    ");
    insta::assert_snapshot!(refused("pyproject.toml", "tool.pytest = {ini_options = {addopts = 3}}\n"), @r"
    pyproject.toml: addopts is written in a way that outpace does not edit
    write `-n auto` into addopts of [tool.pytest.ini_options], then run `outpace init` again
    ");
    insta::assert_snapshot!(refused("setup.cfg", "[pytest]\n"), @r"
    setup.cfg: pytest does not read [pytest] here
    rename the section to [tool:pytest]
    ");
    insta::assert_snapshot!(refused("tox.ini", "[pytest]\nwhat\n"), @r"
    tox.ini:2:1: neither a [section], nor key = value
    nothing was changed; mend the file, then run `outpace init` again
    ");
    insta::assert_snapshot!(refused("pytest.ini", "[pytest]\naddopts = -p no:xdist -q\n"), @r"
    pytest.ini: addopts has `-p no:xdist`, which switches parallel runs off
    take `-p no:xdist` out, then run `outpace init` again
    ");
    insta::assert_snapshot!(refused("pytest.ini", "[pytest]\naddopts = -k 'a\n"), @r"
    pytest.ini: addopts is written in a way that outpace does not edit
    write `-n auto` into addopts, then run `outpace init` again
    ");
}

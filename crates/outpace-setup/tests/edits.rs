//! What `outpace init` changes in each kind of file, as the diff that it shows.

use outpace_setup::{Note, Plan, Project, Wishes, plan};

fn project(files: &[(&str, &str)]) -> Project {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Project { files, pytest: None }
}

fn shown(files: &[(&str, &str)]) -> String {
    show(&plan(&project(files), Wishes::default()).expect("a plan"))
}

fn show(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for change in &plan.changes {
        lines.extend(change.does.iter().map(|does| format!("{}: {does}", change.file)));
        lines.push(change.diff());
    }
    lines.extend(plan.notes.iter().map(|note| match note {
        Note::Text(text) => format!("note: {text}"),
        Note::Workers { file, value } => format!("workers: {file} {value}"),
    }));
    lines.join("\n")
}

/// Only what is added, where nothing is to be taken out.
fn added(files: &[(&str, &str)]) -> String {
    let plan = plan(&project(files), Wishes::default()).expect("a plan");
    let mut lines = Vec::new();
    for change in &plan.changes {
        for line in change.diff().lines().skip(2) {
            if line.starts_with(['+', '-']) {
                lines.push(line.to_owned());
            }
        }
    }
    lines.join("\n")
}

#[test]
fn extras_of_pyproject_keep_comments_and_layout() {
    let text = r#"# Ours.
[project]
name = "shop"   # a shop
dependencies = ["pytest-helpers"]

[project.optional-dependencies]
test = [
    "pytest>=8",      # the runner
    # reports
    "pytest-cov",
]
docs = ["sphinx"]
dev = ["ruff", 'pytest']

[tool.pytest.ini_options]
addopts = "-ra --strict-markers"    # short summary
testpaths = ["tests"]
"#;
    insta::assert_snapshot!(shown(&[("pyproject.toml", text)]), @r#"
    pyproject.toml: outpace beside pytest in [project.optional-dependencies] test
    pyproject.toml: outpace beside pytest in [project.optional-dependencies] dev
    pyproject.toml: `-n auto` in [tool.pytest.ini_options] addopts
    pyproject.toml: the serial marker in [tool.pytest.ini_options]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -6,12 +6,14 @@
     [project.optional-dependencies]
     test = [
         "pytest>=8",      # the runner
    +    "outpace",
         # reports
         "pytest-cov",
     ]
     docs = ["sphinx"]
    -dev = ["ruff", 'pytest']
    +dev = ["ruff", 'pytest', 'outpace']
     
     [tool.pytest.ini_options]
    -addopts = "-ra --strict-markers"    # short summary
    +addopts = "-ra --strict-markers -n auto"    # short summary
    +markers = ["serial(reason=None): no other test runs while this one does"]
     testpaths = ["tests"]
    "#);
}

#[test]
fn dependency_groups_and_the_settings_of_pytest_9() {
    let text = r#"[dependency-groups]
test = ["pytest"]
dev = [{include-group = "test"}, "mypy"]

[tool.pytest]
addopts = [
  "-ra",
  "--strict-markers"  # typos
]
markers = []
"#;
    insta::assert_snapshot!(shown(&[("pyproject.toml", text), ("uv.lock", "")]), @r#"
    pyproject.toml: outpace beside pytest in [dependency-groups] test
    pyproject.toml: `-n auto` in [tool.pytest] addopts
    pyproject.toml: the serial marker in [tool.pytest]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -1,10 +1,12 @@
     [dependency-groups]
    -test = ["pytest"]
    +test = ["pytest", "outpace"]
     dev = [{include-group = "test"}, "mypy"]
     
     [tool.pytest]
     addopts = [
       "-ra",
    -  "--strict-markers"  # typos
    +  "--strict-markers",  # typos
    +  "-n",
    +  "auto"
     ]
    -markers = []
    +markers = ["serial(reason=None): no other test runs while this one does"]

    note: uv.lock does not know of it yet: run `uv lock`
    "#);
}

#[test]
fn poetry_groups() {
    let text = r#"[tool.poetry]
name = "shop"

[tool.poetry.dependencies]
python = "^3.11"

[tool.poetry.group.dev.dependencies]
# tests
pytest = "^8.0"
ruff = "*"

[tool.pytest.ini_options]
"#;
    insta::assert_snapshot!(shown(&[("pyproject.toml", text), ("poetry.lock", "")]), @r#"
    pyproject.toml: outpace beside pytest in [tool.poetry.group.dev.dependencies]
    pyproject.toml: `-n auto` in [tool.pytest.ini_options] addopts
    pyproject.toml: the serial marker in [tool.pytest.ini_options]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -7,6 +7,9 @@
     [tool.poetry.group.dev.dependencies]
     # tests
     pytest = "^8.0"
    +outpace = "*"
     ruff = "*"
     
     [tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]

    note: poetry.lock does not know of it yet: run `poetry lock`
    "#);
}

#[test]
fn optional_dependencies_of_poetry_come_with_their_extra() {
    let text = r#"[tool.poetry.dependencies]
pytest = { version = "^8", optional = true }

[tool.poetry.extras]
test = ["pytest"]
"#;
    insta::assert_snapshot!(added(&[("pyproject.toml", text)]), @r#"
    +outpace = { version = "*", optional = true }
    -test = ["pytest"]
    +test = ["pytest", "outpace"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]
    "#);
}

#[test]
fn lists_of_uv_pdm_hatch_and_tox() {
    let text = r#"[tool.uv]
dev-dependencies = [
  "pytest",
]
[tool.pdm.dev-dependencies]
test = ["pytest", "pytest-xdist"]
[tool.hatch.envs.default]
dependencies = ["pytest"]
[tool.tox.env_run_base]
deps = ["pytest>=8"]
"#;
    insta::assert_snapshot!(added(&[("pyproject.toml", text)]), @r#"
    +  "outpace",
    -test = ["pytest", "pytest-xdist"]
    +test = ["pytest", "outpace", "pytest-xdist"]
    -dependencies = ["pytest"]
    +dependencies = ["pytest", "outpace"]
    -deps = ["pytest>=8"]
    +deps = ["pytest>=8", "outpace"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]
    "#);
}

#[test]
fn xdist_is_replaced_where_that_is_asked_for() {
    let text = r#"[project.optional-dependencies]
test = ["pytest", "pytest-xdist[psutil]>=3; sys_platform != 'win32'"]
dev = [
    "outpace",
    "pytest-xdist",  # parallel
    "ruff",
]
ci = ["pytest_xdist", "outpace"]
"#;
    let requirements = "pytest\npytest-xdist==3.6 ; python_version > '3'\n";
    let tox = "[testenv]\ndeps =\n    pytest\n    pytest-xdist\n";
    let wishes = Wishes { replace_xdist: true, ..Wishes::default() };
    let first =
        project(&[("pyproject.toml", text), ("requirements-dev.txt", requirements), ("tox.ini", tox)]);
    insta::assert_snapshot!(show(&plan(&first, wishes).unwrap()), @r#"
    pyproject.toml: outpace in place of pytest-xdist in [project.optional-dependencies] test
    pyproject.toml: without pytest-xdist in [project.optional-dependencies] dev
    pyproject.toml: without pytest-xdist in [project.optional-dependencies] ci
    pyproject.toml: `-n auto` and the serial marker in a new [tool.pytest.ini_options]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -1,8 +1,11 @@
     [project.optional-dependencies]
    -test = ["pytest", "pytest-xdist[psutil]>=3; sys_platform != 'win32'"]
    +test = ["pytest", "outpace; sys_platform != 'win32'"]
     dev = [
         "outpace",
    -    "pytest-xdist",  # parallel
         "ruff",
     ]
    -ci = ["pytest_xdist", "outpace"]
    +ci = ["outpace"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]

    requirements-dev.txt: outpace in place of pytest-xdist
    --- a/requirements-dev.txt
    +++ b/requirements-dev.txt
    @@ -1,2 +1,2 @@
     pytest
    -pytest-xdist==3.6 ; python_version > '3'
    +outpace; python_version > '3'

    tox.ini: outpace in place of pytest-xdist in [testenv] deps
    --- a/tox.ini
    +++ b/tox.ini
    @@ -1,4 +1,4 @@
     [testenv]
     deps =
         pytest
    -    pytest-xdist
    +    outpace
    "#);
}

#[test]
fn xdist_is_replaced_in_poetrys_tables() {
    let wishes = Wishes { replace_xdist: true, ..Wishes::default() };
    let poetry = "[tool.poetry.dev-dependencies]\npytest = \"*\"\npytest-xdist = \"^3\" # fast\n";
    insta::assert_snapshot!(show(&plan(&project(&[("pyproject.toml", poetry)]), wishes).unwrap()), @r#"
    pyproject.toml: outpace in place of pytest-xdist in [tool.poetry.dev-dependencies]
    pyproject.toml: `-n auto` and the serial marker in a new [tool.pytest.ini_options]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -1,3 +1,7 @@
     [tool.poetry.dev-dependencies]
     pytest = "*"
    -pytest-xdist = "^3" # fast
    +outpace = "*" # fast
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]
    "#);
}

#[test]
fn a_project_that_lists_pytest_nowhere() {
    let bare = "[project]\nname = \"shop\"\n";
    insta::assert_snapshot!(shown(&[("pyproject.toml", bare)]), @r#"
    pyproject.toml: outpace in a new [project.optional-dependencies] test
    pyproject.toml: `-n auto` and the serial marker in a new [tool.pytest.ini_options]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -1,2 +1,9 @@
     [project]
     name = "shop"
    +
    +[project.optional-dependencies]
    +test = ["outpace"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]
    "#);
    insta::assert_snapshot!(added(&[("pyproject.toml", bare), ("uv.lock", "")]), @r#"
    +
    +[dependency-groups]
    +dev = ["outpace"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]
    "#);
    let extras = "[project.optional-dependencies]\ndocs = [\"sphinx\"]\ndev = []\n";
    insta::assert_snapshot!(added(&[("pyproject.toml", extras)]), @r#"
    -dev = []
    +dev = ["outpace"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]
    "#);
    let dynamic = "[project]\ndynamic = [\"optional-dependencies\"]\n";
    insta::assert_snapshot!(shown(&[("pyproject.toml", dynamic)]), @r#"
    pyproject.toml: `-n auto` and the serial marker in a new [tool.pytest.ini_options]
    --- a/pyproject.toml
    +++ b/pyproject.toml
    @@ -1,2 +1,6 @@
     [project]
     dynamic = ["optional-dependencies"]
    +
    +[tool.pytest.ini_options]
    +addopts = "-n auto"
    +markers = ["serial(reason=None): no other test runs while this one does"]

    note: no list of test dependencies was found: install it with `pip install outpace`
    "#);
}

#[test]
fn a_project_without_pyproject_that_lists_pytest_nowhere() {
    insta::assert_snapshot!(added(&[("requirements.txt", "flask\n")]), @r"
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    +outpace
    ");
    insta::assert_snapshot!(added(&[("requirements.txt", "flask\n"), ("requirements_test.txt", "coverage")]), @r"
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    -coverage
    +coverage
    +outpace
    ");
    insta::assert_snapshot!(shown(&[]), @r"
    pytest.ini: `-n auto` and the serial marker in a new [pytest]
    --- /dev/null
    +++ b/pytest.ini
    @@ -0,0 +1,4 @@
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does

    note: no list of test dependencies was found: install it with `pip install outpace`
    ");
}

#[test]
fn requirements() {
    let text = "-r requirements.txt\n# tests\npytest==8.1 \\\n    ; python_version > '3.8'\nruff\n";
    insta::assert_snapshot!(shown(&[("requirements-dev.txt", text)]), @r"
    pytest.ini: `-n auto` and the serial marker in a new [pytest]
    --- /dev/null
    +++ b/pytest.ini
    @@ -0,0 +1,4 @@
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does

    requirements-dev.txt: outpace beside pytest
    --- a/requirements-dev.txt
    +++ b/requirements-dev.txt
    @@ -2,4 +2,5 @@
     # tests
     pytest==8.1 \
         ; python_version > '3.8'
    +outpace
     ruff
    ");
    let others = [
        ("requirements/test.in", "pytest\n"),
        ("requirements/test.txt", "pytest==8\n"),
        ("requirements.txt", "# autogenerated by pip-compile\npytest==8\n"),
        ("test-requirements.txt", "pytest==8 --hash=sha256:00\n"),
        ("constraints.txt", "pytest==8\n"),
        ("requirements/constraints.txt", "pytest==8\n"),
    ];
    insta::assert_snapshot!(shown(&others), @r"
    pytest.ini: `-n auto` and the serial marker in a new [pytest]
    --- /dev/null
    +++ b/pytest.ini
    @@ -0,0 +1,4 @@
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does

    requirements/test.in: outpace beside pytest
    --- a/requirements/test.in
    +++ b/requirements/test.in
    @@ -1 +1,2 @@
     pytest
    +outpace

    note: requirements.txt is generated and was not changed: make it anew with outpace in its source
    note: requirements/test.txt is made from requirements/test.in: make it anew (pip-compile, uv pip compile)
    note: test-requirements.txt has hashes and was not changed: add outpace as you add others
    ");
}

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
fn setup_cfg() {
    let text = "[options]\ninstall_requires =\n    pytest-helpers\n\n[options.extras_require]\ntest =\n    pytest>=7; python_version > '3.7'\n    coverage\ndev = pytest; ruff\n\n[tool:pytest]\ntestpaths = tests\n";
    insta::assert_snapshot!(shown(&[("setup.cfg", text)]), @r"
    setup.cfg: outpace beside pytest in [options.extras_require] test
    setup.cfg: outpace beside pytest in [options.extras_require] dev
    setup.cfg: `-n auto` in [tool:pytest]
    setup.cfg: the serial marker in [tool:pytest]
    --- a/setup.cfg
    +++ b/setup.cfg
    @@ -5,8 +5,12 @@
     [options.extras_require]
     test =
         pytest>=7; python_version > '3.7'
    +    outpace
         coverage
    -dev = pytest; ruff
    +dev = pytest; outpace; ruff
     
     [tool:pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
     testpaths = tests
    ");
}

#[test]
fn tox_ini_has_dependencies_settings_and_environments() {
    let text = "[tox]\nenvlist = py311\n\n[testenv]\ndeps =\n    py311: pytest\n    -r base.txt\ncommands =\n    pytest {posargs}\n\n[pytest]\naddopts = -q\n";
    insta::assert_snapshot!(shown(&[("tox.ini", text)]), @r#"
    tox.ini: outpace beside pytest in [testenv] deps
    tox.ini: `-n auto` in [pytest] addopts
    tox.ini: the serial marker in [pytest]
    tox.ini: environments test-fast, test-serial
    --- a/tox.ini
    +++ b/tox.ini
    @@ -4,9 +4,20 @@
     [testenv]
     deps =
         py311: pytest
    +    py311: outpace
         -r base.txt
     commands =
         pytest {posargs}
     
     [pytest]
    -addopts = -q
    +addopts = -q -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    +
    +[testenv:test-fast]
    +description = All but those that must run alone.
    +commands = pytest -m "not serial" {posargs}
    +
    +[testenv:test-serial]
    +description = All tests, one after the other, in one process.
    +commands = pytest -n 0 {posargs}
    "#);
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
fn makefile() {
    let text = "BIN := .venv/bin\nall: test\n\n.PHONY: test\ntest: build\n\t@$(BIN)/python -m pytest -n 4 tests\n\nbuild:\n\tpip install pytest\n";
    insta::assert_snapshot!(shown(&[("Makefile", text)]), @r#"
    Makefile: targets test-fast, test-serial
    --- a/Makefile
    +++ b/Makefile
    @@ -7,3 +7,13 @@
     
     build:
     	pip install pytest
    +
    +.PHONY: test-fast test-serial
    +
    +# All but those that must run alone.
    +test-fast:
    +	$(BIN)/python -m pytest -m "not serial"
    +
    +# All tests, one after the other, in one process.
    +test-serial:
    +	$(BIN)/python -m pytest -n 0

    pytest.ini: `-n auto` and the serial marker in a new [pytest]
    --- /dev/null
    +++ b/pytest.ini
    @@ -0,0 +1,4 @@
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does

    note: no list of test dependencies was found: install it with `pip install outpace`
    note: Makefile: `test` was kept; it says `-n 4` itself
    "#);
    insta::assert_snapshot!(added(&[("makefile", "X = a:b\n"), ("uv.lock", "")]), @r#"
    +
    +.PHONY: test test-fast test-serial
    +
    +# All tests, in parallel.
    +test:
    +	uv run pytest
    +
    +# All but those that must run alone.
    +test-fast:
    +	uv run pytest -m "not serial"
    +
    +# All tests, one after the other, in one process.
    +test-serial:
    +	uv run pytest -n 0
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does
    "#);
}

#[test]
fn justfile() {
    let text = "set shell := [\"bash\", \"-c\"]\n\n# old\n@test-fast:\n  uv run pytest -x\n";
    insta::assert_snapshot!(shown(&[("justfile", text)]), @r"
    justfile: recipes test, test-serial
    --- a/justfile
    +++ b/justfile
    @@ -3,3 +3,11 @@
     # old
     @test-fast:
       uv run pytest -x
    +
    +# All tests, in parallel.
    +test *args:
    +    uv run pytest {{args}}
    +
    +# All tests, one after the other, in one process.
    +test-serial *args:
    +    uv run pytest -n 0 {{args}}

    pytest.ini: `-n auto` and the serial marker in a new [pytest]
    --- /dev/null
    +++ b/pytest.ini
    @@ -0,0 +1,4 @@
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does

    note: no list of test dependencies was found: install it with `pip install outpace`
    note: justfile: `test-fast` was kept
    ");
}

#[test]
fn places_that_install_by_name_are_named() {
    let files = [
        ("setup.py", "setup(\n    extras_require={'test': ['pytest>=7']},\n)\n"),
        ("noxfile.py", "session.install('pytest', 'mock')\n"),
        (".github/workflows/ci.yml", "steps:\n  - run: pip install -U pytest pytest-cov\n"),
        (".github/workflows/docs.yml", "steps:\n  - run: pip install pytest outpace\n  - run: pytest\n"),
    ];
    insta::assert_snapshot!(shown(&files), @r"
    pytest.ini: `-n auto` and the serial marker in a new [pytest]
    --- /dev/null
    +++ b/pytest.ini
    @@ -0,0 +1,4 @@
    +[pytest]
    +addopts = -n auto
    +markers =
    +    serial(reason=None): no other test runs while this one does

    note: no list of test dependencies was found: install it with `pip install outpace`
    note: .github/workflows/ci.yml:2 installs pytest by name: add outpace there, or `-n` is unknown to it
    note: noxfile.py:1 installs pytest by name: add outpace there, or `-n` is unknown to it
    note: setup.py:2 installs pytest by name: add outpace there, or `-n` is unknown to it
    ");
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

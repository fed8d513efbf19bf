//! Lists of what the tests need.

use outpace_setup::{Wishes, plan};

use super::{added, project, show, shown};

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

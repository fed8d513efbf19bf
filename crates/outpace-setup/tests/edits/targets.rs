//! Commands under a name: make, just, tox.

use super::{added, shown};

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

"""Every plugin that outpace is tested with: how it is loaded, what works with it, and which tests prove it.

Pure data, and its rendering as a Markdown page; it runs nothing.
``python tests/plugins/table.py > docs/plugins.md`` writes the page, ``--check FILE`` exits 1 if FILE is out of date.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

OUTCOMES = "test_plugins.py::test_same_outcomes"


@dataclass(frozen=True)
class Plugin:
    """A plugin and what is known of it under outpace."""

    distribution: str
    load: tuple[str, ...]
    """Names for ``-p``: those of the entry points, as the plugins are registered in daily use."""
    works: str
    tests: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    """Other folders of ``projects`` whose files the project uses too."""
    differs: str = ""
    """How a parallel run differs from a serial one, where it does."""
    fork: bool = True
    spawn: bool = True


PLUGINS: dict[str, Plugin] = {
    "allure": Plugin(
        "allure-pytest",
        ("allure_pytest",),
        "Results, steps, attachments, parameters, links, labels and fixture containers equal to serial ones; "
        "every worker is its own line in the timeline.",
        ("test_reports.py::test_allure_results", "test_reports.py::test_allure_timeline_has_a_line_per_worker"),
        args=("--alluredir=allure-results",),
        differs="A fixture of session or module scope has one container per worker that ran it, not one in all.",
    ),
    "anyio": Plugin(
        "anyio",
        ("anyio",),
        "Tests, fixtures, sockets and threads on asyncio and trio.",
    ),
    "asyncio": Plugin(
        "pytest-asyncio",
        ("asyncio",),
        "Auto mode, async fixtures, loops of function and class scope, subprocesses and signal handlers in loops.",
    ),
    "bdd": Plugin(
        "pytest-bdd",
        ("pytest-bdd",),
        "Features, backgrounds, outlines, rules, data tables, doc strings, failing and missing steps, skips.",
        ("test_values.py::test_bdd_reports_are_what_xdist_gives",),
        args=("--cucumberjson=cucumber.json",),
        differs="`--cucumberjson` writes an empty list, and `--gherkin-terminal-reporter` is refused by the plugin, "
        "both as under xdist: the plugin keeps what it needs in the process that ran the test.",
    ),
    "benchmark": Plugin(
        "pytest-benchmark",
        ("benchmark",),
        "Benchmarked functions run once as plain tests, timing is switched off with the plugin's own notice; "
        "`--benchmark-only` is refused, as under xdist.",
        (
            "test_values.py::test_benchmarks_are_disabled_with_a_notice",
            "test_values.py::test_benchmark_only_is_refused",
        ),
        args=("--benchmark-max-time=0.01", "--benchmark-min-rounds=1", "--benchmark-warmup=off"),
        differs="No timings: they would be worthless beside other running tests. Use `-n 0` for benchmarks.",
    ),
    "cov": Plugin(
        "pytest-cov",
        ("pytest_cov",),
        "Statements, branches, contexts per test, threads, subprocesses, all report formats and `--cov-fail-under`: "
        "line for line what a serial run measures.",
        (
            "test_coverage.py::test_statements",
            "test_coverage.py::test_branches_and_contexts",
            "test_coverage.py::test_subprocesses",
            "test_coverage.py::test_reports",
            "test_coverage.py::test_fail_under",
            "test_coverage.py::test_no_data_file_is_left",
        ),
        args=(
            "--cov=ledger",
            "--cov-branch",
            "--cov-context=test",
            "--cov-report=json",
            "--cov-report=xml",
            "--cov-report=lcov",
            "--cov-report=term-missing",
        ),
    ),
    "django": Plugin(
        "pytest-django",
        ("django",),
        "A test database per worker, migrations, transactions, live server, client, settings, mail, query counts.",
        ("test_values.py::test_django_gives_every_worker_its_database",),
        differs="The database's name ends in the worker's id.",
    ),
    "html": Plugin(
        "pytest-html",
        # Not by the entry point's name, which is that of a standard module: pytest would try to rewrite that one.
        ("metadata", "pytest_html.fixtures", "pytest_html.plugin"),
        "One report, written once: every row, result, log, extra, custom column and count as in the serial report.",
        ("test_reports.py::test_html_report",),
        args=("--html=report.html", "--self-contained-html"),
        shares=("shared_basket",),
    ),
    "hypothesis": Plugin(
        "hypothesis",
        ("hypothesispytest",),
        "The same failing examples for a given seed, statistics for every test, state machines.",
        ("test_values.py::test_hypothesis_statistics", "test_values.py::test_hypothesis_keeps_failing_examples"),
        args=("--hypothesis-seed=11", "--hypothesis-show-statistics"),
    ),
    "instafail": Plugin(
        "pytest-instafail",
        ("instafail",),
        "Each failure is printed as it happens, once, with its worker.",
        ("test_terminal.py::test_instafail_prints_failures_at_once",),
        args=("--instafail",),
        shares=("shared_basket",),
    ),
    "json_report": Plugin(
        "pytest-json-report",
        ("metadata", "pytest_jsonreport"),
        "Tests, phases, captured output, log records, metadata of tests, modified reports, summary.",
        ("test_reports.py::test_json_report",),
        args=("--json-report", "--json-report-file=report.json"),
        shares=("shared_basket",),
        differs="The report has no `collectors`, as under xdist: its owner does not collect.",
    ),
    "metadata": Plugin(
        "pytest-metadata",
        ("metadata",),
        "Values from options, files and hooks in every worker, in the header, and back in the owner of the terminal.",
        ("test_values.py::test_metadata_comes_back_from_every_worker",),
        args=(
            "-v",
            "--metadata",
            "Build",
            "17",
            "--metadata",
            "Branch",
            "main",
            "--metadata",
            "Secret",
            "x",
            "--metadata-from-json-file=environment.json",
        ),
    ),
    "mock": Plugin(
        "pytest-mock",
        ("pytest_mock",),
        "Patches of every scope, spies, stubs, explained assertions; a test may patch `os`, `socket` and `time`.",
    ),
    "order": Plugin(
        "pytest-order",
        ("pytest_order",),
        "Marked order kept inside every worker; with `--dist loadfile` inside every file.",
        ("test_order.py::test_order_marks_inside_a_worker",),
        args=("--dist", "loadfile"),
        differs="Order between tests of different workers means nothing.",
    ),
    "randomly": Plugin(
        "pytest-randomly",
        ("randomly",),
        "One seed for all workers, in the header; the same random values per test and the same order inside a module "
        "as a serial run with that seed.",
        ("test_order.py::test_random_values_and_order", "test_order.py::test_chosen_seed_reaches_every_worker"),
        args=("-p", "no:cacheprovider", "--randomly-seed=4711"),
    ),
    "reportlog": Plugin(
        "pytest-reportlog",
        ("pytest_reportlog",),
        "One line per report and warning, each with all its fields, session start and finish; pytest's own junit file "
        "beside it.",
        ("test_reports.py::test_reportlog", "test_reports.py::test_junit_xml"),
        args=("--report-log=log.jsonl", "--junitxml=junit.xml", "-o", "junit_logging=all"),
        shares=("shared_basket",),
        differs="Lines carry the fields `worker_id`, `testrun_uid`, `item_index`; passed collect reports are absent; "
        "both as under xdist.",
    ),
    "rerunfailures": Plugin(
        "pytest-rerunfailures",
        ("rerunfailures",),
        "Reruns by mark and by option, with delay and conditions, counted as in a serial run; a test that killed its "
        "worker is rerun in another one.",
        (
            "test_reruns.py::test_reruns_are_counted",
            "test_reruns.py::test_option_reruns_everything",
            "test_reruns.py::test_crashed_tests_are_rerun",
        ),
        args=("-m", "not crashes", "-rR"),
    ),
    "split": Plugin(
        "pytest-split",
        ("pytest-split",),
        "The durations file holds every test that ran; a group runs the same tests as serially.",
        ("test_order.py::test_split_stores_all_durations", "test_order.py::test_split_group"),
        args=("--store-durations", "--durations-path=durations.json"),
    ),
    "subtests": Plugin(
        "pytest-subtests",
        ("subtests",),
        "Subtests of pytest and of unittest: counted, reported and failing as in a serial run. From pytest 9 on they "
        "are pytest's own; the plugin's older ones work as well.",
        ("test_values.py::test_subtests_are_counted", "test_values.py::test_subtests_of_the_plugin"),
        args=("-o", "verbosity_subtests=1"),
    ),
    "sugar": Plugin(
        "pytest-sugar",
        ("sugar",),
        "Progress, failures at once, closing counts.",
        ("test_terminal.py::test_sugar_prints_every_test", "test_terminal.py::test_sugar_counts"),
        args=("--force-sugar",),
        shares=("shared_basket",),
    ),
    "syrupy": Plugin(
        "syrupy",
        ("syrupy",),
        "Snapshots compared, the report names failed and unused ones as in a serial run; `--snapshot-update` writes "
        "the same files.",
        ("test_values.py::test_syrupy_report", "test_values.py::test_syrupy_update"),
        args=("--snapshot-details",),
    ),
    "timeout": Plugin(
        "pytest-timeout",
        ("timeout",),
        "The signal method fails the hanging test, in each phase; the thread method ends the worker: that test fails "
        "by name, all others run.",
        ("test_timeouts.py::test_signal_method", "test_timeouts.py::test_thread_method"),
        args=("-m", "not hangs"),
        differs="The thread method ends one worker, where serially it ends pytest; the stacks that it prints are lost "
        "with the worker's terminal, as under xdist.",
    ),
}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _version(distribution: str) -> str:
    for line in (Path(__file__).parent / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if name.strip().lower() == distribution.lower():
            return version.strip()
    return ""


def render(plugins: dict[str, Plugin]) -> str:
    """The Markdown page."""
    lines = [
        "# Plugins",
        "",
        "Written by `tests/plugins/table.py`; edit the table there.",
        "",
        "For each plugin a small project that uses it (`tests/plugins/projects`) is run serially and with "
        "`-n 2`, once per start method, and must report the same: ids, outcomes of every phase, tracebacks, captured "
        "output, properties, warnings, closing line, exit code. The tests named here go on to check what the plugin "
        f"is for. All of them also pass `{OUTCOMES}`, and those that people combine are run together in "
        "`test_plugins.py::test_all_together`.",
        "",
        "| plugin | version | fork | spawn | what works | what differs from a serial run | proved by |",
        "|---|---|---|---|---|---|---|",
    ]
    for plugin in sorted(plugins.values(), key=lambda plugin: plugin.distribution.lower()):
        cells = (
            plugin.distribution,
            _version(plugin.distribution),
            "yes" if plugin.fork else "no",
            "yes" if plugin.spawn else "no",
            plugin.works,
            plugin.differs or "nothing",
            "<br>".join(f"`{test}`" for test in plugin.tests or (OUTCOMES,)),
        )
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    page = render(PLUGINS)
    if arguments[:1] == ["--check"] and len(arguments) == 2:
        if Path(arguments[1]).read_text() != page:
            print(f"{arguments[1]} is out of date: run python {Path(__file__).name} > {arguments[1]}", file=sys.stderr)
            return 1
        return 0
    if arguments:
        print("usage: table.py [--check FILE]", file=sys.stderr)
        return 4
    sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

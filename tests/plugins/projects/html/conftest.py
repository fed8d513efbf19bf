import pytest
import pytest_html


def pytest_html_report_title(report):
    report.title = "Basket"


def pytest_html_results_summary(prefix, summary, postfix):
    prefix.append("<p>summary of the shop</p>")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    extras = getattr(report, "extras", [])
    if report.when == "call":
        extras.append(pytest_html.extras.url(f"https://shop.invalid/{item.name}"))
        if report.failed:
            extras.append(pytest_html.extras.text(f"worth a look: {item.name}", name="note"))
            extras.append(pytest_html.extras.html("<i>failed</i>"))
    report.extras = extras


def pytest_html_results_table_row(report, cells):
    cells.insert(1, f"<td class='phase'>{report.when}</td>")


def pytest_html_results_table_header(cells):
    cells.insert(1, "<th>Phase</th>")

import pytest_html


def test_extras_fixture(extras):
    extras.append(pytest_html.extras.text("by fixture", name="plain"))
    extras.append(pytest_html.extras.json({"price": 1}))

import json

import pytest

from benchmarks.report import Budget, Report, print_json, print_table


@pytest.mark.parametrize(
    ("text", "at_most", "limit"),
    [
        (">= 2.0x", False, 2.0),
        ("<= 1.35x", True, 1.35),
        ("<= 100 ns", True, 1e-7),
        (">= 2,100/s", False, 2100.0),
    ],
)
def test_budgets_are_read(text, at_most, limit):
    budget = Budget.parse(text)
    assert (budget.at_most, budget.limit) == (at_most, pytest.approx(limit))


def test_a_text_that_is_no_budget():
    with pytest.raises(ValueError, match="no budget"):
        Budget.parse("fast")


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [([3, 4, 5], "holds"), ([1, 3, 5], "holds"), ([1, 1, 3], "noisy"), ([1, 1, 1], "missed")],
)
def test_the_verdict_looks_at_the_median_and_the_noise(figures, verdict):
    assert Budget.parse(">= 2x").verdict(figures) == verdict


def test_a_report_measures_and_prints(capsys):
    said = []
    report = Report(said.append)
    report.part = "demo"
    order = []
    report.ratio("work", lambda: order.append("o"), lambda: order.append("p"), budget=">= 0x", rounds=3)
    report.cost("call", lambda: None, budget="<= 1 s", number=10, rounds=3)
    report.rate("calls", lambda: None, operations=1, budget=">= 0/s")
    report.figures("size", [1.0, 2.0], unit="kB", budget="<= 9 kB")
    assert order == list("opoppoop")
    assert [row.verdict for row in report.rows] == ["holds"] * 4
    assert said == report.rows
    print_table(report.rows)
    assert "demo" in capsys.readouterr().out
    print_json(report.rows)
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["work", "call", "calls", "size"]

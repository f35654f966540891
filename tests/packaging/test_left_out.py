"""What CI must have is not left out there without a word."""

from __future__ import annotations

import pytest

from ..left_out import MAY_LACK, judge


def skipped(reason: str) -> pytest.TestReport:
    return pytest.TestReport("test", ("test.py", 1, "test"), {}, "skipped", ("test.py", 1, reason), "setup")


def test_in_ci_a_skip_that_nobody_expects_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    report = judge(skipped("Skipped: could not import 'numpy'"))
    assert report.failed and "could not import 'numpy'; CI leaves out only what" in str(report.longrepr)


def test_in_ci_a_whole_file_is_not_left_out_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert judge(pytest.CollectReport("file", "skipped", ("test.py", 1, "Skipped: no client"), [])).failed


@pytest.mark.parametrize("reason", MAY_LACK)
def test_what_depends_on_who_runs_it_and_where_may_be_left_out(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert judge(skipped(f"Skipped: {reason}")).skipped


def test_outside_ci_a_skip_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert judge(skipped("Skipped: could not import 'numpy'")).skipped

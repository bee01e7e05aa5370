from packager.config.decoding.report import FileReport
from packager.config.yaml_reader import read_yaml
from packager.errors import Problem

TREE, _ = read_yaml("a:\n  b: 1\n  c: [x, {d: 2}]\n", "r.yaml")


def test_a_problem_has_the_position_of_its_value_or_of_the_nearest_value_around_it() -> None:
    report = FileReport("r.yaml", TREE)
    assert report.position("a.b") == (2, 6)
    assert report.position("a.c[1].d") == (3, 14)
    assert report.position("a.c[1].e") == (3, 10)
    assert report.position("a.missing") == (2, 3)
    assert report.position("b") == (1, 1)


def test_problems_are_in_the_order_of_the_file() -> None:
    report = FileReport("r.yaml", TREE)
    report.wrong("a.c", "second", "remedy")
    report.wrong("a.b", "first", "remedy")
    assert [problem.reason for problem in report.problems] == ["first", "second"]


def test_a_rule_that_looks_at_a_wrong_value_is_not_reported() -> None:
    report = FileReport("r.yaml", TREE)
    report.wrong("a.c[1]", "expected text", "remedy")
    report.broken("a.c[1].d", "below the wrong value", "remedy")
    report.broken("a.b", "looks at the wrong value", "remedy", "a.c[1]")
    report.broken("a.c", "around the wrong value", "remedy")
    assert [problem.reason for problem in report.problems] == [
        "around the wrong value",
        "expected text",
    ]


def test_a_flood_of_problems_is_cut() -> None:
    report = FileReport("r.yaml", TREE)
    for number in range(130):
        report.wrong("a", f"reason {number}", "remedy")
    assert len(report.problems) == 101
    assert str(report.problems[-1]) == (
        "r.yaml: 30 more problems are not shown: correct the ones above first"
    )


def test_the_text_of_a_problem() -> None:
    assert (
        str(Problem("r.yaml", "a.b", "wrong", "write 1", 3, 7)) == "r.yaml:3:7: a.b: wrong: write 1"
    )
    assert str(Problem("r.yaml", "", "empty")) == "r.yaml: empty"

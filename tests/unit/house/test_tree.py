"""Files and folders that the checks read."""

from pathlib import Path

from tests.house.tree import Offence, read_tree, tree_of


def test_a_tree_has_files_and_the_folders_that_hold_them(tmp_path: Path) -> None:
    for name in ("packager/cmaf/boxes.py", "docs/a.md", "docs/a.png", "Makefile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "packager/empty").mkdir()
    tree = read_tree(tmp_path)
    assert set(tree.sources) == {"packager/cmaf/boxes.py", "docs/a.md", "Makefile"}
    assert {"packager/cmaf", "docs", "docs/a.png"} < tree.paths
    assert "packager/empty" not in tree.paths


def test_generated_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    for name in (".venv/a.py", "data/a.py", "origin/page/node_modules/a.js", "bench/out/a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert not read_tree(tmp_path).sources


def test_files_of_a_folder_are_sorted() -> None:
    tree = tree_of({"origin/b.py": "", "origin/a.py": "", "origin/a.js": "", "bench/c.py": ""})
    assert [source.path for source in tree.under("origin/")] == ["origin/a.py", "origin/b.py"]


def test_an_offence_reads_as_a_place_and_a_text() -> None:
    assert str(Offence("a.py", 3, "wrong")) == "a.py:3: wrong"
    assert str(Offence("a", 0, "wrong")) == "a: wrong"

from packager.yaml_text import read_yaml


def test_scalars_stay_text() -> None:
    tree = read_yaml(
        "{a: 25, b: 29.97, c: true, d: null, e: 2020-01-01, f: 1_0, g: 0x1f, h: }", "x"
    )
    assert "".join(tree) == "abcdefgh"
    assert list(tree.values()) == ["25", "29.97", "true", "null", "2020-01-01", "1_0", "0x1f", ""]

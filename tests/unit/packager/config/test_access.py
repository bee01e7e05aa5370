from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.config.access import AccessConfig
from packager.config.parse import parse_config
from packager.config.schema.service import ServiceConfig
from packager.config.secret import Secret
from packager.errors import ConfigError
from tests.support.problems import lines_of

TEXT = "correct-horse-battery"
SECRET = Secret(TEXT.encode())
MANY = ", ".join(f"c{number}: secret-of-number-{number:02}" for number in range(17))
SMALL = "data: d\norigin: {}\nchannels: {a: {source: {type: pattern}, ladder: demo, access: {}}}"


def parsed(access: str, origin: str = "", **environment: str) -> ServiceConfig:
    text = SMALL.replace("access: {}", f"access: {{{access}}}")
    return parse_config(text.replace("origin: {}", f"origin: {{{origin}}}"), "r.yaml", environment)


def access(written: str, **environment: str) -> AccessConfig:
    return parsed(written, **environment).channels["a"].access


def fault(written: str, origin: str = "", **environment: str) -> str:
    (line,) = lines_of(lambda: parsed(written, origin, **environment))
    return line.removeprefix("channels.a.access")


def test_access_is_open_by_default() -> None:
    config = parse_config(SMALL.replace(", access: {}", ""), "r.yaml")
    assert config.channels["a"].access == access("") == AccessConfig()
    assert config.origin.control_token is None


def test_keys_and_secrets() -> None:
    written = f"token_keys: [{TEXT}, $SECOND], cdn_secrets: {{akamai: {TEXT}, fastly: [$A, $B]}}"
    found = access(written, SECOND="2" * 16, A="a" * 16, B="b" * 16)
    assert found.token_keys == (SECRET, Secret(b"2" * 16))
    assert found.cdn_secrets == {
        "akamai": (SECRET,),
        "fastly": (Secret(b"a" * 16), Secret(b"b" * 16)),
    }
    assert access(f"token_keys: {TEXT}").token_keys == (SECRET,)
    assert parsed("", "control_token: $T", T=TEXT).origin.control_token == SECRET
    assert parsed("", f"control_token: {TEXT}").origin.control_token == SECRET


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (f"token_keys: [{TEXT}, {TEXT}1, {TEXT}2]", ".token_keys: expected a secret or two"),
        ("token_keys: []", ".token_keys: expected a secret or two of them, got a list of 0"),
        (f"token_keys: {{a: {TEXT}}}", ".token_keys: expected a secret or two"),
        (f"token_keys: [[{TEXT}]]", ".token_keys[0]: expected a secret, got a list of 1"),
        (f"token_keys: [{TEXT}, short]", ".token_keys[1]: a secret is 16 to 256"),
        ("token_keys: $NO", ".token_keys: the environment variable NO is not set"),
        ("token_keys: $SHORT", ".token_keys: the environment variable SHORT holds no secret"),
        (f"token_key: {TEXT}", ".token_key: unknown key"),
        (f"cdn_secrets: {TEXT}", ".cdn_secrets: expected a mapping of at most 16 names"),
        ("cdn_secrets: {}", ".cdn_secrets: expected a mapping of at most 16 names"),
        (f"cdn_secrets: {{Akamai: {TEXT}}}", ".cdn_secrets.Akamai: a CDN's name has at most 32"),
        (f"cdn_secrets: {{a: {{b: {TEXT}}}}}", ".cdn_secrets.a: expected a secret or two"),
        ("cdn_secrets: {a: []}", ".cdn_secrets.a: expected a secret or two"),
        ("cdn_secrets: {a: [x]}", ".cdn_secrets.a[0]: a secret is 16"),
        (
            f"cdn_secrets: {{a: {TEXT}, b: {TEXT}}}",
            ".cdn_secrets.b: the secret is also one of channels.a.access.cdn_secrets.a",
        ),
        (
            f"cdn_secrets: {{{MANY}}}",
            ".cdn_secrets: expected a mapping of at most 16 names of CDNs to secrets, got a m",
        ),
    ],
)
def test_every_fault_has_a_path_and_a_reason(written: str, reason: str) -> None:
    assert fault(written, SHORT="short").startswith(reason)


WRONG = [
    "control_token: [{}]",
    "control_token: {{a: {}}}",
    "control_token: {}",
    "token_keys: {}",
    "token_keys: [{}, {}, {}]",
    "token_keys: {{a: {}}}",
    "token_keys: [[{}]]",
    "token_keys: [{}",
    "token_key: {}",
    "cdn_secrets: {}",
    "cdn_secrets: [{}]",
    "cdn_secrets: {{A: {}}}",
    "cdn_secrets: {{a: {}, b: {}}}",
    "cdn_secrets: {{a: {{b: {}}}}}",
]


@given(
    st.sampled_from(WRONG),
    st.text(st.characters(codec="utf-8", exclude_characters="'\n\r\x85\u2028\u2029"), min_size=4),
    st.sampled_from(["'", '"', ""]),
    st.sampled_from(["", TEXT, "$", "!", "\x01"]),
)
def test_no_error_quotes_a_secret(wrong: str, text: str, quote: str, before: str) -> None:
    text = f"{before}zq{text}"
    if quote == '"':
        text = text.replace("\\", "").replace('"', "")
    node = f"{quote}{text}{quote}"
    written = wrong.format(*[node] * 3)
    pair = ("", written) if wrong.startswith("control") else (written, "")
    for whole in (True, False):
        try:
            if whole and not pair[1]:
                parse_config(SMALL.replace("access: {}", f"access: {node}"), "r.yaml")
            parsed(*pair)
        except ConfigError as error:
            assert "zq" not in str(error), (written, str(error))
            assert TEXT not in str(error)


@pytest.mark.parametrize(
    "written", ["!zq!x", "!zq", "&zq", "*zq", "%zq", '"\\zq"', "[zq", "{z q: a}"]
)
def test_no_error_of_yaml_quotes_a_secret(written: str) -> None:
    for line in (
        f"control_token: {written}",
        f"- control_token: {written}",
        f"control_token:\n- {written}",
    ):
        with pytest.raises(ConfigError) as caught:
            parse_config(line, "r.yaml")
        assert "zq" not in str(caught.value)
        assert "z q" not in str(caught.value)


@pytest.mark.parametrize("environment", [{"T": TEXT}, {"T": f"{TEXT} "}, {"T": "short-and"}])
def test_no_error_quotes_the_environment(environment: Mapping[str, str]) -> None:
    try:
        written = repr(parsed("token_keys: [$T, $T]", "control_token: $T", **environment))
    except ConfigError as error:
        written = str(error)
    assert not any(value in written for value in environment.values())


def test_no_repr_has_a_secret() -> None:
    config = parsed(f"token_keys: {TEXT}, cdn_secrets: {{a: {TEXT}}}", f"control_token: {TEXT}")
    assert repr(config).count("(secret)") == 3
    assert TEXT not in repr(config)

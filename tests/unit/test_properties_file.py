# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key/value files: read as Java and YAML read them, and edited with every other byte left as it is.

The outside judges are a JVM, which prints the security properties that it loaded from our file, and PyYAML.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.mutual.tls.plugins.module_utils import properties_file
from ansible_collections.mutual.tls.plugins.module_utils.errors import InputError

JAVA = [
    # (file, settings as java.util.Properties.load reads them)
    ("a=1", {"a": "1"}),
    ("a = 1 ", {"a": "1 "}),
    ("a: 1", {"a": "1"}),
    ("a 1", {"a": "1"}),
    ("a\t\f=\t1", {"a": "1"}),
    ("a = = 1", {"a": "= 1"}),
    ("a :1", {"a": "1"}),
    ("a", {"a": ""}),
    ("a=", {"a": ""}),
    ("a   ", {"a": ""}),
    ("  a=1", {"a": "1"}),
    ("# a=1\n! b=2\n  # c=3\n\n \t\nd=4", {"d": "4"}),
    ("# a=1\\\nb=2", {"b": "2"}),
    ("a=1 # no comment", {"a": "1 # no comment"}),
    (r"a\ b\=\:c=1", {"a b=:c": "1"}),
    (r"\#a=1", {"#a": "1"}),
    (r"a=\u00e9\u20AC\ud83d\ude00", {"a": "é€😀"}),
    (r"a\u0041=1", {"aA": "1"}),
    (r"a=\ 1\t2\n3\\\q", {"a": " 1\t2\n3\\q"}),
    ("a=1\\\n   2\\\n\t3", {"a": "123"}),
    ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
    ("a=1\\\r\n  2\r\nb=3\rc=4", {"a": "12", "b": "3", "c": "4"}),
    ("a\\\n  =1", {"a": "1"}),
    ("a=\\\n  1", {"a": "1"}),
    ("a=1\\\n# 2", {"a": "1# 2"}),
    ("a=1\\\n\nb=2", {"a": "1", "b": "2"}),
    ("a=1\\\n   \nb=2", {"a": "1", "b": "2"}),
    ("a=1\\", {"a": "1"}),
    ("a=1\\\n", {"a": "1"}),
    ("a=1\\\n  ", {"a": "1"}),
    ("\\\na=1", {"a": "1"}),
    ("a=1\\\n\\\nb=2", {"a": "1b=2"}),
    ("a=1\x0b2\x1c3\x85\u20284", {"a": "1\x0b2\x1c3\x85\u20284"}),
    ("a=1\nb=2\na=3", {"a": "3", "b": "2"}),
    ("a.b\\\\=1", {"a.b\\": "1"}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "values"), JAVA)
def test_java_files_are_read_as_java_reads_them(text: str, values: dict[str, str]) -> None:
    document = properties_file.parse(text)
    assert document.values == values
    assert document.text == text


def java_reads(java_home: Path, file: Path) -> dict[str, str]:
    """What a JVM loaded from the file (which it takes for Latin-1): the double '=' makes it the only one."""
    command = [str(java_home / "bin" / "java"), "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8", f"-Djava.security.properties=={file}"]
    done = subprocess.run([*command, "-XshowSettings:security:properties", "-version"], capture_output=True, check=True)
    printed = (done.stdout + done.stderr).decode()
    block = printed.split("Security properties:\n", 1)[1].split("\n\n", 1)[0]
    return dict(line[8:].split("=", 1) for line in block.split("\n") if line.startswith("        "))


def test_a_jvm_reads_the_same(java_home: Path, tmp_path: Path) -> None:
    """All one-setting cases in one file, under names of their own; those with line ends or blanks in a name or value cannot be printed."""
    text = ""
    expected: dict[str, str] = {}
    for number, (case, values) in enumerate(JAVA):
        if list(values) != ["a"] or re.search(r"[\n\t\x0b\x1c\x85\u2028]", values["a"]) or not case.isascii():
            continue
        text += re.sub(r"^(\s|\\\n)*a", lambda found, n=number: f"{found.group()}{n}", case) + "\n\n"  # type: ignore[misc]
        expected[f"a{number}"] = values["a"]
    values = ["", " leading", "=x", ":x", "# x", "!x", "a=b:c", "back\\slash", "tr\\", "é", "€", "😀", "\\u0041", "C:\\users", "${a}"]
    document = properties_file.parse(text)
    for number, value in enumerate(values):
        document.set(f"b{number}", value)
        expected[f"b{number}"] = value
    for number, value in enumerate(values[:5]):
        document.set(f"a{number}", value)  # the first cases, each with another separator
        expected[f"a{number}"] = value
    assert len(expected) > 30
    file = tmp_path / "java.security"
    file.write_bytes(document.content)
    assert java_reads(java_home, file) == expected == document.values


@pytest.mark.parametrize("text", [r"path=C:\users", r"a=\u12", r"a=\u00g0", r"\u=1"])
def test_what_java_refuses_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"In line 2 of the file \\u is not followed by four hexadecimal digits"):
        properties_file.parse(f"ok=1\n{text}\n")


@pytest.mark.parametrize(
    ("before", "name", "value", "after"),
    [
        ("# c\r\na = 1\r\nb=2\r\n", "a", "9", "# c\r\na = 9\r\nb=2\r\n"),
        ("# c\r\na = 1\r\n", "n", "9", "# c\r\na = 1\r\nn=9\r\n"),
        ("a=1", "n", "9", "a=1\nn=9\n"),
        ("a=1", "a", "9", "a=9"),
        ("", "n", "9", "n=9\n"),
        ("# only a comment", "n", "9", "# only a comment\nn=9\n"),
        ("a", "a", "9", "a=9"),
        ("a   \n", "a", "=9", "a   \\=9\n"),
        ("a 1\n", "a", " 9 ", "a \\ 9 \n"),
        ("a:1\n", "a", "é\\\n", "a:\\u00e9\\\\\\n\n"),
        ("a=1\nb=2\na=3\n", "a", "9", "a=1\nb=2\na=9\n"),
        ("a=1\\\n  2\nb=3\n", "a", "9", "a=9\nb=3\n"),
        ("a=\\\n  2\nb=3\n", "a", "9", "a=\\\n  9\nb=3\n"),
        ("a\\\n =\\\n 2\nb=3\n", "a", "9", "a\\\n =\\\n 9\nb=3\n"),
        ("a=\\\r2\nb=3", "a", "", "a=\nb=3"),
        ("a=1\\", "n", "9", "a=1\\\n\nn=9\n"),
        ("a=1\\\n", "n", "9", "a=1\\\n\nn=9\n"),
        ("a=1\\\n", "a", "9", "a=9\n"),
        ("a=\\", "a", "9", "a=9"),
        ("a=1\n", "k =:#!é", "9", "a=1\nk\\ \\=\\:\\#\\!\\u00e9=9\n"),
        ("a=1\n", "a", "1", "a=1\n"),
        ("a=\\u0031\n", "a", "1", "a=\\u0031\n"),
    ],
)
def test_java_settings_are_set_in_place(before: str, name: str, value: str, after: str) -> None:
    document = properties_file.parse(before)
    document.set(name, value)
    assert document.text == after
    assert document.get(name) == properties_file.parse(after).get(name) == value


def test_removing_removes_every_one_with_all_its_lines() -> None:
    document = properties_file.parse("# c\na=1\\\n  2\n\nb=3\na 4\n# d")
    document.remove("a")
    document.remove("absent")
    assert document.text == "# c\n\nb=3\n# d"
    assert document.get("a") is None


def test_bytes_keep_their_encoding() -> None:
    utf8, latin = "k=é €\n".encode(), "k=é\n".encode("latin-1")
    for content, value in ((utf8, "é €"), (latin, "é")):
        document = properties_file.read(content)
        assert document.get("k") == value
        document.set("n", "ü€")
        assert document.content == content + b"n=\\u00fc\\u20ac\n"


COLON = [
    ("a: 1", {"a": "1"}),
    ("a: 'it''s' # c", {"a": "it's"}),
    ('a: "x\\t\\u00e9\\"" ', {"a": 'x\té"'}),
    ("a:", {"a": ""}),
    ("a:   # c", {"a": ""}),
    ("a: b#c # d", {"a": "b#c"}),
    ("a: b: c", {"a": "b: c"}),
    ("a.b-c: x", {"a.b-c": "x"}),
    ('"a: b": x', {"a: b": "x"}),
    ("---\n# c\n\na: 1\nb: [x, y]\n", {"a": "1", "b": "[x, y]"}),
    ("a: 1\nblock:\n  x: 1\n\n  # c\n  y: 2\nlist:\n- x\nb: 2\n", {"a": "1", "b": "2"}),
    ("a: http://h:1/x", {"a": "http://h:1/x"}),
]


@pytest.mark.parametrize(("text", "values"), COLON)
def test_colon_files_are_read(text: str, values: dict[str, str]) -> None:
    document = properties_file.parse(text, "colon")
    assert document.values == values
    assert document.text == text


@pytest.mark.parametrize(
    ("before", "name", "value", "after"),
    [
        ("a: 1 # why\r\nb: 2\r\n", "a", "9", "a: 9 # why\r\nb: 2\r\n"),
        ("a:   # why\n", "a", "9", "a: 9   # why\n"),
        ("a:", "a", "9", "a: 9"),
        ("a:  'x'\n", "a", "true", "a:  true\n"),
        ("a: 1", "new", "/opt/mz/keys", "a: 1\nnew: /opt/mz/keys\n"),
        ("a: 1\n", "new", "yes", 'a: 1\nnew: "yes"\n'),
        ("a: 1\n", "new", "0123", 'a: 1\nnew: "0123"\n'),
        ("a: 1\n", "new", "1e5", 'a: 1\nnew: "1e5"\n'),
        ("a: 1\n", "new", "2026-01-31", 'a: 1\nnew: "2026-01-31"\n'),
        ("a: 1\n", "new", "", 'a: 1\nnew: ""\n'),
        ("a: 1\n", "new", "#x", 'a: 1\nnew: "#x"\n'),
        ("a: 1\n", "new", "x #y", 'a: 1\nnew: "x #y"\n'),
        ("a: 1\n", "new", "x#y", "a: 1\nnew: x#y\n"),
        ("a: 1\n", "new", "10.0.0.1", "a: 1\nnew: 10.0.0.1\n"),
        ("a: 1\n", "new", "1024m", "a: 1\nnew: 1024m\n"),
        ("a: 1\n", "new", 'q"\\é😀\n', 'a: 1\nnew: "q\\"\\\\\\u00e9\\U0001f600\\n"\n'),
        ("a: 1\n", "true", "x", 'a: 1\n"true": x\n'),
        ("block:\n  x: 1\n", "new", "9", "block:\n  x: 1\nnew: 9\n"),
    ],
)
def test_colon_settings_are_set_in_place(before: str, name: str, value: str, after: str) -> None:
    document = properties_file.parse(before, "colon")
    document.set(name, value)
    assert document.text == after
    assert document.get(name) == value


def test_a_name_in_a_nested_block_is_refused_and_its_neighbour_is_not() -> None:
    document = properties_file.parse("rest:\n  port: 8081\n", "colon")
    for name in ("rest", "rest.port", "rest.new"):
        for act in (document.get, document.remove, lambda name: document.set(name, "1")):
            with pytest.raises(InputError, match="nested block 'rest:'"):
                act(name)  # type: ignore[operator]
    document.set("restful", "1")
    assert document.text == "rest:\n  port: 8081\nrestful: 1\n"


@pytest.mark.parametrize("text", ["ok: 1\nno setting\n", "ok: 1\na:1\n", "ok: 1\n[a]: 1\n"])
def test_a_line_that_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Line 2 of the file is not 'key: value'"):
        properties_file.parse(text, "colon")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  a: 1\n", "no 'key:' stands above it"),
        ("- a\n", "no 'key:' stands above it"),
        ('a: "x\n', "does not end"),
        ("a: 'x' y\n", "more text behind"),
        ('a: "\\q"\n', "an escape that YAML does not know"),
        ('a: "\\Uffffffff"\n', "an escape that YAML does not know"),
    ],
)
def test_what_yaml_would_refuse_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        properties_file.parse(text, "colon")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="there are colon, java_properties"):
        properties_file.parse("", "hocon")


# Everything that is not touched stays byte for byte

JAVA_TEXT = st.lists(
    st.sampled_from(["\n", "\r\n", "\r", "\\", "\\\n", "#", "!", "=", ":", " ", "\t", "\f", "a", "b", "a=1", "b 2", "é", "\\u00e9", "\\t"]),
    max_size=25,
).map("".join)
VALUES = st.text(max_size=8) | st.text(alphabet=" =:#!\\\n\r\t\fu0aé\"'-,[]{}&*~", max_size=6)
NAMES = st.text(min_size=1, max_size=4) | st.sampled_from(["a", "b", "a.b", "\\", " ", "=", "#x"])


@given(JAVA_TEXT)
def test_any_java_text_comes_back_as_it_was(text: str) -> None:
    assert properties_file.parse(text).text == text


@given(st.binary(max_size=40))
def test_any_bytes_come_back_as_they_were(content: bytes) -> None:
    try:
        document = properties_file.read(content)
    except InputError:
        assert b"\\u" in content
    else:
        assert document.content == content


@given(JAVA_TEXT, NAMES, VALUES)
def test_setting_a_java_value_leaves_the_others(text: str, name: str, value: str) -> None:
    document = properties_file.parse(text)
    before = {key: found for key, found in document.values.items() if key != name}
    document.set(name, value)
    again = properties_file.parse(document.text)
    assert again.get(name) == document.get(name) == value
    assert {key: found for key, found in again.values.items() if key not in (name, "")} == {k: v for k, v in before.items() if k}
    once = document.text
    document.set(name, value)
    assert document.text == once


@given(JAVA_TEXT, NAMES, VALUES)
def test_setting_and_removing_a_new_java_name_leaves_the_text(text: str, name: str, value: str) -> None:
    document = properties_file.parse(text)
    assume(name not in document.values)
    document.set(name, value)
    document.remove(name)
    assert document.text.startswith(text)
    assert document.text[len(text) :].strip("\r\n") == ""


@given(st.lists(st.tuples(st.sampled_from("abcd"), VALUES), max_size=5), st.sampled_from("abcd"), VALUES)
def test_only_the_line_that_is_set_changes(settings: list[tuple[str, str]], name: str, value: str) -> None:
    for file_format in ("java_properties", "colon"):
        document = properties_file.parse("# a comment\n", file_format)
        for key, found in settings:
            document.set(key, found)
        before = document.text.split("\n")
        document.set(name, value)
        after = document.text.split("\n")
        changed = [line for line in before if line not in after]
        assert all(line.startswith((f"{name}=", f"{name}:")) for line in changed)
        assert len(changed) <= 1


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_yaml_reads_what_was_set(settings: dict[str, str]) -> None:
    document = properties_file.parse("# c\n", "colon")
    for name, value in settings.items():
        document.set(name, value)
    assert document.values == settings
    assume(not any("\ud800" <= character <= "\udfff" for text in [*settings, *settings.values()] for character in text))
    read = yaml.safe_load(document.text) or {}
    # A boolean or number is written plain only when its text is what every reader makes of it again.
    assert {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in read.items()} == settings


@given(st.from_regex(r"[-+.0-9eExob_:yYnNtT~]{1,6}", fullmatch=True))
def test_texts_that_look_like_something_else_keep_their_text(value: str) -> None:
    document = properties_file.parse("", "colon")
    document.set("a", value)
    assert str(yaml.safe_load(document.text)["a"]) == value


# --- nginx ------------------------------------------------------------------------------------------------------------

NGINX_FILE = """# of the administrator
ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ciphers "HIGH:!aNULL";   # quoted

ssl_verify_client   off;
"""


def test_nginx_directives_are_read() -> None:
    assert properties_file.parse(NGINX_FILE, "nginx").values == {
        "ssl_protocols": "TLSv1.2 TLSv1.3",
        "ssl_ciphers": '"HIGH:!aNULL"',
        "ssl_verify_client": "off",
    }


def test_of_nginx_directives_one_changes_and_all_else_stays() -> None:
    document = properties_file.parse(NGINX_FILE, "nginx")
    document.set("ssl_verify_client", "on")
    assert document.text == NGINX_FILE.replace("off", "on")
    document.set("ssl_crl", "/etc/mutual_tls/trust.pem")
    assert document.text.endswith("ssl_crl /etc/mutual_tls/trust.pem;\n")
    document.remove("ssl_ciphers")
    assert "ssl_ciphers" not in document.text


@pytest.mark.parametrize("text", ["server {\n}\n", "a b; c d;\n", "a\n", "a b\n  c;\n", 'a "b;\n'])
def test_what_is_no_plain_directive_of_nginx_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Line 1 of the file is not one directive of nginx"):
        properties_file.parse(text, "nginx")


@pytest.mark.parametrize("value", ["a;b", "$host", "{", "a b}", 'a"', "a\nb", "", "a # b", "\\"])
def test_a_value_that_nginx_would_read_otherwise_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="The value of 'a' cannot be written for nginx"):
        properties_file.parse("", "nginx").set("a", value)

"""Templates against the Ruby side: what they see, what they may do, and how they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bosh_release.render.ruby.erb import (
    CREATE_ENV,
    DIRECTOR,
    Filled,
    JobTemplates,
    Template,
    fill_in,
)
from bosh_release.support import children
from bosh_release.support.errors import ReleaseError

needs_ruby = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)

SPEC: dict[str, Any] = {
    "name": "web",
    "index": 1,
    "id": "an-id",
    "job": {"name": "web"},
    "networks": {"default": {"ip": "10.0.0.5"}, "other": {"ip": "10.1.0.5"}},
    "properties": {
        "app": {"port": 8080, "flag": False, "host": None, "map": {"k": [1]}, "blank": " "}
    },
    "links": {
        "db": {
            "instances": [{"name": "db", "index": 0, "address": "10.0.0.7", "az": "z1"}],
            "properties": {"db": {"name": "prod", "off": False}},
            "instance_group": "db_group",
            "default_network": "default",
            "deployment_name": "dep",
            "domain": "bosh",
        },
        "manual": {"instances": [{"address": "a"}], "properties": None, "address": "db.example"},
        "empty": {"properties": {}},
    },
    "dns": {"z1": "1", "z2": "2"},
}


def fill(text: str | bytes, spec: dict[str, Any] = SPEC, context: str = DIRECTOR) -> Filled:
    template = Template("a.erb", "web/a.erb", text if isinstance(text, bytes) else text.encode())
    [[filled]] = fill_in([JobTemplates("web", spec, [template])], context)
    return filled


def shown(text: str) -> str:
    filled = fill(text)
    assert filled.error is None
    return filled.content.decode()


def failure(text: str) -> str:
    filled = fill(text)
    assert filled.error is not None
    assert filled.content == b""
    return filled.error


EXPRESSIONS = [
    ("p('app.port')", "8080"),
    ("p('app.flag')", "false"),
    ("p(['nope', 'app.port'])", "8080"),
    ("p('app.host', 'fallback')", "fallback"),
    ("p('nope', nil).inspect", "nil"),
    ("p(['a', 'b'], false)", "false"),
    ("p('app.map').to_json", '{"k":[1]}'),
    ("properties.app.port", "8080"),
    ("properties['app']['port']", "8080"),
    ("properties.dig(:app, :map, :k)", "[1]"),
    ("properties.app.map.to_h.keys", "[:k]"),
    ("properties.nope.inspect", "nil"),
    ("raw_properties['app']['port']", "8080"),
    ("name", "web"),
    ("index", "1"),
    ("spec.name + spec.id", "weban-id"),
    ("spec.networks.default.ip", "10.0.0.5"),
    ("spec.networks.send(spec.networks.methods(false).first).ip", "10.0.0.5"),
    ("spec.links.db.instances.first.address", "10.0.0.7"),
    ("p('app.blank').blank?", "true"),
    ("[nil, '', [], {}, 0, 'x'].map(&:present?)", "[false, false, false, false, true, true]"),
    ("'a b'.shellescape", "a\\ b"),
    ("Digest::SHA1.hexdigest('')[0, 6]", "da39a3"),
    ("IPAddr.new('10.0.0.0/8').include?('10.1.1.1')", "true"),
    ("{ 'a' => 1 }.to_yaml.lines.last", "a: 1\n"),
]
BLOCKS = [
    ("<% if_p('app.port', 'app.flag') do |a, b| %><%= a %> <%= b %><% end %>", "8080 false"),
    ("<% if_p('app.host') do |h| %>yes<% end.else do %>no<% end %>", "no"),
    ("<% if_p('nope') do %>1<% end.else_if_p('app.port') do |v| %><%= v %><% end %>", "8080"),
    (
        "<% if_p('app.port') do %>1<% end.else_if_p('index') do %>2<% end.else do %><% end %>",
        "1",
    ),
    (
        "<% if_p('a') do %>1<% end.else_if_link('db') do |l| %><%= l.p('db.name') %><% end %>",
        "prod",
    ),
    ("<% if_link('db') do |l| %><%= l.instances.size %><% end.else do %>no<% end %>", "1"),
    ("<% if_link('nope') do %>1<% end.else do %>no<% end %>", "no"),
    ("<% if_link('empty') do %>1<% end.else do %>no<% end %>", "no"),
    (
        "<% if_link('nope') do %><% end.else_if_link('db') do %>db<% end.else do %>no<% end %>",
        "db",
    ),
    (
        "<% if_link('nope') do %>1<% end.else_if_p('app.port') do |v| %><%= v %><% end %>",
        "8080",
    ),
    ("<%= link('db').p('db.off') %> <%= link('db').p('db.x', 5) %>", "false 5"),
    ("<% link('db').if_p('db.name') do |n| %><%= n %><% end.else do %>no<% end %>", "prod"),
    (
        "<% link('db').if_p('x') do %>1<% end.else_if_p('db.off') do |v| %><%= v %><% end %>",
        "false",
    ),
    (
        "<% i = link('db').instances[0] %><%= [i.name, i.index, i.az, i.address, i.id] %>",
        '["db", 0, "z1", "10.0.0.7", nil]',
    ),
    ("<%= link('db').address %>", "q-s0.db-group.default.dep.bosh"),
    (
        "<%= link('db').address(azs: ['z2', 'z1'], status: 'healthy') %>",
        "q-a1a2s3.db-group.default.dep.bosh",
    ),
    (
        "<%= link('db').address(initial_health_check: 'synchronous') %>",
        "q-s0y1.db-group.default.dep.bosh",
    ),
    ("<%= link('manual').address(azs: ['z9']) %>", "db.example"),
    ("<%= link('manual').p('x', 'none') %>", "none"),
    ("% not code\n<%- if true -%>\n  x\n<%- end -%>\n<%# gone -%>\n", "% not code\n  x\n"),
]
FAILURES = [
    ("<%= p('nope.x') %>", "(line 1: Can't find property '[\"nope.x\"]')"),
    ("\n\n<%= p(['a', 'b.c']) %>", '(line 3: Can\'t find property \'["a", "b.c"]\')'),
    ("<%= link('gone') %>", "(line 1: Can't find link 'gone')"),
    ("<%= link('empty') %>", "(line 1: Can't find link 'empty')"),
    ("<%= link('db').p('x') %>", "(line 1: Can't find property '[\"x\"]')"),
    ("<%= link('db').address(azs: ['z9']) %>", "(line 1: Unknown AZ: 'z9')"),
    ("a\n<% raise 'boom' %>", "(line 2: boom)"),
    ("<% exit 3 %>", "(line 1: exit)"),
    ("<% raise Exception, 'not standard' %>", "(line 1: not standard)"),
    ("<% throw :ball %>", "(line 1: uncaught throw :ball)"),
    ("<% def dive; dive; end; dive %>", "(line 1: stack level too deep)"),
]


@pytest.fixture(scope="module")
def filled() -> dict[str, Filled]:
    """Fill in all templates of the lists above in one process."""
    texts = [f"<%= {expression} %>" for expression, _ in EXPRESSIONS]
    texts += [template for template, _ in [*BLOCKS, *FAILURES]]
    templates = [Template("a.erb", "web/a.erb", text.encode()) for text in texts]
    [results] = fill_in([JobTemplates("web", SPEC, templates)], DIRECTOR)
    return dict(zip(texts, results, strict=True))


@needs_ruby
@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS)
def test_director_context_gives_what_templates_ask(
    filled: dict[str, Filled], expression: str, expected: str
) -> None:
    result = filled[f"<%= {expression} %>"]
    assert (result.error, result.content.decode()) == (None, expected)


@needs_ruby
@pytest.mark.parametrize(("template", "expected"), BLOCKS)
def test_director_context_runs_blocks_and_links(
    filled: dict[str, Filled], template: str, expected: str
) -> None:
    assert (filled[template].error, filled[template].content.decode()) == (None, expected)


@needs_ruby
@pytest.mark.parametrize(("template", "expected"), FAILURES)
def test_failing_template_is_told_in_the_directors_words(
    filled: dict[str, Filled], template: str, expected: str
) -> None:
    assert filled[template].error == f"Error filling in template 'a.erb' {expected}"
    assert filled[template].content == b""


@needs_ruby
@pytest.mark.parametrize("context", [DIRECTOR, CREATE_ENV])
@pytest.mark.parametrize("template", ["nope", "self.nope(1)", "if_p('x') {}.nope"])
def test_errors_of_ruby_do_not_show_all_values_there_are(context: str, template: str) -> None:
    spec = {
        "name": "web",
        "job": {"name": "web"},
        "properties": {"plain": "sesame"},
        "job_properties": {"plain": "sesame"},
        "default_properties": {"plain": None},
    }
    error = fill(f"<%= {template} %>", spec, context).error
    assert error is not None
    assert "nope" in error
    assert "sesame" not in error


@needs_ruby
def test_syntax_error_names_file_and_line() -> None:
    message = failure("one\n<% if true %>\n")
    assert message.startswith("Error filling in template 'a.erb' (line (unknown): ")
    assert "web/a.erb:" in message


@needs_ruby
def test_what_a_template_prints_is_not_content_and_not_an_answer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = '<% puts \'{"done": true}\'; print "x"; STDOUT.write "y\\n"; system "echo z" %>kept'
    assert shown(text) == "kept"
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.split() == ['{"done":', "true}", "xy", "z"]


@needs_ruby
def test_template_that_reads_standard_input_gets_nothing() -> None:
    assert shown("<%= $stdin.read.inspect %><%= STDIN.read.inspect %>") == '""""'


@needs_ruby
@pytest.mark.parametrize("ending", ["exit!(0)", "exit!(7)", "Process.kill(:KILL, $$); sleep 5"])
def test_template_that_ends_ruby_is_named(ending: str) -> None:
    with pytest.raises(ReleaseError, match=r"at template 'a\.erb' of job 'web'"):
        fill(f"<% {ending} %>")


@needs_ruby
def test_every_template_is_filled_in_whatever_becomes_of_the_others() -> None:
    texts = (b"one", b"<% exit %>", b"<%= p('x') %>", b"four")
    templates = [Template(f"{n}.erb", f"j/{n}.erb", text) for n, text in enumerate(texts)]
    jobs = [JobTemplates("j", SPEC, templates), JobTemplates("k", SPEC, templates[:1])]
    [first, second] = fill_in(jobs, DIRECTOR)
    assert [each.content for each in first] == [b"one", b"", b"", b"four"]
    assert [each.error is None for each in first] == [True, False, False, True]
    assert [each.content for each in second] == [b"one"]


@needs_ruby
@pytest.mark.parametrize("context", [DIRECTOR, CREATE_ENV])
def test_what_one_template_changes_the_next_does_not_see(context: str) -> None:
    spec = {
        "index": 0,
        "name": "web",
        "job": {"name": "web"},
        "properties": {"a": {"list": ["1"]}},
        "job_properties": {"a": {"list": ["1"]}},
        "default_properties": {"a.list": None},
    }
    change = b"<% raw_properties['a']['list'] << 2; name << 'x'; p('a.list').first << 'y' %>"
    look = b"<%= name %><%= p('a.list') %><%= properties.a.list %>"
    templates = [Template("1", "j/1", change), Template("2", "j/2", look)]
    [[_, second]] = fill_in([JobTemplates("j", spec, templates)], context)
    assert second.content == b'web["1"]["1"]'


@needs_ruby
@pytest.mark.parametrize(
    "text", [b"a\r\nb\r\n", "é 日本\n".encode(), b"no newline", b"", b"\x00\x01", b"a\n\n\n"]
)
def test_text_without_code_comes_out_byte_for_byte(text: bytes) -> None:
    assert fill(text).content == text


@needs_ruby
def test_content_may_be_binary() -> None:
    assert fill("<%= [255, 0, 10].pack('C*') %>").content == b"\xff\x00\n"


@needs_ruby
def test_callers_locale_and_ruby_options_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("RUBYOPT", "-rno_such_library")
    monkeypatch.setenv("RUBYLIB", "/nonexistent")
    spec = {**SPEC, "properties": {"name": "ü"}}
    assert fill("é <%= p('name') %> <%= p('name').length %>", spec).content == "é ü 1".encode()


@needs_ruby
def test_values_are_neither_in_arguments_nor_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLERS_SECRET", "from-the-caller")
    look = "<%= File.binread('/proc/self/cmdline') + File.binread('/proc/self/environ') %>"
    filled = fill(look, {**SPEC, "properties": {"secret": "in-properties"}})
    assert b"fill_in.rb" in filled.content
    assert b"in-properties" not in filled.content
    assert b"from-the-caller" not in filled.content


@needs_ruby
def test_create_env_templates_have_no_link() -> None:
    spec = {"job": {"name": "j"}, "index": 0, "job_properties": {}, "default_properties": {}}
    error = fill("<%= link('db') %>", spec, CREATE_ENV).error
    assert error is not None
    assert "undefined method" in error


@pytest.fixture
def fake_ruby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def install(script: str) -> None:
        program = tmp_path / "ruby"
        program.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return install


def test_missing_ruby_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match="apt-get install ruby"):
        fill("x")


def test_ruby_that_is_too_old_is_refused(fake_ruby: Callable[[str], None]) -> None:
    fake_ruby('echo \'{"ruby": "2.5.9"}\'; exit 1')
    with pytest.raises(ReleaseError, match=r"Ruby 2\.7 or later; `ruby` on PATH is 2\.5\.9"):
        fill("x")


def test_library_that_ruby_lacks_is_named(fake_ruby: Callable[[str], None]) -> None:
    fake_ruby('echo \'{"ruby": "4.0.0"}\'; echo \'{"missing": "ostruct"}\'; exit 1')
    with pytest.raises(ReleaseError, match="gem install ostruct"):
        fill("x")


def test_ruby_that_does_not_start_is_said(fake_ruby: Callable[[str], None]) -> None:
    fake_ruby("exit 127")
    with pytest.raises(ReleaseError, match="Ruby did not start"):
        fill("x")


def test_template_that_never_ends_is_stopped_and_named(
    fake_ruby: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out_of_time(command: list[str], **options: Any) -> None:
        so_far = b'{"ruby": "3.1.7"}\n{"begin": [0, 0]}\n'
        raise subprocess.TimeoutExpired(command, options["timeout_seconds"], output=so_far)

    fake_ruby("exit 0")
    monkeypatch.setattr(children, "run", run_out_of_time)
    job = JobTemplates("web", SPEC, [Template("a.erb", "web/a.erb", b"<% loop {} %>")])
    with pytest.raises(ReleaseError, match=r"within 7 s; stopped at template 'a\.erb' of job"):
        fill_in([job], DIRECTOR, timeout_seconds=7)


def test_half_an_answer_is_no_answer(fake_ruby: Callable[[str], None]) -> None:
    fake_ruby('echo \'{"ruby": "3.1.7"}\'; echo \'{"begin": [0, 0]}\'; printf \'{"content"\'')
    with pytest.raises(ReleaseError, match=r"at template 'a\.erb' of job 'web'"):
        fill("x")

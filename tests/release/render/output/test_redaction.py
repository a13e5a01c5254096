"""Whatever a template, or Ruby, makes of a secret: no message shows it, in any form."""

from __future__ import annotations

import random
import re
import shutil
import string

import pytest

from bosh_release.render.output.redaction import Redactor
from bosh_release.render.ruby.erb import CREATE_ENV, DIRECTOR, JobTemplates, Template, fill_in

needs_ruby = pytest.mark.skipif(
    shutil.which("ruby") is None, reason="Ruby is not on PATH (apt-get install ruby)"
)

KEY = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC/+0123456789==\n" * 4
SECRETS = {
    "quoted": 'open "sesame"\nsecond-line\tthird #{fourth}',
    "key": KEY,
    "foreign": "pässwörtchen-geheimnis-日本-correct horse",
    "escapes": r"C:\new\table\x41 and \u0041 %41 &amp; battery",
    "plain": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
}
# How messages quote values, in Ruby.
FORMS = [
    "s",
    "s.inspect",
    "s.inspect.inspect",
    "s.inspect.inspect.inspect",
    "s.dump",
    "s.dump.dump",
    "[s].to_json",
    "s.to_json.to_json",
    "{'a' => s}.to_yaml",
    "s.shellescape",
    "URI.encode_www_form_component(s)",
    "ERB::Util.html_escape(s)",
    "s[0, 32] + '...'",
    "s[7..-1]",
    "s.inspect[0, 40]",
    "s.upcase",
    's.scan(/.{1,20}/m).join("\\n")',
    "s.lines.map { |line| '>  1 | ' + line }.join",
    "s.b.inspect",
]
# What Ruby says by itself of a value that it does not like; each of its versions otherwise.
OWN_WORDS = [
    "Integer(s)",
    "Float(s)",
    "eval(s)",
    "eval('(' + s)",
    "JSON.parse(s)",
    "JSON.parse('{' + s.inspect + ': ]')",
    "YAML.load('a: [' + s)",
    "URI.parse(s)",
    "IPAddr.new(s)",
    "s.to_sym.nope",
    "{}.fetch(s)",
    "ENV.fetch(s)",
    "Object.const_get(s)",
    "[].first(s)",
    "File.read(s)",
    "Regexp.new('(' + s)",
    "p(s)",
    "send(s)",
    "throw s",
    "raise Class.new(StandardError), s",
    "ERB.new('<% ' + s + ' %>').result",
]
NOISE = "".join(set(string.punctuation) - set("\\%&")) + " \n"
SHOWN = 6  # letters and digits of a secret that follow each other


def messages(context: str, secret: str) -> list[str]:
    codes = [f"raise({form})" for form in FORMS] + OWN_WORDS
    spec = {
        "job": {"name": "web"},
        "index": 0,
        "properties": {"it": secret},
        "job_properties": {"it": secret},
        "default_properties": {"it": None},
    }
    templates = [Template("a.erb", "a.erb", f"<% s = p('it'); {c} %>".encode()) for c in codes]
    [filled] = fill_in([JobTemplates("web", spec, templates)], context)
    errors = [each.error for each in filled if each.error is not None]
    assert len(errors) > len(codes) - 3  # an eval may have nothing against it
    return errors


@needs_ruby
@pytest.mark.parametrize("context", [DIRECTOR, CREATE_ENV])
@pytest.mark.parametrize("name", SECRETS)
def test_no_message_of_ruby_shows_a_piece_of_a_secret(context: str, name: str) -> None:
    secret = SECRETS[name]
    redact = Redactor([secret])
    words = {word for word in re.findall(r"[a-z0-9]+", secret.lower()) if len(word) >= SHOWN}
    assert words
    for message in messages(context, secret):
        said = redact(message)
        for word in words:
            for at in range(len(word) - SHOWN + 1):
                assert word[at : at + SHOWN] not in said.lower().replace("[redacted]", "|"), said


def test_a_message_without_secrets_stays_as_it_is() -> None:
    redact = Redactor(["sesame-open-1", "another one"])
    for text in ("Can't find property '[\"nope.x\"]'", "port must be below 65536", "", "\\n\\n"):
        assert redact(text) == text


def test_what_everybody_may_see_is_no_secret() -> None:
    """The template's text, say: a value that is a word of it would hide what failed."""
    redact = Redactor(["registration-4711"], harmless=["slb-registration/run.erb"])
    assert redact("run.erb: no registration") == "run.erb: no registration"
    assert redact("got registration-4711") == "got [redacted]"
    assert redact("got 'tion-471") == "got '[redacted]"


def test_secrets_in_random_company_are_found_whatever_stands_around_them() -> None:
    rng = random.Random(11)
    for _ in range(500):
        secret = "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(6, 60)))
        cut = secret[rng.randint(0, len(secret) - 6) :]
        noise = "".join(rng.choices(NOISE, k=20))
        said = Redactor([secret])(noise + cut + noise)
        assert said.count("[redacted]") == 1
        assert said == f"{noise}[redacted]{noise}"

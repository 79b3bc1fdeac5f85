"""What needs no server: settings, durations, requests, and how appliances are spread."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sprout_client import Settings, SettingsError, SproutClient
from sprout_client._request import iso_date, pool_request
from sprout_client.durations import duration, words
from sprout_client.pytest_plugin.lent import spread
from sprout_client.pytest_plugin.options import credentials as credentials_of
from sprout_client.pytest_plugin.options import jenkins_job, minutes
from sprout_client.settings import addresses, credentials, from_environment


def check(server: str, insecure: bool = False) -> list[str]:
    return [address.target for address in addresses(Settings(server, insecure=insecure))]


def test_plain_http_stays_on_this_machine() -> None:
    assert check("http://127.0.0.1:7600, http://localhost:1,http://[::1]:7600") == ["127.0.0.1:7600", "localhost:1", "[::1]:7600"]
    assert check("https://example.com") == ["example.com:443"]
    for server in ("http://192.0.2.1:7600", "http://127.0.0.1.example.com:7600", "http://127.0.0.1:1,http://192.0.2.1:1"):
        with pytest.raises(SettingsError, match="in the clear"):
            check(server)
    assert check("http://192.0.2.1:7600", insecure=True) == ["192.0.2.1:7600"]


@pytest.mark.parametrize(
    "server", ["127.0.0.1:7600", "ftp://x", "http://127.0.0.1:7600/path", "", "http://", "http://x:port", "http://a@x"]
)
def test_addresses_are_checked(server: str) -> None:
    with pytest.raises(SettingsError, match="for a server on this machine"):
        SproutClient(server)


def test_a_ca_file_is_checked(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CA file /nowhere/ca\.pem cannot be read: No such file"):
        credentials(Settings("https://example.com", ca="/nowhere/ca.pem"))
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    with pytest.raises(SettingsError, match="has no certificate"):
        credentials(Settings("https://example.com", ca=str(empty)))


def test_settings_are_checked_and_keep_secrets() -> None:
    for wrong in ({"token": "a\nb"}, {"token": " "}, {"user": "u"}, {"password": "p"}, {"timeout": 0.0}):
        with pytest.raises(SettingsError):
            Settings(**wrong)
    assert "secret" not in repr(Settings(token="secret", user="u", password="secret"))


def test_a_saved_token_is_sent_to_its_servers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sprout").mkdir()
    (tmp_path / "sprout" / "config.yaml").write_text("server: https://a:1,https://b:1\nca: ca.pem\ntoken: saved\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert from_environment() == Settings("https://a:1,https://b:1", token="saved", ca="ca.pem")
    assert from_environment("https://b:1").token == "saved"
    assert from_environment("https://b:1,https://c:1").token is None
    monkeypatch.setenv("SPROUT_USER", "u")
    monkeypatch.setenv("SPROUT_PASSWORD", "p")
    assert (from_environment().token, from_environment().user) == (None, "u")
    monkeypatch.setenv("SPROUT_TOKEN", "given")
    monkeypatch.setenv("SPROUT_SERVER", "https://c:1")
    assert from_environment() == Settings("https://c:1", token="given", ca="ca.pem")
    assert from_environment(user="me", password="mine").token is None


@pytest.mark.parametrize("text", ["[]", "serve: x", "insecure: 1", "token: [", "server: 5"])
def test_a_configuration_that_is_not_one_is_told_without_what_it_holds(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{text}\n# secret")
    with pytest.raises(SettingsError) as caught:
        from_environment(config=str(path))
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("1d2h3m4s", 93784)])
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert duration(text) == timedelta(seconds=seconds)
    assert duration(words(duration(text))) == duration(text)


@pytest.mark.parametrize(
    "text", ["", "0m", "5", "m", "1m1h", "1h1h", "-1h", "1.5h", "1w", "9" * 20 + "d", "5000d", "1h 2m", "1ü", 0, -1, float("nan")]
)
def test_nonsense_is_refused(text: str | float) -> None:
    with pytest.raises(SettingsError):
        duration(text)


def test_bare_numbers_are_minutes_for_the_plugin() -> None:
    assert minutes("--x", "90") == minutes("--x", "1h30m") == timedelta(minutes=90)
    with pytest.raises(SettingsError, match="--x: `0m`"):
        minutes("--x", "0")


def test_dates_are_read_in_three_ways() -> None:
    assert {iso_date(text) for text in ("2018-06-05", "20180605", "180605")} == {"2018-06-05"}
    for wrong in ("2018-6-5", "tomorrow", "", "1806051"):
        with pytest.raises(SettingsError):
            iso_date(wrong)


def test_requests_are_checked() -> None:
    request = pool_request("g", 2, template_type="openshift_pod", lease="1h")
    assert (request.template_type, request.lease.seconds, len(request.request_id)) == (2, 3600, 36)
    assert not request.HasField("version")
    assert not request.update
    assert pool_request("g", update=True, version="1.0").update
    assert request.request_id != pool_request("g").request_id
    for wrong in ({"group": ""}, {"group": "g", "count": -1}, {"group": "g", "template_type": "unknown"}):
        with pytest.raises(SettingsError):
            pool_request(**wrong)
    misspelt: Any = {"verson": "1.0"}
    with pytest.raises(TypeError, match=r"a request has no verson; it has: version, date"):
        pool_request("g", **misspelt)


def test_appliances_are_spread() -> None:
    assert spread([1, 2, 3, 4, 5], 2) == [[1, 3, 5], [2, 4]]
    assert spread([1, 2], 2) == [[1], [2]]
    assert spread([1, 2], 3) == [[1], [2], [1]]


def test_credentials_are_read_by_key(tmp_path: Path) -> None:
    assert credentials_of(None, tmp_path) is None
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/credentials.yaml").write_text("sprout: {username: u, password: p}\nci: {principal: c, secret: old}\nother: 5\n")
    (tmp_path / "conf/credentials.local.yaml").write_text("ci: {secret: new}\n")
    assert credentials_of(None, tmp_path) == ("u", "p")
    assert credentials_of("ci", tmp_path) == ("c", "new")
    for key in ("other", "nobody"):
        with pytest.raises(SettingsError, match=rf"no username and password for the key `{key}`$"):
            credentials_of(key, tmp_path)
    (tmp_path / "conf/credentials.eyaml").write_bytes(b"x")
    with pytest.raises(SettingsError, match="encrypted ones are not read here"):
        credentials_of("nobody", tmp_path)
    (tmp_path / "conf/credentials.yaml").write_text("ci: [secret")
    with pytest.raises(SettingsError, match=r"credentials\.yaml, line 1: this is no YAML") as caught:
        credentials_of("ci", tmp_path)
    assert "secret" not in str(caught.value)


def test_jenkins_jobs_are_told_apart() -> None:
    assert jenkins_job("Jenkins nightly 12") == ("Jenkins nightly ", 12)
    assert jenkins_job("Jenkins nightly") == ("Jenkins nightly", None)
    assert jenkins_job("by hand 12") is None

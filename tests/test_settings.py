"""Settings: where a value comes from, its type, its rule, and what is said when it is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib

from bot.errors import SettingsError
from bot.settings import SETTINGS, Setting, Settings, Value, load_settings

BY_NAME = {setting.name: setting for setting in SETTINGS}
NUMBERS = [setting.name for setting in SETTINGS if type(setting.default) in (int, float)]
SWITCHES = [setting.name for setting in SETTINGS if type(setting.default) is bool]


def load(root: Path, toml: str | bytes = "", **environ: str) -> Settings:
    (root / "refill.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    return load_settings(root, environ)


def refused(root: Path, toml: str | bytes = "", **environ: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(root, toml, **environ)
    return caught.value


def toml_of(name: str, value: str) -> str:
    section, key = name.split(".")
    return f"[{section}]\n{key} = {value}\n"


# The table -----------------------------------------------------------------------------------------------------------


def test_names_are_unique_and_in_sections() -> None:
    assert len(BY_NAME) == len(SETTINGS)
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", setting.name) for setting in SETTINGS)
    variables = [setting.variable for setting in SETTINGS]
    assert len(set(variables)) == len(variables)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_row_is_complete_and_its_default_keeps_its_rule(setting: Setting) -> None:
    assert setting.check(setting.default)
    assert setting.help.endswith((".", "…"))
    assert setting.variable == "REFILL_" + setting.name.upper().replace(".", "_")
    has_rule = Setting.__dataclass_fields__["check"].default is not setting.check
    assert bool(setting.rule) is has_rule


SOURCES = [file for folder in ("bot", "actions") for file in (Path(__file__).parents[1] / folder).rglob("*.py")]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_setting_is_read_somewhere(name: str) -> None:
    assert any(f'["{name}"]' in file.read_text("utf-8") for file in SOURCES if file.name != "cli.py")


# Where a value comes from --------------------------------------------------------------------------------------------


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    assert {name: settings[name] for name in BY_NAME} == {s.name: s.default for s in SETTINGS}


EXAMPLES: dict[str, tuple[str, str, Value]] = {
    "server.host": ('"0.0.0.0"', "::1", "::1"),
    "server.port": ("9000", "9001", 9001),
    "server.internal_port": ("9002", "0", 0),
    "server.base_url": ('"https://a.example"', "https://b.example", "https://b.example"),
    "server.api_key": ('"0123456789abcdef"', "fedcba9876543210", "fedcba9876543210"),
    "storage.url": ('"sqlite:///a.db"', "sqlite:///b.db", "sqlite:///b.db"),
    "storage.redis_url": ('"redis://a"', "rediss://:pw@b:6380/1", "rediss://:pw@b:6380/1"),
    "encoder.model": ('"a"', "b", "b"),
    "encoder.precision": ('"float32"', "int8", "int8"),
    "encoder.threads": ("1", "8", 8),
    "encoder.companions": ("false", "true", True),
    "encoder.cache_size": ("1", "10", 10),
    "knowledge.folder": ('"a"', "b", "b"),
    "answering.answer_precision": ("0.5", "0.75", 0.75),
    "answering.clarify_coverage": ("0.5", "0.75", 0.75),
    "dialogue.rasa_port": ("65535", "5006", 5006),
    "dialogue.deadline": ("2", "2.5", 2.5),
    "dialogue.segment_turns": ("4", "5", 5),
    "conversation.max_length": ("100", "200", 200),
    "conversation.max_waiting": ("10", "20", 20),
    "conversation.concurrency": ("1", "2", 2),
    "tagging.half_life": ("7", "0.5", 0.5),
    "tagging.work_probability": ("0.5", "0.75", 0.75),
    "desk.admin_email": ('"root@example.com"', "ada@example.com", "ada@example.com"),
    "desk.session_hours": ("8", "24", 24),
    "desk.oidc_issuer": ('"https://a.example"', "http://localhost:8080/realms/x", "http://localhost:8080/realms/x"),
    "desk.oidc_client_id": ('"refill"', "desk", "desk"),
    "desk.oidc_client_secret": ('"one"', "two", "two"),
    "desk.oidc_role": ('"agent"', "lead", "lead"),
    "handoff.urgent_probability": ("0.7", "0.9", 0.9),
    "handoff.reopen_days": ("0.5", "30", 30.0),
    "handoff.tick": ("1.5", "10", 10.0),
    "outbox.max_attempts": ("5", "20", 20),
    "outbox.allow_private": ("false", "true", True),
    "second_question.enabled": ("false", "true", True),
    "identity.keys": ('"a.json"', "/etc/b.json", "/etc/b.json"),
    "identity.audience": ('"a"', "support.example.com", "support.example.com"),
    "identity.longest_hours": ("1", "0.25", 0.25),
    "webchat.origins": ('"https://a.example"', "https://b.example:8443 *", "https://b.example:8443 *"),
    "webchat.brand_name": ('"Ada"', "Café 24", "Café 24"),
    "webchat.brand_color": ('"#ABCDEF"', "#012345", "#012345"),
    "webchat.logo": ('"a.png"', "b.svg", "b.svg"),
    "webchat.position": ('"right"', "left", "left"),
    "webchat.new_per_hour": ("0", "1000", 1000),
    "webchat.attachments": ("true", "false", False),
    "webchat.attachment_max_bytes": ("1000", "100000000", 100_000_000),
    "webchat.attachment_daily_bytes": ("1", "2000", 2000),
    "webchat.attachment_types": ('"png"', "png pdf", "png pdf"),
    "webchat.attachment_scanner": ('"a -"', "b -", "b -"),
    "webchat.attachment_scan_seconds": ("0.5", "300", 300.0),
    "webchat.invitation_pause_hours": ("1", "8760", 8760),
    "webchat.not_now_days": ("7", "3650", 3650),
    "second_question.pause": ("7", "90", 90),
    "second_question.default_stage": ('"none"', "retention", "retention"),
}


def test_every_setting_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(BY_NAME)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_file_overrides_the_default_and_the_environment_the_file(tmp_path: Path, name: str) -> None:
    written, given, expected = EXAMPLES[name]
    from_file = load(tmp_path, toml_of(name, written))[name]
    from_environment = load(tmp_path, toml_of(name, written), **{BY_NAME[name].variable: given})[name]
    assert from_environment == expected
    assert from_file != from_environment
    assert type(from_file) is type(from_environment) is type(BY_NAME[name].default)


def test_a_wrong_value_in_the_file_does_not_count_when_the_environment_has_one(tmp_path: Path) -> None:
    assert load(tmp_path, "[server]\nport = 99999\n", REFILL_SERVER_PORT="80")["server.port"] == 80


def test_other_variables_are_not_read(tmp_path: Path) -> None:
    assert load(tmp_path, PORT="1", SERVER_PORT="2", REFILL_PORT="3")["server.port"] == 8000


def test_the_environments_root(tmp_path: Path) -> None:
    (tmp_path / "refill.toml").write_text("[server]\nport = 81\n", "utf-8")
    settings = load_settings(environ={"REFILL_ROOT": str(tmp_path)})
    assert settings.root == tmp_path
    assert settings["server.port"] == 81


def test_without_a_root_it_is_the_project() -> None:
    assert load_settings(environ={}).root == Path(__file__).parents[1]


# What is wrong -------------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, str]] = [
    ("handoff.urgent_probability", "1.0"),
    ("handoff.reopen_days", "-1"),
    ("handoff.tick", "0"),
    ("server.port", "-1"),
    ("server.port", "65536"),
    ("server.port", '"eighty"'),
    ("server.port", "80.5"),
    ("server.port", "true"),
    ("server.port", "[80]"),
    ("server.port", "2026-10-12"),
    ("server.internal_port", "70000"),
    ("dialogue.rasa_port", "-5"),
    ("server.host", "8"),
    ("server.base_url", "false"),
    ("server.api_key", '"too short"'),
    ("server.api_key", '"0123456789 abcdef"'),
    ("server.api_key", '"0123456789abcdéf"'),
    ("server.api_key", "1234567890123456"),
    ("storage.url", "[]"),
    ("storage.redis_url", '"http://localhost"'),
    ("encoder.model", "1.5"),
    ("encoder.precision", '"float16"'),
    ("encoder.precision", '""'),
    ("encoder.threads", "0"),
    ("encoder.companions", '"no"'),
    ("encoder.companions", "2"),
    ("encoder.cache_size", "-1"),
    ("answering.answer_precision", "0"),
    ("answering.answer_precision", "1"),
    ("answering.answer_precision", "90"),
    ("answering.answer_precision", "nan"),
    ("answering.clarify_coverage", "1.5"),
    ("answering.clarify_coverage", "-0.1"),
    ("dialogue.deadline", "0"),
    ("dialogue.deadline", "nan"),
    ("dialogue.segment_turns", "0"),
    ("conversation.max_length", "0"),
    ("conversation.max_waiting", "0"),
    ("conversation.concurrency", "0"),
    ("tagging.half_life", "0"),
    ("tagging.work_probability", "1"),
    ("second_question.enabled", '"no"'),
    ("desk.admin_email", '"nobody"'),
    ("desk.admin_email", '"a b@example.com"'),
    ("desk.session_hours", "0"),
    ("desk.session_hours", "169"),
    ("desk.oidc_issuer", '"http://login.example.com"'),
    ("desk.oidc_issuer", '"https://user:password@login.example.com"'),
    ("desk.oidc_issuer", '"https://login.example.com/?x=1"'),
    ("desk.oidc_role", '"king"'),
    ("outbox.max_attempts", "0"),
    ("outbox.max_attempts", "101"),
    ("outbox.allow_private", '"private"'),
    ("identity.audience", '""'),
    ("identity.audience", '" a"'),
    ("identity.audience", '"a\\nb"'),
    ("identity.longest_hours", "0"),
    ("identity.longest_hours", "721"),
    ("webchat.origins", '"www.example.com"'),
    ("webchat.origins", '"https://www.example.com/"'),
    ("webchat.origins", '"https://a.example, https://b.example"'),
    ("webchat.origins", '"https://*.example.com"'),
    ("webchat.origins", '"https://user@example.com"'),
    ("webchat.origins", '"ftp://example.com"'),
    ("webchat.origins", '"null"'),
    ("webchat.origins", '"https://a.example:70000"'),
    ("webchat.origins", '"https://[:::::]"'),
    ("server.base_url", '"https://support.example:70000"'),
    ("webchat.brand_name", '" "'),
    ("webchat.brand_name", f'"{"x" * 41}"'),
    ("webchat.brand_name", '"a\\nb"'),
    ("webchat.brand_color", '"green"'),
    ("webchat.brand_color", '"#0f5c4"'),
    ("webchat.position", '"top"'),
    ("webchat.attachment_max_bytes", "999"),
    ("webchat.attachment_max_bytes", "100000001"),
    ("webchat.attachment_daily_bytes", "0"),
    ("webchat.attachment_scan_seconds", "0"),
    ("webchat.attachment_scan_seconds", "300.5"),
    ("webchat.invitation_pause_hours", "0"),
    ("webchat.invitation_pause_hours", "8761"),
    ("webchat.not_now_days", "0"),
    ("webchat.not_now_days", "3651"),
    ("webchat.new_per_hour", "-1"),
    ("second_question.pause", "0"),
    ("second_question.pause", "3651"),
    ("second_question.default_stage", '"loyal"'),
    ("second_question.default_stage", '""'),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_in_the_file_is_named(tmp_path: Path, name: str, value: str) -> None:
    error = refused(tmp_path, toml_of(name, value))
    setting = BY_NAME[name]
    rule = setting.rule or f"of type {type(setting.default).__name__}"
    given = tomllib.loads(f"value = {value}")["value"]
    shown = setting.shown(given) if setting.secret else repr(given)
    assert error.message == f"Setting '{name}' has value {shown} in refill.toml. It must be {rule}."
    assert repr(setting.default) in error.remedy


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    setting = BY_NAME["server.api_key"]
    assert (setting.shown("0123456789abcdef"), setting.shown(""), BY_NAME["server.port"].shown(80)) == (
        "(hidden)",
        "",
        "80",
    )
    error = refused(tmp_path, REFILL_SERVER_API_KEY="s3cret")
    assert "s3cret" not in str(error)
    assert "Setting 'server.api_key' has value (hidden) in REFILL_SERVER_API_KEY" in error.message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@host:5432/refill", "postgresql://me:***@host:5432/refill"),
        ("postgresql://me:s3@c/r:et@host/refill", "postgresql://me:***@host/refill"),
        ("postgresql://m/e:s3cret@host/refill", "postgresql://m/e:***@host/refill"),
        ("postgresql:me:s3cret@host/refill", "postgresql:me:***@host/refill"),
        ("postgresql://host/refill?user=me&password=s3cret&sslmode=require", None),
        ("redis://:s3cret@host:6379/0", "redis://:***@host:6379/0"),
        ("redis://host:6379", "redis://host:6379"),
        ("sqlite:////srv/a@b.db", "sqlite:////srv/a@b.db"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("name", ["storage.url", "storage.redis_url"])
def test_of_a_url_only_the_password_is_hidden(name: str, url: str, shown: str | None) -> None:
    assert BY_NAME[name].shown(url) == (shown if shown is not None else url.replace("s3cret", "***"))


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("False", False), ("0", False)])
def test_a_switch_in_the_environment(tmp_path: Path, value: str, expected: bool) -> None:
    assert load(tmp_path, REFILL_ENCODER_COMPANIONS=value)["encoder.companions"] is expected


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", ["", "yes", "2", "0.0"])
def test_a_wrong_switch_in_the_environment_is_named(tmp_path: Path, name: str, value: str) -> None:
    error = refused(tmp_path, **{BY_NAME[name].variable: value})
    assert f"Setting '{name}' has value {value!r} in {BY_NAME[name].variable}." in error.message


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["", "many", "-7", "0x10", "nan", "1,5"])
def test_a_wrong_value_in_the_environment_is_named(tmp_path: Path, name: str, value: str) -> None:
    error = refused(tmp_path, **{BY_NAME[name].variable: value})
    assert f"Setting '{name}' has value {value!r} in {BY_NAME[name].variable}." in error.message
    assert error.remedy


def test_every_rule_is_tried() -> None:
    with_rule = {setting.name for setting in SETTINGS if setting.rule}
    assert with_rule <= {name for name, _ in WRONG}


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[server]\nprot = 80\n", "server.prot"),
        ("[sever]\nport = 80\n", "sever.port"),
        ("[server.tls]\ncert = 'x'\n", "server.tls"),
        ("[server]\nb = 1\na = 2\n", "server.a, server.b"),
    ],
)
def test_unknown_settings_are_named(tmp_path: Path, toml: str, named: str) -> None:
    error = refused(tmp_path, toml)
    assert error.message == f"refill.toml has unknown settings: {named}."
    assert "docs/settings.md" in error.remedy


def test_a_setting_outside_a_section_is_named(tmp_path: Path) -> None:
    assert "'port' in refill.toml must stand in a section" in refused(tmp_path, "port = 80").message


@pytest.mark.parametrize(
    "toml", ["[server", "[server]\nport = \n", "[server]\nport = 1\nport = 2\n", "= 1", b"\xff\xfe"]
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, toml: str | bytes) -> None:
    assert refused(tmp_path, toml).message.startswith("refill.toml is not valid TOML: ")


def test_a_toml_error_names_the_line(tmp_path: Path) -> None:
    assert "line 2" in refused(tmp_path, "[server]\nport = = 1\n").message


# Using them ----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_in_the_table_is_an_error(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    with pytest.raises(SettingsError, match=r"There is no setting 'server\.prot'"):
        settings["server.prot"]
    with pytest.raises(SettingsError, match=r"There is no setting 'server\.prot'"):
        settings.replace(server__prot=1)


def test_replace_gives_a_copy(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    other = settings.replace(server__internal_port=1, dialogue__rasa_port=2)
    assert (other["server.internal_port"], other["dialogue.rasa_port"], other["server.port"]) == (1, 2, 8000)
    assert settings["server.internal_port"] == 5055
    assert other.root == settings.root


def test_folders(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    assert settings.models == tmp_path / "models"
    assert settings.knowledge_folder == tmp_path / "knowledge_base"
    assert settings.replace(knowledge__folder="/srv/articles").knowledge_folder == Path("/srv/articles")
    assert settings.path("data", "nlu") == tmp_path / "data" / "nlu"


# Sections of a shape of their own ------------------------------------------------------------------------------------

TABLES = """
[queues.support]
capacity = 3
[sla]
warn = 0.5
[server]
port = 81
"""


def test_sections_are_given_as_they_are_written(tmp_path: Path) -> None:
    settings = load(tmp_path, TABLES)
    assert settings.section("queues") == {"support": {"capacity": 3}}
    assert settings.section("sla") == {"warn": 0.5}
    assert settings.replace(server__port=82).section("sla") == {"warn": 0.5}
    assert load(tmp_path).section("queues") == {}


def test_another_table_for_a_section_gives_a_copy(tmp_path: Path) -> None:
    settings = load(tmp_path, TABLES)
    other = settings.with_section("sla", {"warn": 0.9})
    assert (other.section("sla"), settings.section("sla")) == ({"warn": 0.9}, {"warn": 0.5})
    assert (other.section("queues"), other["server.port"], other.root) == (settings.section("queues"), 81, tmp_path)


def test_a_section_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    settings = load(tmp_path)
    for ask in (settings.section, lambda name: settings.with_section(name, {})):
        with pytest.raises(SettingsError, match="There is no section 'server'"):
            ask("server")
    assert refused(tmp_path, "[queue.support]\n").message == "refill.toml has unknown settings: queue.support."
    assert "'queues' in refill.toml must stand in a section" in refused(tmp_path, "queues = 3").message

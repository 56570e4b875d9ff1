"""The only reader of refill.toml and the environment.

Every setting is one row of SETTINGS: its name (`section.key`), its default and a line of help. A value comes from, in
order: the environment (`REFILL_SECTION_KEY`), `refill.toml`, the default. Its type is the default's type.

The sections of SECTIONS are tables of a shape of their own, in `refill.toml` only. Whoever uses one checks it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomllib

from bot.errors import SettingsError
from bot.tagging.tags import STAGES

Value = str | int | float | bool


def hidden(value: str) -> str:
    """What is shown in place of a secret."""
    return "(hidden)"


def without_password(url: str) -> str:
    """A URL with *** in place of its password; nothing else changes, even where it is no valid URL."""
    url = re.sub(r"(:[^:@]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", url)


@dataclass(frozen=True)
class Setting:
    """One row of the table: what it is called, what it is by default, what it does."""

    name: str
    default: Value
    help: str
    check: Callable[[Any], bool] = lambda value: True
    rule: str = ""
    secret: bool = False
    mask: Callable[[str], str] = hidden

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file."""
        return "REFILL_" + self.name.replace(".", "_").upper()

    def shown(self, value: object) -> str:
        """A value as people may see it: what is secret in it is hidden, unless it is empty."""
        return self.mask(str(value)) if self.secret and value != "" else str(value)


def _port(value: int) -> bool:
    return 0 <= value <= 65535


def _share(value: float) -> bool:
    return 0 < value < 1


def _key(value: str) -> bool:
    return value == "" or (len(value) >= 16 and value.isascii() and value.isprintable() and " " not in value)


def _redis(value: str) -> bool:
    return value == "" or value.startswith(("redis://", "rediss://", "unix://"))


def _issuer(value: str) -> bool:
    address = r"(https://[^\s/?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?)(/[^\s?#@]*)?"
    return value == "" or re.fullmatch(address, value) is not None


def _positive(value: float) -> bool:
    return 0 < value < float("inf")


def _days(value: int) -> bool:
    return 1 <= value <= 3650


def _origins(value: str) -> bool:
    origin = r"https?://([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(:\d{1,5})?"
    return all(
        word == "*" or (re.fullmatch(origin, word, re.IGNORECASE) and _can_be_split(word)) for word in value.split()
    )


def _can_be_split(address: str) -> bool:
    """Whether host and port of an address are possible ones."""
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _seconds(value: float) -> bool:
    return 0 < value <= 300


LANGUAGES = ("en", "zh", "tr", "th")

SETTINGS: tuple[Setting, ...] = (
    Setting("server.host", "127.0.0.1", "Address the public server listens on; 0.0.0.0 for every network."),
    Setting("server.port", 8000, "Port of the public server.", _port, "a port from 0 to 65535"),
    Setting(
        "server.internal_port",
        5055,
        "Loopback port for Rasa's calls (actions, encoder).",
        _port,
        "a port from 0 to 65535",
    ),
    Setting(
        "server.base_url",
        "",
        "Public address, for links to articles; empty: links are relative to the page.",
        _can_be_split,
        "an address such as https://support.example.com",
    ),
    Setting(
        "server.api_key",
        "",
        "Key that opens the whole team API; empty: only tokens open it.",
        _key,
        "empty, or 16 or more ASCII characters without spaces",
        secret=True,
    ),
    Setting(
        "storage.url",
        "sqlite:///var/refill.db",
        "Database: sqlite:///path, a relative path is below the project; or postgresql://user:password@host/database.",
        secret=True,
        mask=without_password,
    ),
    Setting(
        "storage.redis_url",
        "",
        "Redis that carries bells between several processes: redis://host; empty: one process.",
        _redis,
        "empty, or a URL that begins with redis://, rediss:// or unix://",
        secret=True,
        mask=without_password,
    ),
    Setting("encoder.model", "", "Folder or hub name of a sentence-transformers model; empty: the packaged one."),
    Setting(
        "encoder.precision",
        "float32",
        "Number format of the encoder: float32, or int8 (a third faster, a quarter of the memory).",
        lambda value: value in ("float32", "int8"),
        "float32 or int8",
    ),
    Setting(
        "encoder.threads",
        2,
        "Processor threads when many texts are encoded at once and when the tagger is trained; one text takes one.",
        _positive,
        "greater than 0",
    ),
    Setting(
        "encoder.companions",
        True,
        "Weigh the similarities of two small further models in; false: faster, and less often right.",
    ),
    Setting("encoder.cache_size", 4096, "Texts whose vectors are remembered.", _positive, "greater than 0"),
    Setting("knowledge.folder", "knowledge_base", "Folder with public/ and internal/ articles."),
    Setting(
        "answering.answer_precision",
        0.95,
        "Share of answers that must be right; a higher share answers less often.",
        _share,
        "between 0 and 1",
    ),
    Setting(
        "answering.clarify_coverage",
        0.8,
        "Share of the 'did you mean' questions that must have the right article among their choices.",
        _share,
        "between 0 and 1",
    ),
    Setting("dialogue.rasa_port", 5005, "Loopback port of Rasa.", _port, "a port from 0 to 65535"),
    Setting(
        "dialogue.deadline",
        10.0,
        "Seconds a turn may take before a person takes over.",
        _positive,
        "greater than 0",
    ),
    Setting(
        "dialogue.segment_turns",
        8,
        "Turns after which Rasa's sender id is rotated.",
        _positive,
        "greater than 0",
    ),
    Setting("conversation.max_length", 4000, "Longest message, in characters.", _positive, "greater than 0"),
    Setting(
        "conversation.max_waiting",
        500,
        "Messages that may wait for the bot before new ones get 503.",
        _positive,
        "greater than 0",
    ),
    Setting("conversation.concurrency", 8, "Conversations answered at the same time.", _positive, "greater than 0"),
    Setting(
        "webchat.origins",
        "",
        "Websites the chat may be used on, as in https://www.example.com, separated by spaces; *: all; empty: our own.",
        _origins,
        "origins such as https://www.example.com (scheme, host, port; no path), or *, separated by spaces",
    ),
    Setting(
        "webchat.brand_name",
        "Crema",
        "Name of the company in the chat.",
        lambda value: 1 <= len(value.strip()) <= 40 and value.isprintable(),
        "1 to 40 characters",
    ),
    Setting(
        "webchat.brand_color",
        "#0f5c43",
        "Colour the chat's colours are made from.",
        lambda value: re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None,
        "a colour such as #0f5c43",
    ),
    Setting(
        "webchat.logo", "", "Path of a PNG, WebP or SVG file shown in the chat; empty: the first letter of the name."
    ),
    Setting(
        "webchat.position",
        "right",
        "Side of the page the launcher stands on: right or left.",
        lambda value: value in ("right", "left"),
        "right or left",
    ),
    Setting(
        "webchat.new_per_hour",
        60,
        "Visitors and conversations one address may begin, and files it may send, in an hour; 0: any number.",
        lambda value: 0 <= value <= 1_000_000,
        "from 0 to 1000000",
    ),
    Setting("webchat.attachments", True, "Let customers and people of the team send files."),
    Setting(
        "webchat.attachment_max_bytes",
        10_000_000,
        "Largest file, in bytes.",
        lambda value: 1_000 <= value <= 100_000_000,
        "from 1000 to 100000000",
    ),
    Setting(
        "webchat.attachment_daily_bytes",
        50_000_000,
        "Bytes of files a customer may send in a conversation within a day.",
        _positive,
        "greater than 0",
    ),
    Setting(
        "webchat.attachment_types",
        "png jpg jpeg gif webp heic pdf txt log csv docx xlsx pptx odt ods odp mp4 mov",
        "Extensions of the files that are taken, of those named here by default.",
    ),
    Setting(
        "webchat.attachment_scanner",
        "",
        "Command that gets each file on its standard input and ends with 0 if it is clean, 1 if not; empty: none.",
    ),
    Setting(
        "webchat.attachment_scan_seconds",
        20.0,
        "Seconds the scanner may take for a file.",
        _seconds,
        "greater than 0, at most 300",
    ),
    Setting(
        "tagging.half_life",
        30.0,
        "Days after which what was said counts half in a conversation's tags.",
        _positive,
        "greater than 0",
    ),
    Setting(
        "tagging.work_probability",
        0.6,
        "Probability from which a signal makes work for people, or moves a case to their queue.",
        _share,
        "between 0 and 1",
    ),
    Setting(
        "handoff.urgent_probability",
        0.8,
        "Urgency from which an outage or a defect makes a case by itself.",
        _share,
        "between 0 and 1",
    ),
    Setting(
        "handoff.reopen_days",
        7.0,
        "Days in which a customer who asks for a person again gets the same case; 0: always a new one.",
        lambda value: 0 <= value <= 3650,
        "from 0 to 3650",
    ),
    Setting(
        "handoff.tick",
        5.0,
        "Seconds between two looks at service levels, and at cases to be given out.",
        _positive,
        "greater than 0",
    ),
    Setting(
        "outbox.max_attempts",
        12,
        "Tries of a delivery to a webhook before it is given up; 12 take about half an hour.",
        lambda value: 1 <= value <= 100,
        "from 1 to 100",
    ),
    Setting(
        "outbox.allow_private",
        False,
        "Let webhooks lead to this machine and to private networks, on any port; http is then allowed on this machine.",
    ),
    Setting(
        "second_question.enabled",
        True,
        "Ask a short question of the bot's own after a problem is solved.",
    ),
    Setting(
        "second_question.pause",
        30,
        "Days before the same customer is asked again.",
        _days,
        "from 1 to 3650",
    ),
    Setting(
        "second_question.default_stage",
        "adoption",
        "Stage of customers of whom nothing tells it; none: they are not asked.",
        lambda value: value in (*STAGES, "none"),
        "onboarding, adoption, retention, expansion or none",
    ),
    Setting(
        "webchat.invitation_pause_hours",
        24,
        "Hours between two invitations of any kind to the same person.",
        lambda value: 1 <= value <= 8760,
        "from 1 to 8760",
    ),
    Setting(
        "webchat.not_now_days",
        30,
        "Days without any invitation after somebody said not now.",
        _days,
        "from 1 to 3650",
    ),
    Setting("identity.keys", "var/identity.json", "File of the keys with which websites vouch for customers."),
    Setting(
        "identity.audience",
        "refill",
        "What the claim aud of identity tokens must name.",
        lambda value: 1 <= len(value) <= 200 and value.isprintable() and value == value.strip(),
        "1 to 200 characters in one line",
    ),
    Setting(
        "identity.longest_hours",
        24.0,
        "Hours an identity token may be valid for.",
        lambda value: 0 < value <= 720,
        "greater than 0, at most 720",
    ),
    Setting(
        "desk.admin_email",
        "admin@localhost",
        "E-mail address of the first administrator, made when there is nobody yet.",
        lambda value: 3 <= len(value) <= 200 and "@" in value[1:-1] and " " not in value,
        "an e-mail address",
    ),
    Setting(
        "desk.session_hours",
        12,
        "Hours without a request after which somebody has to sign in to the desk again; seven days at most.",
        lambda value: 1 <= value <= 168,
        "from 1 to 168",
    ),
    Setting(
        "desk.oidc_issuer",
        "",
        "Address of the identity provider (OpenID Connect) people may sign in through; empty: passwords only.",
        _issuer,
        "empty, or an address that begins with https:// (http:// on this machine only)",
    ),
    Setting("desk.oidc_client_id", "", "Refill's name at the identity provider."),
    Setting("desk.oidc_client_secret", "", "Refill's password at the identity provider.", secret=True),
    Setting(
        "desk.oidc_role",
        "none",
        "Role of people the identity provider knows and Refill does not; none: they are refused.",
        lambda value: value in ("none", "agent", "success_manager", "lead", "administrator"),
        "none, agent, success_manager, lead or administrator",
    ),
)

# Read by bot.handoff.queues and bot.success.invitations.
SECTIONS = ("queues", "sla", "invitations")

_BY_NAME = {setting.name: setting for setting in SETTINGS}


def _parse(setting: Setting, raw: object, source: str) -> Value:
    """Read one raw value as the type of the setting's default."""
    kind = type(setting.default)
    given = setting.shown(raw) if setting.secret else repr(raw)
    problem = SettingsError(
        f"Setting '{setting.name}' has value {given} in {source}. It must be "
        f"{setting.rule or 'of type ' + kind.__name__}.",
        f"Correct it there; the default is {setting.default!r}.",
    )
    value: Value
    try:
        if kind is bool:
            words = {"true": True, "1": True, "false": False, "0": False}
            value = raw if isinstance(raw, bool) else words[str(raw).lower()]
        elif kind is str:
            if not isinstance(raw, str):
                raise problem
            value = raw
        elif isinstance(raw, bool):
            raise problem
        elif kind is float:
            value = float(str(raw))
        else:
            value = int(str(raw))
    except (KeyError, TypeError, ValueError) as error:
        raise problem from error
    if not setting.check(value):
        raise problem
    return value


class Settings:
    """The values in force. `settings["server.port"]`; a name that is not in the table is an error."""

    def __init__(
        self, values: Mapping[str, Value], root: Path, sections: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self.root = root
        self._values = dict(values)
        self._sections = dict(sections or {})

    def __getitem__(self, name: str) -> Any:
        if name not in _BY_NAME:
            raise SettingsError(f"There is no setting '{name}'.")
        return self._values[name]

    def replace(self, **changes: Value) -> Settings:
        """A copy with other values; dots in names are written as two underscores."""
        values = dict(self._values)
        for key, value in changes.items():
            name = key.replace("__", ".")
            if name not in _BY_NAME:
                raise SettingsError(f"There is no setting '{name}'.")
            values[name] = value
        return Settings(values, self.root, self._sections)

    def section(self, name: str) -> Mapping[str, Any]:
        """The table of one of SECTIONS as it is written, unchecked; empty where the file has none.

        Raises:
            SettingsError: There is no such section.
        """
        if name not in SECTIONS:
            raise SettingsError(f"There is no section '{name}'.")
        return self._sections.get(name, {})

    def with_section(self, name: str, table: Mapping[str, Any]) -> Settings:
        """A copy with another table for one of SECTIONS.

        Raises:
            SettingsError: There is no such section.
        """
        if name not in SECTIONS:
            raise SettingsError(f"There is no section '{name}'.")
        return Settings(self._values, self.root, {**self._sections, name: table})

    def path(self, *parts: str) -> Path:
        """A path below the project's root."""
        return self.root.joinpath(*parts)

    @property
    def models(self) -> Path:
        """Where built things stand."""
        return self.root / "models"

    @property
    def knowledge_folder(self) -> Path:
        """Where the articles stand."""
        folder = Path(self["knowledge.folder"])
        return folder if folder.is_absolute() else self.root / folder


def load_settings(root: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read `refill.toml` below root (default: the environment's REFILL_ROOT, else the project) and the environment.

    Raises:
        SettingsError: The file is not TOML, or a value or name in it is not valid.
    """
    environ = os.environ if environ is None else environ
    if root is None:
        root = Path(environ.get("REFILL_ROOT") or Path(__file__).resolve().parent.parent)
    file = root / "refill.toml"
    tables: dict[str, Any] = {}
    if file.exists():
        try:
            tables = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{file.name} cannot be read: {error.strerror}.", "Check its permissions.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file.name} is not valid TOML: {error}.", "Correct the line named.") from error
    written: dict[str, object] = {}
    sections: dict[str, Mapping[str, Any]] = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"'{section}' in {file.name} must stand in a section, as in [server].")
        if section in SECTIONS:
            sections[section] = table
        else:
            written.update({f"{section}.{key}": value for key, value in table.items()})
    unknown = sorted(set(written) - set(_BY_NAME))
    if unknown:
        raise SettingsError(
            f"{file.name} has unknown settings: {', '.join(unknown)}.",
            "docs/settings.md lists all; `refill settings` prints them.",
        )
    values: dict[str, Value] = {}
    for setting in SETTINGS:
        if setting.variable in environ:
            values[setting.name] = _parse(setting, environ[setting.variable], setting.variable)
        elif setting.name in written:
            values[setting.name] = _parse(setting, written[setting.name], file.name)
        else:
            values[setting.name] = setting.default
    return Settings(values, root, sections)

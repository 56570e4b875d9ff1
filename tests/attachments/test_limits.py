"""What the settings say of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.attachments.kinds import KINDS
from bot.attachments.limits import Limits, limits
from bot.errors import SettingsError
from bot.settings import load_settings


def test_defaults(tmp_path: Path) -> None:
    assert limits(load_settings(tmp_path, {})) == Limits()


def test_what_is_set(tmp_path: Path) -> None:
    environment = {
        "REFILL_WEBCHAT_ATTACHMENT_TYPES": "PNG, pdf",
        "REFILL_WEBCHAT_ATTACHMENT_SCANNER": "clamdscan --no-summary '-' ",
        "REFILL_WEBCHAT_ATTACHMENT_MAX_BYTES": "5000",
    }
    found = limits(load_settings(tmp_path, environment))
    assert (found.types, found.max_bytes) == (frozenset({"png", "pdf"}), 5000)
    assert found.scanner == ("clamdscan", "--no-summary", "-")


@pytest.mark.parametrize("variable", ["REFILL_WEBCHAT_ATTACHMENT_TYPES", "REFILL_WEBCHAT_ATTACHMENTS"])
def test_files_can_be_switched_off(tmp_path: Path, variable: str) -> None:
    value = "false" if variable.endswith("ATTACHMENTS") else ""
    assert not limits(load_settings(tmp_path, {variable: value})).enabled


@pytest.mark.parametrize("unknown", ["html", "svg", "exe", "zip", "docm"])
def test_no_setting_lets_in_what_runs(tmp_path: Path, unknown: str) -> None:
    assert unknown not in KINDS
    with pytest.raises(SettingsError, match=f"names {unknown}"):
        limits(load_settings(tmp_path, {"REFILL_WEBCHAT_ATTACHMENT_TYPES": f"png {unknown}"}))


def test_a_command_that_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="attachment_scanner"):
        limits(load_settings(tmp_path, {"REFILL_WEBCHAT_ATTACHMENT_SCANNER": "scan 'it"}))

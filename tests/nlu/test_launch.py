"""The launcher's one repair of Rasa, in Rasa's own runtime."""

from __future__ import annotations

import json
import subprocess

import pytest

from bot.settings import Settings

pytestmark = pytest.mark.rasa

SCRIPT = """
import json
import jsonschema
from jsonschema.validators import validator_for
from bot.nlu.launch import validate

schema = {"type": "object", "properties": {"events": {"type": "array"}}}
checks = []
chosen = validator_for(schema)
original = chosen.check_schema
chosen.check_schema = classmethod(lambda cls, given, *a, **k: (checks.append(1), original(given, *a, **k))[1])
found = {}
validate({"events": []}, schema)
validate({"events": [1]}, dict(schema))
found["checks"] = len(checks)
try:
    validate({"events": 1}, schema)
except jsonschema.ValidationError as error:
    found["refused"] = error.message
try:
    validate({}, {"type": 7})
except jsonschema.SchemaError:
    found["bad_schema"] = True
print(json.dumps(found))
"""


def test_answers_are_checked_as_before_and_a_schema_once(settings: Settings) -> None:
    python = settings.path(".venv-rasa", "bin", "python")
    run = subprocess.run([python, "-c", SCRIPT], cwd=settings.root, capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    assert found == {"checks": 1, "refused": "1 is not of type 'array'", "bad_schema": True}

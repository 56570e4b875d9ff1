"""Start Rasa with one repair: `python -m bot.nlu.launch run …` is `rasa run …`, faster.

Rasa 3.6 checks every answer of an action against a JSON schema, and each time checks that constant schema against the
schema of schemas first: 20 of the 35 ms a turn took. Here a schema is checked once; answers are checked as before.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for

_checked: dict[str, Any] = {}


def validate(instance: Any, schema: Any, cls: Any = None, *args: Any, **kwargs: Any) -> None:
    """`jsonschema.validate`, remembering the schemas that were found good.

    Raises:
        jsonschema.ValidationError: The instance does not fit.
        jsonschema.SchemaError: The schema is not one.
    """
    key = json.dumps(schema, sort_keys=True)
    validator = _checked.get(key)
    if validator is None or cls is not None or args or kwargs:
        chosen = cls or validator_for(schema)
        chosen.check_schema(schema)
        validator = chosen(schema, *args, **kwargs)
        if cls is None and not args and not kwargs:
            _checked[key] = validator
    error = best_match(validator.iter_errors(instance))
    if error is not None:
        raise error


def main() -> None:
    """Run Rasa's command line."""
    jsonschema.validate = validate
    from rasa.__main__ import main as rasa

    sys.argv[0] = "rasa"
    rasa()


if __name__ == "__main__":
    main()

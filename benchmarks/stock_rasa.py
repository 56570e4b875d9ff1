"""A stock Rasa FAQ bot with the knowledge base's English questions and answers: the peer to measure against.

WhitespaceTokenizer, CountVectorsFeaturizer, DIETClassifier, ResponseSelector, TEDPolicy, all with Rasa's defaults but
for the number of epochs, which does not change how long a turn takes.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import yaml

from bot.dialogue.training import rasa_environment, rasa_python
from bot.knowledge.article import Article
from bot.settings import Settings

EPOCHS = 20

_CONFIG = {
    "recipe": "default.v1",
    "assistant_id": "stock",
    "language": "en",
    "pipeline": [
        {"name": "WhitespaceTokenizer"},
        {"name": "CountVectorsFeaturizer"},
        {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
        {"name": "DIETClassifier", "epochs": EPOCHS},
        {"name": "ResponseSelector", "epochs": EPOCHS, "retrieval_intent": "faq"},
    ],
    "policies": [
        {"name": "MemoizationPolicy"},
        {"name": "RulePolicy"},
        {"name": "TEDPolicy", "max_history": 5, "epochs": EPOCHS},
    ],
}


def write_project(folder: Path, articles: Sequence[Article]) -> None:
    """A Rasa project whose retrieval intents are the articles."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    nlu = [
        {"intent": f"faq/{article.id}", "examples": "".join(f"- {text}\n" for text in article.questions)}
        for article in articles
    ]
    nlu.append({"intent": "greet", "examples": "- hello\n- hi\n- good morning\n- hey there\n"})
    rules = [
        {"rule": "faq", "steps": [{"intent": "faq"}, {"action": "utter_faq"}]},
        {"rule": "greet", "steps": [{"intent": "greet"}, {"action": "utter_greet"}]},
    ]
    stories = [
        {
            "story": "greet and ask",
            "steps": [{"intent": "greet"}, {"action": "utter_greet"}, {"intent": "faq"}, {"action": "utter_faq"}],
        }
    ]
    responses = {f"utter_faq/{article.id}": [{"text": article.body[:600]}] for article in articles}
    domain = {"intents": ["faq", "greet"], "responses": {**responses, "utter_greet": [{"text": "Hello!"}]}}
    files = {
        "config.yml": _CONFIG,
        "domain.yml": {"version": "3.1", **domain},
        "data/nlu.yml": {"version": "3.1", "nlu": nlu},
        "data/rules.yml": {"version": "3.1", "rules": rules},
        "data/stories.yml": {"version": "3.1", "stories": stories},
        "credentials.yml": {"rest": None},
        "endpoints.yml": {},
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")


def train(settings: Settings, folder: Path) -> None:
    """Train the project's model."""
    command = [str(rasa_python(settings)), "-m", "rasa", "train", "--fixed-model-name", "stock"]
    subprocess.run(command, cwd=folder, env=rasa_environment("http://127.0.0.1:9", 2), check=True, capture_output=True)


@contextlib.contextmanager
def running(settings: Settings, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The stock bot, answering on a loopback port."""
    command = [str(rasa_python(settings)), "-m", "rasa", "run", "--model", "models/stock.tar.gz"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--interface", "127.0.0.1"],
        cwd=folder,
        env=rasa_environment("http://127.0.0.1:9", 1),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(trust_env=False) as http:
            for _ in range(600):
                if process.poll() is not None:
                    raise RuntimeError("the stock bot ended while starting")
                with contextlib.suppress(httpx.HTTPError):
                    body = {"sender": "warm-up", "message": "hello"}
                    answer = http.post(f"http://127.0.0.1:{port}/webhooks/rest/webhook", json=body, timeout=60)
                    if answer.status_code == 200:
                        break
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(30)

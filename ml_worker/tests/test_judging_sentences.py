"""What the singer reads: plain sentences that can be translated, with their values in place."""

from __future__ import annotations

import ast
import inspect
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.judging import Reason, sentences
from ml_worker.judging.reasons import too_little, too_long, too_short
from ml_worker.judging.sentences import worded

MESSAGES = {name: value for name, value in vars(sentences).items() if name.isupper()}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_are_whole_sentences_without_shouting(message):
    assert message.endswith(".")
    assert "!" not in message
    assert worded(message, dict.fromkeys(re.findall(r"%\((\w+)\)s", message), 1)).count("%") <= 1


def test_every_message_is_marked_for_translation():
    for statement in ast.parse(inspect.getsource(sentences)).body:
        if isinstance(statement, ast.Assign):
            assert statement.value.func.id == "gettext_noop"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (too_short(0.44), "The recording is only 0.4 seconds long."),
        (too_long(185), "The recording is 3 minutes long."),
        (too_little(1.25, 6), "We heard 1.2 seconds of humming; the phrase has 6.0."),
        (
            Reason("cut_off", sentences.NO_END, values={"share": 60}),
            "We heard about 60 % of the phrase; its end is missing.",
        ),
    ],
)
def test_values_stand_in_their_places(reason, said):
    assert reason.sentence.startswith(said)


def test_a_reason_tells_what_a_translation_needs():
    reason = too_little(1.25, 6)
    told = json.loads(json.dumps(reason.as_dict()))
    assert told["code"] == "cut_off"
    assert told["fatal"]
    assert worded(told["message"], told["values"]) == told["sentence"] == reason.sentence


@given(st.text())
def test_text_without_values_stays_as_it_is(text):
    assert Reason("unreadable", text).sentence == text

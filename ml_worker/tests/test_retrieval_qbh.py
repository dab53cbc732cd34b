"""An evaluation counts every query: what is found, what is missed, what cannot be read and what has no target."""

import json

import pytest

from ml_worker.audio.melody_files import read_melody
from ml_worker.retrieval.layouts import BadCollection, Collection, Query, Target
from ml_worker.retrieval.qbh import NO_TARGET, evaluate, in_words, missing_in_words
from ml_worker.tests.made_audio import encoded, tone
from ml_worker.tests.made_matchers import Alike, ByMeanPitch, curve, mean_of


@pytest.fixture
def collection(tmp_path):
    targets = [Target(curve(tmp_path / "targets" / f"t{number}.pv", 50 + number), f"t{number}") for number in range(5)]
    silent = Target(curve(tmp_path / "targets" / "silent.pv", 0), "silent")
    broken = tmp_path / "targets" / "broken.mid"
    broken.write_text("no MIDI")
    hums = {
        "a.pv": (50.1, "t0"),
        "b.pv": (52.2, "t3"),
        "quiet.pv": (0, "t1"),
        "c.pv": (51, "silent"),
        "d.pv": (51, None),
    }
    queries = [Query(name, curve(tmp_path / name, pitch), target) for name, (pitch, target) in hums.items()]
    queries.append(Query("gone.wav", tmp_path / "gone.wav", "t2"))
    return Collection(queries, [*targets, silent, Target(broken, "broken")], ["cover.jpg is no melody."])


@pytest.fixture
def evaluation(collection):
    return evaluate(collection, {"model": ByMeanPitch, "baseline": Alike})


def test_ranks_are_of_the_targets_and_everything_else_is_a_miss(evaluation):
    assert evaluation.ranks("model") == [1, 2, None, None, None, None]
    assert evaluation.ranks("baseline") == [5, 5, 5, None, None, None]
    assert evaluation.targets == 5


def test_every_miss_says_why(evaluation):
    problems = [outcome.problems() for outcome in evaluation.outcomes]
    assert problems[:3] == ["", "", "Nothing was heard. Hum louder."]
    assert problems[3:5] == [NO_TARGET, NO_TARGET]
    assert problems[5].startswith("There is no file")
    assert len(evaluation.without_target()) == 2
    assert [outcome.query.name for outcome in evaluation.unheard()] == ["quiet.pv", "gone.wav"]
    assert evaluation.left_out[0] == "cover.jpg is no melody."
    assert ["broken.mid" in evaluation.left_out[2], "silent.pv" in evaluation.left_out[1]] == [True, True]


def test_the_answer_has_the_form_that_scripts_read(evaluation):
    answer = json.loads(json.dumps(evaluation.as_dict()))
    assert {"model", "baseline", "queries"} <= set(answer)
    for matcher in ("model", "baseline"):
        assert {"top1", "top3", "top5", "top10", "top100", "mrr", "seconds_per_query"} <= set(answer[matcher])
    assert answer["model"]["top1"] == pytest.approx(1 / 6)
    assert answer["model"]["mrr"] == pytest.approx((1 + 1 / 2) / 6)
    assert answer["baseline"]["top10"] == pytest.approx(3 / 6)
    assert answer["queries"][1] == {
        "query": "b.pv", "target": "t3", "rank_model": 2, "rank_baseline": 5, "problem": None,
    }  # fmt: skip
    assert answer["queries"][4]["target"] is None
    assert answer["model"]["intervals"]["mrr"][0] <= answer["model"]["mrr"] <= answer["model"]["intervals"]["mrr"][1]
    assert answer["lead"]["baseline"]["top1"]["difference"] == pytest.approx(1 / 6)


def test_the_time_of_a_query_counts_reading_it(tmp_path):
    path = tmp_path / "hum.wav"
    path.write_bytes(encoded(tone(3.0, hz=220), "wav", "pcm_s16le"))
    targets = [Target(curve(tmp_path / "a.pv", 57), "a")]
    evaluation = evaluate(Collection([Query("hum.wav", path, "a")], targets), {"model": ByMeanPitch})
    (outcome,) = evaluation.outcomes
    figures = evaluation.figures("model")
    assert outcome.rank("model") == 1
    assert figures["seconds_per_query"] == pytest.approx(outcome.reading_s + outcome.sought["model"].seconds)
    assert figures["matching_seconds_per_query"] == pytest.approx(outcome.sought["model"].seconds)
    assert outcome.reading_s > outcome.sought["model"].seconds


def test_the_matcher_is_told_that_hums_begin_at_the_start(collection):
    made = []

    def maker(targets):
        made.append(ByMeanPitch(targets))
        return made[-1]

    evaluate(collection, {"model": maker}, from_start=True)
    evaluate(collection, {"model": maker})
    assert [set(matcher.asked) for matcher in made] == [{True}, {False}]


def test_several_targets_of_one_song_are_one(tmp_path):
    targets = [Target(curve(tmp_path / f"{place}.pv", pitch), name)
               for place, (pitch, name) in enumerate([(50, "x"), (50.2, "x"), (60, "y"), (51, "y")])]  # fmt: skip
    queries = [Query("a.pv", curve(tmp_path / "a.pv", 50.5), "y")]
    assert evaluate(Collection(queries, targets), {"model": ByMeanPitch}).ranks("model") == [2]


def test_a_mixture_is_sought_by_the_melody_of_its_voice_and_by_that_of_the_whole(tmp_path):
    song = tmp_path / "song.wav"
    song.write_bytes(encoded(tone(seconds=2, channels=2), "wav", "pcm_s16le"))
    score = curve(tmp_path / "score.pv", 50)
    given = []

    def matcher(melodies):
        given.extend(melodies)
        return ByMeanPitch(melodies)

    query = Query("hum", curve(tmp_path / "hum.pv", 50.1), "score")
    evaluation = evaluate(
        Collection([query], [Target(song, "song"), Target(score, "score")], []), {"model": matcher}, mixtures=True
    )
    voice, whole = read_melody(song, mixture=True), read_melody(song)
    assert given[0].to_bytes() == voice.to_bytes() != whole.to_bytes()
    assert given[2].to_bytes() == whole.to_bytes()
    assert (evaluation.targets, evaluation.ranks("model"), evaluation.left_out) == (2, [1], [])


def test_words_for_people_say_it_all(evaluation):
    words = in_words(evaluation)
    assert "6 hums of 6 songs, that may begin anywhere, among 5 targets." in words
    assert "top-5" in words
    assert "top-10" not in words, "everything is among the first ten of five"
    assert "95 % confidence" in words
    assert "2 without a target" in words
    assert "quiet.pv: Nothing was heard. Hum louder." in words
    assert max(len(line) for line in words.splitlines()[:10]) <= 100


def test_one_is_no_plural(tmp_path):
    targets = [Target(curve(tmp_path / "t.pv", 50), "t")]
    words = in_words(evaluate(Collection([Query("a", curve(tmp_path / "a.pv", 50), "t")], targets), {"model": Alike}))
    assert words.startswith("1 hum of 1 song, that may begin anywhere, among 1 target.")


def test_of_many_targets_that_are_not_there_a_few_are_named(tmp_path):
    targets = [Target(curve(tmp_path / "t.pv", 50), "t")]
    hum = curve(tmp_path / "a.pv", 50)
    queries = [Query(f"a{name}", hum, name) for name in ("t", "zz", None, *"hgfedch")]
    evaluation = evaluate(Collection(queries, targets), {"model": Alike})
    assert missing_in_words(evaluation) == (
        "Without a target among the 1 target: 9 of 10 hums, counted as misses. "
        "Sought, and not there: zz, h, g, f, e and 2 more. Without the name of a target: 1 hum."
    )
    assert missing_in_words(evaluate(Collection(queries[:1], targets), {"model": Alike})) == ""


def test_one_matcher_and_no_query_that_can_be_sought(collection):
    lost = Collection(collection.queries[-2:], collection.targets)
    evaluation = evaluate(lost, {"model": ByMeanPitch})
    assert evaluation.as_dict()["model"]["seconds_per_query"] is None
    assert "seconds a query" in in_words(evaluation)


def test_targets_none_of_which_can_be_read_are_refused(collection):
    with pytest.raises(BadCollection, match="None of the targets can be read"):
        evaluate(Collection(collection.queries, collection.targets[-2:]), {"model": ByMeanPitch})


def test_progress_is_told_of_targets_and_queries(collection):
    said = []
    evaluate(collection, {"model": ByMeanPitch}, progress=lambda share, message: said.append(message))
    assert sum(message.startswith("Reading target") for message in said) == 7
    assert [message for message in said if message.startswith("Query")][1] == "Query 2 of 6: b.pv"
    assert "Preparing the model for 5 targets" in said


def test_the_melodies_are_those_of_the_files(tmp_path):
    assert mean_of(read_melody(curve(tmp_path / "a.pv", 61))) == pytest.approx(61, abs=1e-3)

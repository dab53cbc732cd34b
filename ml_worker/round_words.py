"""A round in words: what went into each step and what came out, as sentences for the admin."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from ml_worker import rounds_page
from ml_worker.chain import plural
from ml_worker.models import Round, RoundStep

# Options by their words; what is not named here is shown among the values as they are stored.
MATERIAL_WORDS = {"hums": "hums alone", "covers": "covers alone", "both": "hums and covers"}
INITIAL_WORDS = {"starter": "the starter checkpoint", "in use": "what is in use", "nothing": "nothing"}
BENCHMARK_WORDS = {"hums": "hums", "covers": "covers"}
STATE_OF_COVERS = {"matched": "matched", "doubtful": "doubtful", "accepted": "accepted", "rejected": "rejected"}


def shown(round: Round) -> dict[str, Any]:
    """A round as the page shows it: with sentences, times and the stored values of each step."""
    told = rounds_page.described(round)
    steps = [step | {"sentences": sentences(step), "took": time_in_words(step)} for step in told["steps"]]
    steps = [step | {"stored": as_stored(step)} for step in steps]
    took = duration(told["duration_s"]) if round.finished_at else ""
    return told | {"steps": steps, "options_words": options_in_words(round), "took": took}


def as_stored(step: dict[str, Any]) -> str:
    """Inputs and outputs, every value of them, to be read by people."""
    values = {"inputs": step["inputs"], "outputs": step["outputs"]}
    return json.dumps(values, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder) if any(values.values()) else ""


def duration(seconds: float | None) -> str:
    """ "8.4 s", "3 min 20 s", "2 h 5 min", "3 days"; "" of what has not begun."""
    if seconds is None:
        return ""
    if seconds < 0.1:
        return "under 0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def time_in_words(step: dict[str, Any]) -> str:
    """How long a machine was at it, how long people had it, and what cannot be known; "" before it began."""
    words = [duration(step["duration_s"])]
    if step["with_people_s"]:
        words.append(f"{duration(step['with_people_s'])} with people")
    if step["attempts"] > 1:
        cut_off = f", {step['cut_off']} of them cut off and not counted" if step["cut_off"] else ""
        words.append(f"{step['attempts']} attempts{cut_off}")
    return "; ".join(words) if words[0] else ""


def options_in_words(round: Round) -> str:
    """What it trains, on what, and from where."""
    kinds, options = round.kinds, round.options
    words = [
        f"{' and '.join(kinds)} {plural(len(kinds), 'network')}",
        f"trained on {MATERIAL_WORDS.get(options.get('material', 'both'), options.get('material'))}",
    ]
    if options.get("initial"):
        words.append(f"from {INITIAL_WORDS.get(options['initial'], options['initial'])}")
    if options.get("steps"):
        words.append(f"{options['steps']:,} steps")
    if options.get("labels"):
        words.append(f"labels {options['labels']}")
    return ", ".join(words)


def sentences(step: dict[str, Any]) -> list[str]:
    """What came out of a step, as described by `rounds_page`; nothing of one that has no outputs yet."""
    return list(SENTENCES[step["name"]](step["outputs"])) if step["outputs"] else []


def of_collect(out: dict[str, Any]) -> Iterable[str]:
    if "hums" not in out:
        return
    yield (
        f"{out['hums']:,} accepted {plural(out['hums'], 'hum')} of {out['songs_with_hums']:,} training "
        f"{plural(out['songs_with_hums'], 'song')}; {out['new']:,} newly accepted since the round before."
    )
    yield f"Cover fragments: {listed(out['cover_fragments'])}. Songs by split: {listed(out['songs'])}."


def listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items()) or "none"


def of_train(out: dict[str, Any]) -> Iterable[str]:
    yield from out.get("words", {}).values()


def of_calibrate(out: dict[str, Any]) -> Iterable[str]:
    for kind, of_kind in out.get("kinds", {}).items():
        beside = f"beside {of_kind['incumbent']}" if of_kind.get("incumbent") else "with none in use"
        decision = of_kind["decision"]
        verdict = "goes on to the covers" if decision["promote"] else "goes no further"
        # Of its precision nothing is known yet.
        why = " ".join(gate["sentence"] for gate in decision["gates"] if gate["name"] != "precision")
        yield f"The {kind} network, {beside}, {verdict}. {why}".strip()


def of_mine(out: dict[str, Any]) -> Iterable[str]:
    mined, songs = out.get("mined", 0), out.get("songs", 0)
    found = f": {out['sure']:,} sure and {out['doubtful']:,} doubtful findings" if "sure" in out else ""
    yield f"{mined:,} of {songs:,} {plural(songs, 'song')} mined{found}."


def of_double_check(out: dict[str, Any]) -> Iterable[str]:
    if "asked" not in out:
        return
    asked, left = out["asked"], out["left"]
    rest = f"{left:,} {plural(left, 'was', 'were')} left" if left else "all were judged"
    yield f"People were asked about {asked:,} {plural(asked, 'finding')}; {rest}. {out.get('went_on', '')}".strip()


def of_evaluate(out: dict[str, Any]) -> Iterable[str]:
    for kind, of_kind in out.get("kinds", {}).items():
        for where, looks in (("frozen benchmark", of_kind["frozen"]), ("tunes never seen", of_kind["unseen"])):
            for name, look in looks.items():
                yield f"The {kind} network, {where}, {BENCHMARK_WORDS.get(name, name)}: {rate_in_words(look)}"
    if "mined" in out:
        yield found_in_words(out["mined"])


def rate_in_words(look: dict[str, Any]) -> str:
    """A mean reciprocal rank, beside that of the checkpoint in use."""
    words = f"MRR {look['rates']['mrr']:.3f}, top 1 {look['rates']['top1']:.3f}"
    if "mrr_difference" not in look:
        return f"{words}."
    difference, low, high = look["mrr_difference"]
    was = look["rates_of_incumbent"]["mrr"]
    return f"{words}; MRR was {was:.3f}, {signed(difference)} (95 % from {signed(low)} to {signed(high)})."


def signed(number: float) -> str:
    return f"{number:+.3f}".replace("-", "−")


def found_in_words(mined: dict[str, Any]) -> str:
    """How much was found in covers, and how much of it is right."""
    if not mined["sure"]:
        return "There is no finding of which the machine is sure."
    right, judged = mined["precision"]["right"], mined["precision"]["judged"]
    words = f"{mined['sure']:,} sure {plural(mined['sure'], 'finding')}, {duration(mined['seconds'])} of sound"
    return f"{words}; people judged {judged:,} of them, {right:,} as right."


def of_decide(out: dict[str, Any]) -> Iterable[str]:
    """The verdict alone: its reasons are the round's decision, which stands above the steps."""
    for decision in out.get("decisions", {}).values():
        yield f"{decision['checkpoint']} is {'promoted' if decision['promote'] else 'refused'}."


SENTENCES: dict[str, Callable[[dict[str, Any]], Iterable[str]]] = {
    RoundStep.Name.COLLECT: of_collect,
    RoundStep.Name.TRAIN: of_train,
    RoundStep.Name.CALIBRATE: of_calibrate,
    RoundStep.Name.MINE: of_mine,
    RoundStep.Name.DOUBLE_CHECK: of_double_check,
    RoundStep.Name.EVALUATE: of_evaluate,
    RoundStep.Name.DECIDE: of_decide,
}

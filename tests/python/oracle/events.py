"""Onsets of an event, by the rules of its state."""

from .sql import evaluate


class Onsets:
    """Times of one robot's event: `kept`, `every` (before refractory), `known` (times with a known value)."""

    def __init__(self, kept, every, known):
        self.kept, self.every, self.known = kept, every, known


def onsets(event, signal, observations, account):
    """The onsets among the observations of one robot and signal."""
    kinds = {c["name"]: c["type"] for c in signal["columns"]}
    states, _ = evaluate(event["when"], kinds, [stamped(o.values, kinds) for o in observations])
    kept, every, known = [], [], []
    state = last = None
    for observation, value in zip(observations, states, strict=True):
        if value is None:
            continue
        time = observation.time
        if last is not None and time - last > event["memory"]:
            state = None
        wanted = {"Rise": (True,), "Fall": (False,), "Change": (True, False)}[event["edge"]]
        if state is None:
            account["censored"] += value in wanted
        elif state != value and value in wanted:
            if every and time - every[-1] < event["refractory"]:
                account["refractory"] += 1
            else:
                kept.append(time)
                account["onsets"] += 1
            every.append(time)
        state, last = value, time
        known.append(time)
    return Onsets(kept, every, known)


def stamped(values, kinds):
    """Values with timestamps as SQL sees them."""
    return {n: v // 1000 if kinds[n] == "timestamp" and v is not None else v for n, v in values.items()}

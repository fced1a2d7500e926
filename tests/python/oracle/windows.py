"""Every statistic by its definition. `points` are (time ns, value) in time order, nulls left out."""

import math

NANOS = 1e9


def statistic(name, points, at):
    """One statistic of the points of a window that ends at `at`, null (None) where it is not defined."""
    values = [v for _, v in points]
    if name == "count":
        return len(values)
    if not values:
        return None
    if values and isinstance(values[0], (bool, str)):
        return of_words(name, points, at)
    if any(isinstance(v, float) and math.isinf(v) for v in values):
        return clean(of_infinities(name, values))
    return clean(of_numbers(name, points, values))


def clean(value):
    """NaN is null."""
    return None if isinstance(value, float) and math.isnan(value) else value


def of_words(name, points, at):
    """Statistics of bool and string columns."""
    values = [v for _, v in points]
    changed = [t for (_, a), (t, b) in zip(points, points[1:], strict=False) if a != b]
    return {
        "first": lambda: values[0],
        "last": lambda: values[-1],
        "fraction_true": lambda: sum(values) / len(values),
        "changes": lambda: len(changed),
        "time_since_change": lambda: (at - changed[-1]) / NANOS if changed else None,
    }[name]()


def of_infinities(name, values):
    """What IEEE says; everything else is null."""
    simple = {"min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}
    if name in simple:
        return simple[name](values)
    if name == "range":
        return max(values) - min(values)
    return {"sum": sum(values), "mean": sum(values) / len(values)}.get(name)


def of_numbers(name, points, values):
    """Statistics of finite numbers."""
    n = len(values)
    mean = math.fsum(values) / n
    if name in ("std", "skew", "kurtosis"):
        return moments(name, values, mean)
    if name == "slope":
        return slope(points)
    if name.startswith("p") and name[1:].isdigit():
        return percentile(values, int(name[1:]) / 100)
    steps = [abs(b - a) for a, b in zip(values, values[1:], strict=False)]
    return {
        "sum": lambda: math.fsum(values),
        "mean": lambda: mean,
        "min": lambda: min(values),
        "max": lambda: max(values),
        "range": lambda: max(values) - min(values),
        "first": lambda: values[0],
        "last": lambda: values[-1],
        "delta": lambda: values[-1] - values[0],
        "rms": lambda: math.sqrt(math.fsum(v * v for v in values) / n),
        "mean_abs_change": lambda: math.fsum(steps) / len(steps) if steps else None,
        "max_abs_change": lambda: max(steps) if steps else None,
    }[name]()


def moments(name, values, mean):
    """std (sample), skew g1, kurtosis g2."""
    n = len(values)
    second = math.fsum((v - mean) ** 2 for v in values)
    if name == "std":
        return math.sqrt(second / (n - 1)) if n > 1 else None
    if n < (3 if name == "skew" else 4) or min(values) == max(values):
        return None
    if name == "skew":
        return math.fsum((v - mean) ** 3 for v in values) / n / (second / n) ** 1.5
    return math.fsum((v - mean) ** 4 for v in values) / n / (second / n) ** 2 - 3


def slope(points):
    """Least squares of value over seconds."""
    seconds = [(t - points[0][0]) / NANOS for t, _ in points]
    middle = math.fsum(seconds) / len(seconds)
    spread = math.fsum((s - middle) ** 2 for s in seconds)
    if len(points) < 2 or spread == 0:
        return None
    mean = math.fsum(v for _, v in points) / len(points)
    return math.fsum((s - middle) * (v - mean) for s, (_, v) in zip(seconds, points, strict=True)) / spread


def percentile(values, share):
    """Type 7: linear between closest ranks."""
    ranked = sorted(values)
    rank = share * (len(ranked) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (rank - low) * (ranked[high] - ranked[low])


def hole(times, start, end):
    """The longest stretch without a value from the window's start to its end."""
    edges = [start, *times, end]
    return max(b - a for a, b in zip(edges, edges[1:], strict=False))

#!/usr/bin/env python3
"""Turns a LiteLLM price file into our catalog files.

    python3 import_litellm.py PRICES.json [MORE.json ...] [--out FOLDER] [--check]

Each PRICES.json is LiteLLM's `model_prices_and_context_window_backup.json`, or an extract of it
with the entries under "models". The first file is taken whole; each further one only adds models
that no earlier file has and that were still offered on VALID_FROM. What is known better than
LiteLLM stands in `corrections.toml` beside this file and is applied last.

Numbers are read as decimals and never pass through a float. The same input gives the same bytes.
LiteLLM repeats every price for every tier and threshold; here a tier or threshold becomes a factor
where one factor explains its prices exactly, and explicit rates where not. Before anything is
written, every number of LiteLLM's is recomputed from the row that came of it and compared.
`--check` writes nothing and fails if the files would change.

hume.toml is written by hand: LiteLLM has no Hume.
"""

import argparse
import json
import re
import sys
import tomllib
from collections import Counter
from decimal import Decimal, localcontext
from pathlib import Path

HERE = Path(__file__).resolve().parent
VALID_FROM = "2026-10-01"
OBSERVED = "2026-11-22"

SERVICES = {
    "openai": {
        "providers": ("openai", "text-completion-openai"),
        "source": "https://developers.openai.com/api/docs/pricing",
        "words": {
            "component_code": "15-OPENAI",
            "neutral_tiers": ["auto", "default", "standard"],
            "tier_aliases": {"fast": "priority"},
            "neutral_modifiers": ["geo:global", "operation:decisions"],
        },
    },
    "anthropic": {
        "providers": ("anthropic",),
        "source": "https://platform.claude.com/docs/en/about-claude/pricing",
        "words": {
            "component_code": "16-ANTHROPIC",
            "neutral_tiers": ["default", "standard"],
            "neutral_modifiers": ["geo:global", "geo:not_available", "geo:us", "speed:standard"],
        },
    },
    "elevenlabs": {
        "providers": ("elevenlabs",),
        "source": "https://elevenlabs.io/pricing/api",
        "words": {"component_code": "14-ELEVENLABS", "neutral_tiers": ["default"]},
    },
    "deepgram": {
        "providers": ("deepgram",),
        "source": "https://deepgram.com/pricing",
        "words": {"component_code": "17-DEEPGRAM", "neutral_tiers": ["default", "prerecorded"]},
    },
}

# LiteLLM's word -> our meter. `above_12hr` and `above_1hr` are the long cache.
TOKEN_METERS = {
    "input_cost_per_token": "input_tokens",
    "cache_read_input_token_cost": "cached_input_tokens",
    "cache_creation_input_token_cost": "cache_write_tokens",
    "cache_creation_input_token_cost_above_1hr": "cache_write_long_tokens",
    "cache_creation_input_token_cost_above_12hr": "cache_write_long_tokens",
    "input_cost_per_audio_token": "input_audio_tokens",
    "cache_read_input_audio_token_cost": "cached_input_audio_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "cache_read_input_image_token_cost": "cached_input_image_tokens",
    "output_cost_per_token": "output_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "output_cost_per_image_token": "output_image_tokens",
}
METER_ORDER = list(dict.fromkeys(TOKEN_METERS.values())) + [
    "audio_milliseconds", "characters", "connection_milliseconds", "images",
    "web_searches", "file_searches", "code_sessions", "requests",
]
TIERS = {"batches": "batch", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast",
         "decisions": "decisions"}

MILLION = 10**6
MINUTE = 60_000
HOUR = 3_600_000


class Row:
    """A model's row. Rates are (dollars, per) pairs, so that the published unit stays visible."""

    def __init__(self, service, name, source):
        self.service, self.name, self.source = service, name, source
        self.aliases, self.prefixes, self.notes = [], [], []
        self.status, self.retires = "current", None
        self.max_input_tokens = self.max_output_tokens = None
        self.rates, self.fallback = {}, {}
        self.above = []        # [(input_tokens, factors, rates)]
        self.tiers = {}        # name -> {"factors", "rates", "above"}
        self.modifiers = {}    # name -> {"factors", "add"}

    def fingerprint(self):
        """Prices and limits: two names with the same ones are one model."""
        return repr([self.max_input_tokens, self.max_output_tokens, sorted(self.rates.items()), self.fallback, self.above,
                     self.tiers, self.modifiers])


def plain(number):
    """A decimal without exponent and without zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(rate):
    """Dollars for one unit, as a fraction (numerator, denominator) of decimals."""
    dollars, per = rate
    return Decimal(dollars) / 1, Decimal(per)


def same(left, right):
    (a, b), (c, d) = exact(left), exact(right)
    return a * d == c * b


def scaled(rate, factor):
    return (rate[0] * factor, rate[1])


def family(meter):
    """Which factor of `multiply` holds for a meter: input or output tokens."""
    if meter.startswith("output") or meter == "reasoning_tokens":
        return "output_tokens"
    return "input_tokens"


def parse_key(key):
    """(LiteLLM's word without suffixes, threshold or None, tier or None), if it is a token rate."""
    tier = None
    for suffix, name in TIERS.items():
        if key.endswith("_" + suffix):
            key, tier = key[: -len(suffix) - 1], name
    threshold = None
    if match := re.fullmatch(r"(.*)_above_(\d+)k_tokens", key):
        key, threshold = match[1], int(match[2]) * 1000
    return (key, threshold, tier) if key in TOKEN_METERS else None


def terminating(numerator, denominator):
    """numerator/denominator as a decimal of at most six digits behind the point, or None."""
    with localcontext() as context:
        context.prec = 40
        quotient = (numerator / denominator).quantize(Decimal("0.000001"))
    return quotient if quotient * denominator == numerator else None


def explain(base, prices):
    """Factors by family, and explicit rates for what they do not explain.

    A factor is only given to a family that has a price of its own here; a batch price list that
    halves whatever it names is taken to halve the model as a whole, which is what both providers
    publish (batch is half price).
    """
    factors, rates = {}, {}
    for side in ("input_tokens", "output_tokens"):
        ours = {m: p for m, p in prices.items() if family(m) == side}
        votes = Counter()
        for meter, price in ours.items():
            if meter in base and base[meter][0] != 0:
                factor = terminating(price[0] * base[meter][1], base[meter][0] * price[1])
                if factor is not None:
                    votes[factor] += 1
        # A factor must explain the whole's own price; parts may differ and stand explicitly.
        if votes:
            best = max(votes, key=lambda factor: (votes[factor], -factor))
            if side not in ours or same(scaled(base[side], best), ours[side]):
                factors[side] = best
        for meter, price in ours.items():
            expected = base.get(meter) and scaled(base[meter], factors.get(side, Decimal(1)))
            if expected is None or not same(expected, price):
                rates[meter] = price
    return factors, rates


def per_length(dollars_per_second, metadata):
    """A price per second as the per-minute or per-hour price that was published.

    LiteLLM rounds to the second; the published figure stands in its metadata, or is found again
    where a per-minute price of at most five digits lies within a millionth of it. Failing both, the
    price per second stands as it is.
    """
    if minute := metadata.get("original_pricing_per_minute"):
        return (Decimal(str(minute)), MINUTE)
    if hour := metadata.get("original_pricing_per_hour"):
        return (Decimal(str(hour)), HOUR)
    minute = (dollars_per_second * 60).quantize(Decimal("0.00001"))
    if abs(minute - dollars_per_second * 60) * MILLION > minute:
        return (dollars_per_second, 1000)
    return (minute, MINUTE)


def read_entry(service, name, entry):
    """A row from an entry of LiteLLM's. Every key that speaks of money must be understood."""
    row = Row(service, name, entry.get("source") or SERVICES[service]["source"])
    row.max_input_tokens = entry.get("max_input_tokens") or None
    row.max_output_tokens = entry.get("max_output_tokens") or None
    row.retires = entry.get("deprecation_date")
    if row.retires and row.retires <= OBSERVED:
        row.status = "retired"
    metadata, mode = entry.get("metadata") or {}, entry.get("mode")
    prices = {}  # (threshold, tier) -> meter -> rate
    seconds = {}
    for key, value in entry.items():
        if parsed := parse_key(key):
            word, threshold, tier = parsed
            rate = (Decimal(value) * MILLION, MILLION)
            prices.setdefault((threshold, tier), {})[TOKEN_METERS[word]] = rate
        elif key == "input_cost_per_character":
            row.rates["characters"] = (Decimal(value) * 1000, 1000)
        elif key in ("input_cost_per_second", "output_cost_per_second"):
            if Decimal(value) != 0:
                seconds[key] = per_length(Decimal(value), metadata)
        elif key == "search_context_cost_per_query":
            costs = set(value.values())
            if len(costs) != 1:
                raise ValueError(f"{name}: searches cost {costs}")
            row.rates["web_searches"] = (Decimal(costs.pop()) * 1000, 1000)
        elif key == "cache_creation_input_audio_token_cost":
            pass  # see below
        elif key == "provider_specific_entry":
            for word, factor in value.items():
                kind = {"us": "geo:us", "fast": "speed:fast"}[word]
                row.modifiers[kind] = {"factors": both(Decimal(factor)), "add": {}}
        elif match := re.fullmatch(r"regional_processing_uplift_multiplier_(\w+)", key):
            row.modifiers[f"geo:{match[1]}"] = {"factors": both(Decimal(value)), "add": {}}
        elif ("cost" in key or "uplift" in key) and key != "code_interpreter_cost_per_session":
            raise ValueError(f"{name}: `{key}` is not understood")

    base = prices.pop((None, None), {})
    # LiteLLM calls the price of cached sound "cache creation"; OpenAI charges nothing for creating.
    if "cache_creation_input_audio_token_cost" in entry and "cached_input_audio_tokens" not in base:
        value = Decimal(entry["cache_creation_input_audio_token_cost"])
        base["cached_input_audio_tokens"] = (value * MILLION, MILLION)
    # A price per second beside one per token is another way to measure the same work; two prices
    # per second (sound in, text out) are one.
    if seconds:
        target = row.fallback if base else row.rates
        target["audio_milliseconds"] = next(iter(seconds.values()))
    if mode == "image_generation" and "output_tokens" not in base:
        base["output_tokens"] = base["output_image_tokens"]
        row.notes.append("Output that is not split into text and picture is charged as picture.")
    if name.startswith("ft:"):
        row.prefixes.append(f"{name}:")  # ft:MODEL:ORGANISATION:SUFFIX:ID
    if service == "openai" and mode in ("chat", "responses"):
        row.rates.setdefault("web_searches", (Decimal(10), 1000))
        row.rates["file_searches"] = (Decimal("2.5"), 1000)
        row.rates["code_sessions"] = (Decimal("0.03"), 1)
    if service == "anthropic":
        row.rates.setdefault("web_searches", (Decimal(10), 1000))
    if service == "openai" and "cache_write_tokens" in base:
        if "cache_write_long_tokens" not in base and not name.startswith("ft:"):
            dollars, per = base["cache_write_tokens"]
            base["cache_write_long_tokens"] = (dollars * 2, per)
            row.notes.append("The 12-hour cache write is not listed; taken as twice the 30-minute one.")
    row.rates = {**base, **row.rates}
    add_thresholds_and_tiers(row, base, prices)
    verify(row, entry)
    return row


def both(factor):
    return {"input_tokens": factor, "output_tokens": factor}


def add_thresholds_and_tiers(row, base, prices):
    for threshold in sorted({t for t, tier in prices if t and tier is None}):
        factors, rates = explain(base, prices[(threshold, None)])
        row.above.append((threshold, factors, rates))
    for tier in sorted({tier for _, tier in prices if tier}):
        factors, rates = explain(base, prices.get((None, tier), {}))
        if tier == "batch" and set(factors.values()) == {Decimal("0.5")}:
            factors = both(Decimal("0.5"))
        if tier == "decisions":
            # Not a service tier but an operation: what it changes is a factor.
            if rates:
                raise ValueError(f"{row.name}: decisions are no factor of the usual price")
            kept = {side: factor for side, factor in factors.items() if factor != 1}
            row.modifiers["operation:decisions"] = {"factors": kept, "add": {}}
            continue
        row.tiers[tier] = {"factors": factors, "rates": rates, "above": []}
        derived = [t for t, _, _ in row.above if (t, tier) not in prices]
        if derived:
            row.notes.append(f"No `{tier}` price above {derived[0]} input tokens is listed; "
                             "the usual factors are taken to hold.")
        # A tier needs thresholds of its own where the row's do not explain its prices.
        own = []
        for threshold in sorted({t for t, name in prices if t and name == tier}):
            listed = prices[(threshold, tier)]
            if any(not same(price_of(row, meter, threshold, tier), price)
                   for meter, price in listed.items()):
                own.append((threshold, {}, listed))
        row.tiers[tier]["above"] = own


def price_of(row, meter, threshold, tier):
    """What the row charges, by the rules of the Rust crate, for a meter with a rate of its own."""
    tier = row.tiers.get(tier) if tier else None
    above = (tier and tier["above"]) or row.above
    above = next((a for a in reversed(above) if threshold and a[0] <= threshold), None)
    side = family(meter)
    tier_factor = tier["factors"].get(side, Decimal(1)) if tier else Decimal(1)
    above_factor = above[1].get(side, Decimal(1)) if above else Decimal(1)
    if above and meter in above[2]:
        return scaled(above[2][meter], Decimal(1) if tier and tier["above"] else tier_factor)
    if tier and meter in tier["rates"]:
        return scaled(tier["rates"][meter], above_factor)
    return scaled(row.rates[meter], tier_factor * above_factor)


def verify(row, entry):
    """Every token price of LiteLLM's, recomputed from the row."""
    for key, value in entry.items():
        if not (parsed := parse_key(key)):
            continue
        word, threshold, tier = parsed
        meter = TOKEN_METERS[word]
        if tier == "decisions":
            factor = row.modifiers["operation:decisions"]["factors"].get(family(meter), Decimal(1))
            ours = scaled(price_of(row, meter, threshold, None), factor)
        else:
            ours = price_of(row, meter, threshold, tier)
        if not same(ours, (Decimal(value), 1)):
            raise ValueError(f"{row.name}: `{key}` is {value}, the row says {ours}")


def load(paths):
    """(service, name) -> entry, in the order of the files."""
    entries = {}
    for place, path in enumerate(paths):
        data = json.loads(Path(path).read_text(), parse_float=Decimal)
        for name, entry in data.get("models", data).items():
            provider = entry.get("litellm_provider")
            for service, about in SERVICES.items():
                if provider not in about["providers"]:
                    continue
                name = name.removeprefix(f"{service}/")
                ended = entry.get("deprecation_date")
                late = place > 0 and ended and ended < VALID_FROM
                # Names with a stroke price one size and quality of picture; the tokens that
                # OpenAI reports price it exactly. Video has no meter yet. A container is a tool.
                skipped = service == "openai" and (
                    "/" in name or name == "container" or entry.get("mode") == "video_generation")
                if not late and not skipped and (service, name) not in entries:
                    entries[(service, name)] = entry
    return entries


def deepgram_streams(rows):
    """`streaming/MODEL` is a tier of MODEL, `streaming/FEATURE` an addition to every Nova-3."""
    streams = [row for row in rows.values() if row.name.startswith("streaming/")]
    for row in streams:
        del rows[(row.service, row.name)]
        row.name = row.name.removeprefix("streaming/")
    features = [row for row in streams if not row.name.startswith("nova")]
    for stream in (row for row in streams if row.name.startswith("nova")):
        key = (stream.service, stream.name)
        tier = {"factors": {}, "rates": stream.rates, "above": []}
        if key not in rows:
            rows[key] = Row(stream.service, stream.name, stream.source)
        rows[key].tiers["streaming"] = tier
        for feature in features:
            rows[key].modifiers[f"{feature.name}:true"] = {"factors": {}, "add": feature.rates}


def fold_snapshots(rows):
    """A dated snapshot with its model's prices and limits is another name of the model, so that
    an operator's row for the model holds for the snapshot too."""
    for key in sorted(rows):
        service, name = key
        match = re.fullmatch(r"(.+?)-(\d{4}-\d{2}-\d{2}|\d{8})", name)
        model = match and rows.get((service, match[1]))
        if model and model.fingerprint() == rows[key].fingerprint():
            model.aliases.append(name)
            if (retires := rows[key].retires) != model.retires:
                verb = "was" if retires <= OBSERVED else "is to be"
                model.notes.append(f"{name} {verb} withdrawn on {retires}.")
            del rows[key]


def rate_of(text):
    dollars, _, per = text.partition("/")
    return (Decimal(dollars.strip()), int(per) if per else 1)


def correct(rows):
    """Applies corrections.toml; one that has no effect is an error, so that none grows stale."""
    text = (HERE / "corrections.toml").read_text()
    data = tomllib.loads(text, parse_float=Decimal)
    for change in data.get("model", []):
        key = (change["service"], change["name"])
        if change.get("new", False) == (key in rows):
            raise ValueError(f"{key}: {'exists already' if key in rows else 'does not exist'}")
        if key not in rows:
            rows[key] = Row(*key, change["source"])
        row = rows[key]
        row.source = change.get("source", row.source)
        row.notes.append(change["note"])
        row.aliases += change.get("aliases", [])
        row.prefixes += change.get("prefixes", [])
        for name in ("max_input_tokens", "max_output_tokens"):
            setattr(row, name, change.get(name, getattr(row, name)))
        for table in ("rates", "fallback"):
            rates = getattr(row, table)
            for meter, text in change.get(table, {}).items():
                if text == "none":
                    del rates[meter]
                elif meter in rates and same(rates[meter], rate_of(text)):
                    raise ValueError(f"{key}: {table}.{meter} is {text} already")
                else:
                    rates[meter] = rate_of(text)
        for name, tier in change.get("tiers", {}).items():
            rates = {meter: rate_of(text) for meter, text in tier["rates"].items()}
            row.tiers[name] = {"factors": {}, "rates": rates, "above": []}


def rates_text(rates):
    ordered = sorted(rates, key=METER_ORDER.index)
    def text(rate):
        dollars, per = rate
        return f'"{plain(dollars)}"' if per == 1 else f'"{plain(dollars)} / {per}"'
    return [f"{meter} = {text(rates[meter])}" for meter in ordered]


def factors_text(factors):
    if set(factors) == {"input_tokens", "output_tokens"} and len(set(factors.values())) == 1:
        return [f'multiply = "{plain(factors["input_tokens"])}"']
    pairs = ", ".join(f'{side} = "{plain(factors[side])}"' for side in sorted(factors))
    return [f"multiply = {{ {pairs} }}"] if pairs else []


def inline(rates):
    return "{ " + ", ".join(rates_text(rates)) + " }"


def row_text(row):
    quoted = lambda names: "[" + ", ".join(json.dumps(name) for name in sorted(names)) + "]"
    lines = ["[[model]]", f"name = {json.dumps(row.name)}"]
    if row.aliases:
        lines.append(f"aliases = {quoted(row.aliases)}")
    if row.prefixes:
        lines.append(f"prefixes = {quoted(row.prefixes)}")
    lines += [f"valid_from = {VALID_FROM}", f"observed = {OBSERVED}",
              f"source = {json.dumps(row.source)}"]
    if row.notes:
        lines.append(f"note = {json.dumps(' '.join(row.notes), ensure_ascii=False)}")
    if row.status != "current":
        lines.append(f'status = "{row.status}"')
    if row.retires:
        lines.append(f"retires = {row.retires}")
    for name in ("max_input_tokens", "max_output_tokens"):
        if getattr(row, name):
            lines.append(f"{name} = {getattr(row, name)}")
    for table in ("rates", "fallback"):
        if getattr(row, table):
            lines += [f"[model.{table}]"] + rates_text(getattr(row, table))
    def above_text(path, above):
        out = []
        for threshold, factors, rates in above:
            out += [f"[[{path}]]", f"input_tokens = {threshold}"] + factors_text(factors)
            out += [f"rates = {inline(rates)}"] if rates else []
        return out
    lines += above_text("model.above", row.above)
    for name, tier in sorted(row.tiers.items()):
        lines += [f"[model.tiers.{name}]"] + factors_text(tier["factors"])
        lines += [f"rates = {inline(tier['rates'])}"] if tier["rates"] else []
        lines += above_text(f"model.tiers.{name}.above", tier["above"])
    for name, modifier in sorted(row.modifiers.items()):
        lines += [f'[model.modifiers."{name}"]'] + factors_text(modifier["factors"])
        lines += [f"add = {inline(modifier['add'])}"] if modifier["add"] else []
    return "\n".join(lines) + "\n"


def file_text(service, rows):
    words = SERVICES[service]["words"]
    head = f"""\
# Prices of {service}, in US dollars. Written by import_litellm.py from the price list of LiteLLM
# (MIT, see LITELLM_LICENSE) and corrections.toml: change those, not this file. README.md explains
# the format.
#
# `observed` is the day on which the list was read. `valid_from` is not when a provider set the
# price: the rows are taken to hold from that day on, and earlier calls are unpriced.

[services.{service}]
component_code = "{words['component_code']}"
neutral_tiers = {json.dumps(words['neutral_tiers'])}
"""
    if aliases := words.get("tier_aliases"):
        pairs = ", ".join(f'{word} = "{tier}"' for word, tier in sorted(aliases.items()))
        head += f"tier_aliases = {{ {pairs} }}\n"
    if modifiers := words.get("neutral_modifiers"):
        head += f"neutral_modifiers = {json.dumps(modifiers)}\n"
    return head + "".join("\n" + row_text(rows[key]) for key in sorted(rows) if key[0] == service)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("prices", nargs="+", help="LiteLLM price files, the best first")
    arguments.add_argument("--out", type=Path, default=HERE)
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    rows = {key: read_entry(*key, entry) for key, entry in load(chosen.prices).items()}
    deepgram_streams(rows)
    fold_snapshots(rows)
    correct(rows)
    stale = []
    for service in SERVICES:
        path, text = chosen.out / f"{service}.toml", file_text(service, rows)
        if chosen.check and (not path.exists() or path.read_text() != text):
            stale.append(path.name)
        elif not chosen.check:
            path.write_text(text)
        count = sum(key[0] == service for key in rows)
        print(f"{service}: {count} models")
    if stale:
        sys.exit(f"not what the importer writes: {', '.join(stale)}")


if __name__ == "__main__":
    main()

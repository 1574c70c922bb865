"""Words that an answer model mistakes for one another, and things that it makes up."""

from __future__ import annotations

UNITS = (
    ("working days", "days"), ("days", "weeks"), ("hours", "days"), ("minutes", "hours"),
    ("months", "years"), ("weeks", "months"), ("kg", "g"), ("cm", "mm"), ("£", "€"), ("€", "£"),
    ("$", "£"), ("points", "pounds"), ("km", "miles"), ("month", "year"), ("day", "week"),
)  # fmt: skip
COMPARATORS = (
    ("within", "after"), ("up to", "more than"), ("at least", "at most"), ("before", "after"),
    ("after", "before"), ("more than", "less than"), ("over", "under"), ("under", "over"),
    ("or more", "or less"), ("until", "from"), ("no more than", "at least"), ("from", "up to"),
    ("longer than", "shorter than"), ("by", "after"), ("maximum", "minimum"),
)  # fmt: skip
ANTONYMS = (
    ("free", "chargeable"), ("accepts", "refuses"), ("accept", "refuse"),
    ("allowed", "forbidden"), ("open", "closed"), ("available", "unavailable"),
    ("include", "exclude"), ("includes", "excludes"), ("included", "excluded"),
    ("possible", "impossible"), ("cheap", "expensive"), ("online", "offline"),
    ("new", "used"), ("same", "different"), ("inside", "outside"), ("valid", "expired"),
    ("always", "never"), ("never", "always"), ("full", "partial"), ("cold", "hot"),
    ("dry", "wet"), ("first", "last"), ("faster", "slower"), ("keep", "lose"), ("with", "without"),
    ("required", "optional"), ("welcome", "turned away"), ("refundable", "non-refundable"),
    ("unworn", "worn"), ("earlier", "later"), ("early", "late"), ("public", "private"),
)  # fmt: skip
QUANTIFIERS = (
    ("some", "all"), ("usually", "always"), ("most", "all"), ("may", "must"), ("can", "must"),
    ("sometimes", "always"), ("all", "some"), ("any", "no"), ("only", "also"), ("both", "neither"),
    ("must", "need not"), ("every", "no"), ("one", "any"), ("many", "all"), ("each", "no"),
)  # fmt: skip
ADDITIONS = (
    "and it is free for students", "and you also get a voucher", "on every day of the year",
    "even without a receipt", "for any reason", "and we pay the return postage",
    "with no extra charge", "also at weekends", "and it takes only a few minutes",
    "and a manager will call you", "in every country", "and you get double points",
    "with a lifetime guarantee", "and the second one is half price", "by phone or by post",
    "and nothing has to be signed", "even after opening the package", "in all our stores",
    "and you are refunded the same day", "as long as you have the app", "for members only",
    "and pets stay for free", "with breakfast included", "around the clock",
    "and children under 12 pay half", "but only in the summer", "and a deposit is not needed",
    "if you book in advance", "and parking is included", "when you pay in cash",
)  # fmt: skip
ADDED_CONDITIONS = (
    "only if you are a member", "unless it is a weekend", "only with the original receipt",
    "but only for new customers", "only in the morning", "unless you paid by card",
    "only if you ask a manager first", "except in August", "only for orders over £200",
)  # fmt: skip

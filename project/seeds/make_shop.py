"""Make the bundled log: two years of a made-up outdoor and hobby shop.

    python project/seeds/make_shop.py --seed 42 --out project/seeds

writes ``interactions.csv.gz`` and ``items.csv.gz``, the same bytes for the same seed (and the same
Python, numpy and zlib). README.md beside this file says what the shop can and cannot show.

The rules are the same for a best seller and for an item sold three times:

1. Each kind of product has a way through it: the product itself, its accessories in a natural
   order, its consumables, then its Pro version or the next kind of product of the department.
2. Handbooks are read in order of volume.
3. People keep their size and their colours, often the line they are in, and mostly their brands.

So titles and order alone tell what comes next. Counts tell it only where there are many of them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# --------------------------------------------------------------------------- what the shop sells


@dataclass(frozen=True)
class Family:
    """One kind of product and what goes with it, in the order in which people buy it."""

    shelf: str
    main: str
    accessories: tuple[str, str, str]
    consumables: tuple[str, str]


@dataclass(frozen=True)
class Department:
    """Families in the order in which people take them up, and one series of handbooks per brand.

    ``peak`` is the month of most sales, 1 to 12. Sizes are shared by all families: who rides in
    Large buys a Large jacket too, and a railway keeps to its gauge.
    """

    path: str
    peak: int
    brands: tuple[str, str, str]
    sizes: tuple[str, str, str]
    families: tuple[Family, ...]
    series: tuple[str, ...]


_SIZES = ("Small", "Medium", "Large")

# A table: on a line per value, as the formatter has it, nobody would read it.
# fmt: off
DEPARTMENTS = (
    Department(
        "Outdoor > Camping & Hiking", 7, ("Nordhaug", "Tarnway", "Alderpeak"),
        ("Solo", "Duo", "Group"),
        (
            Family("Tents", "Tent", ("Footprint", "Vestibule", "Gear Loft"),
                   ("Seam Sealer", "Tent Pegs")),
            Family("Sleeping Bags", "Sleeping Bag", ("Silk Liner", "Travel Pillow", "Stuff Sack"),
                   ("Down Wash", "Zip Wax")),
            Family("Mats", "Sleeping Mat", ("Mat Pump", "Mat Cover", "Seat Pad"),
                   ("Repair Patches", "Valve Kit")),
            Family("Camp Kitchen", "Camp Stove", ("Windshield", "Pot Set", "Griddle"),
                   ("Gas Canister", "Fire Lighters")),
            Family("Backpacks", "Backpack", ("Rain Cover", "Hip Belt Pocket", "Packing Cube"),
                   ("Buckle Kit", "Fabric Proofer")),
        ),
        ("Wild Camps of the North", "Campfire Cookbook", "Lakeland Map"),
    ),
    Department(
        "Outdoor > Climbing", 5, ("Verticor", "Grithold", "Kletterhorn"), _SIZES,
        (
            Family("Climbing Shoes", "Climbing Shoes", ("Shoe Sack", "Toe Protectors", "Crag Socks"),
                   ("Rubber Cleaner", "Loose Chalk")),
            Family("Harnesses", "Harness", ("Chalk Bag", "Gear Sling", "Belay Glasses"),
                   ("Chalk Ball", "Finger Tape")),
            Family("Helmets", "Climbing Helmet", ("Helmet Bag", "Head Torch", "Winter Cap"),
                   ("Padding Refill", "Torch Battery")),
            Family("Ropes", "Rope", ("Rope Bag", "Rope Protector", "Rope Ladder"),
                   ("Rope Wash", "Rope Marker")),
            Family("Protection", "Cam Set", ("Nut Tool", "Quickdraws", "Sewn Slings"),
                   ("Cam Lubricant", "Accessory Cord")),
        ),
        ("Gritstone Topo", "Training for Climbers", "Alpine Routes"),
    ),
    Department(
        "Outdoor > Cycling", 4, ("Velmont", "Spokehaven", "Tourcraft"), _SIZES,
        (
            Family("Bike Helmets", "Bike Helmet", ("Visor", "Helmet Cover", "Ear Warmers"),
                   ("Helmet Pads", "Pad Wash")),
            Family("Jackets", "Cycling Jacket", ("Cycling Gloves", "Overshoes", "Arm Warmers"),
                   ("Proofing Spray", "Tech Wash")),
            Family("Bike Lights", "Light Set", ("Handlebar Mount", "Helmet Mount", "Light Pouch"),
                   ("Light Battery", "Rubber Straps")),
            Family("Pannier Bags", "Pannier", ("Luggage Rack", "Pannier Organiser", "Shoulder Strap"),
                   ("Mounting Hooks", "Reflective Patches")),
            Family("Wheels & Tyres", "Touring Tyre", ("Inner Tube", "Tyre Levers", "Mudguard"),
                   ("Puncture Patches", "Tyre Sealant")),
        ),
        ("Cycle Touring Atlas", "Home Mechanic", "River Routes Map"),
    ),
    Department(
        "Hobby > Art & Craft", 1, ("Pigmentor", "Aquarella", "Umberhouse"), _SIZES,
        (
            Family("Watercolours", "Watercolour Set", ("Travel Brush", "Mixing Palette", "Water Brush"),
                   ("Masking Fluid", "Pan Refill")),
            Family("Sketching", "Sketchbook", ("Pencil Roll", "Drawing Board", "Pencil Sharpener"),
                   ("Fixative", "Putty Rubber")),
            Family("Easels", "Field Easel", ("Easel Bag", "Umbrella Clamp", "Side Tray"),
                   ("Brush Soap", "Picture Varnish")),
            Family("Printmaking", "Lino Kit", ("Cutter Set", "Bench Hook", "Ink Roller"),
                   ("Printing Ink", "Lino Blocks")),
            Family("Knitting", "Needle Set", ("Needle Case", "Stitch Markers", "Project Bag"),
                   ("Contrast Yarn", "Wool Wash")),
        ),
        ("Painting Light", "Sketchbook Lessons", "Weaving Drafts"),
    ),
    Department(
        "Hobby > Model Railway", 12, ("Modellwerk", "Branchline", "Kleinspur"),
        ("N Gauge", "TT Gauge", "HO Gauge"),
        (
            Family("Track", "Track Set", ("Turnout", "Curve Pack", "Buffer Stop"),
                   ("Rail Joiners", "Ballast")),
            Family("Locomotives", "Locomotive", ("Tender", "Crew Figures", "Display Case"),
                   ("Smoke Oil", "Track Cleaner")),
            Family("Rolling Stock", "Coach Set", ("Goods Wagon", "Brake Van", "Wagon Loads"),
                   ("Couplings", "Axle Grease")),
            Family("Buildings", "Station Building", ("Platform", "Footbridge", "Lamp Posts"),
                   ("Plastic Cement", "Weathering Powder")),
            Family("Scenery", "Landscape Kit", ("Tree Pack", "Rock Moulds", "Backdrop"),
                   ("Static Grass", "Scenery Glue")),
        ),
        ("Branch Lines Remembered", "Layout Planning", "Rolling Stock Register"),
    ),
    Department(
        "Hobby > Gardening", 4, ("Greenacre", "Rootwell", "Bloemhof"), _SIZES,
        (
            Family("Propagation", "Propagator", ("Seed Trays", "Heat Mat", "Grow Light"),
                   ("Seed Compost", "Plant Labels")),
            Family("Raised Beds", "Raised Bed", ("Bed Liner", "Trellis", "Cold Frame Lid"),
                   ("Bed Compost", "Slow Feed")),
            Family("Watering", "Irrigation Kit", ("Water Timer", "Hose Splitter", "Rain Sensor"),
                   ("Drippers", "Filter Mesh")),
            Family("Hand Tools", "Tool Set", ("Tool Belt", "Kneeling Pad", "Garden Gloves"),
                   ("Blade Oil", "Garden Twine")),
            Family("Greenhouses", "Mini Greenhouse", ("Greenhouse Shelf", "Shade Net", "Frost Heater"),
                   ("Glazing Clips", "Greenhouse Cleaner")),
        ),
        ("The Kitchen Garden", "Heritage Seeds", "Garden Birds"),
    ),
)
# fmt: on

LINE_NAMES = tuple(
    "Ridge Hollow Ember Summit Drift Harbour Larch Falcon Granite Meadow Aurora Thicket Beacon Cove"
    " Juniper Cascade Heron Flint Willow Tundra Compass Saddle Lynx Boreal Quarry Fern Zephyr Skerry"
    " Bramble Polar Orchard Kestrel Basalt Dune Marten Skyline Copper Vista Rowan Fjord Glacier Moss"
    " Pioneer Heath Estuary Raven Sierra Solstice".split()
)
PACKS = ("Single", "Twin Pack", "Family Pack")
COLOURS = ("Olive", "Slate", "Rust", "Navy", "Sand", "Teal", "Plum", "Black")
VOLUME_TOPICS = (
    "First Steps/Coast and Moor/The Western Edge/High Ground/Quiet Places/Winter Edition/"
    "The Long Way Round/Hidden Corners/Masters of the Craft/The Last Mile"
).split("/")

# --------------------------------------------------------------------------- how it is run

# Tuned by eye until order and titles clearly told more than counts do: Swing finds 16 to 19% of the
# last purchases in its first ten (generator seeds 42 and 1 to 7), the true chances would find 50%.
# Fewer than 2,000 items: up to there the small language model trains with the full softmax.
SHOPPERS = 3_400
FIRST_DAY = datetime(2023, 1, 1)
DAYS = 730

STOCKED = 0.55  # share of the thinkable sizes of a variant that the shop stocks
COLOURS_PER_LINE, COLOURS_PER_ACCESSORY = 3, 2
WITH_PRO = 0.67  # share of lines with a Pro version, in one colour
NEW_ITEMS = 0.4  # share of items that come on sale during the two years ...
NEW_UNTIL = 0.9  # ... spread over this part of them

# Power laws: P(weight > x) = x ** -exponent from 1 upwards. Size and colour skew sales further.
VARIANT_EXPONENT, LINE_EXPONENT, LENGTH_EXPONENT = 4.0, 1.8, 1.4
LARGEST_LINE = 8.0  # no line is the whole shop

# Where a purchase comes from: the rules, taste alone, or nothing that one could know.
FOLLOW, BROWSE, NOISE = 0.66, 0.18, 0.16
# The rules go on from the department's last item, or from one of the two before it.
ANCHORS = (0.75, 0.17, 0.08)
SKIP = 0.25  # each stage left out makes a step this much less likely
LOYAL = 0.2  # stay with the line in any case; the others look at all lines
TO_PRO = 0.3  # Pro version against the next family, at the end of a family
TO_SERIES, FROM_SERIES = 0.01, 0.1
REORDER = 0.08  # chance of buying a consumable again on the way

# --------------------------------------------------------------------------- the catalogue

MAIN, ACCESSORY, CONSUMABLE, PRO, VOLUME = "main", "accessory", "consumable", "pro", "volume"
NONE = -1  # an item without a size, or without a colour
# The way through a family: product or Pro, three accessories, two consumables, the next family.
STAGES = {MAIN: 0, PRO: 0, ACCESSORY: 1, CONSUMABLE: 4}
WAY = 6
# Where people begin. Many own the product already and come for what belongs to it.
START = {MAIN: 1.0, PRO: 0.15, VOLUME: 0.0015, ACCESSORY: 0.4, CONSUMABLE: 0.2}


@dataclass(frozen=True)
class Item:
    """A product and its place in the shop. ``step`` counts accessories, consumables and volumes."""

    title: str
    brand: str
    category: str
    department: int
    family: int  # NONE for a volume
    line: int  # lines and series are numbered together
    role: str
    step: int = 0
    size: int = NONE
    colour: int = NONE


def build_items(rng: np.random.Generator) -> list[Item]:
    """The whole catalogue, department by department."""
    items: list[Item] = []
    for number, department in enumerate(DEPARTMENTS):
        names = iter(rng.permutation(LINE_NAMES))
        for family in range(len(department.families)):
            for brand in department.brands:
                line = items[-1].line + 1 if items else 0
                items += _line_items(rng, number, family, brand, str(next(names)), line)
        for title, brand in zip(department.series, department.brands, strict=True):
            items += _series_items(rng, number, title, brand, items[-1].line + 1)
    return items


def _line_items(
    rng: np.random.Generator, department: int, family: int, brand: str, name: str, line: int
) -> list[Item]:
    """One brand's product of a family with everything that belongs to it."""
    shop_part = DEPARTMENTS[department]
    kind = shop_part.families[family]
    shelf = f"{shop_part.path} > {kind.shelf}"
    palette = rng.permutation(len(COLOURS))[:COLOURS_PER_LINE].tolist()
    with_pro = rng.random() < WITH_PRO
    items: list[Item] = []

    def add(words: str, category: str, role: str, step: int, colours: Sequence[int]) -> None:
        """Variants of one product, in the sizes that the shop happens to stock."""
        sizes = PACKS if role == CONSUMABLE else shop_part.sizes
        for colour in colours:
            for size in [size for size in range(len(sizes)) if rng.random() < STOCKED]:
                gap, suffix = (", ", "") if colour == NONE else (" ", f", {COLOURS[colour]}")
                title = f"{brand} {name} {words}{gap}{sizes[size]}{suffix}"
                place = (brand, category, department, family, line)
                items.append(Item(title, *place, role, step, size, colour))

    add(kind.main, shelf, MAIN, 0, palette)
    if with_pro:
        add(f"Pro {kind.main}", shelf, PRO, 0, palette[:1])
    for step, words in enumerate(kind.accessories):
        add(words, f"{shelf} Accessories", ACCESSORY, step, palette[:COLOURS_PER_ACCESSORY])
    for step, words in enumerate(kind.consumables):
        add(words, f"{shelf} Care", CONSUMABLE, step, [NONE])
    return items


def _series_items(
    rng: np.random.Generator, department: int, title: str, brand: str, line: int
) -> list[Item]:
    """The volumes of a series, 6 to 10 of them."""
    topics = rng.permutation(VOLUME_TOPICS)[: int(rng.integers(6, 11))]
    category = f"{DEPARTMENTS[department].path} > Books & Maps"
    place = (f"{brand} Press", category, department, NONE, line)
    return [
        Item(f"{title} Vol. {step + 1}: {topic}", *place, VOLUME, step)
        for step, topic in enumerate(topics.tolist())
    ]


# --------------------------------------------------------------------------- the rules


@dataclass(frozen=True)
class Shop:
    """The catalogue as arrays over its n items, with the rules worked out.

    Attributes:
        noise: Chance of being bought for no reason, shape (n,).
        start: Chance of beginning something new here, before taste, shape (n,).
        follow: Row i: what is bought after item i, before taste, shape (n, n), rows sum to 1.
        launch: Day on which the item comes on sale, shape (n,).
    """

    items: list[Item]
    department: Ints
    brand: Ints
    size: Ints
    colour: Ints
    noise: Floats
    start: Floats
    follow: Floats
    launch: Ints


def build_shop(rng: np.random.Generator) -> Shop:
    """Draw the catalogue, its popularity and its launch dates."""
    items = build_items(rng)
    brands = sorted({item.brand for item in items})
    variant = pareto(rng, len(items), VARIANT_EXPONENT)
    share = _share_within(variant, [(item.line, item.role, item.step) for item in items])
    line_weight = _line_weights(rng, items)
    return Shop(
        items=items,
        department=np.array([item.department for item in items]),
        brand=np.array([brands.index(item.brand) for item in items]),
        size=np.array([item.size for item in items]),
        colour=np.array([item.colour for item in items]),
        noise=line_weight * share,
        start=np.array([START[item.role] for item in items]) * line_weight * share,
        follow=_follow_matrix(items, share, line_weight),
        launch=_launch_days(rng, items),
    )


def pareto(rng: np.random.Generator, count: int, exponent: float) -> Floats:
    """Power-law weights of at least 1, shape (count,)."""
    return (1.0 - rng.random(count)) ** (-1.0 / exponent)


def _share_within(weight: Floats, groups: Sequence[object]) -> Floats:
    """Weights divided by the sum over their group: how the buyers of a thing split up."""
    _, index = np.unique([str(group) for group in groups], return_inverse=True)
    return np.asarray(weight / np.bincount(index, weights=weight)[index])


def _line_weights(rng: np.random.Generator, items: Sequence[Item]) -> Floats:
    """Popularity of each item's line, capped so that no single line is the whole shop."""
    weight = np.minimum(pareto(rng, items[-1].line + 1, LINE_EXPONENT), LARGEST_LINE)
    return np.asarray(weight[[item.line for item in items]])


def _rule(before: Item, after: Item) -> float:
    """Weight of going from one item to another, whatever their lines: onward, never back."""
    if VOLUME in (before.role, after.role):
        if before.line == after.line:
            return _jump(after.step - before.step)
        if after.role == VOLUME:
            return TO_SERIES
        return FROM_SERIES if after.role == MAIN else 0.0
    ahead = STAGES[after.role] + after.step - STAGES[before.role] - before.step
    if before.family == after.family:
        if after.role == PRO:
            return 0.0 if before.role == PRO else TO_PRO * _jump(ahead + WAY)
        return _jump(ahead)
    families = len(DEPARTMENTS[before.department].families)
    is_next = after.role == MAIN and after.family == (before.family + 1) % families
    return _jump(ahead + WAY) if is_next else 0.0


def _jump(ahead: int) -> float:
    """Weight of going ``ahead`` stages on."""
    return SKIP ** (ahead - 1) if ahead > 0 else 0.0


def _follow_matrix(items: Sequence[Item], share: Floats, line_weight: Floats) -> Floats:
    """The rules as one matrix, see ``Shop.follow``.

    ``LOYAL`` of the buyers stay with the line, or with the brand when they move on; the others take
    any line of the family. The loyal follow the same rules whether their line is popular or not.
    """
    kind = [(item.department, item.family, item.role, item.step) for item in items]
    among_all = _share_within(line_weight**0.5 * share, kind)
    among_own = _share_within(
        share, [(*k, item.brand) for k, item in zip(kind, items, strict=True)]
    )
    brand = np.array([item.brand for item in items])  # a brand has one line in each family
    matrix = np.zeros((len(items), len(items)))
    for department in range(len(DEPARTMENTS)):
        members = [number for number, item in enumerate(items) if item.department == department]
        for row in members:
            matrix[row, members] = [_rule(items[row], items[column]) for column in members]
    matrix *= np.where(brand[:, None] == brand, LOYAL * among_own, 0.0) + (1.0 - LOYAL) * among_all
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def _launch_days(rng: np.random.Generator, items: Sequence[Item]) -> Ints:
    """Day 0 for what was there before the log began; the volumes of a series come out in order."""
    is_new = rng.random(len(items)) < NEW_ITEMS
    days = np.where(is_new, (rng.random(len(items)) * NEW_UNTIL * DAYS).astype(int), 0)
    for number, item in enumerate(items):
        if item.role == VOLUME and item.step:
            days[number] = max(days[number], days[number - 1])
    return np.asarray(days)


# --------------------------------------------------------------------------- the shoppers


@dataclass(frozen=True)
class Shopper:
    """What a shopper wants.

    Attributes:
        departments: Two or three of them, the dearest first.
        interest: Share of visits to each of these departments, sums to 1.
        taste: What multiplies an item's chance: size, colour, brand; shape (n,).
        n_items: How many different items the shopper buys, 5 to 56.
    """

    departments: Ints
    interest: Floats
    taste: Floats
    n_items: int


def draw_shopper(rng: np.random.Generator, shop: Shop) -> Shopper:
    """Interests, own size, order of colours, favourite brands and a number of purchases."""
    popularity = 1.0 / np.arange(1, len(DEPARTMENTS) + 1) ** 0.4
    # Sorting u ** (1 / w) draws without replacement with weights w (Efraimidis and Spirakis, 2006).
    keys = rng.random(len(DEPARTMENTS)) ** (1.0 / popularity)
    departments = np.argsort(-keys)[: 2 + int(rng.random() < 0.4)]
    interest = 0.5 ** np.arange(len(departments))
    own_size = int(rng.integers(3))
    colour_taste = np.empty(len(COLOURS))
    colour_taste[rng.permutation(len(COLOURS))] = 0.5 ** np.arange(len(COLOURS))
    brand_taste = np.where(rng.random(shop.brand.max() + 1) < 0.3, 3.0, 1.0)
    # Items without a size or colour get about the mean of the others, or they would win too often.
    size_factor = np.where(shop.size == own_size, 1.0, np.where(shop.size == NONE, 0.35, 0.03))
    colour_factor = np.where(shop.colour == NONE, 0.25, colour_taste[shop.colour])
    taste = size_factor * colour_factor * brand_taste[shop.brand]
    n_items = min(5 + int(3.5 * (pareto(rng, 1, LENGTH_EXPONENT)[0] - 1.0)), 56)
    return Shopper(departments, interest / interest.sum(), taste, n_items)


def next_item_chances(
    shop: Shop, shopper: Shopper, department: int, seen: Sequence[int], day: int
) -> Floats:
    """Probability of each item as the next new one, shape (n,). ``seen`` is in order of time."""
    allowed = shop.launch <= day
    allowed[list(seen)] = False
    here = shop.department == department
    parts = [(BROWSE, shop.start * shopper.taste * here), (NOISE, shop.noise)]
    anchors = [item for item in seen if here[item]][::-1][: len(ANCHORS)]
    for chance, anchor in zip(ANCHORS, anchors, strict=False):
        parts.append((FOLLOW * chance, shop.follow[anchor] * shopper.taste))
    total = np.zeros(len(shop.items))
    for chance, weight in parts:
        weight = weight * allowed
        if weight.sum() > 0:  # nothing may be left to follow, or none of it launched
            total += chance * weight / weight.sum()
    return np.asarray(total / total.sum())


# --------------------------------------------------------------------------- the log


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    user: int
    item: int
    time: datetime


def simulate_shopper(rng: np.random.Generator, shop: Shop, user: int) -> list[Event]:
    """All events of one shopper in order of time: 5 to 60, at least 5 different items."""
    shopper = draw_shopper(rng, shop)
    events: list[Event] = []
    seen: list[int] = []
    for day, length in _sessions(rng, shopper):
        department = _session_department(rng, shopper, day)
        time = FIRST_DAY + timedelta(days=day, seconds=_opening_second(rng))
        for _ in range(length):
            again = _refill(rng, shop, seen)
            # At most four, so that no shopper has more than 60 events.
            if again is not None and len(events) - len(seen) < 4:
                events.append(Event(user, again, time))
                time += timedelta(seconds=_pause(rng))
            seen.append(draw(rng, next_item_chances(shop, shopper, department, seen, day)))
            events.append(Event(user, seen[-1], time))
            time += timedelta(seconds=_pause(rng))
    return events


def _refill(rng: np.random.Generator, shop: Shop, seen: Sequence[int]) -> int | None:
    """Now and then a consumable bought before; mostly, or where there is none, None."""
    if rng.random() >= REORDER:
        return None
    used = [item for item in seen if shop.items[item].role == CONSUMABLE]
    return used[int(rng.random() * len(used))] if used else None


def _sessions(rng: np.random.Generator, shopper: Shopper) -> list[tuple[int, int]]:
    """(day, number of new items) of each visit, on different days, more of them in season."""
    lengths: list[int] = []
    while sum(lengths) < shopper.n_items:
        longest = min(6, shopper.n_items - sum(lengths))
        lengths.append(min(1 + int(np.log(1.0 - rng.random()) / np.log(0.55)), longest))
    joined = int(rng.random() ** 0.7 * (DAYS - 2 * len(lengths) - 30))
    left = min(joined + 2 * len(lengths) + 30 + int(400 * rng.random()), DAYS)
    weights = sum(
        share * season(np.arange(joined, left), int(department))
        for department, share in zip(shopper.departments, shopper.interest, strict=True)
    )
    keys = rng.random(left - joined) ** (1.0 / weights)  # as in draw_shopper
    days = np.sort(np.argsort(-keys)[: len(lengths)]) + joined
    return list(zip(days.tolist(), lengths, strict=True))


def season(day: Ints, department: int) -> Floats:
    """How busy a department is on a day, around 1: its own peak, and December for presents."""
    peak = 30.4 * (DEPARTMENTS[department].peak - 0.5)
    own = 1.0 + 0.6 * np.cos(2 * np.pi * (day - peak) / 365.0)
    presents = 0.6 * ((day % 365 >= 325) & (day % 365 <= 357))
    weekend = 0.4 * (day % 7 == 0) + 0.2 * (day % 7 == 6)  # 2023-01-01 was a Sunday
    return np.asarray(own + presents + weekend)


def _session_department(rng: np.random.Generator, shopper: Shopper, day: int) -> int:
    """A visit is about one department: interest times season."""
    busy = [float(season(np.array(day), int(d))) for d in shopper.departments]
    chances = shopper.interest * busy
    return int(shopper.departments[draw(rng, chances / chances.sum())])


def _opening_second(rng: np.random.Generator) -> int:
    """Start of a visit in seconds after midnight: evenings mostly, never so late as to pass it."""
    evening = rng.random() < 0.6
    low, high = (18.0, 22.5) if evening else (8.0, 18.0)
    return int(3600 * (low + (high - low) * rng.random()))


def _pause(rng: np.random.Generator) -> int:
    """Seconds between two events of a visit, half a minute to seven minutes."""
    return 30 + int(390 * rng.random() ** 2)


def draw(rng: np.random.Generator, chances: Floats) -> int:
    """Index drawn with these chances. One ``random()`` each, whose stream numpy keeps stable."""
    cumulative = np.cumsum(chances)
    return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))


# --------------------------------------------------------------------------- files


def simulate(seed: int, shoppers: int = SHOPPERS) -> tuple[Shop, list[Event]]:
    """The shop and its log. Each shopper has a stream of their own, so none moves the others."""
    shop = build_shop(np.random.default_rng([seed, 0]))
    events: list[Event] = []
    for user in range(shoppers):
        events += simulate_shopper(np.random.default_rng([seed, 1, user]), shop, user)
    return shop, events


def write_csv_gz(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A gzip file without clock or file name in its header, so that equal rows give equal bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
    ):
        packed.write(text.getvalue().encode("utf-8"))


def write_shop(seed: int, out: Path, shoppers: int = SHOPPERS) -> None:
    """Both files. Item ids are shuffled so that a neighbouring id says nothing about an item."""
    shop, events = simulate(seed, shoppers)
    sold = sorted({event.item for event in events})  # the catalogue lists what was ever sold
    order = np.random.default_rng([seed, 2]).permutation(len(sold)).tolist()
    item_id = {item: f"P{number + 1:05d}" for item, number in zip(sold, order, strict=True)}
    out.mkdir(parents=True, exist_ok=True)
    write_csv_gz(
        out / "interactions.csv.gz",
        ("user_id", "item_id", "timestamp"),
        ((f"U{e.user + 1:05d}", item_id[e.item], f"{e.time:%Y-%m-%d %H:%M:%S}") for e in events),
    )
    write_csv_gz(
        out / "items.csv.gz",
        ("item_id", "title", "brand", "category"),
        sorted(
            (
                item_id[number],
                shop.items[number].title,
                shop.items[number].brand,
                shop.items[number].category,
            )
            for number in sold
        ),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the made-up shop's two files.")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument(
        "--users", type=int, default=SHOPPERS, help="shoppers; another number is another log"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    write_shop(options.seed, options.out, options.users)


if __name__ == "__main__":
    main()

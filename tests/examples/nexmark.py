"""What nexmark should print, from the queries' definitions.

    nexmark.py SEED DIR          writes DIR/events.tsv, and DIR/QUERY for each query
    nexmark.py --sum COLUMNS     adds up changes, read from standard input: what is right in the end

Events are out of order, and their watermarks are the least event time of those that follow."""
import random
import sys
from collections import Counter, defaultdict

TEN = 10000


def make_events(draw):
    events, span = [], draw.choice([3000, 30000, 90000])
    people, auctions = draw.randrange(1, 30), draw.randrange(1, 40)
    for person in range(people):
        events.append(("P", draw.randrange(span), person, draw.choice("abc"),
                       draw.choice(["OR", "ID", "WA"])))
    for auction in range(auctions):
        at = draw.randrange(span)
        events.append(("A", at, auction, draw.choice("xyz"), draw.randrange(100),
                       at + draw.randrange(span), draw.randrange(people),
                       draw.randrange(10, 12)))
    for _ in range(draw.randrange(1, 400)):
        events.append(("B", draw.randrange(span), draw.randrange(auctions),
                       draw.randrange(people), draw.randrange(draw.choice([5, 1000])),
                       draw.choice("gh")))
    jitter = draw.choice([0, 500, 5000])
    return sorted(events, key=lambda event: event[1] + draw.randrange(jitter + 1))


def write(events, path):
    mark, marks = 1 << 40, []
    for event in reversed(events):
        mark = min(mark, event[1])
        marks.append(mark)
    with open(path, "w", encoding="utf-8") as file:
        for seq, (event, mark) in enumerate(zip(events, reversed(marks))):
            kind, at, *rest = event
            if kind == "P":
                number, name, state = rest
                fields = [number, name, "e", "c", "city", state, at, "x"]
            elif kind == "A":
                number, item, initial, expires, seller, category = rest
                fields = [number, item, "d", initial, initial + 1, at, expires, seller, category, "x"]
            else:
                auction, bidder, price, channel = rest
                fields = [auction, bidder, price, channel, "url", at, "x"]
            print(*[seq, kind, at, mark, *fields], sep="\t", file=file)


def sessions(times):
    """(count, first, last) of each, with no gap above ten seconds."""
    found = []
    for at in sorted(times):
        if found and at - found[-1][2] <= TEN:
            found[-1] = (found[-1][0] + 1, found[-1][1], at)
        else:
            found.append((1, at, at))
    return found


def floor(at):
    return at - at % TEN


def answers(events):
    people = [event[1:] for event in events if event[0] == "P"]
    auctions = [event[1:] for event in events if event[0] == "A"]
    bids = [(seq, *event[1:]) for seq, event in enumerate(events) if event[0] == "B"]
    yield "q3", [(name, "city", state, auction[1]) for _, person, name, state in people
                 for auction in auctions
                 if auction[5] == person and auction[6] == 10 and state != "WA"]
    best = {}
    for auction in auctions:
        at, number, item, initial, expires, seller, category = auction
        open_to = [(-price, bid_at, seq, bidder) for seq, bid_at, on, bidder, price, _ in bids
                   if on == number and at <= bid_at <= expires]
        if open_to:
            price, bid_at, _, bidder = min(open_to)
            best[number] = (number, item, initial, initial + 1, at, expires, seller, category,
                            bidder, -price, bid_at)
    yield "q9", list(best.values())
    by_category = defaultdict(list)
    for row in best.values():
        by_category[row[7]].append(row[9])
    yield "q4", [(category, sum(prices), len(prices), sum(prices) // len(prices))
                 for category, prices in by_category.items()]
    hops = Counter((start, bid[2]) for bid in bids
                   for start in range(bid[1] - bid[1] % 2000 - 8000, bid[1] + 1, 2000))
    most = Counter()
    for (start, _), count in hops.items():
        most[start] = max(most[start], count)
    yield "q5", [(start, start + TEN, auction, count) for (start, auction), count in hops.items()
                 if count == most[start]]
    highest = defaultdict(int)
    for bid in bids:
        highest[floor(bid[1])] = max(highest[floor(bid[1])], bid[4])
    yield "q7", [(floor(at) + TEN, auction, bidder, price, at)
                 for _, at, auction, bidder, price, _ in bids if price == highest[floor(at)]]
    yield "q8", list({(person, name, floor(at)) for at, person, name, _ in people
                      for auction in auctions
                      if auction[5] == person and floor(auction[0]) == floor(at)})
    of_bidder = defaultdict(list)
    for bid in bids:
        of_bidder[bid[3]].append(bid[1])
    yield "q11", [(bidder, count, first, last + TEN) for bidder, times in of_bidder.items()
                  for count, first, last in sessions(times)]
    yield "q12", [(bidder, count, start, start + TEN) for bidder, times in of_bidder.items()
                  for start, count in Counter(floor(at) for at in times).items()]
    last, of_auction = {}, defaultdict(list)
    for seq, at, auction, bidder, price, channel in bids:
        last[auction, bidder] = max(last.get((auction, bidder), (-1, -1)), (at, seq, price, channel))
        of_auction[auction].append((-price, at, seq, bidder))
    yield "q18", [(auction, bidder, price, channel, at)
                  for (auction, bidder), (at, _, price, channel) in last.items()]
    yield "q19", [(auction, bidder, -below, at, rank) for auction, of in of_auction.items()
                  for rank, (below, at, _, bidder) in enumerate(sorted(of)[:10], 1)]
    yield "q20", [(auction, bidder, price, at, item, seller, expires)
                  for _, at, auction, bidder, price, _ in bids
                  for _, number, item, _, expires, seller, category in auctions
                  if number == auction and category == 10]


def make(seed, folder):
    events = make_events(random.Random(seed))
    write(events, f"{folder}/events.tsv")
    for query, rows in answers(events):
        with open(f"{folder}/{query}", "w", encoding="utf-8") as file:
            for row, count in sorted(Counter(rows).items()):
                print(*[count] * (count > 1), *row, sep="\t", file=file)


def add_up(columns):
    total = Counter()
    for line in sys.stdin:
        fields = line.rstrip("\n").split("\t")
        diff = int(fields.pop(0)) if len(fields) > columns else 1
        total[tuple(int(f) if f.lstrip("-").isdigit() else f for f in fields)] += diff
    for row, count in sorted(total.items()):
        if count:
            print(*[count] * (count != 1), *row, sep="\t")


if sys.argv[1] == "--sum":
    add_up(int(sys.argv[2]))
else:
    make(int(sys.argv[1]), sys.argv[2])

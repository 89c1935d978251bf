"""What the graph programs of examples/ should print, by plain evaluation from nothing at every
transaction.

    graph_programs.py make SEED DIR RELATION...     writes DIR/RELATION.tsv and DIR/updates.tsv
    graph_programs.py PROGRAM DIR [OPTION...]       prints the answers at all transactions

Inputs have duplicates, loops, rows that come, go and come again, and rows that go without being
there; numbers of nodes are small, or as large as they may be."""
import heapq
import random
import sys
from collections import Counter, defaultdict

TXNS = 25


# ---- input ----------------------------------------------------------------------------------


def make(seed, folder, relations):
    draw = random.Random(seed)
    nodes = draw.choice([8, 15, 30])
    rows = {name: [] for name in relations}

    apart = draw.choice([1, 1, (2**64 - 1) // (nodes - 1)])

    def row():
        return draw.randrange(nodes) * apart, draw.randrange(nodes) * apart

    for name in relations:
        rows[name] = [row() for _ in range(draw.randrange(nodes // 2, 2 * nodes))]
        with open(f"{folder}/{name}.tsv", "w") as file:
            file.writelines(f"{src}\t{dst}\n" for src, dst in rows[name])
    with open(f"{folder}/updates.tsv", "w") as file:
        txn = 0
        for _ in range(TXNS):
            txn += draw.choice([1, 1, 1, 3])
            for _ in range(draw.choice([1, 1, 2, 5, 12])):
                name = draw.choice(relations)
                label = name + "\t" if len(relations) > 1 else ""
                if draw.random() < 0.1:
                    file.write(f"{txn}\t{label}{row()[0]}\t{row()[1]}\t-1\n")
                if draw.random() < (0.55 if len(rows[name]) > nodes else 0.2) and rows[name]:
                    gone = rows[name].pop(draw.randrange(len(rows[name])))
                    file.write(f"{txn}\t{label}{gone[0]}\t{gone[1]}\t-1\n")
                else:
                    rows[name].append(row())
                    file.write(f"{txn}\t{label}{rows[name][-1][0]} {rows[name][-1][1]}\t1\n")


def states(folder, relations):
    """The set of rows of each relation, after each transaction."""
    counts = [Counter() for _ in relations]
    for name, count in zip(relations, counts):
        with open(f"{folder}/{name}.tsv") as file:
            for line in file:
                count[tuple(map(int, line.split()))] += 1
    updates = defaultdict(list)
    with open(f"{folder}/updates.tsv") as file:
        for line in file:
            fields = line.split()
            which = relations.index(fields.pop(1)) if len(relations) > 1 else 0
            txn, src, dst, diff = map(int, fields)
            updates[txn].append((which, (src, dst), diff))
    for txn in range(max(updates) + 1):
        for which, row, diff in updates[txn]:
            counts[which][row] += diff
        yield txn, [{row for row, n in count.items() if n > 0} for count in counts]


# ---- programs: each gives the lines of one answer -------------------------------------------


def following(edges):
    out = defaultdict(set)
    for src, dst in edges:
        out[src].add(dst)
    return out


def search(edges, roots):
    out, level = following(edges), {root: 0 for root in roots}
    queue = list(roots)
    for node in queue:
        for to in out[node]:
            if to not in level:
                level[to] = level[node] + 1
                queue.append(to)
    return level


def ends(edges):
    return {node for edge in edges for node in edge}


def histogram(name, values):
    return [(name, *item) for item in sorted(Counter(values).items())]


def groups(components):
    sizes = Counter(len(members) for members in components)
    return [("components", len(components)), *[("size", *item) for item in sorted(sizes.items())]]


def undirected(edges):
    return {(a, b) for src, dst in edges if src != dst for a, b in ((src, dst), (dst, src))}


def reach(edges, roots=(0,)):
    return [("reached", len(search(edges, roots)))]


def reach_reverse(edges):
    return reach({(dst, src) for src, dst in edges}, (1, 2))


def bfs(edges):
    return histogram("level", search(edges, [0]).values())


def wcc(edges):
    both = undirected(edges)
    return groups({frozenset(search(both, [node])) for node in ends(edges)})


def scc(edges):
    back = {(dst, src) for src, dst in edges}
    return groups({frozenset(search(edges, [node]).keys() & search(back, [node]).keys())
                   for node in ends(edges)})


def degrees(edges):
    return [("edges", len(edges)), ("nodes", len(ends(edges))),
            *histogram("out", Counter(src for src, _ in edges).values()),
            *histogram("in", Counter(dst for _, dst in edges).values())]


def kcore(edges):
    near = following(undirected(edges))
    core, k = {}, 0
    while near:
        low = [node for node in near if len(near[node]) <= k]
        if not low:
            k += 1
        for node in low:
            core[node] = k
            for other in near.pop(node):
                if other in near:
                    near[other].discard(node)
    return histogram("core", core.values())


def triangles(edges):
    near = following(undirected(edges))
    return [("triangles", sum(a < b < c and c in near[b] for a in list(near) for b in near[a]
                              for c in near[a]))]


def pagerank(edges, leak=False, rounds=20):
    nodes, out = sorted(ends(edges)), following(edges)
    if not nodes:
        return []
    one = 1 << 40
    rank = dict.fromkeys(nodes, one)
    for _ in range(rounds):
        lost = 0 if leak else sum(rank[node] for node in nodes if not out[node])
        got = dict.fromkeys(nodes, lost // len(nodes))
        for src in nodes:
            for dst in out[src]:
                got[dst] += (rank[src] + len(out[src]) // 2) // len(out[src])
        rank = {node: one // 100 * 15 + got[node] // 100 * 85 + got[node] % 100 * 85 // 100
                for node in nodes}
    shares = sorted((-((rank[node] << 22) // len(nodes)), node) for node in nodes)
    return [("rank", node, f"{-share / 2**62:.12g}") for share, node in shares[:20]]


def pagerank_leak(edges):
    return pagerank(edges, True, 3)


def shortest_paths(edges):
    out, distance, queue = following(edges), {}, [(0, 0)]
    while queue:
        length, node = heapq.heappop(queue)
        if node not in distance:
            distance[node] = length
            for to in out[node]:
                heapq.heappush(queue, (length + (node * 7 + to * 13) % 10 + 1, to))
    return [("reached", len(distance)), *histogram("distance", distance.values())]


# ---- Datalog: rules are applied until nothing is new ----------------------------------------


def compose(a, b):
    after = following(b)
    return {(x, z) for x, y in a for z in after[y]}


def inverse(a):
    return {(y, x) for x, y in a}


def fixpoint(rules, *relations):
    while True:
        more = [old | new for old, new in zip(relations, rules(*relations))]
        if more == list(relations):
            return relations
        relations = more


def closure(edges):
    return [("pairs", len(fixpoint(lambda path: [compose(path, edges)], edges)[0]))]


def same_generation(arcs):
    born = {(x, y) for x, y in compose(inverse(arcs), arcs) if x != y}
    pairs, = fixpoint(lambda sg: [compose(compose(inverse(arcs), sg), arcs)], born)
    return [("pairs", len(pairs))]


def points_to(address_of, assign, load, store):
    def rules(points):
        loads = compose(compose(load, points), points)
        stores = compose(compose(inverse(points), store), points)
        return [compose(assign, points) | loads | stores]
    return [("pairs", len(fixpoint(rules, address_of)[0]))]


def cspa(assign, dereference):
    same = {(node, node) for node in ends(assign)}

    def rules(flow, value, memory):
        return [compose(assign, memory) | compose(flow, flow),
                compose(inverse(flow), flow) | compose(compose(inverse(flow), memory), flow),
                compose(compose(inverse(dereference), value), dereference)]
    flow, value, memory = fixpoint(rules, assign | same, set(), same)
    return [("memoryAlias", len(memory)), ("pairs", len(flow) + len(value) + len(memory)),
            ("valueAlias", len(value)), ("valueFlow", len(flow))]


RELATIONS = {"points_to": ["addressOf", "assign", "load", "store"],
             "cspa": ["Assign", "Dereference"], "same_generation": ["arc"]}


def main():
    if sys.argv[1] == "make":
        make(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
        return
    name, folder = sys.argv[1:3]
    for txn, relations in states(folder, RELATIONS.get(name, ["edges"])):
        for line in globals()[name](*relations):
            print(txn, *line, sep="\t")


main()

"""What connected_components and bfs should print, by plain loops over the same edges."""
import sys
from collections import Counter, defaultdict

MASK = (1 << 64) - 1


def edges(nodes, count):
    for k in range(count):
        random = (k + 1) * 0x9E3779B97F4A7C15 & MASK
        random = (random ^ random >> 30) * 0xBF58476D1CE4E5B9 & MASK
        yield (random >> 40) % nodes, (random >> 8) % nodes


def components(nodes, count):
    label = list(range(nodes))
    members = {node: [node] for node in label}
    for a, b in edges(nodes, count):
        a, b = label[a], label[b]
        if a == b:
            continue
        if len(members[a]) < len(members[b]):
            a, b = b, a
        for node in members[b]:
            label[node] = a
        members[a] += members.pop(b)
    print(len(members))


def search(nodes, count):
    following = defaultdict(list)
    for src, dst in edges(nodes, count):
        following[src].append(dst)
    steps = {0: 0}
    queue = [0]
    for node in queue:
        for to in following[node]:
            if to not in steps:
                steps[to] = steps[node] + 1
                queue.append(to)
    for item in sorted(Counter(steps.values()).items()):
        print(*item, sep="\t")


{"components": components, "search": search}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))

"""What connected_components and knight_moves should print, by plain loops over the same graphs."""
import sys
from collections import Counter

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


def knight(size):
    moves = {(0, 0): 0}
    queue = [(0, 0)]
    for x, y in queue:
        for dx, dy in (1, 2), (1, -2), (-1, 2), (-1, -2), (2, 1), (2, -1), (-2, 1), (-2, -1):
            to = x + dx, y + dy
            if to not in moves and 0 <= to[0] < size and 0 <= to[1] < size:
                moves[to] = moves[x, y] + 1
                queue.append(to)
    for item in sorted(Counter(moves.values()).items()):
        print(*item, sep="\t")


{"components": components, "knight": knight}[sys.argv[1]](*map(int, sys.argv[2:]))

"""What cliques should print, by plain enumeration from nothing at every transaction.

    cliques.py SEED DIR LARGEST     writes DIR/edges.tsv, DIR/updates.tsv and DIR/answers

Graphs are dense, with edges in both directions, loops, and rows that are there twice."""
import random
import sys
from collections import Counter

TXNS = 25


def count(edges, largest):
    """{k: number of cliques of k nodes} for k from 1 on, of undirected edges."""
    later = {}
    for a, b in edges:
        later.setdefault(min(a, b), set()).add(max(a, b))
        later.setdefault(max(a, b), set())
    found = Counter()

    def extend(candidates, k):
        found[k] += len(candidates)
        for node in candidates if k < largest else ():
            extend(candidates & later[node], k + 1)
    extend(later.keys(), 1)
    return found


def make(seed, folder, largest):
    draw = random.Random(seed)
    nodes = draw.choice([6, 8, 12])
    usual = draw.choice([1, 2]) * nodes * nodes // 3
    rows = []

    def row():
        return draw.randrange(nodes), draw.randrange(nodes)

    def answer(to, txn):
        found = count({row for row in rows if row[0] != row[1]}, largest)
        for k in range(3, largest + 1):
            if found[k]:
                to.write(f"{txn}\tcliques\t{k}\t{found[k]}\n")

    with open(f"{folder}/edges.tsv", "w") as base, open(f"{folder}/updates.tsv", "w") as updates, \
            open(f"{folder}/answers", "w") as answers:
        for _ in range(draw.choice([0, usual])):
            rows.append(row())
            base.write("{}\t{}\n".format(*rows[-1]))
        answer(answers, 0)
        for txn in range(1, TXNS + 1):
            for _ in range(draw.choice([1, 1, 2, 5, 20])):
                if rows and draw.random() < (0.6 if len(rows) > usual else 0.4):
                    gone = rows.pop(draw.randrange(len(rows)))
                    updates.write(f"{txn}\t{gone[0]}\t{gone[1]}\t-1\n")
                else:
                    rows.append(row())
                    updates.write(f"{txn}\t{rows[-1][0]}\t{rows[-1][1]}\t1\n")
            answer(answers, txn)


if __name__ == "__main__":
    make(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

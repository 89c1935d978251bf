"""Compares what the example dependencies printed with plain searches over the same data.

    dependencies.py DATA PRINTED EVERY [--reverse]

PRINTED is the example's output with --list. At each transaction that it mentions, at the one
before, and at every EVERY-th, the packages reached are found again from nothing."""
import lzma
import sys


def numbers(name):
    with lzma.open(f"{sys.argv[1]}/{name}.xz", "rt") as file:
        for line in file:
            yield [int(field) for field in line.split()]


def reachable(following, root):
    seen = {root}
    queue = [root]
    for package in queue:
        fresh = following.get(package, set()) - seen
        seen |= fresh
        queue.extend(fresh)
    return seen


def read_printed():
    """{(txn, package): (count, gained, lost)}, {package: listed}, packages in order"""
    lines, listed, order = {}, {}, []
    for line in open(sys.argv[2], encoding="utf-8"):
        fields = line.split()
        if fields[0].isdigit() and len(fields) >= 3 and fields[2].isdigit():
            gained, lost = fields[3:5] if len(fields) > 3 else ("+0", "-0")
            lines[int(fields[0]), fields[1]] = int(fields[2]), int(gained), -int(lost)
            if fields[0] == "0":
                order.append(fields[1])
        elif "\t" in line:
            package, reached = line.rstrip("\n").split("\t")
            listed.setdefault(package, set()).add(reached)
    return lines, listed, order


def main():
    lines, listed, order = read_printed()
    every, reverse = int(sys.argv[3]), "--reverse" in sys.argv
    with lzma.open(f"{sys.argv[1]}/names.txt.xz", "rt") as file:
        names = file.read().split("\n")[:-1]
    assert order, "nothing was printed for the base"
    ids = {package: names.index(package) for package in order}
    following, updates = {}, {}
    for src, dst in numbers("base.tsv"):
        following.setdefault(dst if reverse else src, set()).add(src if reverse else dst)
    for txn, src, dst, diff in numbers("updates.tsv"):
        updates.setdefault(txn, []).append((dst, src, diff) if reverse else (src, dst, diff))

    last, checks = max(updates), 0
    mentioned = {txn for txn, _ in lines}
    before, counts = {}, {}
    for txn in range(last + 1):
        for src, dst, diff in updates.get(txn, ()):
            edges = following.setdefault(src, set())
            (edges.add if diff > 0 else edges.remove)(dst)
        exact = txn in mentioned
        if not (exact or txn + 1 in mentioned or txn % every == 0 or txn == last):
            continue
        for package in order:
            now = reachable(following, ids[package])
            count, gained, lost = lines.get((txn, package), (counts.get(package), 0, 0))
            counts[package] = count
            was = before.get(package, now)
            assert (count, gained, lost) == (len(now), len(now - was), len(was - now)), (
                f"transaction {txn}, {package}: printed {count} +{gained} -{lost}, "
                f"but it is {len(now)} +{len(now - was)} -{len(was - now)}")
            before[package] = now
            checks += 1
    for package in order:
        assert listed[package] == {names[i] for i in before[package]}, f"the list of {package}"
    print(f"{checks} answers agree")


main()

"""Compares what the graph programs print for large real inputs with answers known for them.

    data_full.py debian|graphs|datalog|cliques|social_media

WEIR_DATA is a folder with debian-deps/, graphs/, datalog/ and ttc2018/: inputs, each with
expected* files beside it. Exits with 77 (skipped) if there is none. WEIR_BUILD has the programs; WEIR_WAYS
the options of the runs that must agree, with commas between them ("-w 1,-w 2"); 2x1 is a
cluster of two processes."""
import json
import lzma
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter

import cliques

DATA = os.environ.get("WEIR_DATA", "")
EXAMPLES = os.environ["WEIR_BUILD"] + "/examples"
WEIR = os.environ["WEIR_BUILD"] + "/weir"
WAYS = os.environ.get("WEIR_WAYS", "-w 1,-w 2").split(",")


def output(program, *options):
    """What it prints, whichever way it is run."""
    printed = None
    for way in WAYS:
        processes, _, workers = way.partition("x")
        start = [WEIR, "launch", "-n", processes, "-w", workers, "--"] if workers else []
        command = [*start, f"{EXAMPLES}/{program}", *([] if workers else way.split()),
                   *map(str, options)]
        begin = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        assert done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}"
        times = "; ".join(done.stderr.strip().split("\n"))
        print(f"{program} {way}: {time.monotonic() - begin:.1f} s: {times}", flush=True)
        assert printed in (None, done.stdout), f"{command} differs from {WAYS[0]}"
        printed = done.stdout
    return printed


def run(program, *options):
    """{(txn, line's name): {key: value}, or the value of a line without key}"""
    answers = {}
    for line in output(program, *options).splitlines():
        txn, name, *rest = line.split("\t")
        if len(rest) == 1:
            answers[int(txn), name] = int(rest[0])
        else:
            answers.setdefault((int(txn), name), {})[int(rest[0])] = \
                float(rest[1]) if "." in rest[1] or "e" in rest[1] else int(rest[1])
    return answers


def same(what, printed, known):
    assert printed == known, f"{what}: {str(printed)[:300]}, but known is {str(known)[:300]}"


def numbers(table):
    return {int(key): value for key, value in table.items()}


# ---- Debian's dependencies, with updates ---------------------------------------------------


def debian():
    folder = f"{DATA}/debian-deps"
    known = {int(re.sub(r"\D", "", name) or 0): of
             for name, of in json.load(open(f"{folder}/expected.json")).items()}
    names = lzma.open(f"{folder}/names.txt.xz", "rt").read().split("\n")
    options = ["--edges", f"{folder}/base.tsv.xz", "--updates", f"{folder}/updates.tsv", "--at",
               ",".join(map(str, known))]
    for root in "apt", "gnome":
        of = ["--root", names.index(root)]
        reach = run("reach", *options, *of)
        back = run("reach", "--reverse", *options, *of)
        bfs = run("bfs", *options, *of)
        for txn, facts in known.items():
            to = facts["reach_from_" + root]
            same(f"reach {root} {txn}", reach[txn, "reached"], to["nodes_incl_root"])
            same(f"bfs {root} {txn}", bfs[txn, "level"], numbers(to["bfs_levels"]))
            same(f"to {root} {txn}", back[txn, "reached"], facts["reverse_reach_to_" + root])
    wcc, scc, degrees, kcore = (run(name, *options) for name in
                                ("wcc", "scc", "degrees", "kcore"))
    for txn, facts in known.items():
        same(f"wcc {txn}", wcc[txn, "components"], facts["wcc"])
        same(f"wcc {txn}", max(wcc[txn, "size"]), facts["wcc_largest"])
        same(f"scc {txn}", scc[txn, "components"], facts["scc"])
        same(f"scc {txn}", scc[txn, "size"], numbers(facts["scc_size_histogram"]))
        same(f"edges {txn}", degrees[txn, "edges"], facts["edges"])
        same(f"nodes {txn}", degrees[txn, "nodes"], facts["nodes_with_an_edge"])
        same(f"out {txn}", degrees[txn, "out"], numbers(facts["out_degree_histogram"]))
        same(f"in {txn}", degrees[txn, "in"], numbers(facts["in_degree_histogram"]))
        same(f"core {txn}", kcore[txn, "core"], numbers(facts["core_number_histogram"]))
    triangles = run("triangles", *options)
    cliques = re.search(r"3: (\d+)", open(f"{folder}/expected_kclique.txt").read()).group(1)
    same("triangles", triangles[0, "triangles"], int(cliques))


# ---- graphs that do not change -------------------------------------------------------------


def top(table):
    return dict(sorted(table.items(), reverse=True)[:20])


def one_graph(folder, closure):
    known = json.load(open(f"{folder}/expected.json"))
    graph = "edges.tsv" if os.path.exists(f"{folder}/edges.tsv") else "edges.tsv.xz"
    options = ["--edges", f"{folder}/{graph}"]
    for fact, to in known.items():
        if fact.startswith("bfs_from_"):
            levels = run("bfs", "--root", fact[9:], *options)[0, "level"]
            same(fact, (sum(levels.values()), max(levels)), (to["reached"], to["max_level"]))
            same(fact, sum(level * n for level, n in levels.items()), to["sum_of_levels"])
            same(fact, {k: v for k, v in levels.items() if str(k) in to["levels"]},
                 numbers(to["levels"]))
    wcc, scc = run("wcc", *options), run("scc", *options)
    same("wcc", (wcc[0, "components"], max(wcc[0, "size"])), (known["wcc"], known["wcc_largest"]))
    same("scc", scc[0, "components"], known["scc"])
    same("scc", top(scc[0, "size"]), dict(known["scc_size_histogram_top"]))
    triangles, kcore = run("triangles", *options), run("kcore", *options)
    same("triangles", triangles[0, "triangles"], known["triangles"])
    same("core", dict(list(top(kcore[0, "core"]).items())[:5]), dict(known["core_histogram_top"]))
    degrees = run("degrees", *options)
    same("edges", degrees[0, "edges"], known["distinct_edges"])
    same("nodes", degrees[0, "nodes"], known["vertices_with_an_edge"])
    for fact, extra in ("pagerank20", []), ("pagerank20_nodangling", ["--leak"]):
        ranks = run("pagerank", *options, *extra)[0, "rank"]
        for (node, rank), (known_node, known_rank) in zip(ranks.items(), known[fact]["top20"]):
            near = abs(rank - known_rank) < 1e-9 * known_rank
            assert near and (node == known_node or near), f"{fact}: {node} {rank}, {known_node}"
        assert len(ranks) == len(known[fact]["top20"]), fact
    if closure:
        same("closure", run("closure", *options)[0, "pairs"], known["tc_pairs"])


def graphs():
    for name in "tiny", "jdk17-classes", "jdk17-calls", "duckdb-cfg":
        print(f"-- {name}")
        one_graph(f"{DATA}/graphs/{name}", name in ("tiny", "jdk17-classes"))
    history()


def history():
    """git-dag: edges txn child parent, none of which goes."""
    folder = f"{DATA}/graphs/git-dag"
    known = {int(at): of for at, of in json.load(open(f"{folder}/expected.json")).items()
             if at.isdigit()}
    with tempfile.TemporaryDirectory() as tmp:
        open(f"{tmp}/none", "w").close()
        with open(f"{tmp}/updates", "w") as updates:
            for line in lzma.open(f"{folder}/edges.tsv.xz", "rt"):
                updates.write(f"{line.rstrip()}\t1\n")
        options = ["--edges", f"{tmp}/none", "--updates", f"{tmp}/updates"]
        for at, of in known.items():
            root = ["--at", at - 1, "--root", at - 1]
            same(f"reached {at}", run("reach", *options, *root)[at - 1, "reached"],
                 of["reachable_from_last_incl"])
            same(f"depth {at}", max(run("bfs", *options, *root)[at - 1, "level"]),
                 of["bfs_depth_from_last"])


# ---- Datalog -------------------------------------------------------------------------------


def counts(path):
    """`name rows N` lines of a file."""
    return {name: int(n) for name, n in re.findall(r"(\w+)[ _]rows (\d+)", open(path).read())}


def datalog():
    folder = f"{DATA}/datalog"
    for name in "zlib-c", "bzip2-c":
        facts = f"{folder}/{name}"
        same(name, run("points_to", "--facts", facts)[0, "pairs"],
             counts(f"{facts}/expected.andersen.txt")["pointsTo"])
        cspa = run("cspa", "--facts", facts)
        for relation, known in counts(f"{facts}/expected.cspa.txt").items():
            same(f"{name} {relation}", cspa[0, relation], known)
    deletions(f"{folder}/bzip2-c")
    same("sg", run("same_generation", "--facts", f"{folder}/sg-carnivore")[0, "pairs"],
         int(open(f"{folder}/sg-carnivore/expected.txt").read().split()[1]))
    wordnet = f"{folder}/wordnet-hypernym"
    same("closure", run("closure", "--edges", f"{wordnet}/edges.tsv.xz")[0, "pairs"],
         json.load(open(f"{wordnet}/expected.json"))["tc_pairs"])
    with tempfile.TemporaryDirectory() as tmp:
        for name in "Assign", "Dereference": # without their first line
            rows = open(f"{folder}/carac-cspa1k/facts/{name}.csv").readlines()[1:]
            open(f"{tmp}/{name}.csv", "w").writelines(rows)
        cspa = run("cspa", "--facts", tmp)
        for name in "MemoryAlias", "ValueAlias", "ValueFlow":
            rows = open(f"{folder}/carac-cspa1k/expected/{name}.csv").read().split("\n")[1:]
            same(f"carac {name}", cspa[0, name[0].lower() + name[1:]], len(set(filter(None, rows))))


def deletions(facts):
    """Every 7th line of assign and every 5th of store goes, one by one, and comes again."""
    gone = []
    for name, every in ("assign", 7), ("store", 5):
        rows = open(f"{facts}/{name}.tsv").read().splitlines()
        gone += [(name, row) for row in rows[every - 1::every]]
    present = Counter(gone)
    assert max(present.values()) == 1, "a row is there twice"
    with tempfile.TemporaryDirectory() as tmp:
        last = len(gone)
        with open(f"{tmp}/updates", "w") as updates:
            for txn, (name, row) in enumerate(gone, 1):
                updates.write(f"{txn}\t{name}\t{row}\t-1\n")
            updates.writelines(f"{last + 1}\t{name}\t{row}\t1\n" for name, row in gone)
        printed = run("points_to", "--facts", facts, "--updates", f"{tmp}/updates", "--at",
                      f"0,{last},{last + 1}")
    whole = counts(f"{facts}/expected.andersen.txt")["pointsTo"]
    less = counts(f"{facts}/expected.andersen-after-delete.txt")["pointsTo"]
    same("deletions", [printed[at, "pairs"] for at in (0, last, last + 1)], [whole, less, whole])


# ---- cliques --------------------------------------------------------------------------------


def known_cliques(path):
    """The last numbers of the file are of cliques of 3, 4 and 5 nodes."""
    return dict(zip((3, 4, 5), map(int, re.findall(r"(\d+)(?:,|\n|$)", open(path).read())[-3:])))


def count_cliques():
    calls, debian_deps = f"{DATA}/graphs/jdk17-calls", f"{DATA}/debian-deps"
    printed = run("cliques", "--size", 5, "--edges", f"{calls}/edges.tsv.xz")
    same("jdk17-calls", printed[0, "cliques"], known_cliques(f"{calls}/expected_kclique.txt"))
    base, updates = f"{debian_deps}/base.tsv.xz", f"{debian_deps}/updates.tsv"
    rows = Counter(tuple(map(int, line.split())) for line in lzma.open(base, "rt"))
    for line in open(updates):
        txn, src, dst, diff = map(int, line.split())
        rows[src, dst] += diff
    printed = run("cliques", "--size", 5, "--edges", base, "--updates", updates, "--at", f"0,{txn}")
    same("debian-deps", printed[0, "cliques"],
         known_cliques(f"{debian_deps}/expected_kclique.txt"))
    last = cliques.count({row for row in +rows if row[0] != row[1]}, 5)
    same(f"debian-deps {txn}", printed[txn, "cliques"], {k: last[k] for k in (3, 4, 5)})


# ---- the contest's social network -----------------------------------------------------------


def social_media():
    for size in "1", "4", "16":
        folder = f"{DATA}/ttc2018/{size}"
        stream = "stream.tsv" if os.path.exists(f"{folder}/stream.tsv") else "stream.tsv.xz"
        same(size, output("social_media", "--stream", f"{folder}/{stream}"),
             open(f"{folder}/expected.tsv").read())


def main():
    if not os.path.isdir(DATA):
        print("WEIR_DATA names no folder: skipped")
        sys.exit(77)
    {"debian": debian, "graphs": graphs, "datalog": datalog, "cliques": count_cliques,
     "social_media": social_media}[sys.argv[1]]()


main()

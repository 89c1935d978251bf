"""What social_media should print, from the definitions at every transaction.

    social_media.py SEED DIR     writes DIR/stream.tsv and DIR/answers

Lines come, some of them twice, and go; comments may come before what they are on."""
import random
import sys
from collections import Counter

TXNS = 30


def scores(lines):
    """{post: (score, time)} and {comment: (score, time)}"""
    posts = {line[1]: line[2] for line in lines if line[0] == "P"}
    comments = {line[1]: line for line in lines if line[0] == "C"}
    likes = {line[1:] for line in lines if line[0] == "L"}
    friends = {pair for line in lines if line[0] == "F" for pair in (line[1:], line[:0:-1])}
    of_post, of_comment = dict.fromkeys(posts, 0), {}
    for comment in comments:
        fans = {user for user, liked in likes if liked == comment}
        above = comment
        while above in comments:
            above = comments[above][4]
        if above in posts:
            of_post[above] += 10 + len(fans)
        of_comment[comment] = 0
        while fans:
            group = [fans.pop()]
            for user in group: # which grows
                near = {fan for fan in fans if (user, fan) in friends}
                group += near
                fans -= near
            of_comment[comment] += len(group) ** 2
    return ({post: (score, posts[post]) for post, score in of_post.items()},
            {comment: (score, comments[comment][2]) for comment, score in of_comment.items()})


def best(scored):
    return sorted(scored, key=lambda it: (-scored[it][0], -scored[it][1], it))[:3]


def world(draw):
    """All lines that there may be."""
    users, posts, comments = draw.randrange(3, 12), draw.randrange(1, 7), draw.randrange(1, 30)
    lines = [("U", user) for user in range(users)]
    ids = random.Random(draw.random()).sample(range(1 << 40), posts + comments)
    for at, new in enumerate(ids):
        time, user = draw.randrange(-3, 8), draw.randrange(users)
        lines.append(("P", new, time, user) if at < posts else
                     ("C", new, time, user, ids[draw.randrange(at)]))
    lines += [("L", draw.randrange(users), draw.choice(ids)) for _ in range(users * comments // 3)]
    lines += [("F", draw.randrange(users), draw.randrange(users)) for _ in range(2 * users)]
    return lines


def make(seed, folder):
    draw = random.Random(seed)
    lines = world(draw)
    there = Counter(draw.sample(lines, draw.choice([0, len(lines) // 2, len(lines)])))
    answers, txn = [], 0
    with open(f"{folder}/stream.tsv", "w") as stream:
        for line in there.elements():
            print(0, *line, sep="\t", file=stream)
        for step in range(TXNS):
            answers.append((txn, *map(best, scores(+there))))
            if step + 1 == TXNS:
                break
            txn += draw.choice([1, 1, 3])
            for _ in range(draw.choice([1, 1, 3, 10])):
                line = draw.choice(lines)
                gone = there[line] and draw.random() < 0.7
                there[line] += -1 if gone else 1
                print(txn, "-" * bool(gone) + line[0], *line[1:], sep="\t", file=stream)
    with open(f"{folder}/answers", "w") as file:
        for query in 1, 2:
            for answer in answers:
                print(f"Q{query}", answer[0], *answer[query], sep="\t", file=file)


if __name__ == "__main__":
    make(int(sys.argv[1]), sys.argv[2])

/* The text that word_count reads: lines of ten words out of 80,000, the k-th of them about as
 * frequent as 1/k. Always the same bytes. Made once and kept in the user's cache folder. */
#include "bench.h"
#include "bench_data.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WORDS = 80000,
    WORD_LETTERS_MIN = 2,
    WORD_LETTERS_MAX = 14,
    WORDS_PER_LINE = 10,
    TABLE_SLOTS = 1 << 18, /* to find words that were made twice */
    RANK_BITS = 17,        /* WORDS < 2^RANK_BITS */
    ALPHABET = 23,         /* so that the letters of a word fit one random number */
    FORMAT = 1,            /* raised when the text changes, to make it anew */
};

_Static_assert(WORDS < 1 << RANK_BITS, "a rank fits its bits");

struct vocabulary {
    uint64_t draws; /* random numbers used so far */
    char words[WORDS][WORD_LETTERS_MAX + 1];
    unsigned char lengths[WORDS];
    uint32_t slots[TABLE_SLOTS]; /* rank of a word, by its hash */
};

static uint64_t draw(struct vocabulary *vocabulary)
{
    return bench_splitmix64(BENCH_SEED + vocabulary->draws++);
}

/* Enters word `rank` in the table; false if it is there already. */
static bool enter(struct vocabulary *vocabulary, unsigned rank)
{
    const char *word = vocabulary->words[rank];
    uint64_t slot = bench_fnv1a(word, strlen(word)) % TABLE_SLOTS;
    for (; vocabulary->slots[slot]; slot = (slot + 1) % TABLE_SLOTS)
        if (!strcmp(vocabulary->words[vocabulary->slots[slot]], word))
            return false;
    vocabulary->slots[slot] = rank;
    return true;
}

/* Frequent words are short, rare ones of any length. Rank 0 is not used. */
static void make_words(struct vocabulary *vocabulary)
{
    for (unsigned rank = 1; rank < WORDS;) {
        unsigned bits = 32 - (unsigned)__builtin_clz(rank);
        unsigned longest = WORD_LETTERS_MIN + bits * 3 / 4;
        unsigned length = WORD_LETTERS_MIN + (unsigned)(draw(vocabulary) %
                                                        (longest - WORD_LETTERS_MIN + 1));
        uint64_t letters = draw(vocabulary);
        for (unsigned i = 0; i < length; i++, letters /= ALPHABET)
            vocabulary->words[rank][i] = (char)('a' + letters % ALPHABET);
        vocabulary->words[rank][length] = 0;
        vocabulary->lengths[rank] = (unsigned char)length;
        rank += enter(vocabulary, rank);
    }
}

/* All numbers of as many bits are equally likely, and so are all numbers of bits. */
static unsigned draw_rank(struct vocabulary *vocabulary)
{
    for (;;) {
        uint64_t random = draw(vocabulary);
        unsigned bits = (unsigned)(random % RANK_BITS);
        unsigned rank = (1u << bits) | ((unsigned)(random >> 32) & ((1u << bits) - 1));
        if (rank < WORDS)
            return rank;
    }
}

/* Writes one line, "Word word word word word, word word word word word.\n"; returns its end. */
static char *write_line(struct vocabulary *vocabulary, char *to)
{
    char *begin = to;
    for (unsigned i = 0; i < WORDS_PER_LINE; i++) {
        unsigned rank = draw_rank(vocabulary);
        if (i == WORDS_PER_LINE / 2)
            *to++ = ',';
        if (i)
            *to++ = ' ';
        memcpy(to, vocabulary->words[rank], vocabulary->lengths[rank]);
        to += vocabulary->lengths[rank];
    }
    *begin = (char)(*begin - 'a' + 'A');
    *to++ = '.';
    *to++ = '\n';
    return to;
}

static bool write_text(FILE *file, uint64_t bytes)
{
    struct vocabulary *vocabulary = WI_NEW(struct vocabulary);
    char line[WORDS_PER_LINE * (WORD_LETTERS_MAX + 2) + 2];
    make_words(vocabulary);
    uint64_t written = 0;
    while (written < bytes) {
        size_t length = (size_t)(write_line(vocabulary, line) - line);
        if (fwrite(line, 1, length, file) != length)
            break;
        written += length;
    }
    wi_free(vocabulary);
    return written >= bytes;
}

/* The cache folder, made if it was missing; to be freed. */
static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *folder = NULL;
    int length;
    if (cache && *cache) {
        length = asprintf(&folder, "%s/weir", cache);
    } else if (home && *home) {
        length = asprintf(&folder, "%s/.cache/weir", home);
    } else {
        length = asprintf(&folder, "/tmp/weir-%u", (unsigned)getuid());
    }
    if (length < 0)
        return NULL;
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(folder, 0700);
        *slash = '/';
    }
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        fprintf(stderr, "weir bench: %s: %s\n", folder, strerror(errno));
        free(folder);
        return NULL;
    }
    return folder;
}

/* Writes to a name of its own and renames, so that a text is there whole or not at all. */
static bool make_text(const char *path, uint64_t bytes)
{
    char *unfinished;
    if (asprintf(&unfinished, "%s.%d", path, (int)getpid()) < 0)
        return false;
    FILE *file = fopen(unfinished, "w");
    bool done = file && write_text(file, bytes);
    if (file && fclose(file))
        done = false;
    if (!done || rename(unfinished, path) < 0) {
        fprintf(stderr, "weir bench: %s: %s\n", path, strerror(errno));
        unlink(unfinished);
        done = false;
    }
    free(unfinished);
    return done;
}

char *bench_text_file(uint64_t bytes)
{
    char *folder = cache_folder(), *path = NULL;
    if (!folder)
        return NULL;
    if (asprintf(&path, "%s/words-%llu.%d.txt", folder, (unsigned long long)bytes, FORMAT) < 0)
        path = NULL;
    free(folder);
    if (path && access(path, R_OK) < 0 && !make_text(path, bytes)) {
        free(path);
        path = NULL;
    }
    return path;
}

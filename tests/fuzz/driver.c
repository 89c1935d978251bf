/* Calls a fuzz target without libFuzzer:  fuzz_NAME [--runs N] [--seed S] [FILE...]
 * Inputs are random bytes, valid inputs, and valid inputs that were cut, spliced and changed
 * here and there. What makes the target fail is in the file fuzz-input then. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define BYTES_MAX ((size_t)1 << 16)

static uint8_t input[BYTES_MAX];
static size_t input_bytes;

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *seed;
    return (x ^ x >> 33) * 0xff51afd7ed558ccdu >> 16;
}

static void keep_input(int number)
{
    FILE *file = fopen("fuzz-input", "wb");
    if (file) {
        fwrite(input, 1, input_bytes, file);
        fclose(file);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void change(uint64_t *seed)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
    size_t at = draw(seed) % input_bytes;
    switch (draw(seed) % 6) {
    case 0:
        input[at] ^= (uint8_t)(1 << draw(seed) % 8);
        break;
    case 1:
        input[at] = (uint8_t)draw(seed);
        break;
    case 2:
        input[at] = edges[draw(seed) % sizeof edges];
        break;
    case 3:
        input_bytes = at;
        break;
    case 4: { /* some bytes twice, or elsewhere */
        size_t from = draw(seed) % input_bytes, count = draw(seed) % (input_bytes - from + 1);
        if (count > input_bytes - at)
            count = input_bytes - at;
        memmove(input + at, input + from, count);
        break;
    }
    default: /* more at the end */
        while (input_bytes < BYTES_MAX && draw(seed) % 8)
            input[input_bytes++] = (uint8_t)draw(seed);
    }
}

static void make_input(uint64_t *seed)
{
    input_bytes = draw(seed) % 200;
    for (size_t i = 0; i < input_bytes; i++)
        input[i] = (uint8_t)draw(seed);
    if (draw(seed) % 8 == 0)
        return;
    input_bytes = fuzz_valid_input(draw(seed), input, BYTES_MAX);
    for (uint64_t i = draw(seed) % 5; i > 0 && input_bytes; i--)
        change(seed);
}

static void run_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(2);
    }
    input_bytes = fread(input, 1, BYTES_MAX, file);
    fclose(file);
    LLVMFuzzerTestOneInput(input, input_bytes);
}

int main(int argc, char **argv)
{
    uint64_t runs = 20000, seed = 1;
    int files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            run_file(argv[i]), files++;
    }
    if (files)
        return 0;
    printf("%llu runs, seed %llu\n", (unsigned long long)runs, (unsigned long long)seed);
    fflush(stdout);
    signal(SIGABRT, keep_input);
    signal(SIGSEGV, keep_input);
    for (uint64_t i = 0; i < runs; i++) {
        make_input(&seed);
        uint8_t *exact = malloc(input_bytes ? input_bytes : 1); /* whose end a sanitizer knows */
        memcpy(exact, input, input_bytes);
        LLVMFuzzerTestOneInput(exact, input_bytes);
        free(exact);
    }
    return 0;
}

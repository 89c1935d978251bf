/* See texts.h. */
#include "texts.h"

#include <pthread.h>
#include <string.h>

#define NUMBERS 64 /* -32 to 31 */
#define PREFIX "all begin so:"
#define PREFIX_BYTES 13
#define BYTES 48

static char shorts[NUMBERS][BYTES], longs[NUMBERS][BYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint32_t short_length(uint32_t n)
{
    static const uint32_t more[] = {0, 9, 10, 11, 30};
    return 2 + more[n % 5];
}

static uint32_t long_length(uint32_t n)
{
    return PREFIX_BYTES + 2 + n % 4 * 6;
}

static void fill(void)
{
    for (uint32_t n = 0; n < NUMBERS; n++) {
        for (uint32_t i = 0; i < BYTES; i++)
            shorts[n][i] = longs[n][i] = (char)(i % 7 ? 'a' + (n + i) % 26 : 0);
        memcpy(longs[n], PREFIX, PREFIX_BYTES);
        shorts[n][0] = longs[n][PREFIX_BYTES] = (char)('A' + n / 8);
        shorts[n][1] = longs[n][PREFIX_BYTES + 1] = (char)('A' + n % 8);
    }
}

static int32_t number_at(const char *digits)
{
    return (digits[0] - 'A') * 8 + (digits[1] - 'A') - NUMBERS / 2;
}

weir_text text_short(int32_t number)
{
    pthread_once(&once, fill);
    uint32_t n = (uint32_t)(number + NUMBERS / 2);
    return weir_text_of(shorts[n], short_length(n));
}

int32_t number_of_short(const weir_text *text)
{
    return number_at(weir_text_at(text));
}

weir_text text_long(int32_t number)
{
    pthread_once(&once, fill);
    uint32_t n = (uint32_t)(number + NUMBERS / 2);
    return weir_text_of(longs[n], long_length(n));
}

int32_t number_of_long(const weir_text *text)
{
    return number_at(weir_text_at(text) + PREFIX_BYTES);
}

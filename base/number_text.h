/* Numbers as text, the same in every locale; what prints rows is made of these (row_text.c, and
 * the sinks). Each writes at `to`, where there must be room for WI_NUMBER_BYTES, no NUL, and
 * returns where it ended. Any thread. */
#ifndef WEIR_BASE_NUMBER_TEXT_H
#define WEIR_BASE_NUMBER_TEXT_H

#include <stdint.h>

#define WI_NUMBER_BYTES 40

char *wi_put_u64(char *to, uint64_t value);
char *wi_put_i64(char *to, int64_t value);
/* A short form that reads back as the same bits; inf, -inf, nan, -nan, nan(0x...) for NaNs with
 * other bits. */
char *wi_put_f64(char *to, double value);
char *wi_put_f32(char *to, float value);

#endif

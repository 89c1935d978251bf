/* Texts that stand for small numbers and keep their order. They are never freed, so rows may
 * borrow them. */
#ifndef WEIR_TESTS_ORACLE_TEXTS_H
#define WEIR_TESTS_ORACLE_TEXTS_H

#include <stdlib.h>
#include <weir/weir.h>

/* The digits come first, and what follows makes the text short or long. */
weir_text text_short(int32_t number);
int32_t number_of_short(const weir_text *text);
/* The digits come after 13 bytes that all have: prefixes are equal. */
weir_text text_long(int32_t number);
int32_t number_of_long(const weir_text *text);

#endif

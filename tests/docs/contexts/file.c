/* A piece at the level of a file: declarations of rows, kernels, operators. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

#define WORD(F) F(weir_text, text)
#define NUM(F) F(u64, value)
WEIR_ROW(word, WORD)
WEIR_ROW(num, NUM)

BLOCK

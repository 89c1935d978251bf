/* What each fuzz target has: the entry that libFuzzer calls, and valid inputs to start from.
 *
 * In the test suite driver.c calls the entry, some seconds long, with what it makes of the
 * inputs. For libFuzzer: compile the target and the library with
 * clang -fsanitize=fuzzer,address,undefined, without the driver. */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return, whatever the bytes are. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Writes a valid input that follows from the seed; returns how many bytes it has. */
size_t fuzz_valid_input(uint64_t seed, uint8_t *bytes_out, size_t bytes_max);

#endif

/* What sealing needs of a bin beyond pending.h. */
#ifndef WEIR_OPERATORS_TRACE_SEAL_H
#define WEIR_OPERATORS_TRACE_SEAL_H

#include "pending.h"

/* Frees a piece's records, all of them. The bin keeps its list. */
void wi_bin_free_piece(const wi_layout *layout, wi_bin *bin, uint32_t index);
/* The same, and its pages may go on to be those of `to`; as wi_pages_move. */
size_t wi_bin_move_piece(const wi_layout *layout, wi_bin *bin, uint32_t index, void *to,
                         size_t to_bytes, size_t at);
void wi_bin_free_pieces(const wi_layout *layout, wi_bin *bin);

#endif

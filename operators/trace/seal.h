/* What sealing needs of a bin beyond pending.h. */
#ifndef WEIR_OPERATORS_TRACE_SEAL_H
#define WEIR_OPERATORS_TRACE_SEAL_H

#include "pending.h"

/* Frees a piece's records, all of them. The bin keeps its list. */
void wi_bin_free_piece(const wi_layout *layout, wi_bin *bin, uint32_t index);
void wi_bin_free_pieces(const wi_layout *layout, wi_bin *bin);

#endif

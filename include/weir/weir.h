/* weir: a timely dataflow runtime. This header is the whole public API. */
#ifndef WEIR_H
#define WEIR_H

#include <weir/aggregates.h>
#include <weir/base.h>
#include <weir/batch.h>
#include <weir/kernel.h>
#include <weir/operator.h>
#include <weir/row.h>
#include <weir/sink.h>
#include <weir/socket.h>
#include <weir/collection.h>
#include <weir/event_join.h>
#include <weir/source.h>
#include <weir/text.h>
#include <weir/time.h>
#include <weir/timer.h>
#include <weir/window.h>
#include <weir/worker.h>

#endif

/* Building a source of rows: what the program says is checked and copied, and paths become
 * partitions. Files are opened once here, by the processes that will read them, so that one that is
 * not there is found before anything runs. */
#include "read_rows.h"

#include <string.h>

#include "../../base/alloc.h"
#include "../../base/type.h"
#include "../stream/common.h"

#define LOOK_MS 100

uint32_t wi_read_owner(const wi_read_call *call, uint32_t partition, uint32_t workers)
{
    if (!call->what.grows && wi_file_is_own(call->files.at[partition]))
        return 0;
    return partition % workers;
}

static bool is_own_process(const weir_worker *worker, uint32_t owner)
{
    uint32_t each = weir_worker_count(worker) / weir_process_count(worker);
    return owner / each == weir_process_index(worker);
}

/* The files that this process reads can be opened; of standard input nothing is taken. */
static weir_err *try_files(const weir_dataflow *flow, wi_read_call *call)
{
    const weir_worker *worker = weir_scope_worker(flow);
    weir_err *err = NULL;
    call->bytes = WI_NEWS(uint64_t, call->files.count);
    for (uint32_t p = 0; p < call->files.count && !err; p++) {
        const char *path = call->files.at[p];
        uint32_t owner = wi_read_owner(call, p, weir_worker_count(worker));
        bool own = wi_file_is_own(path), alone = weir_process_count(worker) == 1;
        if (own && alone && call->what.split) /* a file that it has open has parts, too */
            weir_err_free(wi_file_try(path, &call->bytes[p]));
        if (!own && (call->what.split || is_own_process(worker, owner)))
            err = wi_file_try(path, &call->bytes[p]);
    }
    return err;
}

static weir_err *find_files(wi_read_call *call)
{
    const weir_read *what = &call->what;
    weir_err *err = what->path ? wi_paths_expand(&call->files, what->path) : NULL;
    for (const char *const *path = what->paths; path && *path && !err; path++)
        err = wi_paths_expand(&call->files, *path);
    call->partitions = call->files.count;
    if (!err && !call->files.count)
        err = weir_err_new("no file is named: its path is NULL");
    uint32_t inputs = 0;
    for (uint32_t p = 0; p < call->files.count; p++)
        inputs += strcmp(call->files.at[p], "-") == 0;
    if (!err && inputs > 1)
        err = weir_err_new("the standard input, `-`, is named %u times; it can be read once",
                           inputs);
    return err;
}

/* A folder that grows may be empty, but is there. */
static weir_err *find_folder(wi_read_call *call)
{
    wi_paths names = {0};
    weir_err *err = NULL;
    if (!call->what.path || call->what.paths)
        return weir_err_new("what grows is one path, a folder or a pattern");
    err = wi_names_in(&names, call->what.path);
    wi_paths_fini(&names);
    call->partitions = call->what.partitions ? call->what.partitions : 1;
    return err;
}

/* That a worker could make a decoder, and that the field that gets the partition's number can. */
static weir_err *try_type(const wi_read_call *call)
{
    weir_err *err = NULL;
    wi_rows_how how = {.type = call->type,
                       .format = call->what.format,
                       .header = call->what.header,
                       .given = call->what.partition,
                       .value = call->partitions ? call->partitions - 1 : 0};
    wi_rows_free(wi_rows_new(&how, &err));
    return err;
}

static weir_err *check_from(wi_read_call *call)
{
    const weir_read *what = &call->what;
    for (uint32_t i = 0; i < what->from_count; i++) {
        const weir_offset *from = &what->from[i];
        const char *file = weir_text_at(&from->file);
        uint64_t epoch = what->epoch_records ? from->records / what->epoch_records : 0;
        call->from_epoch = epoch > call->from_epoch ? epoch : call->from_epoch;
        if (from->partition >= call->partitions)
            return weir_err_new("is to go on in partition %u; there are %u", from->partition,
                                call->partitions);
        if (!what->grows && (strlen(call->files.at[from->partition]) != from->file.length ||
                             memcmp(call->files.at[from->partition], file, from->file.length) != 0))
            return weir_err_new("is to go on in `%.*s` as partition %u, which is `%s` now",
                                (int)from->file.length, file, from->partition,
                                call->files.at[from->partition]);
    }
    return NULL;
}

static weir_err *check(const weir_dataflow *flow, wi_read_call *call)
{
    const weir_read *what = &call->what;
    bool ordered = what->epoch_records || what->offsets_out || what->from_count || what->grows;
    if (what->split && ordered)
        return weir_err_new("rows of files that are split have no order, so there are no epochs, "
                            "offsets or new files");
    weir_err *err = what->grows ? find_folder(call) : find_files(call);
    if (!err)
        err = try_type(call);
    if (!err)
        err = check_from(call);
    if (!err && !what->grows)
        err = try_files(flow, call);
    return err;
}

/* ---- copies, freed with the dataflow ---------------------------------------------------- */

static const char *kept_text(weir_builder *builder, const char *text)
{
    char *copy = text ? wi_strdup(text) : NULL;
    if (copy)
        weir_builder_keep(builder, copy);
    return copy;
}

static const weir_offset *kept_offsets(weir_builder *builder, const weir_offset *from,
                                       uint32_t count)
{
    weir_offset *copies = WI_NEWS(weir_offset, count + 1);
    weir_builder_keep(builder, copies);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = from[i];
        if (from[i].file.length <= WEIR_TEXT_INLINE)
            continue;
        char *file = wi_alloc(from[i].file.length);
        memcpy(file, from[i].file.at, from[i].file.length);
        copies[i].file.at = file;
        weir_builder_keep(builder, file);
    }
    return copies;
}

static void keep(weir_builder *builder, wi_read_call *call)
{
    weir_read *what = &call->what;
    weir_builder_keep(builder, call);
    what->path = kept_text(builder, what->path);
    what->paths = NULL;
    what->partition = kept_text(builder, what->partition);
    what->until = kept_text(builder, what->until);
    what->from = kept_offsets(builder, what->from, what->from_count);
    for (unsigned i = 0; i < call->files.count; i++)
        weir_builder_keep(builder, call->files.at[i]);
    if (call->files.at)
        weir_builder_keep(builder, call->files.at);
    if (call->bytes)
        weir_builder_keep(builder, call->bytes);
}

weir_stream weir_read_rows(weir_dataflow *flow, const weir_type *type, const weir_read *what)
{
    wi_read_call *call = WI_NEW(wi_read_call);
    call->what = *what;
    call->type = type;
    call->look_ms = what->look_ms ? what->look_ms : LOOK_MS;
    weir_err *err = check(flow, call);
    if (err)
        weir_scope_fail(flow, "read_rows: %s", weir_err_message(err));
    weir_err_free(err);
    if (what->partitions_out)
        *what->partitions_out = call->partitions;
    weir_builder *builder = weir_operator_begin(flow, &wi_read_operator, call);
    keep(builder, call);
    weir_stream rows = weir_builder_output(builder, type);
    if (what->offsets_out)
        *what->offsets_out = weir_builder_output(builder, &weir_offset_type);
    weir_operator_end(builder);
    weir_on_reject(rows, what->strict ? WEIR_REJECT_FAIL : WEIR_REJECT_SKIP);
    return rows;
}

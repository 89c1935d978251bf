# capture_replay counts the same when it replays as when it recorded, whatever the number of
# workers then and now.
. "$(dirname "$0")/expect.bash"

days=$(printf '%d\t%d\n' 1 3 2 3 3 3 4 3 5 2 6 3 7 4)
for writers in 1 2 3; do
    "$examples/capture_replay" -w $writers "$tmp/week" >"$tmp/recorded"
    [ "$(cat "$tmp/recorded")" = "$days" ] || fail "recording: $(cat "$tmp/recorded")"
    expect /dev/null capture_replay "$tmp/week" --replay $writers <<<"$days"
done
expect /dev/null capture_replay "$tmp/another" <<<"$days"
refuse 1 'say where to record: capture_replay FILE' capture_replay
refuse 1 'week.0. was written by worker 0 of 3, but is replayed as that of worker 0 of 2' \
    capture_replay "$tmp/week" --replay 2
refuse 2 'option --replay needs a value' capture_replay "$tmp/week" --replay

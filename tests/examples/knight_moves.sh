# knight_moves finds the distances that a plain loop does.
. "$(dirname "$0")/expect.bash"

python3 "$(dirname "$0")/graphs.py" knight 100 | expect /dev/null knight_moves

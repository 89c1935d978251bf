# same_generation finds as many pairs as plain evaluation.
. "$(dirname "$0")/graph.bash"

agree same_generation arc

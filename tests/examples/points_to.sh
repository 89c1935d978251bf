# points_to finds as many pairs as plain evaluation.
. "$(dirname "$0")/graph.bash"

agree points_to addressOf assign load store

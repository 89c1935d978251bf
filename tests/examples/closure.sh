# closure finds as many pairs as plain evaluation.
. "$(dirname "$0")/graph.bash"

agree closure edges

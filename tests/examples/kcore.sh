# kcore finds the core numbers that peeling the graph does.
. "$(dirname "$0")/graph.bash"

agree kcore edges

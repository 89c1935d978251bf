# triangles counts those that plain loops do.
. "$(dirname "$0")/graph.bash"

agree triangles edges

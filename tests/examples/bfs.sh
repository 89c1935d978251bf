# bfs finds the levels that plain searches do.
. "$(dirname "$0")/graph.bash"

agree bfs edges -- --root 0

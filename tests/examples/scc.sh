# scc finds the components that plain searches do.
. "$(dirname "$0")/graph.bash"

agree scc edges

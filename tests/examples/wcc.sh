# wcc finds the components that plain searches do.
. "$(dirname "$0")/graph.bash"

agree wcc edges

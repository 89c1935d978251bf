# degrees counts what a plain count does.
. "$(dirname "$0")/graph.bash"

agree degrees edges

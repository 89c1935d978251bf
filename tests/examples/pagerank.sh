# pagerank gives, to the last digit, what plain loops with the same rounding do.
. "$(dirname "$0")/graph.bash"

agree pagerank edges
agree pagerank -o pagerank_leak edges -- --leak --rounds 3

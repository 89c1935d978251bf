# cliques gives the answers that are known for $WEIR_DATA, if that is set: see data_full.py.
exec python3 "$(dirname "$0")/data_full.py" cliques

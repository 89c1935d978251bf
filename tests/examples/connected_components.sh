# connected_components finds as many as a plain loop does.
. "$(dirname "$0")/expect.bash"

python3 "$(dirname "$0")/graphs.py" components 100000 80000 |
    expect /dev/null connected_components

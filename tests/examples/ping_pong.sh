# ping_pong's tokens all make their hops.
. "$(dirname "$0")/expect.bash"

printf '0\t1000\n1\t1000\n' | expect /dev/null ping_pong
seq 0 99 | sed 's/$/\t50/' | expect /dev/null ping_pong --tokens 100 --hops 50
refuse 2 'hops takes a whole number' ping_pong --hops -1

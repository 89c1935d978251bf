# event_driven completes its rounds, whatever the shape.
. "$(dirname "$0")/expect.bash"

echo '200 rounds' | expect /dev/null event_driven --rounds 200
echo '50 rounds' | expect /dev/null event_driven --rounds 50 --dataflows 3 --length 0
echo '10 rounds' | expect /dev/null event_driven --rounds 10 --dataflows 1 --length 100

# several_dataflows drops its clock and counts all sales, those before the count began too.
. "$(dirname "$0")/expect.bash"

expect /dev/null several_dataflows <<'END'
the clock has ticked 1000 times, and is dropped
0	1
1	2
2	3
3	4
4	1
5	2
6	3
7	4
END

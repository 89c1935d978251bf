# shortest_paths finds the distances that Dijkstra's algorithm does, and reads weights.
. "$(dirname "$0")/graph.bash"

agree shortest_paths edges

printf '0 1 5\n1 2 5\n0 2 30\n2 0 0\n' >"$tmp/roads"
printf '1 1 2 5 -1\n2 1\t2 1 1\n2 0 3 -1\n2 0 3 1\n' >"$tmp/updates"
expect /dev/null shortest_paths --edges "$tmp/roads" --updates "$tmp/updates" --at 2,0,1 <<END
0	reached	3
0	distance	0	1
0	distance	5	1
0	distance	10	1
1	reached	3
1	distance	0	1
1	distance	5	1
1	distance	30	1
2	reached	3
2	distance	0	1
2	distance	5	1
2	distance	6	1
END
far=9223372036854775807
printf "0 1 $far\n1 2 $far\n2 3 $far\n3 4 1\n" >"$tmp/roads"
expect /dev/null shortest_paths --edges "$tmp/roads" <<END
0	reached	5
0	distance	0	1
0	distance	9223372036854775807	1
0	distance	18446744073709551614	1
0	distance	18446744073709551615	2
END

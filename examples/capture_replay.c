/* Records a stream to files and replays it in another execution with another number of
 * workers: rows keep their times.
 *
 *     capture_replay -w 2 --file /tmp/readings      writes /tmp/readings.0 and .1 */
#include <stdio.h>

#include <weir/weir.h>

#define READING(F) F(u64, sensor) F(i64, value)
#define TALLY(F) F(u64, sensor) F(i64, readings)
WEIR_ROW(reading, READING)
WEIR_ROW(tally, TALLY)

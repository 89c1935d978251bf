/* How the two ends of a link through shared memory wake each other (net/ring.h, socket_rings.h,
 * poller.h).
 *
 * A ring has one writer and one reader. Who finds nothing to do tells its process's poller whom to
 * wake, says in the memory that it sleeps, and looks once more. Who has moved something says so in
 * the memory, looks whether the other side sleeps, and then rings: a byte through a socket. The
 * poller takes all bytes that are there, and wakes who waits. Each event is reported once, until
 * somebody is told to it again (EPOLLONESHOT).
 *
 * Live: nobody sleeps for ever, until all is moved.
 * Safe: the reader is never ahead of the writer, nor the writer by more than the ring's size.
 *
 * Sizes: N bytes in all, C of them in the ring. One of these makes a mutant that must fail:
 *   MUTANT_TOLD_LATE   the poller is told only after the look
 *   MUTANT_NO_LOOK     there is no second look
 *   MUTANT_LOOK_EARLY  the second look comes before it is said that this side sleeps
 *   MUTANT_RING_EARLY  whether the other side sleeps is seen before what was moved is said
 *   MUTANT_ONE_WAKES   the poller takes the bytes and wakes nobody who was told to it meanwhile */
#ifndef N
#define N 4
#endif
#ifndef C
#define C 1
#endif

#define READER 0
#define WRITER 1

byte written, taken;
bit sleeps[2];   /* in the memory */
bit told[2];     /* the poller has somebody to wake */
bit reports[2];  /* and will report the next event */
bit woken[2];
bit lock[2];     /* each poller's */
byte bells[2];   /* bytes that have come to this side's socket, 3 at most */
bit over[2];

#define CAN(me) (me == READER -> written > taken : written - taken < C)
#define OTHER(me) (1 - me)

inline acquire(me) { atomic { !lock[me] -> lock[me] = 1 } }
inline release(me) { lock[me] = 0 }

inline say_moved(me) {
  if
  :: me == READER -> taken++
  :: else -> written++
  fi;
  assert(taken <= written && written - taken <= C)
}

inline ring_if(sees) {
  if
  :: sees ->
     sleeps[OTHER(me)] = 0;
     if
     :: bells[OTHER(me)] < 3 -> bells[OTHER(me)]++
     :: else
     fi
  :: else
  fi
}

inline tell(me) {
  acquire(me);
  told[me] = 1;
  reports[me] = 1;
  release(me)
}

inline look(me) {
#ifdef MUTANT_NO_LOOK
  skip
#else
  if
  :: CAN(me) ->
     sleeps[me] = 0;
     acquire(me);
     if
     :: told[me] -> told[me] = 0; woken[me] = 1
     :: else
     fi;
     release(me)
  :: else
  fi
#endif
}

proctype side(byte me) {
  bit sees;
  do
  :: (me == READER -> taken : written) == N -> break
  :: else ->
     if
     :: CAN(me) ->
#ifdef MUTANT_RING_EARLY
        sees = sleeps[OTHER(me)];
        say_moved(me);
#else
        say_moved(me);
        sees = sleeps[OTHER(me)];
#endif
        ring_if(sees);
        sees = 0
     :: else ->
#if defined(MUTANT_TOLD_LATE)
        sleeps[me] = 1;
        look(me);
        tell(me);
#elif defined(MUTANT_LOOK_EARLY)
        tell(me);
        look(me);
        sleeps[me] = 1;
#else
        tell(me);
        sleeps[me] = 1;
        look(me);
#endif
        woken[me];
        woken[me] = 0
     fi
  od;
  over[me] = 1
}

proctype poller(byte me) {
  bit whom;
end:
  do
  :: atomic { bells[me] > 0 && reports[me] && !lock[me] -> lock[me] = 1; reports[me] = 0 };
#ifdef MUTANT_ONE_WAKES
     whom = told[me];
     release(me);
     bells[me] = 0;
     acquire(me);
#else
     bells[me] = 0;
     whom = told[me];
#endif
     if
     :: whom -> told[me] = 0; woken[me] = 1
     :: else
     fi;
     whom = 0;
     release(me)
  od
}

proctype monitor() {
  over[READER] && over[WRITER];
  assert(taken == N && written == N)
}

init {
  atomic {
    run side(READER); run side(WRITER);
    run poller(READER); run poller(WRITER);
    run monitor()
  }
}

/* How the workers of one process hand their change batches to the tracker.
 *
 * A worker gathers changes of pointstamp counts as it sends, receives and gives up its
 * capability. If it can have the lock, it applies all of them itself. If not, and its slot
 * is empty, it puts all of them there, in one step, and tries the lock again; if another
 * worker still holds it, that one will see to the batch. The holder also empties all slots
 * and applies them, publishes the frontier and lets go of the lock; then it looks at the
 * slots again, since a batch that came after it had looked found the lock taken. Data go
 * another way, at once and in any order: they may be received and counted as consumed
 * before they are counted as sent.
 *
 * Locations: the source's output (where each worker holds one capability, c) and an input
 * (where messages wait, m). Times are 0 .. T-1; T stands for none. What is really there
 * (held, waiting) is kept beside what the tracker has been told (told).
 *
 * Safe:   when the published frontier is f, nothing is held or waits at a time before f;
 *         and it never goes back.
 * Live:   when no worker can go on, no batch is in a slot and the frontier is T.
 *
 * Sequential consistency is assumed, and needed in one place: "post, then try the lock"
 * against "unlock, then look again" must not be reordered on either side (MUTANT_LOOK_EARLY
 * is what happens if they are).
 *
 * Sizes: W workers, T times, M messages. One of these makes a mutant that must fail:
 *   MUTANT_SPLIT       what was consumed is posted in one batch, what it caused in the next
 *   MUTANT_EARLY_DROP  a capability is given up a batch before what was sent with it counts
 *   MUTANT_MERGED      counts are kept per time, not per location and time
 *   MUTANT_NO_LOOK     the holder does not look at the slots after it has unlocked
 *   MUTANT_LOOK_EARLY  it looks before it unlocks
 *   MUTANT_LOSSY       a batch is put into a slot whether that is empty or not */
#ifndef W
#define W 2
#endif
#ifndef T
#define T 2
#endif
#ifndef M
#define M 3
#endif

typedef batch { short c[T]; short m[T] };

batch gathered[W];  /* not posted yet */
batch slot[W];
bit some[W];        /* gathered is not empty */
bit posted[W];      /* slot holds a batch */
bit lock;
batch told;
byte published;

byte capability[W]; /* the time of each worker's; T: given up */
byte waiting[W*T];  /* messages on their way to a worker at a time */
byte made;          /* messages so far */

#if defined(MUTANT_SPLIT) || defined(MUTANT_EARLY_DROP)
batch late[W];      /* to be gathered after the next post */
bit some_late[W];
#define GATHER_LATE(w, t) late[w].m[t]++; some_late[w] = 1
#endif

#ifdef MUTANT_SPLIT
#define GATHER_CAUSED(w, t) GATHER_LATE(w, t)
#else
#define GATHER_CAUSED(w, t) gathered[w].m[t]++
#endif
#ifdef MUTANT_EARLY_DROP
#define GATHER_SENT(w, t) GATHER_LATE(w, t)
#else
#define GATHER_SENT(w, t) gathered[w].m[t]++
#endif

#ifdef MUTANT_MERGED
#define TOLD_AT(t) (told.c[t] + told.m[t] > 0)
#else
#define TOLD_AT(t) (told.c[t] > 0 || told.m[t] > 0)
#endif

#ifdef MUTANT_LOSSY
#define MAY_POST(w) some[w]
#else
#define MAY_POST(w) (some[w] && !posted[w])
#endif

hidden byte i, j;

/* Whatever a worker does, it may read the published frontier right after. */
inline check_safe() {
  i = 0;
  do
  :: i < published ->
     j = 0;
     do
     :: j < W -> assert(capability[j] != i && waiting[j*T + i] == 0); j++
     :: else -> break
     od;
     i++
  :: else -> break
  od;
  i = 0; j = 0
}

/* To any worker, the sender included. */
inline send_to_some(t) {
  if
  :: waiting[t]++
  :: waiting[T + t]++
#if W > 2
  :: waiting[2*T + t]++
#endif
  fi;
  made++
}

/* The worker's batch is added to another one. */
inline pour(w, to) {
  i = 0;
  do
  :: i < T ->
     to.c[i] = to.c[i] + gathered[w].c[i]; gathered[w].c[i] = 0;
     to.m[i] = to.m[i] + gathered[w].m[i]; gathered[w].m[i] = 0;
#if defined(MUTANT_SPLIT) || defined(MUTANT_EARLY_DROP)
     gathered[w].m[i] = late[w].m[i]; late[w].m[i] = 0;
#endif
     i++
  :: else -> break
  od;
  i = 0;
#if defined(MUTANT_SPLIT) || defined(MUTANT_EARLY_DROP)
  some[w] = some_late[w]; some_late[w] = 0
#else
  some[w] = 0
#endif
}

/* Whatever a slot held is gone: a mutant may put a batch where there is one. */
inline empty_slot(w) {
  i = 0;
  do
  :: i < T -> slot[w].c[i] = 0; slot[w].m[i] = 0; i++
  :: else -> break
  od;
  i = 0;
  posted[w] = 0
}

inline apply_slot(w) {
  i = 0;
  do
  :: i < T ->
     told.c[i] = told.c[i] + slot[w].c[i];
     told.m[i] = told.m[i] + slot[w].m[i];
     i++
  :: else -> break
  od;
  empty_slot(w)
}

inline publish() {
  i = 0;
  do
  :: i < T && !TOLD_AT(i) -> i++
  :: else -> break
  od;
  assert(i >= published);
  published = i;
  check_safe()
}

/* An option of the worker's loop: receives a message of time t, which may cause another one
   at that time or at the next. */
#define RECEIVE(t)                                                                          \
  atomic { waiting[me*T + t] > 0 ->                                                         \
    waiting[me*T + t]--; gathered[me].m[t]--; some[me] = 1;                                 \
    if                                                                                      \
    :: made < M -> GATHER_CAUSED(me, t); send_to_some(t)                                    \
    :: made < M && t + 1 < T -> GATHER_CAUSED(me, t + 1); send_to_some(t + 1)               \
    :: true                                                                                 \
    fi;                                                                                     \
    check_safe() }

proctype worker(byte me) {
  byte t, k;
end:
  do
  /* sends with its capability */
  :: atomic { capability[me] < T && made < M ->
       t = capability[me]; GATHER_SENT(me, t); some[me] = 1;
       send_to_some(t); t = 0; check_safe() }
  /* advances its capability, or gives it up */
  :: atomic { capability[me] < T ->
       t = capability[me]; gathered[me].c[t]--; some[me] = 1;
       capability[me] = t + 1;
       if
       :: t + 1 < T -> gathered[me].c[t + 1]++
       :: else
       fi;
       t = 0; check_safe() }
  :: RECEIVE(0)
  :: RECEIVE(1)
#if T > 2
  :: RECEIVE(2)
#endif
  /* applies its batch itself */
  :: atomic { some[me] && lock == 0 -> lock = 1; pour(me, told); goto drain }
  /* posts it, and sees to all batches if nobody does */
  :: atomic { MAY_POST(me) -> empty_slot(me); pour(me, slot[me]); posted[me] = 1 };
take:
     if
     :: atomic { lock == 0 -> lock = 1 };
drain:
        do
        :: atomic { k < W && posted[k] -> apply_slot(k); k++ }
        :: atomic { k < W && !posted[k] -> k++ }
        :: k == W -> break
        od;
        atomic { publish(); k = 0 };
#ifdef MUTANT_LOOK_EARLY
        do
        :: atomic { k < W && !posted[k] -> k++ }
        :: else -> break
        od;
        lock = 0;
        if
        :: atomic { k < W -> k = 0; goto take }
        :: atomic { k == W -> k = 0 }
        fi
#else
        lock = 0;
#ifndef MUTANT_NO_LOOK
        do
        :: atomic { k < W && posted[k] -> k = 0; goto take }
        :: atomic { k < W && !posted[k] -> k++ }
        :: atomic { k == W -> k = 0 }; break
        od
#endif
#endif
     :: lock == 1 -> skip
     fi
  od
}

proctype monitor() {
  timeout -> atomic {
    assert(published == T);
    i = 0;
    do
    :: i < W -> assert(!posted[i] && !some[i]); i++
    :: else -> break
    od;
    i = 0
  }
}

init {
  atomic {
    told.c[0] = W; /* the capabilities that every worker begins with */
    i = 0;
    do
    :: i < W -> run worker(i); i++
    :: else -> break
    od;
    i = 0;
    run monitor()
  }
}

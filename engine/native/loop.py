"""The native machine's loop over instructions, alone or shared with the threads of a crew.

An instruction that is worth it is cut into parts of its units, which whoever is free takes: the
caller from the first on, helpers from the last on, so that each finds in its caches what it wrote before.
All are done before the next instruction begins.  Units don't know who does them, so the results are the
same bits however many threads there are, and whether or not a helper gets a processor to run on.
"""

from engine.native.frontend import compiled, entry
from engine.native.instructions import (
    AT,
    BUSY,
    CHAIN,
    CREW,
    CUT,
    DONE,
    GRAIN,
    JOINED,
    LENGTH,
    MEMORY,
    MOVED,
    OP,
    OUT,
    ROOM,
    ROOM_SIZE,
    SHARE,
    STEPS,
    STOP,
    STREAMS,
    TABLE,
    THREADS,
    TICKET,
    UNITS,
    WIDTH,
    WORK,
    WORKERS,
    YIELD,
)
from engine.native.kernels import columns
from engine.native.simd import add_to, call_kernel, flush, give_way, i64s, look, pause, put, set_control, swap

ROW, STREAM = 8 * WIDTH, 32  # bytes of an instruction, and of what is told of a stream
SHARES = 4  # parts a thread at most, so that nobody is waited for long
SPINS = 1000  # looks at a word, some 50 microseconds, until the processor is offered to others before each
PATIENCE = 1300  # looks at a crew that has nothing to do, until its helper leaves


@compiled
def work(at, begin, count, room):
    """Some units of the instruction at ``at``, or of the chain that begins there: joined, or unit by unit."""
    row = columns(at)
    chain = row[CHAIN]
    if chain <= 1:
        call_kernel(row[OP], at, begin, count, room)
        return
    if row[JOINED] != 0:
        call_kernel(row[JOINED], at, begin, count, room)
        return
    for unit in range(begin, begin + count):
        for link in range(at, at + chain * ROW, ROW):
            call_kernel(columns(link)[OP], link, unit, 1, room)


@compiled
def wait(crew, looks):
    """Between two looks at a word that another thread will change."""
    pause()
    if looks > SPINS:
        give_way(look(crew + YIELD))


@compiled
def do_part(crew, at, parts, which, room):
    """One part of the instruction that the crew works on; it is counted when it is done."""
    units = columns(at)[UNITS]
    begin = units * which // parts
    work(at, begin, units * (which + 1) // parts - begin, room)
    add_to(crew + DONE, 1)


@compiled
def share(crew, at, parts, room):
    """An instruction with the helpers that are there.

    The ticket holds all that decides who does a part, to be changed in one go: a number that no other instruction
    has, the first part that nobody has, and the end of those (16 bits each).  Nothing else changes until all are done.
    """
    put(crew + AT, at)
    put(crew + CUT, parts)
    put(crew + DONE, 0)
    put(crew + TICKET, (look(crew + TICKET) >> 32) + 1 << 32 | parts)
    while True:
        ticket = look(crew + TICKET)
        first = ticket >> 16 & 0xFFFF
        if first == ticket & 0xFFFF:
            break
        if swap(crew + TICKET, ticket, ticket + (1 << 16)):
            do_part(crew, at, parts, first, room)
    looks = 0
    while look(crew + DONE) < parts:
        wait(crew, looks)
        looks += 1


@entry
def help_crew(crew, index):
    """Do parts of what the crew works on, as its helper number ``index``; until there was no work for a while."""
    before = flush()
    looks = 0
    while look(crew + STOP) == 0 and (looks < PATIENCE or look(crew + BUSY) != 0):
        ticket = look(crew + TICKET)
        at, parts, workers = look(crew + AT), look(crew + CUT), look(crew + WORKERS)
        room = look(crew + ROOM) + (index + 1) * look(crew + ROOM_SIZE)
        end = ticket & 0xFFFF
        if index + 1 < workers and ticket >> 16 & 0xFFFF < end and swap(crew + TICKET, ticket, ticket - 1):
            do_part(crew, at, parts, end - 1, room)
            looks = 0
        else:
            wait(crew, looks)
            looks += 1
    set_control(before)


@entry
def run(call):
    """Run all instructions of a table some times, as the words at ``call`` say (TABLE and those after it).

    A stream is (the address of a column, what it names before and after, the stream's next part, bytes a step): in
    each step, the column names that part.  The memory is for this thread and, unless they are busy with another
    run, for helpers of the crew.  Subnormal numbers count as 0 meanwhile.  An instruction of OP 0 is a guard: if
    the word at OUT isn't 0, the run ends there; the streams tell how many steps were whole.
    """
    told, before = i64s(call), flush()
    steps, workers, room, crew = told[STEPS], told[THREADS], told[MEMORY], told[CREW]
    if workers == 1 or not swap(crew + BUSY, 0, 1):
        workers = 1
    else:
        put(crew + ROOM, room)
        put(crew + ROOM_SIZE, told[SHARE])
        put(crew + WORKERS, workers)
    table, streams = told[TABLE], told[STREAMS]
    end, last = table + ROW * told[LENGTH], streams + STREAM * told[MOVED]
    step = 0
    while step < steps:
        for at in range(streams, last, STREAM):
            stream = i64s(at)
            i64s(stream[0])[0] = stream[2] + step * stream[3]
        now = table
        while now < end:
            row = columns(now)
            if row[OP] == 0:
                if i64s(row[OUT])[0] != 0:
                    break
                now += ROW
                continue
            parts = min(row[UNITS], row[WORK] // GRAIN, SHARES * workers) if workers > 1 else 1
            if parts > 1:
                share(crew, now, parts, room)
            else:
                work(now, 0, row[UNITS], room)
            now += ROW * max(1, row[CHAIN])
        if now < end:
            break
        step += 1
    for at in range(streams, last, STREAM):
        stream = i64s(at)
        i64s(stream[0])[0] = stream[1]
        stream[2] += step * stream[3]
    if workers > 1:
        put(crew + BUSY, 0)
    set_control(before)

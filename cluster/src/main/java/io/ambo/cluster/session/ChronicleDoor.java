package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;

/**
 * The short way to a session: with Chronicle Map's own lock and in its own memory, but without its query context, which is made for all that a map can be.
 *
 * <pre>
 *   try {
 *       long entry = door.open(address of the key);   // 0: no such session
 *       ... change it in place, or door.insert(address), or door.remove()
 *   } finally {
 *       door.close();
 *   }
 * </pre>
 *
 * <p>The lock is the one of Chronicle Map that lets readers in. Nobody reads this map under a reader's lock, so it is an exclusive one here. If the process is killed while it holds it, the table is recovered
 * at the next start.
 *
 * <p>For one thread, and it must not be open while that thread has a context of the map.
 */
final class ChronicleDoor {
    private static final BigSegmentHeader HEADER = BigSegmentHeader.INSTANCE;

    private final MemorySegment memory;
    private final ChronicleLayout layout;
    private final ChronicleChunks chunks;
    /** Header of the slice whose lock is held; 0: none is. */
    private long locked;
    /** What was looked for, and where it was found. */
    private int slice;
    private long search;
    private long tier;
    private long place;

    ChronicleDoor(MemorySegment memory, ChronicleLayout layout) {
        this.memory = memory;
        this.layout = layout;
        chunks = new ChronicleChunks(memory, layout);
    }

    /**
     * Locks the slice of a key, waiting for it if need be as Chronicle Map does, and looks for it.
     *
     * @param key address of its bytes
     * @return address of the key in the table; its record is {@link ChronicleLayout#RECORD} behind it. 0: it is not there
     */
    long open(long key) {
        long hash = ChronicleLayout.hash(key);
        slice = layout.slice(hash);
        search = layout.search(hash);
        long header = layout.header(slice);
        HEADER.updateLock(header);
        locked = header;
        for (tier = layout.tier(slice); tier != 0; tier = layout.nextTier(slice, tier)) {
            long entry = find(key);
            if (entry != 0) return entry;
        }
        return 0;
    }

    /**
     * Makes an entry of what {@link #open} has not found.
     *
     * @param from address of the key, with its record behind it
     * @throws IllegalStateException when the slice is full and there is no extra room for it
     */
    void insert(long from) {
        long last;
        long next = layout.tier(slice);
        do {
            last = next;
            if (insertInto(last, from)) return;
            next = layout.nextTier(slice, last);
        } while (next != 0);
        if (!insertInto(layout.addTier(slice, last), from)) throw new IllegalStateException("a new tier has no room");
    }

    /** Removes what {@link #open} has found. */
    void remove() {
        long chunk = layout.index.value(layout.index.readEntry(tier, place));
        layout.index.remove(tier, place);
        chunks.give(slice, tier, chunk);
    }

    /** Gives the lock back, if one is held. */
    void close() {
        if (locked == 0) return;
        HEADER.updateUnlock(locked);
        locked = 0;
    }

    private boolean insertInto(long into, long from) {
        long empty = layout.emptyPlace(into, search);
        if (empty < 0) return false;
        long chunk = chunks.take(slice, into);
        if (chunk < 0) return false;
        MemorySegment.copy(memory, from, memory, layout.chunk(into, chunk), ChronicleLayout.ENTRY_SIZE);
        layout.index.writeEntry(into, empty, layout.index.entry(search, chunk));
        return true;
    }

    private long find(long key) {
        long first = layout.index.hlPos(search);
        place = first;
        do {
            long found = layout.index.readEntry(tier, place);
            if (layout.index.empty(found)) return 0;
            long entry = layout.entry(tier, found, search);
            if (entry != 0 && isSame(entry, key)) return entry;
            place = layout.index.step(place);
        } while (place != first);
        return 0;
    }

    private boolean isSame(long a, long b) {
        long difference = 0;
        for (int i = 0; i < SessionKey.SIZE; i += Long.BYTES)
            difference |= memory.get(JAVA_LONG_UNALIGNED, a + i) ^ memory.get(JAVA_LONG_UNALIGNED, b + i);
        return difference == 0;
    }
}

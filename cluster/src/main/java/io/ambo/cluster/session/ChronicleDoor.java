package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;

/**
 * The short way to a session: with Chronicle Map's own lock and in its own memory, but without its query context, which is made for all that a map can be. It looks up, and whoever opened it may
 * change the record in place; what makes or removes an entry goes Chronicle Map's way.
 *
 * <pre>
 *   door.open(address of the key);
 *   try {
 *       long entry = door.entry();   // 0: no such session
 *   } finally {
 *       door.close();
 *   }
 * </pre>
 *
 * <p>For one thread, and it must not be open while that thread has a context of the map.
 */
final class ChronicleDoor {
    private static final BigSegmentHeader HEADER = BigSegmentHeader.INSTANCE;

    private final MemorySegment memory;
    private final ChronicleLayout layout;
    private long header;
    private long entry;

    ChronicleDoor(MemorySegment memory, ChronicleLayout layout) {
        this.memory = memory;
        this.layout = layout;
    }

    /**
     * Locks the slice of a key, waiting for it if need be as Chronicle Map does, and looks for it.
     *
     * @param key address of its bytes
     */
    void open(long key) {
        long hash = ChronicleLayout.hash(key);
        int slice = layout.slice(hash);
        long search = layout.search(hash);
        header = layout.header(slice);
        HEADER.updateLock(header);
        long tier = layout.tier(slice);
        entry = find(tier, search, key);
        while (entry == 0 && (tier = layout.nextTier(slice, tier)) != 0) entry = find(tier, search, key);
    }

    /** Address of the key in the table; its record is {@link ChronicleLayout#RECORD} behind it. 0: it is not there. */
    long entry() {
        return entry;
    }

    void close() { HEADER.updateUnlock(header); }

    private long find(long tier, long search, long key) {
        long first = layout.index.hlPos(search);
        long place = first;
        do {
            long found = layout.index.readEntry(tier, place);
            if (layout.index.empty(found)) return 0;
            if (layout.index.key(found) == search) {
                long at = layout.entry(tier, layout.index.value(found));
                if (isSame(at, key)) return at;
            }
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

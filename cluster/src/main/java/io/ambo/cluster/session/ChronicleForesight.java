package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;

/**
 * Loads what look-ups are about to need, all at once. A look-up in a large table waits for memory three times, one after the other: for the lock of its slice, for its place in the slice's
 * index, for the entry. The look-ups of a burst of packets do not depend on each other, so here each of the three steps is done for all keys before the next one, and the processor waits for
 * a dozen lines at once. A session that is not there is about to be made: for it the first free chunk of its slice is loaded, which it takes as a rule.
 *
 * <p>Nothing depends on it: what is read is thrown away, whatever it was, and no lock is taken. For one thread.
 */
final class ChronicleForesight {
    /** Keys that are looked for together. */
    static final int MOST = 64;

    private static final BigSegmentHeader HEADER = BigSegmentHeader.INSTANCE;
    private static final long LINE = 64;
    /** The last line of an entry begins here at the latest. */
    private static final long LAST_WORD = ChronicleLayout.ENTRY_SIZE - 8;
    /** Places of the index that are looked through for a key: about a line of memory. */
    private static final int PLACES = 12;

    private final MemorySegment memory;
    private final ChronicleLayout layout;
    private final MemorySegment scratch = Arena.ofAuto().allocate(SessionKey.SIZE, 8);
    private final SessionKey key = new SessionKey(scratch, 0);
    private final long[] locks = new long[MOST];
    private final long[] tiers = new long[MOST];
    private final long[] places = new long[MOST];
    private final long[] wanted = new long[MOST];
    private final long[] entries = new long[MOST];
    private final long[] words = new long[MOST];
    private int count;
    /** So that the compiler must load what it has no other use for. */
    @SuppressWarnings("UnusedVariable")
    private long seen;

    ChronicleForesight(MemorySegment memory, ChronicleLayout layout) {
        this.memory = memory;
        this.layout = layout;
    }

    /** One more key. */
    void expect(SessionKey expected) {
        if (count == MOST) fetch();
        key.copyFrom(expected);
        long hash = ChronicleLayout.hash(scratch.address());
        int slice = layout.slice(hash);
        long search = layout.search(hash);
        locks[count] = layout.header(slice);
        tiers[count] = layout.tier(slice);
        places[count] = layout.index.hlPos(search);
        wanted[count] = search;
        count++;
    }

    /** Loads what the keys need, and forgets them. */
    void fetch() {
        long sum = 0;
        for (int i = 0; i < count; i++) sum += memory.get(JAVA_LONG_UNALIGNED, locks[i]) + layout.index.readEntry(tiers[i], places[i]);
        for (int i = 0; i < count; i++) {
            entries[i] = find(i);
            if (entries[i] != 0) sum += load(entries[i]);
            else
                words[i] = memory.get(JAVA_LONG_UNALIGNED, layout.bits(tiers[i], lowest(i)));
        }
        for (int i = 0; i < count; i++) {
            if (entries[i] != 0) continue;
            long chunk = ChronicleChunks.firstFree(words[i], lowest(i));
            if (chunk < layout.chunks) sum += load(layout.chunk(tiers[i], chunk));
        }
        seen += sum;
        count = 0;
    }

    /** No chunk below is free. */
    private long lowest(int i) {
        return Math.min(HEADER.lowestPossiblyFreeChunk(locks[i]), layout.chunks - 1);
    }

    private long load(long entry) {
        return memory.get(JAVA_LONG_UNALIGNED, entry) + memory.get(JAVA_LONG_UNALIGNED, entry + LINE)
                + memory.get(JAVA_LONG_UNALIGNED, entry + 2 * LINE) + memory.get(JAVA_LONG_UNALIGNED, entry + LAST_WORD);
    }

    /** Where the entry of an expected key begins, as far as the first places of the index tell; 0: not there. */
    private long find(int i) {
        long place = places[i];
        for (int looked = 0; looked < PLACES; looked++) {
            long found = layout.index.readEntry(tiers[i], place);
            if (layout.index.empty(found)) return 0;
            long entry = layout.entry(tiers[i], found, wanted[i]);
            if (entry != 0) return entry;
            place = layout.index.step(place);
        }
        return 0;
    }

    /** For the test: where the entries of the keys are that were fetched last; 0: not there. */
    long[] entriesAfterFetch(int keys) {
        return Arrays.copyOf(entries, keys);
    }
}

package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Loads what look-ups are about to need, all at once. A look-up in a large table waits for memory three times, one after the other: for the lock of its slice, for its place in the slice's
 * index, for the entry. The look-ups of a burst of packets do not depend on each other, so here each of the three steps is done for all keys before the next one, and the processor waits for
 * a dozen lines at once.
 *
 * <p>Nothing depends on it: what is read is thrown away, whatever it was, and no lock is taken. For one thread.
 */
final class ChronicleForesight {
    /** Keys that are looked for together. */
    static final int MOST = 64;

    private static final long LINE = 64;
    /** The last line of an entry begins here at the latest. */
    private static final long LAST_WORD = SessionKey.SIZE + SessionRecord.SIZE - 8;

    private final MemorySegment memory;
    private final ChronicleLayout layout;
    private final MemorySegment scratch = Arena.ofAuto().allocate(SessionKey.SIZE, 8);
    private final SessionKey key = new SessionKey(scratch, 0);
    private final long[] locks = new long[MOST];
    private final long[] tiers = new long[MOST];
    private final long[] places = new long[MOST];
    private final long[] wanted = new long[MOST];
    private final long[] found = new long[MOST];
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
        for (int i = 0; i < count; i++) {
            sum += memory.get(JAVA_LONG_UNALIGNED, locks[i]);
            found[i] = layout.index.readEntry(tiers[i], places[i]);
        }
        for (int i = 0; i < count; i++) {
            long entry = entry(i);
            if (entry == 0) continue;
            sum += memory.get(JAVA_LONG_UNALIGNED, entry) + memory.get(JAVA_LONG_UNALIGNED, entry + LINE)
                    + memory.get(JAVA_LONG_UNALIGNED, entry + 2 * LINE) + memory.get(JAVA_LONG_UNALIGNED, entry + LAST_WORD);
        }
        seen += sum;
        count = 0;
    }

    /** Where the entry of an expected key begins, as far as the first place of the index tells; 0: not there. */
    private long entry(int i) {
        return layout.entry(tiers[i], found[i], wanted[i]);
    }

    /** For the test: where the entries of the keys are that were expected last. */
    long[] entriesAfterFetch(int keys) {
        long[] entries = new long[keys];
        Arrays.setAll(entries, this::entry);
        return entries;
    }
}

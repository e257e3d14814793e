package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;
import net.openhft.chronicle.hash.impl.TierCountersArea;

/** Which chunks of a tier are taken. {@link #take} and {@link #give} are called under the lock of the slice. */
final class ChronicleChunks {
    private static final BigSegmentHeader HEADER = BigSegmentHeader.INSTANCE;

    private final MemorySegment memory;
    private final ChronicleLayout layout;

    ChronicleChunks(MemorySegment memory, ChronicleLayout layout) {
        this.memory = memory;
        this.layout = layout;
    }

    /** Takes the first free chunk. @return its number; -1: the tier is full */
    long take(int slice, long tier) {
        long taken = taken(slice, tier);
        if (taken >= layout.mostEntries) return -1;
        long chunk = firstOf(tier, lowest(slice, tier));
        if (chunk >= layout.chunks) return -1;
        long word = layout.bits(tier, chunk);
        memory.set(JAVA_LONG_UNALIGNED, word, memory.get(JAVA_LONG_UNALIGNED, word) | 1L << chunk);
        taken(slice, tier, taken + 1);
        lowest(slice, tier, chunk + 1);
        return chunk;
    }

    void give(int slice, long tier, long chunk) {
        long word = layout.bits(tier, chunk);
        memory.set(JAVA_LONG_UNALIGNED, word, memory.get(JAVA_LONG_UNALIGNED, word) & ~(1L << chunk));
        taken(slice, tier, taken(slice, tier) - 1);
        if (chunk < lowest(slice, tier)) lowest(slice, tier, chunk);
    }

    /**
     * The first free chunk of those that one word tells of.
     *
     * @param word the bits of 64 chunks, set for those that are taken
     * @param from one of them; those before do not count
     * @return {@link Long#MAX_VALUE}: none is free
     */
    static long firstFree(long word, long from) {
        long free = ~word & -1L << from;
        return free == 0 ? Long.MAX_VALUE : (from & -64) + Long.numberOfTrailingZeros(free);
    }

    /** Of all chunks of a tier; it may be behind the last one. */
    private long firstOf(long tier, long from) {
        while (from < layout.chunks) {
            long chunk = firstFree(memory.get(JAVA_LONG_UNALIGNED, layout.bits(tier, from)), from);
            if (chunk != Long.MAX_VALUE) return chunk;
            from = (from & -64) + 64;
        }
        return Long.MAX_VALUE;
    }

    private long taken(int slice, long tier) {
        return layout.isFirst(slice, tier) ? HEADER.entries(layout.header(slice)) : TierCountersArea.entries(layout.counters(tier));
    }

    private void taken(int slice, long tier, long count) {
        if (layout.isFirst(slice, tier)) HEADER.entries(layout.header(slice), count);
        else
            TierCountersArea.entries(layout.counters(tier), count);
    }

    private long lowest(int slice, long tier) {
        return layout.isFirst(slice, tier)
                ? HEADER.lowestPossiblyFreeChunk(layout.header(slice))
                : TierCountersArea.lowestPossiblyFreeChunkTiered(layout.counters(tier));
    }

    private void lowest(int slice, long tier, long chunk) {
        if (layout.isFirst(slice, tier)) HEADER.lowestPossiblyFreeChunk(layout.header(slice), chunk);
        else
            TierCountersArea.lowestPossiblyFreeChunkTiered(layout.counters(tier), chunk);
    }
}

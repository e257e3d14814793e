package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;
import net.openhft.chronicle.hash.impl.TierCountersArea;

/** Which chunks of a tier are taken. Every call is under the lock of the slice. */
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
        long chunk = firstFree(layout.bits(tier), lowest(slice, tier));
        if (chunk >= layout.chunks) return -1;
        long word = layout.bits(tier) + (chunk >>> 6) * Long.BYTES;
        memory.set(JAVA_LONG_UNALIGNED, word, memory.get(JAVA_LONG_UNALIGNED, word) | 1L << chunk);
        taken(slice, tier, taken + 1);
        lowest(slice, tier, chunk + 1);
        return chunk;
    }

    void give(int slice, long tier, long chunk) {
        long word = layout.bits(tier) + (chunk >>> 6) * Long.BYTES;
        memory.set(JAVA_LONG_UNALIGNED, word, memory.get(JAVA_LONG_UNALIGNED, word) & ~(1L << chunk));
        taken(slice, tier, taken(slice, tier) - 1);
        if (chunk < lowest(slice, tier)) lowest(slice, tier, chunk);
    }

    /** @param from no chunk below is free. @return at least the number of chunks: none is */
    private long firstFree(long bits, long from) {
        long mask = -1L << from;
        for (long first = from & -64; first < layout.chunks; first += 64) {
            long free = ~memory.get(JAVA_LONG_UNALIGNED, bits + (first >>> 6) * Long.BYTES) & mask;
            if (free != 0) return first + Long.numberOfTrailingZeros(free);
            mask = -1;
        }
        return layout.chunks;
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

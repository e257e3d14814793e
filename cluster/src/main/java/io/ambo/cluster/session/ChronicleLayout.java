package io.ambo.cluster.session;

import java.util.Objects;
import net.openhft.chronicle.algo.hashing.LongHashFunction;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;
import net.openhft.chronicle.hash.impl.CompactOffHeapLinearHashTable;
import net.openhft.chronicle.hash.impl.HashSplitting;
import net.openhft.chronicle.hash.impl.TierCountersArea;
import net.openhft.chronicle.hash.impl.VanillaChronicleHash;
import net.openhft.chronicle.map.ChronicleMap;

/**
 * Where Chronicle Map keeps the sessions. A slice has a header with its lock, and one tier, or more if it has grown; a tier is an index (a hash table of places, each with a part of the hash and the number
 * of a chunk), then counters and the list of free chunks, then the chunks. A session's key and record stand there one after the other. {@code ChronicleLayoutTest} compares it with what the map
 * itself says.
 */
final class ChronicleLayout {
    /** From the key to the record. */
    static final long RECORD = SessionKey.SIZE;

    /** Between a slice's index and its list of free chunks. */
    private static final long COUNTERS = 64;
    private static final LongHashFunction HASH = LongHashFunction.xx_r39();

    /** Of any tier. */
    final CompactOffHeapLinearHashTable index;
    private final VanillaChronicleHash<?, ?, ?, ?> map;
    private final HashSplitting splitting;
    private final long chunks;
    private final long chunksOffset;
    private final long chunkSize;

    ChronicleLayout(ChronicleMap<byte[], byte[]> map) {
        this.map = (VanillaChronicleHash<?, ?, ?, ?>) map;
        index = Objects.requireNonNull(this.map.hashLookup);
        splitting = Objects.requireNonNull(this.map.hashSplitting);
        chunks = this.map.actualChunksPerSegmentTier;
        chunkSize = this.map.chunkSize;
        chunksOffset = this.map.tierHashLookupOuterSize + COUNTERS + this.map.tierFreeListOuterSize + this.map.tierEntrySpaceInnerOffset;
    }

    /** Hash of the key that stands at an address. */
    static long hash(long keyAddress) {
        return HASH.hashMemory(keyAddress, SessionKey.SIZE);
    }

    /** Slice of a key with this hash. */
    int slice(long hash) { return splitting.segmentIndex(hash); }

    /** The part of the hash that the index of the slice has. */
    long search(long hash) {
        return index.maskUnsetKey(splitting.segmentHash(hash));
    }

    /** Address of a slice's header, where its lock is. */
    long header(int slice) { return map.segmentHeaderAddress(slice); }

    /**
     * The next tier of a slice, which it has when more sessions came to it than to others.
     *
     * @param tier the one before
     * @return its address; 0: there is none
     */
    long nextTier(int slice, long tier) {
        long next = tier == tier(slice)
                ? BigSegmentHeader.INSTANCE.nextTierIndex(header(slice))
                : TierCountersArea.nextTierIndex(tier + map.tierHashLookupOuterSize);
        return next == 0 ? 0 : map.tierIndexToBaseAddr(next);
    }

    /** Address of a slice's first tier, where its index begins. */
    long tier(int slice) { return map.segmentBaseAddr(slice); }

    /** Whether a place of the index may name a chunk. It may be damaged, or half written to a reader without the lock. */
    boolean isChunk(long chunk) {
        return chunk < chunks;
    }

    /** Address of the key in a chunk. */
    long entry(long tier, long chunk) { return tier + chunksOffset + chunk * chunkSize; }

    /** Looks through the index for a free place. */
    boolean hasFreePlace(int slice) {
        long place = 0;
        for (long looked = 0; looked < map.tierHashLookupCapacity; looked++) {
            if (index.empty(index.readEntry(tier(slice), place))) return true;
            place = index.step(place);
        }
        return false;
    }
}

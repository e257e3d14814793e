package io.ambo.cluster.session;

import java.util.Objects;
import net.openhft.chronicle.algo.hashing.LongHashFunction;
import net.openhft.chronicle.hash.impl.BigSegmentHeader;
import net.openhft.chronicle.hash.impl.CompactOffHeapLinearHashTable;
import net.openhft.chronicle.hash.impl.HashSplitting;
import net.openhft.chronicle.hash.impl.TierCountersArea;
import net.openhft.chronicle.hash.impl.VanillaChronicleHash;
import net.openhft.chronicle.map.ChronicleMap;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Where Chronicle Map keeps the sessions. A slice has a header with its lock, and one tier, or more if it has grown; a tier is an index (a hash table of places, each with a part of the hash and the number
 * of a chunk), then counters and a bit for each chunk, then the chunks. A session's key and record stand there one after the other. {@code ChronicleLayoutTest} compares it with what the map
 * itself says.
 */
final class ChronicleLayout {
    /** From the key to the record. */
    static final long RECORD = SessionKey.SIZE;
    /** Of a session in a chunk, in bytes. */
    static final int ENTRY_SIZE = SessionKey.SIZE + SessionRecord.SIZE;

    private static final Logger LOG = LogManager.getLogger(ChronicleLayout.class);
    private static final BigSegmentHeader HEADER = BigSegmentHeader.INSTANCE;
    private static final LongHashFunction HASH = LongHashFunction.xx_r39();

    /** Of any tier. */
    final CompactOffHeapLinearHashTable index;
    /** Chunks of a tier. */
    final long chunks;
    /** Sessions that a tier takes at most, so that its index stays sparse. */
    final long mostEntries;
    private final VanillaChronicleHash<?, ?, ?, ?> map;
    private final HashSplitting splitting;
    private final long countersOffset;
    private final long bitsOffset;
    private final long chunksOffset;
    private final long chunkSize;
    private volatile boolean cannotGrow;

    ChronicleLayout(ChronicleMap<byte[], byte[]> map) {
        this.map = (VanillaChronicleHash<?, ?, ?, ?>) map;
        index = Objects.requireNonNull(this.map.hashLookup);
        splitting = Objects.requireNonNull(this.map.hashSplitting);
        chunks = this.map.actualChunksPerSegmentTier;
        mostEntries = this.map.maxEntriesPerHashLookup;
        chunkSize = this.map.chunkSize;
        if (chunkSize < ENTRY_SIZE || this.map.checksumEntries)
            throw new IllegalStateException(
                    "a session must have room in one chunk, and no checksum: chunks of " + chunkSize + " bytes, checksums "
                            + this.map.checksumEntries);
        countersOffset = this.map.tierHashLookupOuterSize;
        bitsOffset = countersOffset + VanillaChronicleHash.TIER_COUNTERS_AREA_SIZE;
        chunksOffset = bitsOffset + this.map.tierFreeListOuterSize + this.map.tierEntrySpaceInnerOffset;
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

    /** Address of a slice's first tier, where its index begins. */
    long tier(int slice) { return map.segmentBaseAddr(slice); }

    /** The first tier has its counters in the slice's header, the others here. */
    boolean isFirst(int slice, long tier) {
        return tier == tier(slice);
    }

    /** Address of a tier's counters. */
    long counters(long tier) { return tier + countersOffset; }

    /** Address of the word whose bits say which chunks of a tier are taken, from a multiple of 64 on, the lowest bit first. */
    long bits(long tier, long chunk) {
        return tier + bitsOffset + (chunk >>> 6) * Long.BYTES;
    }

    /**
     * The next tier of a slice, which it has when more sessions came to it than to others.
     *
     * @param tier the one before
     * @return its address; 0: there is none
     */
    long nextTier(int slice, long tier) {
        long next = nextNumber(slice, tier);
        return next == 0 ? 0 : map.tierIndexToBaseAddr(next);
    }

    /**
     * Gives a slice one more tier.
     *
     * @param last its last one
     * @return address of the new one
     * @throws IllegalStateException when there is no room for one: the map has all it may have, or the file cannot grow. Once it could not, nobody tries again: a file that was made longer without having
     *                               the room must not be touched there
     */
    long addTier(int slice, long last) {
        if (cannotGrow) throw new IllegalStateException("the table could not grow before");
        long lastNumber = slice + 1L;
        for (long tier = tier(slice); tier != last; tier = nextTier(slice, tier)) lastNumber = nextNumber(slice, tier);
        long added = allocateTier();
        long tier = map.tierIndexToBaseAddr(added);
        long counters = counters(tier);
        boolean isSecond = isFirst(slice, last);
        TierCountersArea.segmentIndex(counters, slice);
        TierCountersArea.tier(counters, isSecond ? 1 : TierCountersArea.tier(counters(last)) + 1);
        TierCountersArea.nextTierIndex(counters, 0);
        TierCountersArea.prevTierIndex(counters, lastNumber);
        if (isSecond) HEADER.nextTierIndex(header(slice), added);
        else
            TierCountersArea.nextTierIndex(counters(last), added);
        return tier;
    }

    private long allocateTier() {
        try {
            return map.allocateTier();
        } catch (RuntimeException e) {
            cannotGrow = true;
            LOG.error(
                    "The session table cannot grow: {}. What falls into a slice that is full is refused from now on. Give node.table-dir more room, or raise limits.sessions, and restart the node",
                    e.getMessage());
            throw new IllegalStateException("the table cannot grow", e);
        }
    }

    /**
     * Looks whether a slice is such that Chronicle Map can visit it: it would look for a free place in an index, or follow the tiers, for ever.
     *
     * @throws IllegalStateException when it is damaged
     */
    void check(int slice) {
        long mostTiers = map.segments() + map.globalMutableState().getExtraTiersInUse();
        long tier = tier(slice);
        for (int nth = 1;; nth++) {
            if (emptyPlace(tier, 0) < 0) throw new IllegalStateException("the index of slice " + slice + " has no free place");
            long next = nextNumber(slice, tier);
            if (next == 0) return;
            if (next <= map.segments() || next > mostTiers)
                throw new IllegalStateException("slice " + slice + " goes on in tier " + next + ", which is none");
            tier = map.tierIndexToBaseAddr(next);
            if (TierCountersArea.segmentIndex(counters(tier)) != slice || TierCountersArea.tier(counters(tier)) != nth)
                throw new IllegalStateException("tier " + next + " is not number " + nth + " of slice " + slice);
        }
    }

    /** Number of the next tier in the map; 0: there is none. They are numbered from 1: first those that every slice has, then the others as they are added. */
    private long nextNumber(int slice, long tier) {
        return isFirst(slice, tier) ? HEADER.nextTierIndex(header(slice)) : TierCountersArea.nextTierIndex(counters(tier));
    }

    /**
     * Where a place of the index leads.
     *
     * @param found  what the place holds
     * @param search the key's part of the hash
     * @return address of the entry, its key first; 0: not to this hash, or to nowhere, as a place that is damaged or half written may
     */
    long entry(long tier, long found, long search) {
        if (index.empty(found) || index.key(found) != search) return 0;
        long chunk = index.value(found);
        return chunk < chunks ? chunk(tier, chunk) : 0;
    }

    /** Address of a chunk. */
    long chunk(long tier, long chunk) { return tier + chunksOffset + chunk * chunkSize; }

    /**
     * Looks for an empty place from where a hash would stand. There always is one unless the index is damaged.
     *
     * @return the place; -1: there is none
     */
    long emptyPlace(long tier, long search) {
        long first = index.hlPos(search);
        long place = first;
        do {
            if (index.empty(index.readEntry(tier, place))) return place;
            place = index.step(place);
        } while (place != first);
        return -1;
    }
}

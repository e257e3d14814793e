package io.ambo.cluster.resync;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.replication.DeltaWriter;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.function.BiPredicate;

/**
 * All records of some buckets on their way to one peer, in chunks, a few of them ahead of the peer's acknowledgements. Slice by slice: under a slice's lock
 * records are only copied. Lives on the resync thread.
 */
final class RecordStream {
    /** Chunks that may be unacknowledged. */
    static final int WINDOW = 16;
    /** The receiver acknowledges each so-manieth chunk and the last. */
    static final int ACK_EVERY = 4;
    /** Small enough for one datagram, and for live deltas not to wait long behind it. */
    private static final int CHUNK_BYTES = 48 * 1024;
    private static final int CHUNK_RECORDS = 512;
    private static final int SLICES_PER_TURN = 256;
    private static final int KEY = 0;
    private static final int RECORD = SessionKey.SIZE;
    private static final int SLOT = SessionKey.SIZE + (SessionRecord.SIZE + 7) / 8 * 8;

    private final NodeId peer;
    private final long comparison;
    private final int round;
    private final boolean asRecords;
    private final BitSet buckets;
    private final BiPredicate<SessionKey, SessionRecord> wanted;
    private final SessionTable table;
    private final Transport transport;
    private final DeltaWriter writer = new DeltaWriter(CHUNK_BYTES);
    private final SessionKey key = new SessionKey();
    private final SessionRecord record = new SessionRecord();

    private MemorySegment staged = Arena.ofAuto().allocate(512L * SLOT, 8);
    private int stagedCount;
    private int stagedNext;
    private int nextSlice;
    private long number;
    private long acknowledged;
    private boolean lastSent;
    private long records;

    /** @param asRecords the peer's records are of the same layout: they go as they are */
    RecordStream(NodeId peer, long comparison, int round, boolean asRecords, BitSet buckets, BiPredicate<SessionKey, SessionRecord> wanted,
            SessionTable table, Transport transport) {
        this.asRecords = asRecords;
        this.peer = peer;
        this.comparison = comparison;
        this.round = round;
        this.buckets = buckets;
        this.wanted = wanted;
        this.table = table;
        this.transport = transport;
        writer.clear();
    }

    NodeId peer() { return peer; }

    long comparison() { return comparison; }

    int round() { return round; }

    long records() { return records; }

    /** All sent and all merged by the peer. */
    boolean done() { return lastSent && acknowledged >= number; }

    void onAck(long ofNumber) { acknowledged = Math.max(acknowledged, ofNumber); }

    /**
     * Sends the next chunk if the window allows. A turn is bounded even when hardly any record is wanted.
     *
     * @return records sent, or -1 when there was nothing to do
     */
    int advance(long nowMs) throws ClusterException {
        if (lastSent || number - acknowledged >= WINDOW) return -1;
        writer.clear();
        int lastSlice = nextSlice + SLICES_PER_TURN;
        while (writer.count() < CHUNK_RECORDS && !writer.full()) {
            if (stagedNext == stagedCount && nextSlice == lastSlice && nextSlice < table.slices()) break;
            if (stagedNext == stagedCount && !stageNextSlice()) {
                lastSent = true;
                break;
            }
            if (stagedNext < stagedCount) {
                long at = (long) stagedNext++ * SLOT;
                key.wrap(staged, at + KEY);
                record.wrap(staged, at + RECORD);
                if (asRecords) writer.addRecord(key, record, nowMs);
                else
                    writer.add(key, record, nowMs);
            }
        }
        if (writer.count() == 0 && !lastSent) return 0;
        number++;
        records += writer.count();
        writer.finishChunk(comparison, round, number, lastSent);
        transport.sendTo(peer, writer.bytes(), writer.offset(), writer.length());
        return writer.count();
    }

    /** @return false when there is no slice left */
    private boolean stageNextSlice() {
        if (nextSlice >= table.slices()) return false;
        stagedCount = 0;
        stagedNext = 0;
        table.sweep(nextSlice++, this::stage);
        return true;
    }

    private boolean stage(SessionKey of, SessionRecord session) {
        if (!buckets.get(SessionTable.bucket(of)) || !wanted.test(of, session)) return false;
        long at = (long) stagedCount * SLOT;
        if (at + SLOT > staged.byteSize()) grow();
        MemorySegment.copy(of.segment(), of.offset(), staged, at + KEY, SessionKey.SIZE);
        MemorySegment.copy(session.segment(), session.offset(), staged, at + RECORD, SessionRecord.SIZE);
        stagedCount++;
        return false;
    }

    /** A slice has its limit, so this has one. */
    private void grow() {
        MemorySegment larger = Arena.ofAuto().allocate(2 * staged.byteSize(), 8);
        MemorySegment.copy(staged, JAVA_BYTE, 0, larger, JAVA_BYTE, 0, staged.byteSize());
        staged = larger;
    }
}

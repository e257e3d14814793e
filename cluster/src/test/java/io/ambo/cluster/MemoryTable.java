package io.ambo.cluster;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/** A session table on the heap, for tests of what is around it. One lock for all. */
public final class MemoryTable implements SessionTable {
    private static final int SLICES = 128;

    private final Map<Bytes, byte[]>[] slices;
    private final long capacity;
    private long size;

    public MemoryTable(long capacity) {
        this.capacity = capacity;
        @SuppressWarnings({ "unchecked", "rawtypes" })
        Map<Bytes, byte[]>[] maps = new Map[SLICES];
        Arrays.setAll(maps, i -> new HashMap<>());
        slices = maps;
    }

    /** A key's bytes. */
    private static final class Bytes {
        final byte[] bytes;
        final int hash;

        Bytes(SessionKey key) {
            bytes = key.segment().asSlice(key.offset(), SessionKey.SIZE).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
            hash = (int) key.hash();
        }

        @Override
        public boolean equals(Object other) { return other instanceof Bytes b && Arrays.equals(bytes, b.bytes); }

        @Override
        public int hashCode() { return hash; }
    }

    private Map<Bytes, byte[]> slice(SessionKey key) { return slices[(int) (key.hash() >>> 20 & SLICES - 1)]; }

    @Override
    public synchronized boolean update(SessionKey key, Visitor visitor) {
        byte[] bytes = slice(key).get(new Bytes(key));
        if (bytes == null) return false;
        visitor.onSession(key, new SessionRecord(MemorySegment.ofArray(bytes), 0));
        return true;
    }

    @Override
    public synchronized boolean read(SessionKey key, SessionRecord into) { return update(key, (k, session) -> into.copyFrom(session)); }

    @Override
    public synchronized Insert insert(SessionKey key, SessionRecord session) {
        Bytes bytes = new Bytes(key);
        if (slice(key).containsKey(bytes)) return Insert.EXISTS;
        if (size >= capacity) return Insert.FULL;
        slice(key).put(bytes,
                session.segment().asSlice(session.offset(), SessionRecord.SIZE).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
        size++;
        return Insert.INSERTED;
    }

    @Override
    public synchronized Merge merge(SessionKey key, SessionRecord remote) {
        byte[] bytes = slice(key).get(new Bytes(key));
        if (bytes == null) return insert(key, remote) == Insert.FULL ? Merge.FULL : Merge.INSERTED;
        SessionRecord here = new SessionRecord(MemorySegment.ofArray(bytes), 0);
        int order = compare(here, remote);
        if (order > 0) return Merge.LOST;
        if (order < 0) {
            here.copyFrom(remote);
            return Merge.REPLACED;
        }
        byte[] before = bytes.clone();
        here.addFlags(remote.flags());
        join(here.original(), remote.original());
        join(here.reply(), remote.reply());
        if (remote.lastSeenMs() > here.lastSeenMs()) here.lastSeenMs(remote.lastSeenMs());
        return Arrays.equals(before, bytes) ? Merge.UNCHANGED : Merge.ADVANCED;
    }

    private static int compare(SessionRecord a, SessionRecord b) {
        if (a.epoch() != b.epoch()) return Integer.compare(a.epoch(), b.epoch());
        int byCreation = Long.compare(b.created(), a.created());
        return byCreation != 0 ? byCreation : Integer.compare(b.creator(), a.creator());
    }

    private static void join(TcpHalf here, TcpHalf remote) {
        here.raiseState(remote.state());
        if (remote.has(TcpHalf.SEQ_KNOWN)) here.advanceSeqEnd(remote.seqEnd());
        if (remote.has(TcpHalf.LIMIT_KNOWN)) here.advanceMaxEnd(remote.maxEnd());
        if (remote.has(TcpHalf.ACK_KNOWN)) here.advanceAck(remote.ack());
        if (remote.has(TcpHalf.SCALE_KNOWN)) here.raiseScale(remote.scale());
        here.raiseMaxWindow(remote.maxWindow());
    }

    @Override
    public synchronized boolean remove(SessionKey key) {
        if (slice(key).remove(new Bytes(key)) == null) return false;
        size--;
        return true;
    }

    @Override
    public int slices() { return SLICES; }

    @Override
    public synchronized int sweep(int slice, Sweep sweep) {
        int seen = 0;
        for (Iterator<Map.Entry<Bytes, byte[]>> it = slices[slice].entrySet().iterator(); it.hasNext();) {
            Map.Entry<Bytes, byte[]> entry = it.next();
            seen++;
            if (sweep.onSession(new SessionKey(MemorySegment.ofArray(entry.getKey().bytes), 0),
                    new SessionRecord(MemorySegment.ofArray(entry.getValue()), 0))) {
                it.remove();
                size--;
            }
        }
        return seen;
    }

    @Override
    public synchronized long size() { return size; }

    @Override
    public long capacity() { return capacity; }

    @Override
    public void close() {}
}

package io.ambo.cluster.session;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;

/** A session table on the heap: the model that the real one is tested against, and the table of simulated nodes. Its order is fixed, so runs repeat. */
public final class InMemorySessionTable implements SessionTable {
    private static final int SLICES = 16;

    private final Map<ByteBuffer, SessionRecord> sessions = new TreeMap<>();
    private final long capacity;

    public InMemorySessionTable(long capacity) { this.capacity = capacity; }

    @Override
    public synchronized boolean update(SessionKey key, Visitor visitor) {
        SessionRecord session = sessions.get(bytes(key));
        if (session == null) return false;
        visitor.onSession(key, session);
        return true;
    }

    @Override
    public synchronized boolean read(SessionKey key, SessionRecord into) {
        SessionRecord session = sessions.get(bytes(key));
        if (session == null) return false;
        into.copyFrom(session);
        return true;
    }

    @Override
    public synchronized Insert insert(SessionKey key, SessionRecord session) {
        if (sessions.containsKey(bytes(key))) return Insert.EXISTS;
        if (sessions.size() >= capacity) return Insert.FULL;
        sessions.put(bytes(key), new SessionRecord().copyFrom(session));
        return Insert.INSERTED;
    }

    @Override
    public synchronized Merge merge(SessionKey key, SessionRecord remote) {
        SessionRecord session = sessions.get(bytes(key));
        if (session != null) return SessionMerge.merge(session, remote);
        if (sessions.size() >= capacity) return Merge.FULL;
        sessions.put(bytes(key), new SessionRecord().copyFrom(remote).localFlags(0));
        return Merge.INSERTED;
    }

    @Override
    public synchronized boolean remove(SessionKey key) { return sessions.remove(bytes(key)) != null; }

    @Override
    public int slices() { return SLICES; }

    @Override
    public synchronized int sweep(int slice, Sweep sweep) {
        int seen = 0;
        SessionKey key = new SessionKey();
        for (Iterator<Map.Entry<ByteBuffer, SessionRecord>> entries = sessions.entrySet().iterator(); entries.hasNext();) {
            Map.Entry<ByteBuffer, SessionRecord> entry = entries.next();
            key.segment().asSlice(key.offset(), SessionKey.SIZE).copyFrom(MemorySegment.ofBuffer(entry.getKey()));
            if (Math.floorMod(key.hash(), SLICES) != slice) continue;
            seen++;
            if (sweep.onSession(key, entry.getValue())) entries.remove();
        }
        return seen;
    }

    @Override
    public synchronized long size() { return sessions.size(); }

    @Override
    public long capacity() { return capacity; }

    @Override
    public void close() {}

    private static ByteBuffer bytes(SessionKey key) {
        return ByteBuffer.wrap(key.segment().asSlice(key.offset(), SessionKey.SIZE).toArray(ValueLayout.JAVA_BYTE));
    }
}

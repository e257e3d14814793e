package io.ambo.cluster.session;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A session table on the heap: the model that the real one is tested against, and the table of simulated nodes. Its order is fixed, so runs repeat. */
public final class InMemorySessionTable implements SessionTable {
    private static final int SLICES = 16;

    private final Map<ByteBuffer, SessionRecord> sessions = new TreeMap<>();
    /** By claimed ends, the session's key. */
    private final Map<ByteBuffer, SessionKey> claims = new TreeMap<>();
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
        if (sessions.containsKey(bytes(key)) || claims.containsKey(bytes(key))) return Insert.EXISTS;
        if (isFull()) return Insert.FULL;
        sessions.put(bytes(key), new SessionRecord().copyFrom(session));
        return Insert.INSERTED;
    }

    @Override
    public synchronized Merge merge(SessionKey key, SessionRecord remote) {
        SessionRecord session = sessions.get(bytes(key));
        Merge outcome;
        if (session != null) {
            SessionKey former = translated(key, session);
            outcome = SessionMerge.merge(session, remote);
            if (outcome == Merge.REPLACED && former != null) release(former, key);
        } else {
            claims.remove(bytes(key));
            if (isFull()) return Merge.FULL;
            sessions.put(bytes(key), new SessionRecord().copyFrom(remote).localFlags(0));
            outcome = Merge.INSERTED;
        }
        if (outcome != Merge.INSERTED && outcome != Merge.REPLACED) return outcome;
        SessionKey ends = remote.has(SessionRecord.CLOSED) ? null : translated(key, remote);
        return ends != null && claim(ends, key) == Insert.FULL ? Merge.FULL : outcome;
    }

    @Override
    public synchronized boolean remove(SessionKey key) {
        SessionRecord session = sessions.remove(bytes(key));
        if (session == null) return false;
        SessionKey ends = translated(key, session);
        if (ends != null) release(ends, key);
        return true;
    }

    @Override
    public synchronized Found find(SessionKey ends, SessionKey session, SessionRecord into) {
        SessionKey claimant = claims.get(bytes(ends));
        session.copyFrom(claimant == null ? ends : claimant);
        if (!read(session, into)) return Found.NOT;
        if (claimant == null) return Found.BY_OWN_ENDS;
        return into.has(SessionRecord.TRANSLATED) ? Found.BY_TRANSLATED_ENDS : Found.NOT;
    }

    @Override
    public synchronized Insert claim(SessionKey ends, SessionKey session) {
        if (sessions.containsKey(bytes(ends))) return Insert.EXISTS;
        SessionKey claimant = claims.get(bytes(ends));
        if (claimant != null && !claimant.sameAs(session) && lives(claimant, ends)) return Insert.EXISTS;
        if (claimant == null && isFull()) return Insert.FULL;
        claims.put(bytes(ends), new SessionKey().copyFrom(session));
        return Insert.INSERTED;
    }

    @Override
    public synchronized void release(SessionKey ends, SessionKey session) {
        SessionKey claimant = claims.get(bytes(ends));
        if (claimant != null && claimant.sameAs(session)) claims.remove(bytes(ends));
    }

    @Override
    public synchronized long claims() { return claims.size(); }

    private boolean lives(SessionKey claimant, SessionKey ends) {
        SessionRecord session = sessions.get(bytes(claimant));
        if (session == null || session.has(SessionRecord.CLOSED)) return false;
        SessionKey translated = translated(claimant, session);
        return translated != null && translated.sameAs(ends);
    }

    private boolean isFull() { return sessions.size() + claims.size() >= capacity; }

    private static @Nullable SessionKey translated(SessionKey key, SessionRecord session) {
        if (!session.has(SessionRecord.TRANSLATED)) return null;
        SessionKey ends = new SessionKey();
        session.writeTranslatedKey(key, ends);
        return ends;
    }

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
            if (!sweep.onSession(key, entry.getValue())) continue;
            SessionKey ends = translated(key, entry.getValue());
            if (ends != null) release(ends, key);
            entries.remove();
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

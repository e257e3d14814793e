package io.ambo.node.control;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A table on the heap for what reads tables: eight slices, by hash. */
final class HeapSessionTable implements SessionTable {
    private static final int SLICES = 8;

    private record Entry(SessionKey key, SessionRecord session) {}

    private final List<Entry> entries = new CopyOnWriteArrayList<>();

    void add(SessionKey key, SessionRecord session) {
        entries.add(new Entry(new SessionKey().copyFrom(key), new SessionRecord().copyFrom(session)));
    }

    @Override
    public boolean update(SessionKey key, Visitor visitor) { throw new UnsupportedOperationException(); }

    @Override
    public boolean read(SessionKey key, SessionRecord into) {
        for (Entry entry : entries) {
            if (entry.key.sameAs(key)) {
                into.copyFrom(entry.session);
                return true;
            }
        }
        return false;
    }

    @Override
    public Insert insert(SessionKey key, SessionRecord session) { throw new UnsupportedOperationException(); }

    @Override
    public Merge merge(SessionKey key, SessionRecord remote) { throw new UnsupportedOperationException(); }

    @Override
    public boolean remove(SessionKey key) { throw new UnsupportedOperationException(); }

    @Override
    public Found find(SessionKey ends, SessionKey session, SessionRecord into) {
        session.copyFrom(ends);
        return read(ends, into) ? Found.BY_OWN_ENDS : Found.NOT;
    }

    @Override
    public Insert claim(SessionKey ends, SessionKey session) { throw new UnsupportedOperationException(); }

    @Override
    public void release(SessionKey ends, SessionKey session) { throw new UnsupportedOperationException(); }

    @Override
    public long claims() { return 0; }

    @Override
    public int slices() { return SLICES; }

    @Override
    public int sweep(int slice, Sweep sweep) {
        int seen = 0;
        for (Entry entry : entries) {
            if (Math.floorMod(entry.key.hash(), SLICES) != slice) continue;
            seen++;
            sweep.onSession(entry.key, entry.session);
        }
        return seen;
    }

    @Override
    public long size() { return entries.size(); }

    @Override
    public long capacity() { return 1000; }

    @Override
    public void close() {}
}

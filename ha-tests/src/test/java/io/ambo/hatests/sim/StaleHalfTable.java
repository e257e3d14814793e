package io.ambo.hatests.sim;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionMerge;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;

/** A table with the mistake that FreeBSD's pfsync had: of the same session it takes over the peer's halves as they are, however old. */
final class StaleHalfTable implements SessionTable {
    private final SessionTable table;

    StaleHalfTable(SessionTable table) { this.table = table; }

    @Override
    public Merge merge(SessionKey key, SessionRecord remote) {
        Merge outcome = table.merge(key, remote);
        table.update(key, (itself, session) -> {
            if (SessionMerge.compareIncarnations(session, remote) != 0) return;
            session.original().copyFrom(remote.original());
            session.reply().copyFrom(remote.reply());
        });
        return outcome;
    }

    @Override
    public boolean update(SessionKey key, Visitor visitor) { return table.update(key, visitor); }

    @Override
    public boolean read(SessionKey key, SessionRecord into) { return table.read(key, into); }

    @Override
    public Insert insert(SessionKey key, SessionRecord session) { return table.insert(key, session); }

    @Override
    public boolean remove(SessionKey key) { return table.remove(key); }

    @Override
    public Found find(SessionKey ends, SessionKey session, SessionRecord into) { return table.find(ends, session, into); }

    @Override
    public Insert claim(SessionKey ends, SessionKey session) { return table.claim(ends, session); }

    @Override
    public void release(SessionKey ends, SessionKey session) { table.release(ends, session); }

    @Override
    public long claims() { return table.claims(); }

    @Override
    public int slices() { return table.slices(); }

    @Override
    public int sweep(int slice, Sweep sweep) { return table.sweep(slice, sweep); }

    @Override
    public long size() { return table.size(); }

    @Override
    public long capacity() { return table.capacity(); }

    @Override
    public void close() { table.close(); }
}

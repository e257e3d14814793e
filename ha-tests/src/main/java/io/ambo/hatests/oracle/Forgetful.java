package io.ambo.hatests.oracle;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;

/**
 * A table whose node never claims to have seen a session whole. So one node judges with the slack that a pair must have (TcpTracker): what passes here and not
 * with a plain table is outside the exact window and inside the stated slack.
 */
final class Forgetful implements SessionTable {
    private final SessionTable table;

    Forgetful(SessionTable table) { this.table = table; }

    @Override
    public boolean update(SessionKey key, Visitor visitor) {
        return table.update(key, (of, session) -> {
            visitor.onSession(of, session);
            forget(session);
        });
    }

    @Override
    public Insert insert(SessionKey key, SessionRecord session) {
        Insert inserted = table.insert(key, session);
        if (inserted == Insert.INSERTED) table.update(key, (of, record) -> forget(record));
        return inserted;
    }

    private static void forget(SessionRecord session) { session.changeLocalFlags(SessionRecord.COMPLETE, 0); }

    @Override
    public boolean read(SessionKey key, SessionRecord into) { return table.read(key, into); }

    @Override
    public Merge merge(SessionKey key, SessionRecord remote) { return table.merge(key, remote); }

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

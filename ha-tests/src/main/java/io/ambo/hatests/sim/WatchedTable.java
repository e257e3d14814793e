package io.ambo.hatests.sim;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** A node's session table, with somebody who looks at every change. */
final class WatchedTable implements SessionTable {
    /** Sees each session that a call has changed, before and after. */
    interface Watch {
        /** null: it was not there, or is gone. Valid during the call only. */
        void onChange(SessionKey key, @Nullable SessionRecord before, @Nullable SessionRecord after);

        /** These ends were given to a session that is about to open here. */
        void onGiven(SessionKey ends, SessionKey session);
    }

    private final SessionTable table;
    private final Watch watch;
    private final SessionRecord before = new SessionRecord();
    private final SessionRecord after = new SessionRecord();
    private final SessionRecord beforeSweep = new SessionRecord();

    WatchedTable(SessionTable table, Watch watch) {
        this.table = table;
        this.watch = watch;
    }

    @Override
    public boolean update(SessionKey key, Visitor visitor) {
        boolean known = table.read(key, before);
        boolean found = table.update(key, visitor);
        if (found) look(key, known, table.read(key, after));
        return found;
    }

    @Override
    public Insert insert(SessionKey key, SessionRecord session) {
        Insert outcome = table.insert(key, session);
        if (outcome == Insert.INSERTED) look(key, false, table.read(key, after));
        return outcome;
    }

    @Override
    public Merge merge(SessionKey key, SessionRecord remote) {
        boolean known = table.read(key, before);
        Merge outcome = table.merge(key, remote);
        look(key, known, table.read(key, after));
        return outcome;
    }

    @Override
    public boolean remove(SessionKey key) {
        boolean known = table.read(key, before);
        boolean removed = table.remove(key);
        look(key, known, table.read(key, after));
        return removed;
    }

    @Override
    public int sweep(int slice, Sweep sweep) {
        return table.sweep(slice, (key, session) -> {
            beforeSweep.copyFrom(session);
            boolean removes = sweep.onSession(key, session);
            if (removes) watch.onChange(key, beforeSweep, null);
            else if (differ(beforeSweep, session)) watch.onChange(key, beforeSweep, session);
            return removes;
        });
    }

    private void look(SessionKey key, boolean wasThere, boolean isThere) {
        if (wasThere && isThere && !differ(before, after)) return;
        if (wasThere || isThere) watch.onChange(key, wasThere ? before : null, isThere ? after : null);
    }

    private static boolean differ(SessionRecord a, SessionRecord b) {
        return MemorySegment.mismatch(a.segment(), a.offset(), a.offset() + SessionRecord.SIZE, b.segment(), b.offset(),
                b.offset() + SessionRecord.SIZE) >= 0;
    }

    @Override
    public Insert claim(SessionKey ends, SessionKey session) {
        Insert outcome = table.claim(ends, session);
        if (outcome == Insert.INSERTED) watch.onGiven(ends, session);
        return outcome;
    }

    @Override
    public boolean read(SessionKey key, SessionRecord into) { return table.read(key, into); }

    @Override
    public Found find(SessionKey ends, SessionKey session, SessionRecord into) { return table.find(ends, session, into); }

    @Override
    public void release(SessionKey ends, SessionKey session) { table.release(ends, session); }

    @Override
    public long claims() { return table.claims(); }

    @Override
    public int slices() { return table.slices(); }

    @Override
    public long size() { return table.size(); }

    @Override
    public long capacity() { return table.capacity(); }

    @Override
    public void close() { table.close(); }
}

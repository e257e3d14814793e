package io.ambo.cluster.session;

import io.ambo.cluster.time.Clock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import net.openhft.chronicle.hash.Data;
import net.openhft.chronicle.hash.SegmentLock;
import net.openhft.chronicle.map.ChronicleMap;
import net.openhft.chronicle.map.MapEntry;
import net.openhft.chronicle.map.MapSegmentContext;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * The session table on a Chronicle Map: off the heap, in a file that survives the process.
 *
 * <p>
 * Any number of threads may use it at once. Each keeps a context of some kilobytes here, so they should be long-lived platform threads. A visitor, sweep or
 * merge runs under the lock of its slice: it must be short and must not call the table again. Close it only when no thread uses it any more: the memory is
 * unmapped.
 */
public final class ChronicleSessionTable implements SessionTable {
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final Logger LOG = LogManager.getLogger(ChronicleSessionTable.class);
    /** All memory, so that a flyweight can be set on the address of an entry without an object for each. */
    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private final TableFile file;
    private final ChronicleMap<byte[], byte[]> map;
    private final ChronicleLayout layout;
    private final long capacity;
    /** Sessions and claims. */
    private final AtomicLong entries = new AtomicLong();
    private final AtomicLong claims = new AtomicLong();
    private final ThreadLocal<Access> access = ThreadLocal.withInitial(this::newAccess);

    private ChronicleSessionTable(TableFile file, long capacity) {
        this.file = file;
        this.map = file.map();
        this.layout = new ChronicleLayout(map);
        this.capacity = capacity;
    }

    /**
     * Opens the table in a state directory, which is created if need be. Sessions of the last run are there again. What cannot be read is put aside and the
     * table is empty then; that is logged, not thrown.
     *
     * @param capacity sessions, tombstones included; may differ from the last run's
     * @throws SessionTableException when the directory cannot be used, or another process has the table open
     */
    public static ChronicleSessionTable open(Path stateDir, long capacity, Clock clock) {
        return open(stateDir, capacity, clock, bootId());
    }

    static ChronicleSessionTable open(Path stateDir, long capacity, Clock clock, String boot) {
        if (capacity < 1) throw new IllegalArgumentException("capacity " + capacity + ": at least 1");
        TableFile file = new TableFile(stateDir, capacity, boot, clock.wallMs());
        ChronicleSessionTable table = resume(file, capacity, clock);
        file.resumed();
        return table;
    }

    /** Damage shows when all sessions are read; then the file is recovered, and if that does not help, put aside. */
    private static ChronicleSessionTable resume(TableFile file, long capacity, Clock clock) {
        try {
            return new ChronicleSessionTable(file, capacity).resume(clock);
        } catch (RuntimeException | AssertionError | InternalError damage) {
            file.recoverAfter(damage);
        }
        try {
            return new ChronicleSessionTable(file, capacity).resume(clock);
        } catch (RuntimeException | AssertionError | InternalError damage) {
            file.replaceAfter(damage);
        }
        return new ChronicleSessionTable(file, capacity).resume(clock);
    }

    @Override
    public boolean update(SessionKey key, Visitor visitor) {
        Access my = access.get().begin(key);
        try {
            if (!my.opens() || my.session.isClaim()) return false;
            visitor.onSession(my.key, my.session);
            return true;
        } finally {
            my.leave();
        }
    }

    @Override
    public boolean read(SessionKey key, SessionRecord into) {
        Access my = access.get().begin(key);
        try {
            if (!my.opens() || my.session.isClaim()) return false;
            into.copyFrom(my.session);
            return true;
        } finally {
            my.leave();
        }
    }

    @Override
    public Insert insert(SessionKey key, SessionRecord session) {
        Access my = access.get().begin(key);
        try {
            if (my.opens()) return Insert.EXISTS;
            my.value.copyFrom(session);
            return add(my) ? Insert.INSERTED : Insert.FULL;
        } finally {
            my.leave();
        }
    }

    @Override
    public Merge merge(SessionKey key, SessionRecord remote) {
        Access my = access.get().begin(key);
        my.hadClaim = false;
        Merge outcome;
        try {
            outcome = my.opens() ? mergeInto(my, key, remote) : mergeAbsent(my, remote);
        } finally {
            my.leave();
        }
        if (outcome == Merge.REPLACED && my.hadClaim) giveUp(my, my.claimed, key);
        boolean claims = (outcome == Merge.INSERTED || outcome == Merge.REPLACED) && remote.has(SessionRecord.TRANSLATED);
        if (claims && !remote.has(SessionRecord.CLOSED)) {
            remote.writeTranslatedKey(key, my.claimed);
            if (claim(my.claimed, key) == Insert.FULL) return Merge.FULL;
        }
        return outcome;
    }

    private Merge mergeAbsent(Access my, SessionRecord remote) {
        my.value.copyFrom(remote).localFlags(0);
        return add(my) ? Merge.INSERTED : Merge.FULL;
    }

    private Merge mergeInto(Access my, SessionKey key, SessionRecord remote) {
        if (my.session.isClaim()) {
            // A session of its own goes before one that is translated to its ends: all nodes know the former by the same key.
            my.session.copyFrom(remote).localFlags(0);
            claims.decrementAndGet();
            return Merge.INSERTED;
        }
        my.hadClaim = my.noteClaim(key, my.session);
        return SessionMerge.merge(my.session, remote);
    }

    @Override
    public boolean remove(SessionKey key) {
        Access my = access.get().begin(key);
        boolean hadClaim;
        try {
            if (!my.opens() || my.session.isClaim()) return false;
            hadClaim = my.noteClaim(key, my.session);
            my.door.remove();
            entries.decrementAndGet();
        } finally {
            my.leave();
        }
        if (hadClaim) giveUp(my, my.claimed, key);
        return true;
    }

    @Override
    public Found find(SessionKey ends, SessionKey session, SessionRecord into) {
        Access my = access.get().begin(ends);
        try {
            if (!my.opens()) return Found.NOT;
            if (!my.session.isClaim()) {
                session.copyFrom(my.lookedUp);
                into.copyFrom(my.session);
                return Found.BY_OWN_ENDS;
            }
            my.session.claimant(my.lookedUp, session);
        } finally {
            my.leave();
        }
        return read(session, into) && into.has(SessionRecord.TRANSLATED) ? Found.BY_TRANSLATED_ENDS : Found.NOT;
    }

    @Override
    public Insert claim(SessionKey ends, SessionKey session) {
        Access my = access.get();
        Insert outcome = tryClaim(my, ends, session, false);
        if (outcome != Insert.EXISTS || my.claimant.protocol() == 0) return outcome;
        boolean isFree = !read(my.claimant, my.copy) || my.copy.has(SessionRecord.CLOSED) || !my.copy.has(SessionRecord.TRANSLATED);
        if (!isFree) {
            my.copy.writeTranslatedKey(my.claimant, my.other);
            isFree = !my.other.sameAs(ends);
        }
        return isFree ? tryClaim(my, ends, session, true) : Insert.EXISTS;
    }

    /**
     * Claims what is free; in the second attempt also what {@code my.claimant} has. After EXISTS that is who has it, all zero when the ends are a session's own.
     */
    private Insert tryClaim(Access my, SessionKey ends, SessionKey session, boolean again) {
        my.begin(ends);
        try {
            if (!my.opens()) {
                my.value.claimFor(session);
                if (!add(my)) return Insert.FULL;
                claims.incrementAndGet();
                return Insert.INSERTED;
            }
            if (!my.session.isClaim()) {
                my.claimant.clear();
                return Insert.EXISTS;
            }
            my.session.claimant(my.lookedUp, my.other);
            if (my.other.sameAs(session)) return Insert.INSERTED;
            if (again && my.other.sameAs(my.claimant)) {
                my.session.claimFor(session);
                return Insert.INSERTED;
            }
            my.claimant.copyFrom(my.other);
            return Insert.EXISTS;
        } finally {
            my.leave();
        }
    }

    @Override
    public void release(SessionKey ends, SessionKey session) { giveUp(access.get(), ends, session); }

    private void giveUp(Access my, SessionKey ends, SessionKey session) {
        my.begin(ends);
        try {
            if (!my.opens() || !my.session.isClaim()) return;
            if (!my.session.claimant(my.lookedUp, my.other).sameAs(session)) return;
            my.door.remove();
            entries.decrementAndGet();
            claims.decrementAndGet();
        } finally {
            my.leave();
        }
    }

    @Override
    public void expect(SessionKey key) { access.get().foresight.expect(key); }

    @Override
    public void fetch() { access.get().foresight.fetch(); }

    /** For tests. */
    ChronicleMap<byte[], byte[]> map() { return map; }

    private Access newAccess() { return new Access(layout); }

    @Override
    public long claims() { return claims.get(); }

    @Override
    public int slices() { return map.segments(); }

    @Override
    public int sweep(int slice, Sweep sweep) { return sweep(slice, sweep, false); }

    private int sweepAll(int slice, Sweep sweep) { return sweep(slice, sweep, true); }

    private int sweep(int slice, Sweep sweep, boolean claimsToo) {
        Access my = access.get().begin(sweep, claimsToo);
        try (MapSegmentContext<byte[], byte[], ?> context = map.segmentContext(slice)) {
            context.forEachSegmentEntryWhile(my);
        } finally {
            entries.addAndGet(-my.removed);
            my.end();
        }
        for (int i = 0; i < my.freed; i++) giveUp(my, my.freedEnds[i], my.freedSessions[i]);
        return my.seen;
    }

    @Override
    public long size() { return entries.get() - claims.get(); }

    @Override
    public long capacity() { return capacity; }

    @Override
    public void close() { file.close(); }

    /**
     * Makes an entry of what was looked for and the record in {@code my.value}. The quota is taken first and given back on failure, so that threads that insert at once cannot exceed it
     * together.
     */
    private boolean add(Access my) {
        if (entries.incrementAndGet() > capacity) {
            entries.decrementAndGet();
            return false;
        }
        boolean added = false;
        try {
            my.door.insert(my.scratch.address());
            added = true;
        } catch (IllegalStateException e) {
            // One slice took all extra room there is: keys were chosen to collide. The rest of the table is not affected.
        } finally {
            if (!added) entries.decrementAndGet();
        }
        return added;
    }

    /**
     * Counts what is there and makes it this run's: nobody has seen a packet yet, and times of an earlier boot mean nothing now.
     *
     * @throws RuntimeException when a slice does not hold what it says; Chronicle Map has no type of its own for that
     */
    private ChronicleSessionTable resume(Clock clock) {
        long nowMs = clock.monotonicMs();
        boolean rebase = !file.ofThisBoot();
        long[] removed = new long[2];
        long[] translated = new long[1];
        long found = 0;
        for (int slice = 0; slice < slices(); slice++) {
            requireUnlocked(slice);
            layout.check(slice);
            found += sweepAll(slice, (key, session) -> {
                // Claims are made anew below: the last run may have ended between a session and its claim.
                if (session.isClaim() || !key.plausible() || !session.plausible()) {
                    removed[session.isClaim() ? 0 : 1]++;
                    return true;
                }
                session.localFlags(0);
                if (rebase || session.lastSeenMs() > nowMs) session.lastSeenMs(nowMs);
                if (session.has(SessionRecord.TRANSLATED)) translated[0]++;
                return false;
            });
        }
        found -= removed[0];
        entries.set(found - removed[1]);
        if (translated[0] > 0) for (int slice = 0; slice < slices(); slice++) claimAll(slice);
        if (removed[1] > 0) LOG.error("{} damaged sessions were dropped from the table; the peers have them", removed[1]);
        if (found > 0) LOG.info("{} sessions resumed{}", size(), rebase ? "; the host was restarted: all count as seen just now" : "");
        return this;
    }

    private void claimAll(int slice) {
        List<SessionKey> keys = new ArrayList<>();
        List<SessionKey> ends = new ArrayList<>();
        sweep(slice, (key, session) -> {
            if (!session.has(SessionRecord.TRANSLATED) || session.has(SessionRecord.CLOSED)) return false;
            SessionKey claimed = new SessionKey();
            session.writeTranslatedKey(key, claimed);
            keys.add(new SessionKey().copyFrom(key));
            ends.add(claimed);
            return false;
        });
        for (int i = 0; i < keys.size(); i++) claim(ends.get(i), keys.get(i));
    }

    /** Nobody can hold a lock yet. One that is held is damage, and waiting for it would take a minute. */
    private void requireUnlocked(int slice) {
        try (MapSegmentContext<byte[], byte[], ?> context = map.segmentContext(slice)) {
            if (context instanceof SegmentLock lock && !lock.updateLock().tryLock())
                throw new IllegalStateException("the lock of slice " + slice + " is held");
        }
    }

    private static long address(Data<byte[]> data) { return data.bytes().addressForRead(data.offset()); }

    private static String bootId() {
        try {
            return Files.readString(BOOT_ID).strip();
        } catch (IOException e) {
            throw new SessionTableException("read the boot id", BOOT_ID.toString(), String.valueOf(e), "/proc must be mounted", e);
        }
    }

    /** What a thread needs to reach an entry without allocating. */
    private static final class Access implements Predicate<MapEntry<byte[], byte[]>> {
        private static final Sweep NONE = (key, session) -> false;
        private static final int FREED = 16;

        /** A key to look up and a record to insert. */
        private final MemorySegment scratch = Arena.ofAuto().allocate(SessionKey.SIZE + SessionRecord.SIZE, 8);
        private final SessionKey lookedUp = new SessionKey(scratch, 0);
        private final SessionRecord value = new SessionRecord(scratch, SessionKey.SIZE);
        private final SessionKey key = new SessionKey(scratch, 0);
        private final SessionRecord session = new SessionRecord(scratch, SessionKey.SIZE);
        /** Keys and a record for calls that go on after their first look-up. */
        private final SessionKey claimed = new SessionKey();
        private final SessionKey claimant = new SessionKey();
        private final SessionKey other = new SessionKey();
        private final SessionRecord copy = new SessionRecord();
        private final ChronicleForesight foresight;
        private final ChronicleDoor door;
        /** What sessions had claimed that a sweep has taken out. */
        private SessionKey[] freedEnds = grown(new SessionKey[0]);
        private SessionKey[] freedSessions = grown(new SessionKey[0]);
        private int freed;
        private Sweep sweep = NONE;
        private boolean sweepsClaims;
        private int seen;
        private int removed;
        private boolean busy;
        /** The session that was merged into may have claimed {@link #claimed}. */
        private boolean hadClaim;

        private Access(ChronicleLayout layout) {
            foresight = new ChronicleForesight(MEMORY, layout);
            door = new ChronicleDoor(MEMORY, layout);
        }

        private Access begin(SessionKey wanted) {
            begin();
            lookedUp.copyFrom(wanted);
            return this;
        }

        private Access begin(Sweep with, boolean claimsToo) {
            begin();
            sweep = with;
            sweepsClaims = claimsToo;
            seen = 0;
            removed = 0;
            freed = 0;
            return this;
        }

        /** Looks for what {@link #begin} was called with. @return whether it is there: {@link #key}, {@link #session}, until {@link #leave} */
        private boolean opens() {
            long entry = door.open(scratch.address());
            if (entry == 0) return false;
            key.wrap(MEMORY, entry);
            session.wrap(MEMORY, entry + ChronicleLayout.RECORD);
            return true;
        }

        private void leave() {
            door.close();
            end();
        }

        private SessionRecord session(MapEntry<byte[], byte[]> entry) { return session.wrap(MEMORY, address(entry.value())); }

        /** Notes in {@link #claimed} what the session may have claimed. @return false: nothing */
        private boolean noteClaim(SessionKey own, SessionRecord of) {
            if (!of.has(SessionRecord.TRANSLATED)) return false;
            of.writeTranslatedKey(own, claimed);
            return true;
        }

        private void free(SessionKey own, SessionRecord of) {
            if (freed == freedEnds.length) {
                freedEnds = grown(freedEnds);
                freedSessions = grown(freedSessions);
            }
            of.writeTranslatedKey(own, freedEnds[freed]);
            freedSessions[freed++].copyFrom(own);
        }

        /** A slice that loses more translated sessions at once than any before it: rare, and never on a packet's thread. */
        private static SessionKey[] grown(SessionKey[] keys) {
            SessionKey[] more = Arrays.copyOf(keys, FREED + 2 * keys.length);
            for (int i = keys.length; i < more.length; i++) more[i] = new SessionKey();
            return more;
        }

        private void begin() {
            if (busy) throw new IllegalStateException("the session table was called from within a visitor");
            busy = true;
        }

        private void end() {
            busy = false;
            sweep = NONE;
        }

        @Override
        public boolean test(MapEntry<byte[], byte[]> entry) {
            if (session(entry).isClaim() && !sweepsClaims) return true;
            seen++;
            if (sweep.onSession(key.wrap(MEMORY, address(entry.key())), session)) {
                if (session.has(SessionRecord.TRANSLATED) && !sweepsClaims) free(key, session);
                entry.doRemove();
                removed++;
            }
            return true;
        }
    }
}

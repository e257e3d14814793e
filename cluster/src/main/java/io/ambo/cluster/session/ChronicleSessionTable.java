package io.ambo.cluster.session;

import io.ambo.cluster.time.Clock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import net.openhft.chronicle.bytes.PointerBytesStore;
import net.openhft.chronicle.hash.Data;
import net.openhft.chronicle.hash.SegmentLock;
import net.openhft.chronicle.map.ChronicleMap;
import net.openhft.chronicle.map.ExternalMapQueryContext;
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
    private final long capacity;
    private final AtomicLong size = new AtomicLong();
    private final ThreadLocal<Access> access = ThreadLocal.withInitial(Access::new);

    private ChronicleSessionTable(TableFile file, long capacity) {
        this.file = file;
        this.map = file.map();
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
        try (ExternalMapQueryContext<byte[], byte[], ?> context = map.queryContext(my.store, 0, SessionKey.SIZE)) {
            context.updateLock().lock();
            MapEntry<byte[], byte[]> entry = context.entry();
            if (entry == null) return false;
            visitor.onSession(my.key.wrap(MEMORY, address(entry.key())), my.session.wrap(MEMORY, address(entry.value())));
            return true;
        } finally {
            my.end();
        }
    }

    @Override
    public boolean read(SessionKey key, SessionRecord into) {
        Access my = access.get().begin(key);
        try (ExternalMapQueryContext<byte[], byte[], ?> context = map.queryContext(my.store, 0, SessionKey.SIZE)) {
            context.updateLock().lock();
            MapEntry<byte[], byte[]> entry = context.entry();
            if (entry == null) return false;
            into.copyFrom(my.session.wrap(MEMORY, address(entry.value())));
            return true;
        } finally {
            my.end();
        }
    }

    @Override
    public Insert insert(SessionKey key, SessionRecord session) {
        Access my = access.get().begin(key);
        try (ExternalMapQueryContext<byte[], byte[], ?> context = map.queryContext(my.store, 0, SessionKey.SIZE)) {
            context.updateLock().lock();
            if (context.entry() != null) return Insert.EXISTS;
            my.value.copyFrom(session);
            return add(context, my) ? Insert.INSERTED : Insert.FULL;
        } finally {
            my.end();
        }
    }

    @Override
    public Merge merge(SessionKey key, SessionRecord remote) {
        Access my = access.get().begin(key);
        try (ExternalMapQueryContext<byte[], byte[], ?> context = map.queryContext(my.store, 0, SessionKey.SIZE)) {
            context.updateLock().lock();
            MapEntry<byte[], byte[]> entry = context.entry();
            if (entry != null) return SessionMerge.merge(my.session.wrap(MEMORY, address(entry.value())), remote);
            my.value.copyFrom(remote).localFlags(0);
            return add(context, my) ? Merge.INSERTED : Merge.FULL;
        } finally {
            my.end();
        }
    }

    @Override
    public boolean remove(SessionKey key) {
        Access my = access.get().begin(key);
        try (ExternalMapQueryContext<byte[], byte[], ?> context = map.queryContext(my.store, 0, SessionKey.SIZE)) {
            context.updateLock().lock();
            MapEntry<byte[], byte[]> entry = context.entry();
            if (entry == null) return false;
            entry.doRemove();
            size.decrementAndGet();
            return true;
        } finally {
            my.end();
        }
    }

    @Override
    public int slices() { return map.segments(); }

    @Override
    public int sweep(int slice, Sweep sweep) {
        Access my = access.get().begin(sweep);
        try (MapSegmentContext<byte[], byte[], ?> context = map.segmentContext(slice)) {
            context.forEachSegmentEntryWhile(my);
            return my.seen;
        } finally {
            size.addAndGet(-my.removed);
            my.end();
        }
    }

    @Override
    public long size() { return size.get(); }

    @Override
    public long capacity() { return capacity; }

    @Override
    public void close() { file.close(); }

    /** The quota is taken first and given back on failure, so that threads that insert at once cannot exceed it together. */
    private boolean add(ExternalMapQueryContext<byte[], byte[], ?> context, Access my) {
        if (size.incrementAndGet() > capacity) {
            size.decrementAndGet();
            return false;
        }
        try {
            context.insert(Objects.requireNonNull(context.absentEntry()),
                    context.wrapValueBytesAsData(my.store, SessionKey.SIZE, SessionRecord.SIZE));
            return true;
        } catch (IllegalStateException e) {
            // One slice took all extra room there is: keys were chosen to collide. The rest of the table is not affected.
            size.decrementAndGet();
            return false;
        }
    }

    /**
     * Counts what is there and makes it this run's: nobody has seen a packet yet, and times of an earlier boot mean nothing now.
     *
     * @throws RuntimeException when a slice does not hold what it says; Chronicle Map has no type of its own for that
     */
    private ChronicleSessionTable resume(Clock clock) {
        long nowMs = clock.monotonicMs();
        boolean rebase = !file.ofThisBoot();
        long[] implausible = new long[1];
        long found = 0;
        for (int slice = 0; slice < slices(); slice++) {
            requireUnlocked(slice);
            found += sweep(slice, (key, session) -> {
                if (!key.plausible() || !session.plausible()) {
                    implausible[0]++;
                    return true;
                }
                session.localFlags(0);
                if (rebase || session.lastSeenMs() > nowMs) session.lastSeenMs(nowMs);
                return false;
            });
        }
        size.set(found - implausible[0]);
        if (implausible[0] > 0) LOG.error("{} damaged sessions were dropped from the table; the peers have them", implausible[0]);
        if (found > 0) LOG.info("{} sessions resumed{}", size.get(), rebase ? "; the host was restarted: all count as seen just now" : "");
        return this;
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

        /** A key to look up and a record to insert. */
        private final MemorySegment scratch = Arena.ofAuto().allocate(SessionKey.SIZE + SessionRecord.SIZE, 8);
        private final SessionKey lookedUp = new SessionKey(scratch, 0);
        private final SessionRecord value = new SessionRecord(scratch, SessionKey.SIZE);
        private final PointerBytesStore store = new PointerBytesStore();
        private final SessionKey key = new SessionKey(scratch, 0);
        private final SessionRecord session = new SessionRecord(scratch, SessionKey.SIZE);
        private Sweep sweep = NONE;
        private int seen;
        private int removed;
        private boolean busy;

        private Access() { store.set(scratch.address(), scratch.byteSize()); }

        private Access begin(SessionKey wanted) {
            begin();
            lookedUp.copyFrom(wanted);
            return this;
        }

        private Access begin(Sweep with) {
            begin();
            sweep = with;
            seen = 0;
            removed = 0;
            return this;
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
            seen++;
            if (sweep.onSession(key.wrap(MEMORY, address(entry.key())), session.wrap(MEMORY, address(entry.value())))) {
                entry.doRemove();
                removed++;
            }
            return true;
        }
    }
}

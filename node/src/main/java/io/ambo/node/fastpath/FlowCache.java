package io.ambo.node.fastpath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.BpfObject;
import io.ambo.node.sys.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;

/**
 * The kernel's copy of established sessions, by which the XDP program forwards their packets (flow.h). A copy: the session table knows the same, a moment
 * later, and losing an entry loses nothing. Each thread that uses it has an {@link Access} of its own.
 */
public final class FlowCache {
    static final int KEY4_SIZE = 16, KEY6_SIZE = SessionKey.SIZE;
    /** struct ambo_flow: two directions, two halves, created, epoch, flags, installed_ns. */
    static final int VALUE_SIZE = 192;
    private static final int DIRECTION_SIZE = 64, HALVES = 2 * DIRECTION_SIZE, CREATED = HALVES + 2 * TcpHalf.SIZE, EPOCH = CREATED + 8,
            FLAGS = EPOCH + 4,
            INSTALLED = FLAGS + 4;
    /** struct ambo_direction. */
    private static final int PACKETS = 0, BYTES = 8, LAST_SEEN = 16, HOP = 24, IDLE = 56, DIRECTION_RESERVED = 60;
    private static final int SEEN_WHOLE = 1;
    /** Entries that one system call reads. */
    private static final int BATCH = 512;
    /** IPv4 in the bytes of a session key: ::ffff:0:0/96. */
    private static final long MAPPED = 0xFFFFL;
    private static final int NANOSECONDS_PER_MS = 1_000_000;

    private final int flows4;
    private final int flows6;

    FlowCache(int flows4, int flows6) {
        this.flows4 = flows4;
        this.flows6 = flows6;
    }

    /** What C has to agree with, by struct. */
    static Map<String, List<BpfObject.Member>> layouts() {
        return Map.of("ambo_direction",
                List.of(member("packets", PACKETS), member("bytes", BYTES), member("last_seen_ns", LAST_SEEN), member("hop", HOP),
                        member("idle_ms", IDLE), member("reserved", DIRECTION_RESERVED)),
                "ambo_flow", List.of(member("direction", 0), member("half", HALVES), member("created", CREATED), member("epoch", EPOCH),
                        member("flags", FLAGS), member("installed_ns", INSTALLED)));
    }

    private static BpfObject.Member member(String name, int offset) { return new BpfObject.Member(name, offset); }

    /** What became of an installation. */
    public enum Install {
        INSTALLED, FULL, FAILED
    }

    /** Sees an entry's session key; {@link Access#joinInto} has the rest. */
    @FunctionalInterface
    public interface Harvester {
        void onEntry(SessionKey key, Access entry);
    }

    public Access newAccess() { return new Access(); }

    /** One thread's tools. Nothing here allocates; calls that change an entry are made under the lock of its session. */
    public final class Access {
        private final MemorySegment memory = Arena.ofAuto().allocate(KEY6_SIZE + 8L + VALUE_SIZE + 8L, 8);
        private final MemorySegment key = memory.asSlice(0, KEY6_SIZE);
        private final MemorySegment value = memory.asSlice(KEY6_SIZE + 8L, VALUE_SIZE);
        private final MemorySegment keys = Arena.ofAuto().allocate((long) BATCH * KEY6_SIZE, 8);
        private final MemorySegment values = Arena.ofAuto().allocate((long) BATCH * VALUE_SIZE, 8);
        private final MemorySegment count = Arena.ofAuto().allocate(4, 4);
        private final MemorySegment from = Arena.ofAuto().allocate(KEY6_SIZE, 8);
        private final MemorySegment to = Arena.ofAuto().allocate(KEY6_SIZE, 8);
        private final TcpHalf half = new TcpHalf();
        private final SessionKey harvested = new SessionKey();

        /** Puts an established session into the cache. */
        public Install install(SessionKey session, SessionRecord record) {
            value.fill((byte) 0);
            write(false, record);
            write(true, record);
            value.set(ValueLayout.JAVA_LONG, CREATED, record.created());
            value.set(ValueLayout.JAVA_INT, EPOCH, record.epoch());
            value.set(ValueLayout.JAVA_INT, FLAGS, record.isSeenWhole() ? SEEN_WHOLE : 0);
            value.set(ValueLayout.JAVA_LONG, INSTALLED, record.lastSeenMs() * NANOSECONDS_PER_MS);
            int result = Bpf.update(useKey(session), key, value, Bpf.ANY);
            if (result == 0) return Install.INSTALLED;
            return result == -Errno.E2BIG ? Install.FULL : Install.FAILED;
        }

        /** Joins what the kernel knows of the session. @return false when it is not in the cache, or another life of it */
        public boolean refresh(SessionKey session, SessionRecord record) {
            return Bpf.lookup(useKey(session), key, value) == 0 && joinInto(record);
        }

        /** Takes the session out of the cache, and joins what the kernel knew. */
        public void remove(SessionKey session, SessionRecord record) {
            if (Bpf.take(useKey(session), key, value) == 0) joinInto(record);
        }

        /** Whether the kernel would hand the next packet of the entry read last to Java, since the session's timeout is over by what it knows. */
        public boolean isIdle(long nowNs) {
            long seenNs = Math.max(value.get(ValueLayout.JAVA_LONG, INSTALLED),
                    Math.max(value.get(ValueLayout.JAVA_LONG, LAST_SEEN), value.get(ValueLayout.JAVA_LONG, DIRECTION_SIZE + LAST_SEEN)));
            return nowNs - seenNs > (long) value.get(ValueLayout.JAVA_INT, IDLE) * NANOSECONDS_PER_MS;
        }

        /** Takes out whatever is there under this key. */
        public void remove(SessionKey session) {
            int result = Bpf.delete(useKey(session), key);
            assert result == 0 || result == -Errno.ENOENT;
        }

        /** Visits every entry. An entry that comes or goes meanwhile is visited or not. @return entries seen */
        public int harvest(Harvester harvester) {
            return harvest(flows4, KEY4_SIZE, harvester) + harvest(flows6, KEY6_SIZE, harvester);
        }

        /** Joins the entry read last. @return false when it is of another life than the record */
        public boolean joinInto(SessionRecord record) {
            if (value.get(ValueLayout.JAVA_LONG, CREATED) != record.created() || value.get(ValueLayout.JAVA_INT, EPOCH) != record.epoch())
                return false;
            read(false, record);
            read(true, record);
            return true;
        }

        private int harvest(int map, int keySize, Harvester harvester) {
            int seen = 0;
            MemorySegment start = MemorySegment.NULL;
            for (boolean more = true; more;) {
                count.set(ValueLayout.JAVA_INT, 0, BATCH);
                int result = Bpf.lookupBatch(map, start, to, keys, values, count);
                if (result != 0 && result != -Errno.ENOENT) return seen;
                more = result == 0;
                int entries = count.get(ValueLayout.JAVA_INT, 0);
                for (int i = 0; i < entries; i++) {
                    readKey((long) i * keySize, keySize);
                    MemorySegment.copy(values, (long) i * VALUE_SIZE, value, 0, VALUE_SIZE);
                    harvester.onEntry(harvested, this);
                }
                seen += entries;
                from.copyFrom(to);
                start = from;
            }
            return seen;
        }

        private void readKey(long at, int keySize) {
            MemorySegment into = harvested.segment();
            if (keySize == KEY6_SIZE) {
                MemorySegment.copy(keys, at, into, harvested.offset(), KEY6_SIZE);
                return;
            }
            into.asSlice(harvested.offset(), SessionKey.SIZE).fill((byte) 0);
            putMapped(into, harvested.offset());
            putMapped(into, harvested.offset() + 16);
            MemorySegment.copy(keys, at, into, harvested.offset() + 12, 4);
            MemorySegment.copy(keys, at + 4, into, harvested.offset() + 28, 4);
            MemorySegment.copy(keys, at + 8, into, harvested.offset() + 32, 8);
        }

        private static void putMapped(MemorySegment into, long at) { into.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + 10, (short) -1); }

        /** Writes the kernel's form of a key. @return the map it belongs to */
        private int useKey(SessionKey session) {
            boolean ipv4 = session.addressHigh(false) == 0 && session.addressLow(false) >>> 32 == MAPPED;
            if (!ipv4) {
                MemorySegment.copy(session.segment(), session.offset(), key, 0, KEY6_SIZE);
                return flows6;
            }
            MemorySegment.copy(session.segment(), session.offset() + 12, key, 0, 4);
            MemorySegment.copy(session.segment(), session.offset() + 28, key, 4, 4);
            MemorySegment.copy(session.segment(), session.offset() + 32, key, 8, 8);
            return flows4;
        }

        private static int direction(boolean ofReply, SessionRecord record) {
            return ofReply != record.has(SessionRecord.ORIGINAL_FROM_HIGH) ? DIRECTION_SIZE : 0;
        }

        private static int halfOf(int direction) { return HALVES + (direction == 0 ? 0 : TcpHalf.SIZE); }

        private void write(boolean ofReply, SessionRecord record) {
            int at = direction(ofReply, record);
            value.set(ValueLayout.JAVA_LONG, at + PACKETS, record.packets(ofReply));
            value.set(ValueLayout.JAVA_LONG, at + BYTES, record.bytes(ofReply));
            value.set(ValueLayout.JAVA_INT, at + IDLE, record.timeoutMs());
            half.wrap(value, halfOf(at)).copyFrom(ofReply ? record.reply() : record.original());
            // A window is scaled only when both ends have said so (RFC 7323, 2.2).
            if (!record.original().has(TcpHalf.SCALE_KNOWN) || !record.reply().has(TcpHalf.SCALE_KNOWN)) half.forgetScale();
        }

        private void read(boolean ofReply, SessionRecord record) {
            int at = direction(ofReply, record);
            record.counts(ofReply, Math.max(record.packets(ofReply), value.get(ValueLayout.JAVA_LONG, at + PACKETS)),
                    Math.max(record.bytes(ofReply), value.get(ValueLayout.JAVA_LONG, at + BYTES)));
            half.wrap(value, halfOf(at));
            TcpHalf known = ofReply ? record.reply() : record.original();
            boolean newest = known.has(TcpHalf.SEQ_KNOWN) && TcpHalf.after(half.seqEnd(), known.seqEnd())
                    || known.has(TcpHalf.ACK_KNOWN) && TcpHalf.after(half.ack(), known.ack());
            if (half.has(TcpHalf.SEQ_KNOWN)) known.advanceSeqEnd(half.seqEnd());
            if (half.has(TcpHalf.LIMIT_KNOWN)) known.advanceMaxEnd(half.maxEnd());
            if (half.has(TcpHalf.ACK_KNOWN)) known.advanceAck(half.ack());
            known.raiseMaxWindow(half.maxWindow());
            long seenNs = value.get(ValueLayout.JAVA_LONG, at + LAST_SEEN);
            if (seenNs == 0) return;
            known.raiseState(TcpHalf.ESTABLISHED);
            record.lastSeenMs(Math.max(record.lastSeenMs(), seenNs / NANOSECONDS_PER_MS));
            record.changeLocalFlags(0, SessionRecord.seenFlag(ofReply) | (newest ? SessionRecord.followedFlag(ofReply) : 0));
        }
    }
}

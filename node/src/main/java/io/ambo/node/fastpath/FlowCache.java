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
 * later, and losing an entry loses nothing. A session that is translated has two more entries ({@link FlowTranslations}), which come and go with it. Each
 * thread that uses it has an {@link Access} of its own.
 */
public final class FlowCache {
    /** struct ambo_flow: two directions, two halves, created, epoch, flags, installed_ns. */
    static final int VALUE_SIZE = 192;
    private static final int DIRECTION_SIZE = 64, HALVES = 2 * DIRECTION_SIZE, CREATED = HALVES + 2 * TcpHalf.SIZE, EPOCH = CREATED + 8,
            FLAGS = EPOCH + 4,
            INSTALLED = FLAGS + 4;
    /** struct ambo_direction. */
    private static final int PACKETS = 0, BYTES = 8, LAST_SEEN = 16, HOP = 24, IDLE = 56, TRANSLATED = 60;
    private static final int SEEN_WHOLE = 1;
    /** Not a session but a note: packets with these ends are the member's whose id is in the upper half of the flags. */
    private static final int REDIRECT = 2;
    private static final int OWNER_SHIFT = 16;
    /** A note that nobody has used for so long goes. */
    private static final int REDIRECT_IDLE_MS = 60_000;
    /** Entries that one system call reads. */
    private static final int BATCH = 512;
    private static final int NANOSECONDS_PER_MS = 1_000_000;

    /** struct ambo_account. */
    private static final int ACCOUNT_SIZE = 112, ACCOUNT_IPV6 = FlowKey.SIZE6, ACCOUNT_FROM = ACCOUNT_IPV6 + 4,
            ACCOUNT_HALVES = ACCOUNT_FROM + 4,
            ACCOUNT_CREATED = ACCOUNT_HALVES + 2 * TcpHalf.SIZE, ACCOUNT_EPOCH = ACCOUNT_CREATED + 8, ACCOUNT_BYTES = ACCOUNT_EPOCH + 4,
            ACCOUNT_FLAGS = ACCOUNT_BYTES + 4, ACCOUNT_RESERVED = ACCOUNT_FLAGS + 4;

    private final int accountant;
    private final int flows4;
    private final int flows6;
    final int translations4;
    final int translations6;

    /** @param accountant descriptor of the program ambo_account_for (account.h) */
    FlowCache(int accountant, int flows4, int flows6, int translations4, int translations6) {
        this.accountant = accountant;
        this.flows4 = flows4;
        this.flows6 = flows6;
        this.translations4 = translations4;
        this.translations6 = translations6;
    }

    /** What C has to agree with, by struct. */
    static Map<String, List<BpfObject.Member>> layouts() {
        return Map.of("ambo_direction",
                List.of(member("packets", PACKETS), member("bytes", BYTES), member("last_seen_ns", LAST_SEEN), member("hop", HOP),
                        member("idle_ms", IDLE), member("translated", TRANSLATED)),
                "ambo_flow", List.of(member("direction", 0), member("half", HALVES), member("created", CREATED), member("epoch", EPOCH),
                        member("flags", FLAGS), member("installed_ns", INSTALLED)),
                "ambo_account",
                List.of(member("key", 0), member("ipv6", ACCOUNT_IPV6), member("from", ACCOUNT_FROM), member("half", ACCOUNT_HALVES),
                        member("created", ACCOUNT_CREATED), member("epoch", ACCOUNT_EPOCH), member("bytes", ACCOUNT_BYTES),
                        member("flags", ACCOUNT_FLAGS), member("reserved", ACCOUNT_RESERVED)));
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
        private final MemorySegment memory = Arena.ofAuto().allocate(FlowKey.SIZE6 + 8L + VALUE_SIZE + 8L, 8);
        private final MemorySegment key = memory.asSlice(0, FlowKey.SIZE6);
        private final MemorySegment value = memory.asSlice(FlowKey.SIZE6 + 8L, VALUE_SIZE);
        private final MemorySegment keys = Arena.ofAuto().allocate((long) BATCH * FlowKey.SIZE6, 8);
        private final MemorySegment values = Arena.ofAuto().allocate((long) BATCH * VALUE_SIZE, 8);
        private final MemorySegment count = Arena.ofAuto().allocate(4, 4);
        private final MemorySegment from = Arena.ofAuto().allocate(FlowKey.SIZE6, 8);
        private final MemorySegment to = Arena.ofAuto().allocate(FlowKey.SIZE6, 8);
        private final TcpHalf half = new TcpHalf();
        private final Bpf.Call account = new Bpf.Call(accountant, Arena.ofAuto().allocate(ACCOUNT_SIZE, 8));
        private boolean hasEntry;
        private final SessionKey harvested = new SessionKey();
        private final FlowTranslations translations = new FlowTranslations(translations4, translations6);

        /** Puts an established session into the cache. */
        public Install install(SessionKey session, SessionRecord record) {
            value.fill((byte) 0);
            write(false, record);
            write(true, record);
            value.set(ValueLayout.JAVA_LONG, CREATED, record.created());
            value.set(ValueLayout.JAVA_INT, EPOCH, record.epoch());
            value.set(ValueLayout.JAVA_INT, FLAGS, flags(record));
            value.set(ValueLayout.JAVA_LONG, INSTALLED, record.lastSeenMs() * NANOSECONDS_PER_MS);
            // What its packets become is there before they are looked for.
            int result = record.has(SessionRecord.TRANSLATED) ? translations.install(session, record) : 0;
            if (result == 0) result = Bpf.update(useKey(session), key, value, Bpf.ANY);
            if (result == 0) return Install.INSTALLED;
            if (record.has(SessionRecord.TRANSLATED)) translations.remove(session);
            return result == -Errno.E2BIG ? Install.FULL : Install.FAILED;
        }

        /** Joins what the kernel knows of the session. @return false when it is not in the cache, or another life of it */
        public boolean refresh(SessionKey session, SessionRecord record) {
            return Bpf.lookup(useKey(session), key, value) == 0 && joinInto(record);
        }

        /**
         * Tells the entry of a packet that was forwarded elsewhere than in the kernel and stands in the record already.
         *
         * @param bytes of IP
         * @return false when it is not in the cache, or another life of it
         */
        public boolean account(SessionKey session, SessionRecord record, boolean ofReply, int bytes) {
            MemorySegment told = account.argument();
            boolean isIpv6 = FlowKey.write(session, told, 0) == FlowKey.SIZE6;
            told.set(ValueLayout.JAVA_INT, ACCOUNT_IPV6, isIpv6 ? 1 : 0);
            told.set(ValueLayout.JAVA_INT, ACCOUNT_FROM, direction(ofReply, record) == 0 ? 0 : 1);
            half.wrap(told, ACCOUNT_HALVES + halfAfter(direction(false, record))).copyFrom(record.original());
            half.wrap(told, ACCOUNT_HALVES + halfAfter(direction(true, record))).copyFrom(record.reply());
            told.set(ValueLayout.JAVA_LONG, ACCOUNT_CREATED, record.created());
            told.set(ValueLayout.JAVA_INT, ACCOUNT_EPOCH, record.epoch());
            told.set(ValueLayout.JAVA_INT, ACCOUNT_BYTES, bytes);
            told.set(ValueLayout.JAVA_INT, ACCOUNT_FLAGS, flags(record));
            return account.run() == 1;
        }

        /** Takes the session out of the cache, and joins what the kernel knew. */
        public void remove(SessionKey session, SessionRecord record) {
            if (take(session)) joinInto(record);
        }

        /** Notes that packets with these ends are another member's. What is there of a session stays. @return false when there is no room */
        public boolean installRedirect(SessionKey ends, int owner, long nowMs) {
            if (redirectedTo(ends) == 0 && hasEntry) return true;
            value.fill((byte) 0);
            value.set(ValueLayout.JAVA_INT, IDLE, REDIRECT_IDLE_MS);
            value.set(ValueLayout.JAVA_INT, DIRECTION_SIZE + IDLE, REDIRECT_IDLE_MS);
            value.set(ValueLayout.JAVA_INT, FLAGS, REDIRECT | owner << OWNER_SHIFT);
            value.set(ValueLayout.JAVA_LONG, INSTALLED, nowMs * NANOSECONDS_PER_MS);
            // A session that comes meanwhile is not overwritten.
            int result = Bpf.update(useKey(ends), key, value, hasEntry ? Bpf.EXIST : Bpf.NO_EXIST);
            return result == 0 || result == -Errno.EEXIST || result == -Errno.ENOENT;
        }

        /** The member that packets with these ends are noted to be of; 0: none. */
        public int redirectedTo(SessionKey ends) {
            hasEntry = Bpf.lookup(useKey(ends), key, value) == 0;
            return hasEntry ? redirectedTo() : 0;
        }

        /** The same of the entry read last. */
        public int redirectedTo() {
            int flags = value.get(ValueLayout.JAVA_INT, FLAGS);
            return (flags & REDIRECT) != 0 ? flags >>> OWNER_SHIFT : 0;
        }

        /** Whether the kernel would hand the next packet of the entry read last to Java, since the session's timeout is over by what it knows. */
        public boolean isIdle(long nowNs) {
            long seenNs = Math.max(value.get(ValueLayout.JAVA_LONG, INSTALLED),
                    Math.max(value.get(ValueLayout.JAVA_LONG, LAST_SEEN), value.get(ValueLayout.JAVA_LONG, DIRECTION_SIZE + LAST_SEEN)));
            return nowNs - seenNs > (long) value.get(ValueLayout.JAVA_INT, IDLE) * NANOSECONDS_PER_MS;
        }

        /** Takes out whatever is there under this key. */
        public void remove(SessionKey session) { take(session); }

        private boolean take(SessionKey session) {
            if (Bpf.take(useKey(session), key, value) != 0) return false;
            if (value.get(ValueLayout.JAVA_INT, TRANSLATED) != 0) translations.remove(session);
            return true;
        }

        /** Takes out what an earlier process, that was killed, has left of sessions that are not in the cache. @return entries */
        public int removeLeftOver() {
            return translations.retain(session -> Bpf.lookup(useKey(session), key, value) == 0);
        }

        /** Visits every entry. An entry that comes or goes meanwhile is visited or not. @return entries seen */
        public int harvest(Harvester harvester) {
            return harvest(flows4, FlowKey.SIZE4, harvester) + harvest(flows6, FlowKey.SIZE6, harvester);
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
                    FlowKey.read(keys, (long) i * keySize, keySize, harvested);
                    MemorySegment.copy(values, (long) i * VALUE_SIZE, value, 0, VALUE_SIZE);
                    harvester.onEntry(harvested, this);
                }
                seen += entries;
                from.copyFrom(to);
                start = from;
            }
            return seen;
        }

        /** Writes the kernel's form of a key. @return the map it belongs to */
        private int useKey(SessionKey session) {
            return FlowKey.write(session, key, 0) == FlowKey.SIZE4 ? flows4 : flows6;
        }

        private static int direction(boolean ofReply, SessionRecord record) {
            return ofReply != record.has(SessionRecord.ORIGINAL_FROM_HIGH) ? DIRECTION_SIZE : 0;
        }

        private static int flags(SessionRecord record) { return record.isSeenWhole() ? SEEN_WHOLE : 0; }

        private static int halfOf(int direction) { return HALVES + halfAfter(direction); }

        private static int halfAfter(int direction) { return direction == 0 ? 0 : TcpHalf.SIZE; }

        private void write(boolean ofReply, SessionRecord record) {
            int at = direction(ofReply, record);
            value.set(ValueLayout.JAVA_LONG, at + PACKETS, record.packets(ofReply));
            value.set(ValueLayout.JAVA_LONG, at + BYTES, record.bytes(ofReply));
            value.set(ValueLayout.JAVA_INT, at + IDLE, record.timeoutMs());
            value.set(ValueLayout.JAVA_INT, at + TRANSLATED, record.has(SessionRecord.TRANSLATED) ? 1 : 0);
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

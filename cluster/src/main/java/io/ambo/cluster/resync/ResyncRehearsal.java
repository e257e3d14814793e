package io.ambo.cluster.resync;

import io.ambo.cluster.jgroups.SealedLoop;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.replication.DeltaReader;
import io.ambo.cluster.replication.DeltaReader.Kind;
import io.ambo.cluster.replication.MalformedMessage;
import io.ambo.cluster.session.Digest;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import java.util.BitSet;

/**
 * Sends made-up sessions from one table to another and back to nowhere, the way a joining node gets its own, before it joins. A JVM that has yet to compile seals and
 * merges at a tenth of its pace, and all that while the node takes no traffic.
 */
public final class ResyncRehearsal {
    private static final int SESSIONS = 3_000, SMALL = 600, SMALL_BYTES = 300, PORTS = 50_000, UDP = 17;
    private static final long COMPARISON = 1;

    private final SessionTable from;
    private final SessionTable into;
    private final Clock clock;
    private final SealedLoop link = new SealedLoop();
    private final DeltaReader reader = new DeltaReader();
    private final NodeId peer = NodeId.of("rehearsal");

    private ResyncRehearsal(SessionTable from, SessionTable into, Clock clock) {
        this.from = from;
        this.into = into;
        this.clock = clock;
    }

    /**
     * Plays.
     *
     * @param from     an empty table with room for {@value #SESSIONS} sessions; empty afterwards
     * @param into     another
     * @param atMostNs no longer than this
     * @return records that have come over
     */
    public static long run(SessionTable from, SessionTable into, Clock clock, int rounds, long atMostNs) {
        ResyncRehearsal rehearsal = new ResyncRehearsal(from, into, clock);
        long endNs = clock.monotonicNs() + atMostNs;
        long came = 0;
        rehearsal.fill();
        for (int round = 0; round < rounds && clock.monotonicNs() - endNs < 0; round++) {
            rehearsal.seal();
            came += rehearsal.send();
            if (Digest.of(from).differingBuckets(Digest.of(into)).length > 0)
                throw new IllegalStateException("the rehearsal lost sessions");
            empty(into);
        }
        empty(from);
        return came;
    }

    private void fill() {
        SessionKey key = new SessionKey();
        SessionRecord session = new SessionRecord();
        long nowMs = clock.monotonicMs();
        for (int i = 0; i < SESSIONS; i++) {
            boolean high = key.set(0, 0xFFFF_C000_0201L, 1024 + i % PORTS, 0, 0xFFFF_C633_6401L, 53, UDP, 0);
            session.clear().incarnation(1, i + 1, 1).owner(1).zones(1, 2).rule(1).timeoutMs(60_000).lastSeenMs(nowMs).counts(false, 1, 100);
            if (high) session.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
            session.original().raiseState(TcpHalf.ESTABLISHED);
            from.insert(key, session);
        }
    }

    /** The ciphers' callers count calls, not bytes, until they are compiled; the deltas of a busy node are as small as these. */
    private void seal() {
        byte[] bytes = new byte[SMALL_BYTES];
        for (int i = 0; i < SMALL; i++) link.pass(bytes, 0, bytes.length);
    }

    private long send() {
        BitSet all = new BitSet();
        all.set(0, SessionTable.BUCKETS);
        Loop loop = new Loop();
        RecordStream stream = new RecordStream(peer, COMPARISON, 1, all, (key, session) -> true, from, loop);
        loop.stream = stream;
        long nowMs = clock.monotonicMs();
        try {
            while (!stream.done()) stream.advance(nowMs);
        } catch (io.ambo.cluster.ClusterException impossible) {
            throw new IllegalStateException("nothing is sent in a rehearsal", impossible);
        }
        return stream.records();
    }

    private void receive(byte[] bytes) {
        try {
            if (reader.read(bytes, 0, bytes.length, clock.monotonicMs()) != Kind.CHUNK) throw new IllegalStateException("no chunk came");
        } catch (MalformedMessage impossible) {
            throw new IllegalStateException("the codec does not read what it has written", impossible);
        }
        for (int i = 0; i < reader.count(); i++) into.merge(reader.key(i), reader.record(i));
    }

    private static void empty(SessionTable table) {
        for (int slice = 0; slice < table.slices(); slice++) table.sweep(slice, (key, session) -> true);
    }

    /** The link, as a stream sees it. */
    private final class Loop implements Transport {
        private @org.jspecify.annotations.Nullable RecordStream stream;

        @Override
        public void start(Receiver receiver) {}

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) {}

        @Override
        public void sendTo(NodeId to, byte[] bytes, int offset, int length) {
            byte[] came = link.pass(bytes, offset, length);
            receive(came == null ? java.util.Arrays.copyOfRange(bytes, offset, offset + length) : came);
            if (stream != null) stream.onAck(reader.number());
        }

        @Override
        public void sendHint(NodeId to, byte[] bytes, int offset, int length) {}

        @Override
        public void close() {}
    }
}

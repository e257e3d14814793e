package io.ambo.cluster;

import io.ambo.cluster.jgroups.RehearsalLink;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Base64;

/**
 * Plays a join before the real one: a made-up node hands its sessions to another, both in this thread, over a sealed link that leads nowhere. A million
 * sessions come within seconds of a node's first view, and a JVM that has yet to compile what reads, decrypts and merges them takes ten times as long.
 */
public final class Rehearsal {
    private static final int SESSIONS = 40_000;
    /** Batches of one delta: for what is done for each message. */
    private static final int DELTAS = 6_000;
    private static final int CAPACITY = 2 * SESSIONS;
    private static final long MAPPED = 0xFFFF_0000_0000L;
    /** 192.0.2.1 and 198.51.100.1. */
    private static final long CLIENT = MAPPED | 0xC0000201L, SERVER = MAPPED | 0xC6336401L;
    private static final int TCP = 6, UDP = 17;

    private static final ClusterListener NOBODY = new ClusterListener() {
        @Override
        public boolean awaitsDeltas() { return false; }

        @Override
        public void onDeltaApplied(SessionKey key) {}

        @Override
        public void onAcknowledged(int worker, long ticket) {}

        @Override
        public void onView(View view) {}

        @Override
        public void onGate(GateState gate) {}
    };

    private Rehearsal() {}

    /**
     * Plays.
     *
     * @param directory for two tables, which are the caller's to delete
     * @param atMostNs  it is broken off after that time
     * @return sessions handed over
     */
    public static long run(Path directory, Clock clock, long atMostNs) {
        long endNs = clock.monotonicNs() + atMostNs;
        SecureRandom random = new SecureRandom();
        byte[] secret = new byte[ClusterKey.SHORTEST];
        random.nextBytes(secret);
        ClusterKey key = ClusterKey.of(Base64.getEncoder().encode(secret));
        RehearsalLink link = new RehearsalLink(key, random);
        try (ChronicleSessionTable full = ChronicleSessionTable.open(directory.resolve("full"), CAPACITY, clock);
                ChronicleSessionTable empty = ChronicleSessionTable.open(directory.resolve("empty"), CAPACITY, clock)) {
            HybridClock hybridClock = new HybridClock(clock, 0);
            fill(full, NodeId.of("first").value(), hybridClock, clock);
            try (Cluster first = join("first", link, key, full, hybridClock, clock, random);
                    Cluster second = join("second", link, key, empty, hybridClock, clock, random)) {
                while (!second.gate().open() && clock.monotonicNs() - endNs < 0) step(first, second, link);
                long handedOver = empty.size();
                SessionKey told = new SessionKey();
                SessionRecord session = new SessionRecord();
                for (int i = 0; i < DELTAS && clock.monotonicNs() - endNs < 0; i++) {
                    if (full.read(sessionKey(told, i), session)) {
                        session.count(false, 1, 60);
                        first.publisher(0).publish(told, session, false);
                    }
                    step(first, second, link);
                }
                return handedOver;
            }
        } catch (ClusterException impossible) {
            throw new IllegalStateException("a cluster without a network does not start", impossible);
        }
    }

    private static Cluster join(String name, RehearsalLink link, ClusterKey key, ChronicleSessionTable table, HybridClock hybridClock,
            Clock clock, SecureRandom random) throws ClusterException {
        ClusterSettings settings = ClusterSettings.of("rehearsal", name, InetAddress.getLoopbackAddress(), key);
        return Cluster.stepped(settings, link.member(NodeId.of(name)), table, hybridClock, clock, random, NOBODY);
    }

    private static void step(Cluster first, Cluster second, RehearsalLink link) {
        boolean worked = first.doWork() + second.doWork() > 0;
        if (!link.deliver() && !worked) Thread.onSpinWait();
    }

    private static SessionKey sessionKey(SessionKey key, int number) {
        key.set(0, CLIENT, number & 0xFFFF, 0, SERVER, 443, number % 2 == 0 ? TCP : UDP, 0);
        return key;
    }

    private static void fill(ChronicleSessionTable table, int creator, HybridClock hybridClock, Clock clock) {
        SessionKey key = new SessionKey();
        SessionRecord session = new SessionRecord();
        for (int i = 0; i < SESSIONS; i++) {
            sessionKey(key, i);
            session.clear().incarnation(0, hybridClock.next(), creator).owner(creator).zones(1, 2).timeoutMs(60_000)
                    .lastSeenMs(clock.monotonicMs()).counts(false, 1, 60);
            table.insert(key, session);
        }
    }
}

package io.ambo.cluster;

import io.ambo.cluster.jgroups.RehearsalLink;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.List;

/**
 * Plays a join before the real one: a made-up node hands its sessions to another, both in this thread, over a sealed link that leads nowhere. A million
 * sessions come within seconds of a node's first view, and a JVM that has yet to compile what reads, decrypts and merges them takes ten times as long.
 *
 * <p>
 * The compiler believes what it has seen. A branch that was never taken, a class that was always the same: with the first exception in the real join, all that
 * was built on it is thrown away. So the play has something of everything: both modes, listeners of several classes, sessions that are new, known, older and
 * newer on the other side, messages of one record and of hundreds, a window that fills.
 */
public final class Rehearsal {
    private static final long MAPPED = 0xFFFF_0000_0000L;
    /** 192.0.2.1 and 198.51.100.1. */
    private static final long CLIENT = MAPPED | 0xC0000201L, SERVER = MAPPED | 0xC6336401L;
    private static final int TCP = 6, UDP = 17;
    /** Of so many sessions, one is on the joining node as well in each of four ways. */
    private static final int KNOWN_EVERY = 16;
    /** Of so many deltas, one goes the other way. */
    private static final int BACK_EVERY = 4;
    /** Older than what may be under way as a delta when tables are compared: it takes a second round to find them equal. */
    private static final long QUIET_MS = 1000;

    /** Hears nothing. Of three classes, since the real one is a fourth: calls on it are compiled as calls. */
    private enum Audience implements ClusterListener {
        FIRST {
        },
        SECOND {
        },
        THIRD {
        };

        static Audience of(int number) { return values()[number % values().length]; }

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
    }

    private final RehearsalLink link;
    private final ClusterKey key;
    private final Clock clock;
    private final SecureRandom random = new SecureRandom();
    private final int act;

    private Rehearsal(int act, Clock clock) {
        this.act = act;
        this.clock = clock;
        byte[] secret = new byte[ClusterKey.SHORTEST];
        random.nextBytes(secret);
        key = ClusterKey.of(Base64.getEncoder().encode(secret));
        link = new RehearsalLink(key, random);
    }

    /**
     * Plays one act.
     *
     * @param directory for two tables, which are the caller's to delete
     * @param act       its number: each is a little different from the one before
     * @param sessions  to be handed over
     * @param deltas    that follow, each a message of its own: for what is done for each message
     * @param atMostNs  it is broken off after that time
     * @return sessions handed over
     */
    public static long run(Path directory, int act, int sessions, int deltas, Clock clock, long atMostNs) {
        try (ChronicleSessionTable full = ChronicleSessionTable.open(directory.resolve("full"), 2L * sessions, clock);
                ChronicleSessionTable empty = ChronicleSessionTable.open(directory.resolve("empty"), 2L * sessions, clock)) {
            return new Rehearsal(act, clock).play(full, empty, sessions, deltas, clock.monotonicNs() + atMostNs);
        } catch (ClusterException impossible) {
            throw new IllegalStateException("a cluster without a network does not start", impossible);
        }
    }

    private long play(ChronicleSessionTable full, ChronicleSessionTable empty, int sessions, int deltas, long endNs)
            throws ClusterException {
        HybridClock hybridClock = new HybridClock(clock, 0);
        fill(full, empty, sessions, hybridClock);
        try (Cluster first = join("first", full, hybridClock, act);
                Cluster second = join("second", empty, hybridClock, act + 1)) {
            while (!second.gate().open() && clock.monotonicNs() - endNs < 0) step(first, second);
            long handedOver = empty.size();
            SessionKey told = new SessionKey();
            SessionRecord session = new SessionRecord();
            for (int i = 0; i < deltas && clock.monotonicNs() - endNs < 0; i++) {
                boolean back = i % BACK_EVERY == BACK_EVERY - 1;
                if ((back ? empty : full).read(sessionKey(told, i % sessions), session)) {
                    session.count(false, 1, 60);
                    session.reply().advanceAck(i);
                    (back ? second : first).publisher(0).publish(told, session, i % KNOWN_EVERY == 0);
                }
                step(first, second);
            }
            return handedOver;
        }
    }

    private Cluster join(String name, ChronicleSessionTable table, HybridClock hybridClock, int number) throws ClusterException {
        ClusterSettings settings = ClusterSettings.of("rehearsal", name, InetAddress.getLoopbackAddress(), key)
                .withMode(act % 2 == 0 ? ClusterSettings.Mode.SYNC : ClusterSettings.Mode.REDIRECT);
        return Cluster.stepped(settings, link.member(NodeId.of(name), number), table, hybridClock, clock, random, Audience.of(number));
    }

    /** What is sent waits until nobody has more to send. */
    private void step(Cluster first, Cluster second) {
        if (first.doWork() + second.doWork() > 0) return;
        if (!link.deliver()) Thread.onSpinWait();
    }

    private static SessionKey sessionKey(SessionKey key, int number) {
        key.set(0, CLIENT + (number >>> 16), number & 0xFFFF, 0, SERVER, 443, number % 2 == 0 ? TCP : UDP, 0);
        return key;
    }

    private void fill(ChronicleSessionTable full, ChronicleSessionTable empty, int sessions, HybridClock hybridClock) {
        int creator = NodeId.of("first").value();
        SessionKey key = new SessionKey();
        SessionRecord session = new SessionRecord();
        for (int i = 0; i < sessions; i++) {
            sessionKey(key, i);
            long created = hybridClock.next();
            session.clear().incarnation(1, created, creator).owner(creator).zones(1, 2).timeoutMs(60_000)
                    .lastSeenMs(clock.monotonicMs() - QUIET_MS).counts(false, 1, 60);
            if (i % 2 == 0) shakeHands(session, i);
            full.insert(key, session);
            switch (i % KNOWN_EVERY) {
                case 0 -> empty.insert(key, session);
                case 1 -> empty.insert(key, session.counts(false, 0, 0));
                case 2 -> empty.insert(key, session.incarnation(0, created, creator));
                case 3 -> empty.insert(key, session.incarnation(2, created, creator));
                default -> {
                }
            }
        }
    }

    private static void shakeHands(SessionRecord session, int number) {
        for (TcpHalf half : List.of(session.original(), session.reply())) {
            half.raiseState(TcpHalf.ESTABLISHED);
            half.advanceSeqEnd(1000 + number);
            half.advanceMaxEnd(66_535 + number);
            half.advanceAck(500 + number);
            half.raiseMaxWindow(65_535);
            half.raiseScale(7);
        }
    }
}

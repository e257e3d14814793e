package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionExpiry;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.firewall.Timeouts;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Sweeps the session table, a bounded number of slices each turn and all of it in about a second, or longer when that would be more than a fiftieth of the
 * thread's time: ends sessions that timed out, forgets tombstones, and counts what the limits need. A thread of its own, so that packets never wait for it longer than for the lock of one slice.
 *
 * <p>The owner ends a session and tells the peers by a delta; who is not the owner waits for that, see {@link SessionExpiry}.
 */
final class Keeper implements SessionTable.Sweep, AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final long TURN_NS = 10_000_000;
    private static final int TURNS_PER_SWEEP = 100;
    /** A turn is followed by so many times its length of rest: a sweep that is slow (a large table, a JVM that has just started) takes longer, not more. */
    private static final int REST = 49;
    /** What a node waits beyond the timeout for an owner that has left the view; see {@link SessionExpiry}. */
    private static final long GRACE_MS = 30_000;

    /** Who answers for sessions. */
    interface Owners {
        boolean owns(SessionKey key, SessionRecord session);

        boolean inView(int nodeId);
    }

    private final SessionTable sessions;
    private final DeltaPublisher publisher;
    private final SessionCounts counts;
    private final WorkerContext.Identity identity;
    private final Owners owners;
    private final Clock clock;
    private final Consumer<ResetCommand> resets;
    private final FastPath fastPath;
    private final CounterBank<NodeCounter>.Row counters;
    private final Thread thread;
    private volatile Policy policy;
    private volatile SessionExpiry expiry;
    private volatile boolean running = true;
    private volatile boolean mustJudge;
    private int slice;
    private long nowMs;
    /** Sessions created from here on are counted by the workers themselves. */
    private long sweepStart;

    Keeper(SessionTable sessions, DeltaPublisher publisher, SessionCounts counts, WorkerContext.Identity identity, Owners owners,
            Clock clock,
            Consumer<ResetCommand> resets, FastPath fastPath, CounterBank<NodeCounter>.Row counters, Policy policy) {
        this.sessions = sessions;
        this.publisher = publisher;
        this.counts = counts;
        this.identity = identity;
        this.owners = owners;
        this.clock = clock;
        this.resets = resets;
        this.fastPath = fastPath;
        this.counters = counters;
        this.policy = policy;
        expiry = expiry(policy);
        thread = Thread.ofPlatform().name("ambo-keeper").unstarted(this::run);
    }

    void start() { thread.start(); }

    /** A reload took place. Sessions that the new policy would not let open end at once. */
    void policy(Policy newPolicy) {
        policy = newPolicy;
        expiry = expiry(newPolicy);
        mustJudge = true;
        LockSupport.unpark(thread);
    }

    private static SessionExpiry expiry(Policy policy) { return new SessionExpiry(policy.timeouts().tombstone(), GRACE_MS); }

    private void run() {
        try {
            while (running) {
                long begin = clock.monotonicNs();
                if (mustJudge) judgeAll();
                doWork();
                long tookNs = clock.monotonicNs() - begin;
                LockSupport.parkNanos(Math.max(TURN_NS - tookNs, REST * tookNs));
            }
        } catch (Throwable broken) {
            LOG.fatal("the keeper found a broken invariant and ends the node", broken);
            Runtime.getRuntime().halt(70);
        }
    }

    private void judgeAll() {
        mustJudge = false;
        nowMs = clock.monotonicMs();
        Policy current = policy;
        for (int each = 0; each < sessions.slices(); each++) sessions.sweep(each, (key, session) -> judge(key, session, current));
    }

    private boolean judge(SessionKey key, SessionRecord session, Policy current) {
        if (session.has(SessionRecord.CLOSED)) return false;
        boolean forbidden = current.judge(key, session).action() != Rule.Action.ALLOW;
        boolean cached = session.hasLocal(SessionRecord.CACHED);
        if (cached && (forbidden || !current.rule(session.rule()).fastPath())) {
            fastPath.remove(key, session);
            session.changeLocalFlags(SessionRecord.CACHED, 0);
        }
        if (!forbidden) return false;
        counters.increment(NodeCounter.SESSIONS_REVOKED);
        expiry.close(session, nowMs);
        publisher.publish(key, session, false);
        return false;
    }

    /** One turn. @return sessions looked at */
    int doWork() {
        nowMs = clock.monotonicMs();
        int slices = sessions.slices();
        int turn = Math.max(1, (slices + TURNS_PER_SWEEP - 1) / TURNS_PER_SWEEP);
        int seen = 0;
        for (int i = 0; i < turn; i++) {
            if (slice == 0 && policy.countsSources()) {
                counts.beginSweep();
                sweepStart = identity.created();
            }
            seen += sessions.sweep(slice, this);
            slice++;
            if (slice >= slices) {
                slice = 0;
                counts.endSweep();
            }
        }
        return seen;
    }

    @Override
    public boolean onSession(SessionKey key, SessionRecord session) {
        Policy current = policy;
        Timeouts.Phase phase = Timeouts.phase(session, key.protocol());
        int timeoutMs = current.timeouts().idleTimeoutMs(phase, current.rule(session.rule()));
        if (phase != Timeouts.Phase.TOMBSTONE && timeoutMs != session.timeoutMs()) session.timeoutMs(timeoutMs);
        switch (decide(key, session)) {
            case CLOSE -> end(key, session, phase);
            case FORGET -> {
                counters.increment(NodeCounter.SESSIONS_FORGOTTEN);
                return true;
            }
            case KEEP -> count(key, session, current);
        }
        return false;
    }

    private SessionExpiry.Action decide(SessionKey key, SessionRecord session) {
        boolean owns = owners.owns(key, session);
        boolean inView = owners.inView(session.owner());
        SessionExpiry.Action action = expiry.decide(session, nowMs, owns, inView);
        if (action != SessionExpiry.Action.CLOSE || !session.hasLocal(SessionRecord.CACHED)) return action;
        // Perhaps the kernel has seen it since.
        fastPath.refresh(key, session);
        action = expiry.decide(session, nowMs, owns, inView);
        if (action != SessionExpiry.Action.CLOSE) return action;
        fastPath.remove(key, session);
        session.changeLocalFlags(SessionRecord.CACHED, 0);
        return action;
    }

    private void end(SessionKey key, SessionRecord session, Timeouts.Phase phase) {
        counters.increment(NodeCounter.SESSIONS_EXPIRED);
        if (!owners.inView(session.owner())) counters.increment(NodeCounter.SESSIONS_ADOPTED);
        if (session.has(SessionRecord.RESET_ON_TIMEOUT) && phase != Timeouts.Phase.CLOSED) resets.accept(ResetCommand.of(key, session));
        expiry.close(session, nowMs);
        publisher.publish(key, session, false);
    }

    private void count(SessionKey key, SessionRecord session, Policy current) {
        if (!current.countsSources() || session.has(SessionRecord.CLOSED) || session.created() >= sweepStart) return;
        boolean fromHigh = session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        counts.swept(session.rule(), key.addressHigh(fromHigh), key.addressLow(fromHigh));
    }

    @Override
    public void close() {
        running = false;
        Keepers.end(thread);
    }
}

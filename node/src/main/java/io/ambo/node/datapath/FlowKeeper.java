package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.replication.Wakeup;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.node.fastpath.FlowCache;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.TcpTracker;
import io.ambo.node.packet.PacketView;
import io.ambo.node.redirect.RedirectTeller;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import org.agrona.concurrent.MessageHandler;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Keeps the kernel's flow cache and the session table together, on a thread of its own: puts established sessions into the cache in batches, and several
 * times a second reads back what the kernel has seen of them, so that timeouts, counters and the peers stay right. An entry whose session is over, or
 * unknown, goes.
 */
final class FlowKeeper implements RedirectTeller.Notes, AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final int RING_BYTES = 256 * 1024;
    private static final int INSTALL = 1, LEARN = 2, UNLEARN = 3;
    private static final int OWNER = SessionKey.SIZE;
    private static final int INSTALLS_PER_TURN = 512;
    private static final long TURN_NS = 2_000_000;
    private static final long HARVEST_NS = 250_000_000;
    /** Of the time between two harvests, at most one part in so many is spent harvesting. */
    private static final int HARVEST_SHARE = 10;

    private final SessionTable sessions;
    private final FlowCache cache;
    private final DeltaPublisher publisher;
    private final Clock clock;
    private final LongConsumer forwardUntil;
    private final long surviveNs;
    private final CounterBank<NodeCounter>.Row counters;
    private final FlowCache.Access access;
    private final ManyToOneRingBuffer offers;
    private final MessageHandler onOffer = this::install;
    private final SessionTable.Visitor onInstall = this::install;
    private final SessionTable.Visitor onHarvested = this::harvested;
    private final SessionKey key = new SessionKey();
    private final Wakeup offered = new Wakeup();
    private final Thread thread = Thread.ofPlatform().name("ambo-flows").unstarted(this::run);
    private volatile boolean running = true;
    private volatile Policy policy;
    private volatile Members members = Members.ALL_HERE;
    /** Entries of the cache when it was last harvested. */
    private volatile int flows;
    private boolean stale;

    /** Who is a member, and whose sessions are, in redirect mode. */
    interface Members {
        /** Sync mode: every session is this node's, too. */
        Members ALL_HERE = new Members() {
            @Override
            public boolean mayOwn(int node) { return false; }

            @Override
            public boolean isElsewhere(SessionKey key, SessionRecord session) { return false; }
        };

        boolean mayOwn(int node);

        boolean isElsewhere(SessionKey key, SessionRecord session);
    }

    /**
     * @param forwardUntil tells the kernel until when it may forward without this process
     * @param surviveNs    how long that is
     */
    FlowKeeper(SessionTable sessions, FlowCache cache, LongConsumer forwardUntil, long surviveNs, DeltaPublisher publisher, Clock clock,
            CounterBank<NodeCounter>.Row counters, Policy policy) {
        this.forwardUntil = forwardUntil;
        this.surviveNs = surviveNs;
        this.policy = policy;
        this.sessions = sessions;
        this.cache = cache;
        this.publisher = publisher;
        this.clock = clock;
        this.counters = counters;
        access = cache.newAccess();
        offers = new ManyToOneRingBuffer(new UnsafeBuffer(ByteBuffer.allocateDirect(RING_BYTES + RingBufferDescriptor.TRAILER_LENGTH)));
    }

    void start() { thread.start(); }

    void policy(Policy newPolicy) { policy = newPolicy; }

    void members(Members redirectMode) { members = redirectMode; }

    /** Redirect mode: packets with these ends are another member's. Any thread. A full ring: with the next packet it is learnt again. */
    @Override
    public void learn(SessionKey ends, int owner) { offer(LEARN, ends, owner); }

    /** Redirect mode: not any more. Any thread. */
    @Override
    public void unlearn(SessionKey ends, int owner) { offer(UNLEARN, ends, owner); }

    int flows() { return flows; }

    /**
     * Takes over what the kernel knows of the sessions that an earlier process put into the cache; without the fast path, empties it. Before the table hears
     * of the peers: they may have given up sessions meanwhile that are alive here.
     *
     * @return entries taken over
     */
    static int adopt(SessionTable sessions, FlowCache cache, boolean fastPath) {
        FlowCache.Access access = cache.newAccess();
        int[] adopted = new int[1];
        boolean[] known = new boolean[1];
        SessionTable.Visitor visitor = (session, record) -> {
            known[0] = !record.has(SessionRecord.CLOSED) && access.joinInto(record);
            // While nobody listened here, a peer may have carried both flows further: the newest of them is not this node's until the kernel has seen more.
            if (known[0]) record.changeLocalFlags(SessionRecord.ORIGINAL_FOLLOWED | SessionRecord.REPLY_FOLLOWED, SessionRecord.CACHED);
        };
        access.harvest((session, entry) -> {
            known[0] = false;
            // Whose the others are is asked again when they are not used, or their owner is gone.
            if (fastPath && entry.redirectedTo() != 0) return;
            if (fastPath) sessions.update(session, visitor);
            if (known[0]) adopted[0]++;
            else
                entry.remove(session);
        });
        access.removeLeftOver();
        return adopted[0];
    }

    /**
     * For one thread of the slow path.
     *
     * @param after packets after which a session is worth an entry
     */
    FastPath forThread(int after) {
        FlowCache.Access own = cache.newAccess();
        return new FastPath() {
            @Override
            public int after() { return after; }

            @Override
            public boolean offer(SessionKey session) { return FlowKeeper.this.offer(session); }

            @Override
            public int redirectedTo(SessionKey ends) { return own.redirectedTo(ends); }

            @Override
            public boolean refresh(SessionKey session, SessionRecord record) { return own.refresh(session, record); }

            @Override
            public boolean account(SessionKey session, SessionRecord record, boolean ofReply, int bytes) {
                return own.account(session, record, ofReply, bytes);
            }

            @Override
            public void remove(SessionKey session, SessionRecord record) { own.remove(session, record); }
        };
    }

    private boolean offer(SessionKey session) { return offer(INSTALL, session, 0); }

    /** Any thread. */
    private boolean offer(int type, SessionKey session, int owner) {
        int index = offers.tryClaim(type, OWNER + Integer.BYTES);
        if (index < 0) return false;
        RedirectTeller.put(session, offers.buffer(), index);
        offers.buffer().putInt(index + OWNER, owner);
        offers.commit(index);
        offered.signal();
        return true;
    }

    private void run() {
        long harvestNs = clock.monotonicNs();
        try {
            while (running) {
                int installed = offers.read(onOffer, INSTALLS_PER_TURN);
                long now = clock.monotonicNs();
                if (now - harvestNs >= 0) {
                    forwardUntil.accept(now + surviveNs);
                    harvest();
                    long took = clock.monotonicNs() - now;
                    harvestNs = now + Math.max(HARVEST_NS, HARVEST_SHARE * took);
                }
                if (installed == 0) offered.await(this::hasWork, harvestNs - clock.monotonicNs());
                else
                    LockSupport.parkNanos(TURN_NS);
            }
        } catch (Throwable broken) {
            LOG.fatal("the flow keeper found a broken invariant and ends the node", broken);
            Runtime.getRuntime().halt(70);
        }
    }

    private boolean hasWork() { return !running || offers.size() > 0; }

    private void install(int type, org.agrona.MutableDirectBuffer buffer, int index, int length) {
        RedirectTeller.get(buffer, index, key);
        int owner = buffer.getInt(index + OWNER);
        switch (type) {
            case LEARN -> learnt(owner);
            case UNLEARN -> {
                int known = access.redirectedTo(key);
                if (known != 0 && (owner == 0 || owner == known)) access.remove(key);
            }
            default -> sessions.update(key, onInstall);
        }
    }

    private void learnt(int owner) {
        if (!members.mayOwn(owner) || access.redirectedTo(key) == owner) return;
        if (access.installRedirect(key, owner, clock.monotonicMs())) counters.increment(NodeCounter.FLOWS_REDIRECTED);
        else
            counters.increment(NodeCounter.FLOW_CACHE_FULL);
    }

    private void install(SessionKey session, SessionRecord record) {
        record.changeLocalFlags(SessionRecord.CACHE_QUEUED, 0);
        if (record.hasLocal(SessionRecord.CACHED) || !mayInstall(session, record, policy) || members.isElsewhere(session, record)) return;
        switch (access.install(session, record)) {
            case INSTALLED -> {
                record.changeLocalFlags(0, SessionRecord.CACHED);
                counters.increment(NodeCounter.FLOWS_INSTALLED);
                if (session.protocol() == PacketView.TCP && !record.has(SessionRecord.FAST_PATH)) {
                    record.addFlags(SessionRecord.FAST_PATH);
                    publisher.publish(session, record, false);
                }
            }
            case FULL -> {
                record.changeLocalFlags(0, SessionRecord.CACHE_REFUSED);
                counters.increment(NodeCounter.FLOW_CACHE_FULL);
            }
            case FAILED -> {
                record.changeLocalFlags(0, SessionRecord.CACHE_REFUSED);
                counters.increment(NodeCounter.FLOWS_REFUSED);
            }
        }
    }

    /** Whether the kernel can follow the session by itself from here on, and shall. */
    static boolean mayInstall(SessionKey key, SessionRecord session, Policy policy) {
        return isEstablished(key, session) && policy.rule(session.rule()).fastPath();
    }

    private static boolean isEstablished(SessionKey key, SessionRecord session) {
        int not = SessionRecord.CLOSED | SessionRecord.FRAGMENTED | SessionRecord.MID_STREAM;
        if (session.has(not)) return false;
        if (key.protocol() == PacketView.UDP) return true;
        return key.protocol() == PacketView.TCP && isEstablished(session.original()) && isEstablished(session.reply());
    }

    /** For the operator: "yes", or why the kernel does not forward this session's packets here. */
    static String describe(SessionKey key, SessionRecord session, Policy policy, int after) {
        if (session.has(SessionRecord.CLOSED)) return "no: the session is over";
        if (session.hasLocal(SessionRecord.CACHED)) return "yes";
        if (key.protocol() != PacketView.TCP && key.protocol() != PacketView.UDP) return "no: only TCP and UDP";
        if (session.has(SessionRecord.MID_STREAM)) return "no: picked up mid-stream";
        if (session.has(SessionRecord.FRAGMENTED)) return "no: its segments come in fragments";
        if (!session.hasLocal(SessionRecord.ORIGINAL_SEEN_HERE | SessionRecord.REPLY_SEEN_HERE)) return "no: no packet came here";
        if (!isEstablished(key, session)) return "no: opening or closing";
        Rule rule = policy.rule(session.rule());
        if (!rule.fastPath()) return "no: rule " + rule.name() + " has fast-path: false";
        if (session.hasLocal(SessionRecord.CACHE_REFUSED)) return "no: the flow cache is full";
        return session.packets(false) + session.packets(true) < after ? "no: too few packets yet" : "no: with its next packet";
    }

    private static boolean isEstablished(TcpHalf half) {
        return half.state() == TcpHalf.ESTABLISHED && half.has(TcpHalf.SEQ_KNOWN) && half.has(TcpHalf.LIMIT_KNOWN)
                && half.has(TcpHalf.ACK_KNOWN);
    }

    private void harvest() {
        flows = access.harvest((session, entry) -> {
            stale = false;
            int owner = entry.redirectedTo();
            if (owner != 0) {
                if (members.mayOwn(owner) && !entry.isIdle(clock.monotonicNs())) return;
                counters.increment(NodeCounter.FLOWS_REMOVED);
                entry.remove(session);
                return;
            }
            if (!sessions.update(session, onHarvested)) stale = true;
            if (stale) {
                counters.increment(NodeCounter.FLOWS_REMOVED);
                entry.remove(session);
            }
        });
    }

    private void harvested(SessionKey session, SessionRecord record) {
        boolean cached = record.hasLocal(SessionRecord.CACHED);
        boolean elsewhere = members.isElsewhere(session, record);
        if (record.has(SessionRecord.CLOSED) || elsewhere) {
            stale = true;
            record.changeLocalFlags(SessionRecord.CACHED, 0);
            // Whose it is now goes on from where this kernel stopped.
            if (elsewhere && cached && access.joinInto(record)) publisher.publish(session, record, false);
            return;
        }
        int originalEnd = record.original().maxEnd();
        int replyEnd = record.reply().maxEnd();
        long seenMs = record.lastSeenMs();
        // An entry that the session does not know of is either of an earlier run of this process, or was taken out since it was read.
        if (!cached && !access.refresh(session, record)) return;
        if (cached && !access.joinInto(record)) {
            stale = true;
            record.changeLocalFlags(SessionRecord.CACHED, 0);
            return;
        }
        // The kernel takes the session for idle when it is the peer that sees its packets: with the next packet here it comes back.
        stale = access.isIdle(clock.monotonicNs());
        record.changeLocalFlags(SessionRecord.CACHED, stale ? 0 : SessionRecord.CACHED);
        boolean refreshed = record.isRefreshDue(seenMs);
        boolean advanced = session.protocol() == PacketView.TCP && (advanced(originalEnd, record.original().maxEnd(), record.reply())
                || advanced(replyEnd, record.reply().maxEnd(), record.original()));
        if (refreshed || advanced) publisher.publish(session, record, false);
    }

    private static boolean advanced(int before, int after, TcpHalf allower) {
        return after - before >= TcpTracker.step(allower.maxWindow());
    }

    @Override
    public void close() {
        running = false;
        Keepers.end(thread);
    }
}

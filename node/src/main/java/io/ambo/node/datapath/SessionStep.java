package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.TcpTracker;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * What a packet does to a session that is in the table: judged, counted, kept alive, and reported to the peers when they should know. Runs in place under
 * the entry's lock; one for each worker, reused.
 */
final class SessionStep implements SessionTable.Visitor {
    /** What became of the packet. */
    enum Outcome {
        /** It belongs to the session and goes on. */
        PASS,
        /** It was refused, see {@link #reason()}. */
        REFUSED,
        /** The session is over (or never came about), and the packet may open a new one in its place: see {@link #epoch()}. */
        OVER,
        /** The session is another member's: see {@link #owner()}. Nothing was done. */
        ELSEWHERE,
        /** The session is there but this packet is not part of it (an echo request against the session's direction, a segment after the end). */
        NOT_PART
    }

    private final PacketView packet;
    private final DeltaPublisher publisher;
    private final FastPath fastPath;
    private final Redirection redirection;
    private final BooleanSupplier hasPeers;
    private final PassedSyns passedSyns;
    private final LongSupplier created;
    private final CounterBank<NodeCounter>.Row counters;
    private Policy policy;
    private boolean sourceIsHigh;
    private DropReason obstacle = DropReason.NONE;
    private boolean handed;
    private boolean mayWait;
    private long nowMs;

    private Outcome outcome = Outcome.PASS;
    private DropReason reason = DropReason.NONE;
    private int epoch;
    private boolean peerKnowsMore;
    private boolean isForPeer;
    private boolean undecided;
    private int owner;
    private boolean inDoubt;
    private boolean mayAskPeer;
    private int resigned;

    SessionStep(PacketView packet, WorkerContext context, Policy policy) {
        this.packet = packet;
        publisher = context.publisher();
        fastPath = context.fastPath();
        redirection = context.redirection();
        hasPeers = context.hasPeers();
        passedSyns = context.passedSyns();
        created = context.identity()::created;
        counters = context.counters();
        this.policy = policy;
    }

    void policy(Policy newPolicy) { policy = newPolicy; }

    /**
     * Sets up the next visit.
     *
     * @param handedOver    another member has handed the packet over
     * @param resignedOwner a member that says by handing it over that not it has the session any more, but this one; 0: nobody does
     * @param mayBeHeld     the packet may wait for a delta that knows more, or go to the peer
     * @param obstacleAhead why the packet cannot be forwarded even if it belongs (its TTL, its size): then the session stays as it is
     */
    SessionStep prepare(boolean packetSourceIsHigh, DropReason obstacleAhead, boolean handedOver, int resignedOwner, boolean mayBeHeld,
            long now) {
        mayWait = mayBeHeld;
        handed = handedOver;
        resigned = resignedOwner;
        sourceIsHigh = packetSourceIsHigh;
        obstacle = obstacleAhead;
        nowMs = now;
        return this;
    }

    Outcome outcome() { return outcome; }

    DropReason reason() { return reason; }

    /** The packet was refused by knowledge that may be a second old, and a peer has newer. */
    boolean peerKnowsMore() {
        return peerKnowsMore;
    }

    /**
     * The segment was refused by what is known of its session, and a peer may know newer things: that the other flow has come to it since this node saw the session
     * whole, or that a new life has begun. Its delta is on the way then. An owner in redirect mode has no doubts: all of the session passes there.
     */
    boolean isInDoubt() { return inDoubt; }

    /** The packet passes, but means nothing here, while it may mean something to the peer: that should have it, if possible. */
    boolean isForPeer() {
        return isForPeer;
    }

    /** The refusal is not the last word: if nobody knows more, the packet passes. */
    boolean isUndecided() { return undecided; }

    /** When no delta has come: a peer has seen packets of this session, or of its next life, or may have. */
    boolean mayAskPeer() {
        return mayAskPeer;
    }

    /** The member that has the session. */
    int owner() { return owner; }

    /** Epoch of the life that is over. */
    int epoch() { return epoch; }

    @Override
    public void onSession(SessionKey key, SessionRecord session) {
        boolean ofReply = sourceIsHigh != session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        TcpHalf sender = ofReply ? session.reply() : session.original();
        TcpHalf receiver = ofReply ? session.original() : session.reply();
        epoch = session.epoch();
        reason = DropReason.NONE;
        peerKnowsMore = inDoubt = mayAskPeer = isForPeer = undecided = false;
        boolean takenOver = false;
        if (redirection.isOn() && !session.has(SessionRecord.CLOSED)) {
            owner = redirection.owner(key, session);
            // It drains, and this node has yet to hear of it.
            if (owner == resigned) owner = redirection.local();
            if (owner != redirection.local()) {
                outcome = Outcome.ELSEWHERE;
                return;
            }
            takenOver = session.owner() != owner;
        }
        boolean cached = session.hasLocal(SessionRecord.CACHED);
        // Datagrams change nothing that the kernel has to be asked for first.
        if (cached && packet.isTcp()) fastPath.refresh(key, session);
        if (isOver(session, sender, receiver)) {
            outcome = Outcome.OVER;
            mayAskPeer = packet.isTcp();
            return;
        }
        if (packet.isIcmp() && packet.fragmentOffset() == 0 && packet.isEchoRequest() == ofReply) {
            outcome = Outcome.NOT_PART;
            return;
        }
        if (obstacle != DropReason.NONE) {
            refuse(obstacle);
            return;
        }
        boolean headless = packet.fragmentOffset() > 0;
        if (packet.isTcp() && !headless && isUnconfirmed(session, sender, receiver, ofReply)) {
            inDoubt = mayAskPeer = undecided = true;
            refuse(DropReason.TCP_STATE);
            return;
        }
        boolean idle = packet.isTcp() && !headless && TcpTracker.isIdle(sender, receiver, packet);
        if (idle && ofReply && beginsAnew(key, session, sender, receiver)) idle = false;
        int senderState = sender.state();
        int receiverState = receiver.state();
        int seqEnd = sender.seqEnd();
        int maxEnd = receiver.maxEnd();
        int ack = sender.ack();
        if (packet.isTcp() && !headless) {
            boolean elsewhere = wasFastElsewhere(session, ofReply);
            DropReason refused = TcpTracker.track(session, sender, receiver, packet, session.isSeenWhole(),
                    elsewhere && (redirection.isOn() || !hasPeers.getAsBoolean()));
            if (refused != DropReason.NONE) {
                peerKnowsMore = elsewhere && !redirection.isOn();
                inDoubt = refused != DropReason.TCP_FLAGS && !redirection.isOn();
                mayAskPeer = inDoubt && !session.hasLocal(SessionRecord.COMPLETE);
                refuse(refused);
                return;
            }
        } else if (!packet.isTcp()) {
            sender.raiseState(TcpHalf.ESTABLISHED);
        }
        if (idle) {
            passIdle(key, session, sender, receiver, ofReply);
            return;
        }
        if (takenOver) session.takeOver(owner);
        session.changeLocalFlags(0, SessionRecord.seenFlag(ofReply));
        // Sync mode: the next packet of this flow the other member may forward itself, and this node hears of it later.
        if (handed && !redirection.isOn()) session.changeLocalFlags(SessionRecord.COMPLETE, 0);
        boolean climbed = sender.state() != senderState || receiver.state() != receiverState;
        boolean staysCached = cached && !climbed && mayStayCached(key, session, headless);
        if (cached && !staysCached) {
            // It has changed more than the fast path knows of. The next ordinary packet puts the session back.
            session.changeLocalFlags(SessionRecord.CACHED, 0);
            fastPath.remove(key, session);
        }
        session.count(ofReply, 1, packet.ipLength());
        if (staysCached && !fastPath.account(key, session, ofReply, packet.ipLength()))
            session.changeLocalFlags(SessionRecord.CACHED, 0);
        boolean advanced = packet.isTcp() && (crossed(seqEnd, sender.seqEnd(), TcpTracker.step(receiver.maxWindow()))
                || crossed(maxEnd, receiver.maxEnd(), TcpTracker.step(sender.maxWindow())));
        boolean tookOver = packet.isTcp() && (sender.seqEnd() != seqEnd || sender.ack() != ack) && follow(session, ofReply);
        boolean joined = share(session);
        boolean refreshed = keepAlive(session);
        if (climbed) renewTimeout(session);
        if (climbed || advanced || tookOver || joined || refreshed || takenOver) publisher.publish(key, session, false);
        if (!cached && !headless) offer(key, session, refreshed);
        outcome = Outcome.PASS;
    }

    /**
     * Sync mode: an end answers a SYN-ACK that has passed the peer, and whether the peer has the same translation this node does not know yet: a copy of the SYN may have come
     * to each of them.
     */
    private boolean isUnconfirmed(SessionRecord session, TcpHalf sender, TcpHalf receiver, boolean ofReply) {
        return !ofReply && mayWait && session.has(SessionRecord.TRANSLATED) && sender.state() == TcpHalf.SYN
                && receiver.state() == TcpHalf.NONE
                && !packet.hasTcp(PacketView.SYN | PacketView.RST) && !redirection.isOn() && hasPeers.getAsBoolean();
    }

    private boolean beginsAnew(SessionKey key, SessionRecord session, TcpHalf sender, TcpHalf receiver) {
        if (!packet.hasTcp(PacketView.ACK) || TcpTracker.isRepeated(sender, receiver, packet)) return false;
        if (!TcpTracker.beginsAnew(key, session, receiver, packet, passedSyns, created)) return false;
        counters.increment(NodeCounter.SESSIONS_OPENED);
        counters.increment(NodeCounter.SESSIONS_REOPENED);
        return true;
    }

    /** A SYN inside the session passes and is remembered. A SYN-ACK may be the answer to one that passed inside it at the peer. */
    private void passIdle(SessionKey key, SessionRecord session, TcpHalf sender, TcpHalf receiver, boolean ofReply) {
        session.count(ofReply, 1, packet.ipLength());
        if (session.hasLocal(SessionRecord.CACHED) && !fastPath.account(key, session, ofReply, packet.ipLength()))
            session.changeLocalFlags(SessionRecord.CACHED, 0);
        boolean news = !TcpTracker.isRepeated(sender, receiver, packet);
        boolean answers = packet.hasTcp(PacketView.ACK);
        if (news && !ofReply && !answers) passedSyns.note(key, packet);
        isForPeer = news && ofReply && answers && mayWait && !handed && !redirection.isOn();
        outcome = Outcome.PASS;
    }

    /** A packet that was on its way when its session came into the flow cache, or one with options, say: the kernel goes on from there once it has heard of it. */
    private boolean mayStayCached(SessionKey key, SessionRecord session, boolean headless) {
        if (!packet.isTcp()) return true;
        boolean isPlain = !headless && (packet.tcpFlags() & (PacketView.SYN | PacketView.FIN | PacketView.RST | PacketView.URG)) == 0;
        return isPlain && FlowKeeper.mayInstall(key, session, policy);
    }

    private void offer(SessionKey key, SessionRecord session, boolean refreshed) {
        if (session.hasLocal(SessionRecord.CACHED | SessionRecord.CACHE_QUEUED)) return;
        if (session.hasLocal(SessionRecord.CACHE_REFUSED) && !refreshed) return;
        if (session.packets(false) + session.packets(true) < fastPath.after()) return;
        if (!FlowKeeper.mayInstall(key, session, policy) || !fastPath.offer(key)) return;
        session.changeLocalFlags(SessionRecord.CACHE_REFUSED, SessionRecord.CACHE_QUEUED);
    }

    /**
     * The fast path of another node has carried this flow until now, and that node reports a few times a second. While it lives it can judge; when it is
     * gone the flow's first packet here is taken at its word.
     */
    private static boolean wasFastElsewhere(SessionRecord session, boolean ofReply) {
        return session.has(SessionRecord.FAST_PATH) && !session.hasLocal(SessionRecord.followedFlag(ofReply));
    }

    private boolean isOver(SessionRecord session, TcpHalf sender, TcpHalf receiver) {
        if (session.has(SessionRecord.CLOSED)) return true;
        return packet.isTcp() && packet.fragmentOffset() == 0 && TcpTracker.reopens(session, sender, receiver, packet);
    }

    private void refuse(DropReason why) {
        outcome = Outcome.REFUSED;
        reason = why;
    }

    /**
     * Notes that this packet is the newest of its flow. When that was another node's to say until now, the peers must hear of it at once, since the one that
     * saw the whole session checks by its own knowledge alone (see {@link TcpTracker}).
     *
     * @return true when the flow has come to this node
     */
    private static boolean follow(SessionRecord session, boolean ofReply) {
        int followed = SessionRecord.followedFlag(ofReply);
        boolean comes = !session.hasLocal(followed | SessionRecord.COMPLETE);
        session.changeLocalFlags(0, followed);
        return comes;
    }

    /** A session that this node has not opened is shared from its first packet here on, and the one that has opened it must know. @return true: it is news */
    private static boolean share(SessionRecord session) {
        if (session.hasLocal(SessionRecord.COMPLETE) || session.has(SessionRecord.SHARED)) return false;
        session.addFlags(SessionRecord.SHARED);
        return true;
    }

    /** Notes the time. @return true when the peers should hear of it */
    private boolean keepAlive(SessionRecord session) {
        long beforeMs = session.lastSeenMs();
        session.lastSeenMs(Math.max(nowMs, beforeMs));
        return session.isRefreshDue(beforeMs);
    }

    private void renewTimeout(SessionRecord session) {
        Rule rule = policy.rule(session.rule());
        session.timeoutMs(policy.timeouts().idleTimeoutMs(Timeouts.phase(session, packet.protocol()), rule));
    }

    /** Whether a value has passed a multiple of a step (a power of two). */
    private static boolean crossed(int before, int after, int step) {
        return ((before ^ after) & -step) != 0;
    }
}

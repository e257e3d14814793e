package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.firewall.TcpTracker;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;

/** Opens sessions: whether a packet may, within which limits, and how the record begins. One for each worker. */
final class Admission implements SessionTable.Visitor {
    /** Epoch of a key's first life; above: the number of lives before. */
    static final int FIRST_LIFE = 0;

    private final PacketView packet;
    private final Translation translation;
    private final SessionTable sessions;
    private final SessionCounts counts;
    private final WorkerContext.Identity identity;
    private final DeltaPublisher publisher;
    private final CounterBank<NodeCounter>.Row counters;
    private final SessionRecord fresh = new SessionRecord();
    private final SessionTable.Visitor onUnpublished = this::publishAgain;
    private final FirewallLog log;
    private boolean replaced;
    private boolean lostRace;
    private long ticket;

    Admission(WorkerContext context, PacketView packet, Translation translation) {
        this.packet = packet;
        this.translation = translation;
        sessions = context.sessions();
        counts = context.counts();
        identity = context.identity();
        publisher = context.publisher();
        counters = context.counters();
        log = context.log();
    }

    /**
     * Whether the packet may open a session under this rule.
     *
     * @param nobodyElse no delta can come: nobody is there to send it, or the packet has waited for it already
     * @return NONE: it may; STRAY: perhaps it belongs to a session of a peer; else why it is refused
     */
    DropReason judge(Rule rule, boolean nobodyElse) {
        boolean allowed = rule.action() == Rule.Action.ALLOW;
        if (!isOpener()) {
            boolean pickUp = allowed && rule.midStream() && nobodyElse && packet.isTcp() && packet.fragmentOffset() == 0
                    && packet.hasTcp(PacketView.ACK) && !packet.hasTcp(PacketView.RST | PacketView.SYN);
            return pickUp ? NONE : DropReason.STRAY;
        }
        if (allowed) return NONE;
        // A datagram that may not open a session is perhaps the answer to one that left through the peer a moment ago.
        if (packet.isUdp() && !nobodyElse) return DropReason.STRAY;
        return rule.action() == Rule.Action.REJECT ? DropReason.RULE_REJECT : DropReason.RULE_DROP;
    }

    /**
     * Opens the session: in the table, and on its way to the peers.
     *
     * @param epoch {@link #FIRST_LIFE}, or the number of this life: then a session that is over stands in its place
     * @return NONE, or the limit that was reached
     */
    DropReason open(Policy policy, Rule rule, SessionKey key, boolean sourceIsHigh, int epoch, int fromZone, int toZone, long nowMs) {
        lostRace = false;
        ticket = 0;
        if (policy.countsSources()) {
            switch (counts.admit(rule.id(), packet.sourceHigh(), packet.sourceLow(), policy.sessionsPerSource(rule), rule.maxSessions())) {
                case SOURCE_LIMIT -> {
                    return DropReason.SOURCE_LIMIT;
                }
                case RULE_LIMIT -> {
                    return DropReason.RULE_LIMIT;
                }
                case ADMITTED -> {
                }
            }
        }
        DropReason untranslated = translation.claim(policy.nat(), key, fromZone, toZone);
        if (untranslated != NONE) return untranslated;
        write(policy, rule, sourceIsHigh, epoch, fromZone, toZone, nowMs);
        if (epoch == FIRST_LIFE) {
            switch (sessions.insert(key, fresh)) {
                case FULL -> {
                    translation.abandon(key);
                    return DropReason.SESSION_LIMIT;
                }
                case EXISTS -> {
                    translation.abandon(key);
                    lostRace = true;
                    return NONE;
                }
                case INSERTED -> {
                }
            }
        } else {
            replaced = false;
            if (!sessions.update(key, this) || !replaced) {
                translation.abandon(key);
                lostRace = true;
                return NONE;
            }
            counters.increment(NodeCounter.SESSIONS_REOPENED);
        }
        translation.settle(key);
        counters.increment(NodeCounter.SESSIONS_OPENED);
        if (fresh.has(SessionRecord.TRANSLATED)) counters.increment(NodeCounter.SESSIONS_TRANSLATED);
        if (fresh.has(SessionRecord.MID_STREAM)) counters.increment(NodeCounter.SESSIONS_OPENED_MID_STREAM);
        if (rule.log()) log.write(packet, rule, NONE);
        long published = publisher.publish(key, fresh, rule.defer());
        ticket = rule.defer() ? published : 0;
        if (fresh.hasLocal(SessionRecord.UNPUBLISHED)) sessions.update(key, onUnpublished);
        return NONE;
    }

    /** The last {@link #open} found a session that was not there a moment before. */
    boolean hasLostRace() { return lostRace; }

    /** What an acknowledgement of the session will name, when its first packet has to wait for one; else 0. */
    long ticket() {
        return ticket;
    }

    /** The old life is replaced in place, unless a newer one has come in from a peer meanwhile. */
    @Override
    public void onSession(SessionKey key, SessionRecord session) {
        if (session.epoch() >= fresh.epoch()) return;
        session.copyFrom(fresh);
        replaced = true;
    }

    /** There was no room for the delta: now it goes after all, or the record in the table is flagged. */
    private void publishAgain(SessionKey key, SessionRecord session) {
        publisher.publish(key, session, false);
    }

    /** The packet is one that opens sessions. */
    boolean isOpener() {
        if (packet.fragmentOffset() > 0) return false;
        if (packet.isTcp()) return packet.hasTcp(PacketView.SYN) && !packet.hasTcp(PacketView.ACK | PacketView.RST);
        return packet.isUdp() || packet.isEchoRequest();
    }

    private void write(Policy policy, Rule rule, boolean sourceIsHigh, int epoch, int fromZone, int toZone, long nowMs) {
        fresh.clear();
        fresh.incarnation(epoch, identity.created(), translation.giver(identity.nodeId()));
        fresh.owner(identity.nodeId());
        fresh.zones(fromZone, toZone);
        fresh.rule(rule.id());
        if (sourceIsHigh) fresh.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
        if (rule.resetOnTimeout() && packet.isTcp()) fresh.addFlags(SessionRecord.RESET_ON_TIMEOUT);
        if (packet.isTcp()) TcpTracker.open(fresh, packet);
        else
            fresh.original().raiseState(TcpHalf.ESTABLISHED);
        int whole = fresh.has(SessionRecord.MID_STREAM) ? 0 : SessionRecord.COMPLETE;
        fresh.localFlags(SessionRecord.ORIGINAL_SEEN_HERE | SessionRecord.ORIGINAL_FOLLOWED | whole);
        fresh.count(false, 1, packet.ipLength());
        translation.writeTo(fresh);
        fresh.lastSeenMs(nowMs);
        fresh.timeoutMs(policy.timeouts().idleTimeoutMs(Timeouts.phase(fresh, packet.protocol()), rule));
    }
}

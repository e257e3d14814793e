package io.ambo.cluster.session;

import java.lang.foreign.MemorySegment;

/**
 * Joins what a peer knows of a session into what this node knows, in place.
 *
 * <p>
 * {@link #join} is commutative, associative and idempotent over the replicated fields, so deltas may come late, twice and in any order. It is the
 * lexicographic product of two orders:
 * <ol>
 * <li>the incarnation: the higher epoch wins; within an epoch the earlier (created, creator). A node that opens a session over a tombstone takes the
 * tombstone's epoch + 1. The obvious rule without epochs ("of two live ones the earlier wins, a closed one loses to a newer one") is not associative: with
 * a1 created before b and a1' its tombstone, (a1 + b) + a1' is a1', but a1 + (b + a1') is a1 or b.</li>
 * <li>within one incarnation each field climbs by itself: flags by "or", states by maximum, sequence numbers as below, last seen, owner and counters by
 * maximum; what is fixed at birth (zones, rule, translation) by unsigned maximum, should two copies ever disagree. Timeout and last seen are those of the
 * tombstone if there is one (of two the longer, and the later): who closed the session on stale knowledge is to be known by it, whoever passes the tombstone
 * on. Else the timeout is that of the copy that was seen last (the longer on a tie).</li>
 * </ol>
 * Local flags are not replicated. What this node has seen stays noted; that it followed a flow to its newest packet ends when a peer tells something newer.
 *
 * <p>
 * <b>Sequence numbers</b> merge by serial-number maximum (RFC 1982), which alone is an order only while copies are less than 2^31 apart: a fast flow is
 * further away from an old copy of itself after two seconds, and half of such copies would look newer than the truth and throw the window back. The byte
 * counter of the flow climbs with its sequence numbers and does not wrap: when the counters are 2^30 or more apart they decide which copy is the newer,
 * otherwise the serial order does. So a half that is stale is never copied back.
 *
 * <p>
 * {@link #merge} is the join preceded by one local act, by which a session goes on in a new epoch: see {@link #outlives} and {@link #isAhead}.
 */
public final class SessionMerge {
    /** Bytes that two copies of a flow may be apart and still be compared by serial number: half of what RFC 1982 could tell, since counters are coarse. */
    static final long SERIAL_RANGE_BYTES = 1L << 30;
    /** Milliseconds by which a session must have been seen later here than the closing peer saw it, to outlive the closing. Covers the sync delay. */
    static final long OUTLIVE_MS = 1_000;

    private SessionMerge() {}

    /**
     * Merges a peer's copy into this node's. When the local session has traffic here that the peer's tombstone does not know of, or is established and the
     * peer's is not, it goes on in a new epoch (and the outcome is {@link SessionTable.Merge#OUTLIVED}: the peers have yet to hear of it).
     *
     * @return ADVANCED, UNCHANGED, REPLACED, LOST or OUTLIVED
     */
    public static SessionTable.Merge merge(SessionRecord local, SessionRecord remote) {
        if (outlives(local, remote) || isAhead(local, remote)) {
            local.incarnation(remote.epoch() + 1, local.created(), local.creator());
            return SessionTable.Merge.OUTLIVED;
        }
        return join(local, remote);
    }

    /**
     * True when the peer closed a session that is alive here: this node itself sees its packets, and saw one well after the last one the peer's tombstone
     * knows of. That happens when a node expires a session on stale knowledge, or closes an earlier incarnation of the key that lost its race. The session
     * then continues under the tombstone's epoch + 1: the same on every node that does so, since creation time and creator stay.
     */
    static boolean outlives(SessionRecord local, SessionRecord remote) {
        return remote.has(SessionRecord.CLOSED) && !local.has(SessionRecord.CLOSED) && local.hasLocal(SessionRecord.SEEN_HERE)
                && local.lastSeenMs() - remote.lastSeenMs() > OUTLIVE_MS && compareIncarnations(local, remote) <= 0;
    }

    /**
     * True when the peer's incarnation would win although the ends talk by way of this node's, which is established (in the third case, answered by the client):
     * <ul>
     * <li>two nodes have opened the session by copies of one first packet, and of the two this one alone has been answered from both sides. The other would take
     * its translation from it, and what is known of its windows. Which of the two came about earlier is no better judge: hosts' clocks differ, and a packet may
     * have waited in a node that was paused;
     * <li>the peer's is an earlier connection of the same ends, which is over: a node that did not have it has opened the next one;
     * <li>the peer's is an earlier connection of the same ends, which both ends have ended: the last acknowledgement has yet to come, or was lost;
     * <li>the peer's is an earlier connection of the same ends, of which nothing has been seen for long: it comes from a node that was away when it ended. If this
     * node's is about to end, and came about earlier, then it is the other way round.
     * </ul>
     */
    static boolean isAhead(SessionRecord local, SessionRecord remote) {
        if (compareIncarnations(local, remote) >= 0 || local.has(SessionRecord.CLOSED) || remote.has(SessionRecord.CLOSED)) return false;
        if (isOver(local)) return false;
        boolean another = local.created() != remote.created() || local.creator() != remote.creator();
        if (another && local.epoch() == remote.epoch() && isOver(remote)) return true;
        if (another && hasEndedBothWays(remote) && isAnswered(local) && !isEnding(local) && isEarlier(remote, local)) return true;
        if (!isEstablished(local)) return false;
        long laterMs = local.lastSeenMs() - remote.lastSeenMs();
        if (another && laterMs > OUTLIVE_MS && (isEarlier(remote, local) || !isEnding(local))) return true;
        return local.epoch() == remote.epoch() && !isEstablished(remote) && laterMs > -OUTLIVE_MS;
    }

    private static boolean isEstablished(SessionRecord session) {
        return session.original().state() >= TcpHalf.ESTABLISHED && session.reply().state() >= TcpHalf.ESTABLISHED;
    }

    /** The client has answered the server, which it does not before that has answered it: by way of another node, if nothing of that has been seen here. */
    private static boolean isAnswered(SessionRecord session) {
        return session.original().state() >= TcpHalf.SYN && session.reply().state() >= TcpHalf.ESTABLISHED;
    }

    private static boolean isEnding(SessionRecord session) {
        return session.original().state() >= TcpHalf.FIN || session.reply().state() >= TcpHalf.FIN;
    }

    private static boolean hasEndedBothWays(SessionRecord session) {
        return session.original().state() >= TcpHalf.FIN && session.reply().state() >= TcpHalf.FIN;
    }

    /** By the clocks of the hosts that opened them. */
    private static boolean isEarlier(SessionRecord a, SessionRecord b) {
        return Long.compareUnsigned(a.created(), b.created()) < 0;
    }

    private static boolean isOver(SessionRecord session) {
        return session.original().state() == TcpHalf.CLOSED && session.reply().state() == TcpHalf.CLOSED;
    }

    /**
     * The join alone.
     *
     * @return ADVANCED, UNCHANGED, REPLACED or LOST
     */
    public static SessionTable.Merge join(SessionRecord local, SessionRecord remote) {
        int byIncarnation = compareIncarnations(local, remote);
        if (byIncarnation > 0) {
            // Packets of these ends have passed another node: this one has not seen all of them.
            if (!remote.has(SessionRecord.CLOSED)) local.changeLocalFlags(SessionRecord.COMPLETE, 0);
            return SessionTable.Merge.LOST;
        }
        if (byIncarnation < 0) {
            int localFlags = local.localFlags() & SessionRecord.SEEN_HERE;
            local.copyFrom(remote).localFlags(localFlags);
            return SessionTable.Merge.REPLACED;
        }
        return joinFields(local, remote) ? SessionTable.Merge.ADVANCED : SessionTable.Merge.UNCHANGED;
    }

    /** Positive when a's incarnation wins over b's, negative when it loses, 0 when they are the same. */
    public static int compareIncarnations(SessionRecord a, SessionRecord b) {
        int byEpoch = Integer.compareUnsigned(a.epoch(), b.epoch());
        if (byEpoch != 0) return byEpoch;
        int byCreation = Long.compareUnsigned(b.created(), a.created());
        return byCreation != 0 ? byCreation : Integer.compare(b.creator(), a.creator());
    }

    private static boolean joinFields(SessionRecord local, SessionRecord remote) {
        boolean climbed = joinTimes(local, remote);
        climbed |= joinFlow(local, remote, false);
        climbed |= joinFlow(local, remote, true);
        climbed |= joinBirth(local, remote);
        for (int i = 0; i < SessionRecord.COUNTER_COUNT; i++) {
            if (remote.counter(i) > local.counter(i)) {
                local.counter(i, remote.counter(i));
                climbed = true;
            }
        }
        if (remote.has(SessionRecord.SHARED)) local.changeLocalFlags(SessionRecord.COMPLETE, 0);
        if ((remote.flags() & ~local.flags()) != 0) {
            local.addFlags(remote.flags());
            climbed = true;
        }
        if (remote.ownerTerm() > local.ownerTerm() || (remote.ownerTerm() == local.ownerTerm() && remote.owner() > local.owner())) {
            // It has gone to another: packets will pass there that this node does not see.
            if (remote.ownerTerm() > local.ownerTerm()) local.changeLocalFlags(SessionRecord.COMPLETE, 0);
            local.owner(remote.owner()).ownerTerm(remote.ownerTerm());
            climbed = true;
        }
        return climbed;
    }

    /** Before flags are joined: it needs them as they were. */
    private static boolean joinTimes(SessionRecord local, SessionRecord remote) {
        int timeoutMs = joinedTimeoutMs(local, remote);
        long lastSeenMs = joinedLastSeenMs(local, remote);
        if (timeoutMs == local.timeoutMs() && lastSeenMs == local.lastSeenMs()) return false;
        local.timeoutMs(timeoutMs).lastSeenMs(lastSeenMs);
        return true;
    }

    private static long joinedLastSeenMs(SessionRecord local, SessionRecord remote) {
        boolean localClosed = local.has(SessionRecord.CLOSED);
        if (localClosed != remote.has(SessionRecord.CLOSED)) return localClosed ? local.lastSeenMs() : remote.lastSeenMs();
        return Math.max(local.lastSeenMs(), remote.lastSeenMs());
    }

    private static int joinedTimeoutMs(SessionRecord local, SessionRecord remote) {
        boolean localClosed = local.has(SessionRecord.CLOSED);
        boolean remoteClosed = remote.has(SessionRecord.CLOSED);
        if (localClosed != remoteClosed) return localClosed ? local.timeoutMs() : remote.timeoutMs();
        if (!localClosed && local.lastSeenMs() != remote.lastSeenMs())
            return local.lastSeenMs() > remote.lastSeenMs() ? local.timeoutMs() : remote.timeoutMs();
        return Math.max(local.timeoutMs(), remote.timeoutMs());
    }

    /** Joins what the packets of one flow tell: their sender's half, and the limit they set to the receiver. */
    private static boolean joinFlow(SessionRecord local, SessionRecord remote, boolean ofReply) {
        TcpHalf sender = ofReply ? local.reply() : local.original();
        TcpHalf receiver = ofReply ? local.original() : local.reply();
        TcpHalf remoteSender = ofReply ? remote.reply() : remote.original();
        TcpHalf remoteReceiver = ofReply ? remote.original() : remote.reply();
        long bytesAhead = remote.bytes(ofReply) - local.bytes(ofReply);
        boolean seenElsewhere = sender.joinSeqEnd(remoteSender, bytesAhead);
        seenElsewhere |= sender.joinAck(remoteSender, bytesAhead);
        if (seenElsewhere) {
            local.changeLocalFlags(SessionRecord.followedFlag(ofReply) | SessionRecord.COMPLETE, 0);
        }
        boolean climbed = receiver.joinMaxEnd(remoteReceiver, bytesAhead);
        climbed |= sender.joinRest(remoteSender);
        return climbed || seenElsewhere;
    }

    /** What is fixed at birth. Equal in all copies, were it not for a faulty peer; then at least the same everywhere. */
    private static boolean joinBirth(SessionRecord local, SessionRecord remote) {
        boolean climbed = false;
        if (remote.fromZone() > local.fromZone() || remote.toZone() > local.toZone()) {
            local.zones(Math.max(local.fromZone(), remote.fromZone()), Math.max(local.toZone(), remote.toZone()));
            climbed = true;
        }
        if (Integer.compareUnsigned(remote.rule(), local.rule()) > 0) {
            local.rule(remote.rule());
            climbed = true;
        }
        return joinTranslation(local, remote) || climbed;
    }

    private static boolean joinTranslation(SessionRecord local, SessionRecord remote) {
        long localAt = local.offset() + SessionRecord.TRANSLATION;
        long remoteAt = remote.offset() + SessionRecord.TRANSLATION;
        int size = SessionRecord.TRANSLATION_SIZE;
        long at = MemorySegment.mismatch(local.segment(), localAt, localAt + size, remote.segment(), remoteAt, remoteAt + size);
        if (at < 0 || local.translationByte((int) at) > remote.translationByte((int) at)) return false;
        MemorySegment.copy(remote.segment(), remoteAt, local.segment(), localAt, size);
        return true;
    }
}

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
 * maximum; what is fixed at birth (zones, rule, translation) by unsigned maximum, should two copies ever disagree. The timeout is that of the tombstone if
 * there is one (of two the longer), else that of the copy that was seen last (the longer on a tie).</li>
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
 * {@link #merge} is the join preceded by one local act: see {@link #outlives}.
 */
public final class SessionMerge {
    /** Bytes that two copies of a flow may be apart and still be compared by serial number: half of what RFC 1982 could tell, since counters are coarse. */
    static final long SERIAL_RANGE_BYTES = 1L << 30;
    /** Milliseconds by which a session must have been seen later here than the closing peer saw it, to outlive the closing. Covers the sync delay. */
    static final long OUTLIVE_MS = 1_000;

    private SessionMerge() {}

    /**
     * Merges a peer's copy into this node's. When the local session has traffic here that the peer's tombstone does not know of, it goes on in a new epoch
     * (and the outcome is {@link SessionTable.Merge#LOST}: the sender has yet to hear of it).
     *
     * @return ADVANCED, UNCHANGED, REPLACED or LOST
     */
    public static SessionTable.Merge merge(SessionRecord local, SessionRecord remote) {
        if (outlives(local, remote)) {
            local.incarnation(remote.epoch() + 1, local.created(), local.creator());
            return SessionTable.Merge.LOST;
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
     * The join alone.
     *
     * @return ADVANCED, UNCHANGED, REPLACED or LOST
     */
    public static SessionTable.Merge join(SessionRecord local, SessionRecord remote) {
        int byIncarnation = compareIncarnations(local, remote);
        if (byIncarnation > 0) return SessionTable.Merge.LOST;
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
        boolean climbed = joinTimeout(local, remote);
        climbed |= joinFlow(local, remote, false);
        climbed |= joinFlow(local, remote, true);
        climbed |= joinBirth(local, remote);
        for (int i = 0; i < SessionRecord.COUNTER_COUNT; i++) {
            if (remote.counter(i) > local.counter(i)) {
                local.counter(i, remote.counter(i));
                climbed = true;
            }
        }
        if ((remote.flags() & ~local.flags()) != 0) {
            local.addFlags(remote.flags());
            climbed = true;
        }
        if (remote.owner() > local.owner()) {
            local.owner(remote.owner());
            climbed = true;
        }
        if (remote.lastSeenMs() > local.lastSeenMs()) {
            local.lastSeenMs(remote.lastSeenMs());
            climbed = true;
        }
        return climbed;
    }

    /** Before flags and last seen are joined: it needs both as they were. */
    private static boolean joinTimeout(SessionRecord local, SessionRecord remote) {
        int timeoutMs = joinedTimeoutMs(local, remote);
        if (timeoutMs == local.timeoutMs()) return false;
        local.timeoutMs(timeoutMs);
        return true;
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

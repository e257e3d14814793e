package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What is known of one session. A flyweight over 140 bytes, in the host's byte order: the table file never leaves its host, the wire has its own
 * format (sync.proto).
 *
 * <pre>
 *     0 created      (8)  hybrid logical clock   \
 *     8 epoch        (4)                          } the incarnation
 *    12 creator      (2)  node id                /
 *    14 owner        (2)  node id
 *    16 flags        (2)  join by "or"
 *    18 local flags  (2)  never leave this node
 *    20 from zone    (2)  24 rule id (4)  22 to zone (2)
 *    28 timeout      (4)  milliseconds of idleness
 *    32 original half (20)    52 reply half (20)      {@link TcpHalf}; 51 owner's term (1)
 *    72 last seen    (8)  milliseconds of this host's monotonic clock
 *    80 translated source (16), destination (16), source port (2), destination port (2)
 *   116 packets and bytes of the original and the reply flow, 4 x 6
 * </pre>
 */
public final class SessionRecord {
    /** The original flow's source is the key's high end. Set at birth. */
    public static final int ORIGINAL_FROM_HIGH = 1;
    /** A tombstone: the session is over and must not be revived by a late delta. */
    public static final int CLOSED = 2;
    /** Opened by a packet that was not an opening one (rule with mid-stream: accept): no window scale is known. */
    public static final int MID_STREAM = 4;
    /** Both ends are told by RST when the session times out. */
    public static final int RESET_ON_TIMEOUT = 8;
    /** The translated ends below count. */
    public static final int TRANSLATED = 16;
    /** A TCP segment came in fragments: how far it reached is not known to the byte. */
    public static final int FRAGMENTED = 32;

    /** Runs, or has run, in the fast path of a node: what others know of its sequence numbers may be a second old. */
    public static final int FAST_PATH = 64;
    /** Packets of it have passed a node other than the one that opened it: nobody has seen it whole. */
    public static final int SHARED = 128;

    /** Local flags: this node has itself seen a packet of that flow since it started. */
    public static final int ORIGINAL_SEEN_HERE = 1, REPLY_SEEN_HERE = 2;
    /** Local flags: the newest that is known of that flow was seen by this node. A merge that brings something newer takes the flag away. */
    public static final int ORIGINAL_FOLLOWED = 4, REPLY_FOLLOWED = 8;
    /** Local flag: opened here, and no other node has told that it has seen packets: every one that the ends have received passed here. */
    public static final int COMPLETE = 16;
    /** Local flags: in this node's flow cache; about to be put there; found no room there lately. */
    public static final int CACHED = 32, CACHE_QUEUED = 64, CACHE_REFUSED = 128;
    /** Local flag: the peers have yet to be told of the session's present state, since there was no room on the way. */
    public static final int UNPUBLISHED = 256;

    /** Not a session but a claim: the table's note under the ends that a session is translated to. Never leaves the table. */
    static final int CLAIM = 1 << 15;

    /** No other flag may be set. */
    public static final int ALL_FLAGS = ORIGINAL_FROM_HIGH | CLOSED | MID_STREAM | RESET_ON_TIMEOUT | TRANSLATED | FRAGMENTED | FAST_PATH
            | SHARED;
    static final int SEEN_HERE = ORIGINAL_SEEN_HERE | REPLY_SEEN_HERE;
    private static final int SEEN_WHOLE = SEEN_HERE | COMPLETE;
    private static final int ALL_LOCAL_FLAGS = SEEN_HERE | ORIGINAL_FOLLOWED | REPLY_FOLLOWED | COMPLETE | CACHED | CACHE_QUEUED
            | CACHE_REFUSED | UNPUBLISHED;

    static final int CREATED = 0;
    static final int EPOCH = CREATED + 8;
    static final int CREATOR = EPOCH + 4;
    static final int OWNER = CREATOR + 2;
    static final int FLAGS = OWNER + 2;
    static final int LOCAL_FLAGS = FLAGS + 2;
    static final int FROM_ZONE = LOCAL_FLAGS + 2;
    static final int TO_ZONE = FROM_ZONE + 2;
    static final int RULE = TO_ZONE + 2;
    static final int TIMEOUT = RULE + 4;
    static final int ORIGINAL = TIMEOUT + 4;
    static final int OWNER_TERM = ORIGINAL + TcpHalf.SPARE;
    static final int REPLY = ORIGINAL + TcpHalf.SIZE;
    static final int LAST_SEEN = REPLY + TcpHalf.SIZE;
    static final int TRANSLATION = LAST_SEEN + 8;
    static final int TRANSLATION_SIZE = 36;
    private static final int TRANSLATED_DESTINATION = 16, TRANSLATED_PORTS = 32;
    private static final ValueLayout.OfLong LONG_BE = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfShort SHORT_BE = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    static final int COUNTERS = TRANSLATION + TRANSLATION_SIZE;
    static final int COUNTER_SIZE = 6;
    static final int COUNTER_COUNT = 4;
    private static final int SHORTEST_REFRESH_MS = 250, LONGEST_REFRESH_MS = 30_000;
    private static final int LAST_TERM = 255;
    private static final long COUNTER_LIMIT = (1L << 8 * COUNTER_SIZE) - 1;
    /** Bytes. */
    public static final int SIZE = COUNTERS + COUNTER_COUNT * COUNTER_SIZE;

    private MemorySegment segment;
    private long offset;
    private final TcpHalf original;
    private final TcpHalf reply;

    /** A record on memory of its own, all zero. */
    public SessionRecord() { this(Arena.ofAuto().allocate(SIZE, 8), 0); }

    public SessionRecord(MemorySegment segment, long offset) {
        this.segment = segment;
        this.offset = offset;
        original = new TcpHalf(segment, offset + ORIGINAL);
        reply = new TcpHalf(segment, offset + REPLY);
    }

    public SessionRecord wrap(MemorySegment newSegment, long newOffset) {
        segment = newSegment;
        offset = newOffset;
        original.wrap(newSegment, newOffset + ORIGINAL);
        reply.wrap(newSegment, newOffset + REPLY);
        return this;
    }

    public MemorySegment segment() { return segment; }

    public long offset() { return offset; }

    public SessionRecord copyFrom(SessionRecord other) {
        MemorySegment.copy(other.segment, other.offset, segment, offset, SIZE);
        return this;
    }

    public SessionRecord clear() {
        segment.asSlice(offset, SIZE).fill((byte) 0);
        return this;
    }

    /** Time of creation by the creator's hybrid logical clock. */
    public long created() {
        return segment.get(JAVA_LONG_UNALIGNED, offset + CREATED);
    }

    /** How many lives of this key came before, as far as the creator knew. */
    public int epoch() {
        return segment.get(JAVA_INT_UNALIGNED, offset + EPOCH);
    }

    public int creator() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, offset + CREATOR)); }

    public SessionRecord incarnation(int epoch, long created, int creator) {
        segment.set(JAVA_LONG_UNALIGNED, offset + CREATED, created);
        segment.set(JAVA_INT_UNALIGNED, offset + EPOCH, epoch);
        segment.set(JAVA_SHORT_UNALIGNED, offset + CREATOR, (short) creator);
        return this;
    }

    /** The next life of these ends: what was known of both halves and their packets is gone; zones, rule, translation, owner and timeout stay. */
    public SessionRecord beginAnew(long created) {
        int term = ownerTerm();
        original.clear();
        reply.clear();
        segment.asSlice(offset + COUNTERS, SIZE - COUNTERS).fill((byte) 0);
        int kept = flags() & (ORIGINAL_FROM_HIGH | RESET_ON_TIMEOUT | TRANSLATED);
        segment.set(JAVA_SHORT_UNALIGNED, offset + FLAGS, (short) kept);
        changeLocalFlags(0, SEEN_WHOLE | ORIGINAL_FOLLOWED | REPLY_FOLLOWED);
        return incarnation(epoch() + 1, created, creator()).ownerTerm(term);
    }

    public int owner() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, offset + OWNER)); }

    public SessionRecord owner(int nodeId) {
        segment.set(JAVA_SHORT_UNALIGNED, offset + OWNER, (short) nodeId);
        return this;
    }

    /** How often the session has gone to another owner: of two that claim it the later one has it. Stops climbing at 255. */
    public int ownerTerm() {
        return Byte.toUnsignedInt(segment.get(JAVA_BYTE, offset + OWNER_TERM));
    }

    /** The owner is gone, or resigns, and this node takes its place: packets have passed one of the two, or will, that the other does not see. */
    public SessionRecord takeOver(int nodeId) {
        changeLocalFlags(COMPLETE, 0);
        return owner(nodeId).ownerTerm(Math.min(ownerTerm() + 1, LAST_TERM));
    }

    public SessionRecord ownerTerm(int term) {
        segment.set(JAVA_BYTE, offset + OWNER_TERM, (byte) term);
        return this;
    }

    public int flags() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, offset + FLAGS)); }

    public boolean has(int flag) { return (flags() & flag) != 0; }

    public SessionRecord addFlags(int flags) {
        segment.set(JAVA_SHORT_UNALIGNED, offset + FLAGS, (short) (flags() | flags));
        return this;
    }

    public int localFlags() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, offset + LOCAL_FLAGS)); }

    public SessionRecord localFlags(int flags) {
        segment.set(JAVA_SHORT_UNALIGNED, offset + LOCAL_FLAGS, (short) flags);
        return this;
    }

    public boolean hasLocal(int flag) { return (localFlags() & flag) != 0; }

    /** Sets local flags after clearing others. */
    public SessionRecord changeLocalFlags(int cleared, int set) {
        return localFlags(localFlags() & ~cleared | set);
    }

    /** The local flag that tells that this node saw a packet of the flow. */
    public static int seenFlag(boolean ofReply) {
        return ofReply ? REPLY_SEEN_HERE : ORIGINAL_SEEN_HERE;
    }

    /** The local flag that tells that this node saw the flow's newest packet. */
    public static int followedFlag(boolean ofReply) {
        return ofReply ? REPLY_FOLLOWED : ORIGINAL_FOLLOWED;
    }

    /** A packet of it has passed this node since it started. */
    public boolean isSeenHere() { return (localFlags() & SEEN_HERE) != 0; }

    /** Every packet of both flows passed here. */
    public boolean isSeenWhole() { return (localFlags() & SEEN_WHOLE) == SEEN_WHOLE; }

    /** Stable 16-bit id of the zone's name. */
    public int fromZone() {
        return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, offset + FROM_ZONE));
    }

    public int toZone() { return Short.toUnsignedInt(segment.get(JAVA_SHORT_UNALIGNED, offset + TO_ZONE)); }

    public SessionRecord zones(int from, int to) {
        segment.set(JAVA_SHORT_UNALIGNED, offset + FROM_ZONE, (short) from);
        segment.set(JAVA_SHORT_UNALIGNED, offset + TO_ZONE, (short) to);
        return this;
    }

    /** Stable 32-bit id of the rule's name. */
    public int rule() { return segment.get(JAVA_INT_UNALIGNED, offset + RULE); }

    public SessionRecord rule(int id) {
        segment.set(JAVA_INT_UNALIGNED, offset + RULE, id);
        return this;
    }

    /** Milliseconds of idleness after which the session ends (a tombstone: after which it is forgotten). */
    public int timeoutMs() {
        return segment.get(JAVA_INT_UNALIGNED, offset + TIMEOUT);
    }

    public SessionRecord timeoutMs(int value) {
        segment.set(JAVA_INT_UNALIGNED, offset + TIMEOUT, value);
        return this;
    }

    public TcpHalf original() { return original; }

    public TcpHalf reply() { return reply; }

    public long lastSeenMs() { return segment.get(JAVA_LONG_UNALIGNED, offset + LAST_SEEN); }

    public SessionRecord lastSeenMs(long monotonicMs) {
        segment.set(JAVA_LONG_UNALIGNED, offset + LAST_SEEN, monotonicMs);
        return this;
    }

    /**
     * How often the peers hear that a session is alive: four times within its timeout, and every half minute at least.
     *
     * @param beforeMs {@link #lastSeenMs} before it was seen again
     * @return true when they should hear of it now
     */
    public boolean isRefreshDue(long beforeMs) {
        long everyMs = Math.clamp(timeoutMs() / 4, SHORTEST_REFRESH_MS, LONGEST_REFRESH_MS);
        return lastSeenMs() / everyMs != beforeMs / everyMs;
    }

    /** Milliseconds until the timeout strikes; zero or less: it is due. */
    public long expiresInMs(long nowMs) {
        return lastSeenMs() + timeoutMs() - nowMs;
    }

    /** The 36 bytes of the translated ends: source, destination, source port, destination port, network order. */
    public MemorySegment translation() {
        return segment.asSlice(offset + TRANSLATION, TRANSLATION_SIZE);
    }

    /** Translates the original flow: packets of it leave with these ends, and packets of the reply flow come in with them. */
    public SessionRecord translate(long sourceHigh, long sourceLow, int sourcePort, long destinationHigh, long destinationLow,
            int destinationPort) {
        long at = offset + TRANSLATION;
        segment.set(LONG_BE, at, sourceHigh);
        segment.set(LONG_BE, at + 8, sourceLow);
        segment.set(LONG_BE, at + TRANSLATED_DESTINATION, destinationHigh);
        segment.set(LONG_BE, at + TRANSLATED_DESTINATION + 8, destinationLow);
        segment.set(SHORT_BE, at + TRANSLATED_PORTS, (short) sourcePort);
        segment.set(SHORT_BE, at + TRANSLATED_PORTS + 2, (short) destinationPort);
        return addFlags(TRANSLATED);
    }

    /** First eight bytes of the translated source, or destination. */
    public long translatedHigh(boolean ofDestination) {
        return segment.get(LONG_BE, offset + TRANSLATION + (ofDestination ? TRANSLATED_DESTINATION : 0));
    }

    /** Last eight bytes of the translated source, or destination. */
    public long translatedLow(boolean ofDestination) {
        return segment.get(LONG_BE, offset + TRANSLATION + (ofDestination ? TRANSLATED_DESTINATION : 0) + 8);
    }

    /** Port of the translated source, or destination; of ICMP echo both are the identifier. */
    public int translatedPort(boolean ofDestination) {
        return Short.toUnsignedInt(segment.get(SHORT_BE, offset + TRANSLATION + TRANSLATED_PORTS + (ofDestination ? 2 : 0)));
    }

    /**
     * The key that the translated ends would have: a packet of the reply flow names its session by them.
     *
     * @param own  the session's key
     * @param into becomes the other
     * @return true when the translated source is its high end
     */
    public boolean writeTranslatedKey(SessionKey own, SessionKey into) {
        return into.set(translatedHigh(false), translatedLow(false), translatedPort(false), translatedHigh(true), translatedLow(true),
                translatedPort(true), own.protocol(), own.routingZone());
    }

    /** Makes this the claim of a session. Protocol and zone are those of the key that it stands under. */
    SessionRecord claimFor(SessionKey session) {
        clear();
        segment.set(JAVA_SHORT_UNALIGNED, offset + FLAGS, (short) CLAIM);
        MemorySegment.copy(session.segment(), session.offset(), segment, offset + TRANSLATION, TRANSLATION_SIZE);
        return this;
    }

    /** Whose claim this is. */
    SessionKey claimant(SessionKey ends, SessionKey into) {
        into.copyFrom(ends);
        MemorySegment.copy(segment, offset + TRANSLATION, into.segment(), into.offset(), TRANSLATION_SIZE);
        return into;
    }

    boolean isClaim() { return (flags() & CLAIM) != 0; }

    public long packets(boolean ofReply) { return counter(ofReply ? 1 : 0); }

    public long bytes(boolean ofReply) { return counter(ofReply ? 3 : 2); }

    /** Counts packets on this node. 48 bits each: 256 TiB; a counter that gets there stays there, it never wraps ({@link SessionMerge} relies on it). */
    public void count(boolean ofReply, int packets, long bytes) {
        counter(ofReply ? 1 : 0, Math.min(packets(ofReply) + packets, COUNTER_LIMIT));
        counter(ofReply ? 3 : 2, Math.min(bytes(ofReply) + bytes, COUNTER_LIMIT));
    }

    /** Sets what was counted of one flow. 48 bits each. */
    public SessionRecord counts(boolean ofReply, long packets, long bytes) {
        counter(ofReply ? 1 : 0, packets);
        counter(ofReply ? 3 : 2, bytes);
        return this;
    }

    /** False when these bytes cannot be a session. */
    public boolean plausible() {
        return (flags() & ~ALL_FLAGS) == 0 && localFlags() <= ALL_LOCAL_FLAGS && timeoutMs() >= 0 && original.plausible()
                && reply.plausible();
    }

    /** Four bytes of {@link #translation()}, in network order. */
    int translationWord(int index) {
        return Integer.reverseBytes(segment.get(JAVA_INT_UNALIGNED, offset + TRANSLATION + index));
    }

    /** One byte of {@link #translation()}, unsigned. */
    int translationByte(int index) {
        return Byte.toUnsignedInt(segment.get(JAVA_BYTE, offset + TRANSLATION + index));
    }

    long counter(int index) {
        long at = offset + COUNTERS + (long) index * COUNTER_SIZE;
        return Integer.toUnsignedLong(segment.get(JAVA_INT_UNALIGNED, at))
                | Short.toUnsignedLong(segment.get(JAVA_SHORT_UNALIGNED, at + 4)) << 32;
    }

    void counter(int index, long value) {
        long at = offset + COUNTERS + (long) index * COUNTER_SIZE;
        segment.set(JAVA_INT_UNALIGNED, at, (int) value);
        segment.set(JAVA_SHORT_UNALIGNED, at + 4, (short) (value >>> 32));
    }
}

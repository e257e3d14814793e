package io.ambo.cluster.session;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What is known of one end of a session as a sender. A flyweight over 20 bytes. Every field only climbs (sequence numbers by serial-number order,
 * RFC 1982), which is what makes two copies mergeable. UDP and ICMP use the state alone: established once a packet went that way.
 *
 * <pre>
 *   0        4        8     12          16     17     18     19     20
 *   | seqEnd | maxEnd | ack | maxWindow | state| scale| flags| spare|
 * </pre>
 *
 * <p>
 * The spare byte is not the half's: {@link SessionRecord} keeps something of its own in it.
 */
public final class TcpHalf {
    /** States of a half, in the order in which it climbs. */
    public static final int NONE = 0, SYN = 1, ESTABLISHED = 2, FIN = 3, CLOSED = 4;

    /** A field counts only when its flag is set. */
    public static final int SEQ_KNOWN = 1, LIMIT_KNOWN = 2, ACK_KNOWN = 4, SCALE_KNOWN = 8;

    /** RFC 7323, 2.3. */
    static final int MOST_SCALE = 14;

    static final int SEQ_END = 0;
    static final int MAX_END = SEQ_END + 4;
    static final int ACK = MAX_END + 4;
    static final int MAX_WINDOW = ACK + 4;
    static final int STATE = MAX_WINDOW + 4;
    static final int SCALE = STATE + 1;
    static final int FLAGS = SCALE + 1;
    static final int SPARE = FLAGS + 1;
    /** Bytes. */
    public static final int SIZE = SPARE + 1;

    private MemorySegment segment;
    private long offset;

    /** A half on memory of its own. */
    public TcpHalf() { this(Arena.ofAuto().allocate(SIZE, 8), 0); }

    public TcpHalf(MemorySegment segment, long offset) {
        this.segment = segment;
        this.offset = offset;
    }

    public TcpHalf wrap(MemorySegment newSegment, long newOffset) {
        segment = newSegment;
        offset = newOffset;
        return this;
    }

    /** The sequence number after the last one this end has sent. */
    public int seqEnd() {
        return segment.get(JAVA_INT_UNALIGNED, offset + SEQ_END);
    }

    /** The sequence number this end may send up to: the highest acknowledgement plus window of the other end. */
    public int maxEnd() {
        return segment.get(JAVA_INT_UNALIGNED, offset + MAX_END);
    }

    /** The highest acknowledgement this end has sent: what it expects next from the other. */
    public int ack() {
        return segment.get(JAVA_INT_UNALIGNED, offset + ACK);
    }

    /** The largest window this end has offered, in bytes, scaled. */
    public int maxWindow() {
        return segment.get(JAVA_INT_UNALIGNED, offset + MAX_WINDOW);
    }

    public int state() { return segment.get(JAVA_BYTE, offset + STATE); }

    /** Window scale of this end, 0 to 14 (RFC 7323); means something only with {@link #SCALE_KNOWN}. */
    public int scale() {
        return segment.get(JAVA_BYTE, offset + SCALE);
    }

    public int flags() { return segment.get(JAVA_BYTE, offset + FLAGS); }

    public boolean has(int flag) { return (flags() & flag) != 0; }

    /** Moves the sequence end forward; an older one changes nothing. */
    public void advanceSeqEnd(int value) {
        if (!has(SEQ_KNOWN) || after(value, seqEnd())) putSeqEnd(value);
    }

    /** Moves the limit forward; an older one changes nothing. */
    public void advanceMaxEnd(int value) {
        if (!has(LIMIT_KNOWN) || after(value, maxEnd())) putMaxEnd(value);
    }

    /** Moves the acknowledgement forward; an older one changes nothing. */
    public void advanceAck(int value) {
        if (!has(ACK_KNOWN) || after(value, ack())) putAck(value);
    }

    public void raiseMaxWindow(int bytes) { if (bytes > maxWindow()) segment.set(JAVA_INT_UNALIGNED, offset + MAX_WINDOW, bytes); }

    /** Climbs to a state; a lower one changes nothing. */
    public void raiseState(int state) {
        if (state > state()) segment.set(JAVA_BYTE, offset + STATE, (byte) state);
    }

    /** The scale of a SYN. Said twice with different values, the larger counts, so that merging stays a join. */
    public void raiseScale(int scale) {
        if (!has(SCALE_KNOWN) || scale > scale()) {
            segment.set(JAVA_BYTE, offset + SCALE, (byte) scale);
            setFlag(SCALE_KNOWN);
        }
    }

    /** In a copy that is used alone: windows are not scaled. */
    public void forgetScale() {
        segment.set(JAVA_BYTE, offset + SCALE, (byte) 0);
    }

    /** Joins the sequence end of another copy. @return true when this one moved. See {@link SessionMerge} for bytesAhead. */
    boolean joinSeqEnd(TcpHalf other, long bytesAhead) {
        if (!supersedes(SEQ_KNOWN, other.seqEnd(), other, seqEnd(), bytesAhead)) return false;
        putSeqEnd(other.seqEnd());
        return true;
    }

    boolean joinMaxEnd(TcpHalf other, long bytesAhead) {
        if (!supersedes(LIMIT_KNOWN, other.maxEnd(), other, maxEnd(), bytesAhead)) return false;
        putMaxEnd(other.maxEnd());
        return true;
    }

    boolean joinAck(TcpHalf other, long bytesAhead) {
        if (!supersedes(ACK_KNOWN, other.ack(), other, ack(), bytesAhead)) return false;
        putAck(other.ack());
        return true;
    }

    /** Joins state, window and scale. @return true when one of them climbed */
    boolean joinRest(TcpHalf other) {
        boolean climbs = other.state() > state() || other.maxWindow() > maxWindow()
                || other.has(SCALE_KNOWN) && (!has(SCALE_KNOWN) || other.scale() > scale());
        raiseState(other.state());
        raiseMaxWindow(other.maxWindow());
        if (other.has(SCALE_KNOWN)) raiseScale(other.scale());
        return climbs;
    }

    /** False when these bytes cannot be a half. */
    boolean plausible() {
        int all = SEQ_KNOWN | LIMIT_KNOWN | ACK_KNOWN | SCALE_KNOWN;
        return state() >= NONE && state() <= CLOSED && (flags() & ~all) == 0 && maxWindow() >= 0 && scale() >= 0
                && scale() <= MOST_SCALE;
    }

    /** Whether the other copy's value of a sequence number field is later than this copy's. */
    private boolean supersedes(int flag, int theirs, TcpHalf other, int ours, long bytesAhead) {
        if (!other.has(flag)) return false;
        if (!has(flag)) return true;
        if (Math.abs(bytesAhead) >= SessionMerge.SERIAL_RANGE_BYTES) return bytesAhead > 0 && theirs != ours;
        return after(theirs, ours);
    }

    public void clear() { segment.asSlice(offset, SIZE).fill((byte) 0); }

    public void copyFrom(TcpHalf other) { MemorySegment.copy(other.segment, other.offset, segment, offset, SIZE); }

    /** True when sequence number a comes after b, by serial-number order. */
    public static boolean after(int a, int b) { return a - b > 0; }

    private void putSeqEnd(int value) {
        segment.set(JAVA_INT_UNALIGNED, offset + SEQ_END, value);
        setFlag(SEQ_KNOWN);
    }

    private void putMaxEnd(int value) {
        segment.set(JAVA_INT_UNALIGNED, offset + MAX_END, value);
        setFlag(LIMIT_KNOWN);
    }

    private void putAck(int value) {
        segment.set(JAVA_INT_UNALIGNED, offset + ACK, value);
        setFlag(ACK_KNOWN);
    }

    private void setFlag(int flag) { segment.set(JAVA_BYTE, offset + FLAGS, (byte) (flags() | flag)); }
}

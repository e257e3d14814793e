package io.ambo.node.firewall;

import io.ambo.cluster.session.SessionKey;
import io.ambo.node.packet.PacketView;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The newest SYNs that have passed inside a session, which goes on as if they had not ({@link TcpTracker#isIdle}). If the receiver still has the connection, its answer
 * tells the sender so. If it has none (it was started again, and the end of the connection was never seen here), a SYN-ACK comes: the session is over, and these two have
 * begun the next one.
 *
 * <p>A note is 64 bits, so any thread may write and read without a lock. Room is for {@link #PLACES}; the newer of two at one place stays, and the sender of the other
 * repeats its SYN.
 *
 * <pre>
 *   63         48 47       43 42              32 31                       0
 *   | window     | scale     | tag of the key   | sequence number + 1      |
 * </pre>
 */
public final class PassedSyns {
    private static final int PLACES = 4096;
    private static final int TAG_BITS = 11, SCALE_BITS = 5;
    private static final int TAG_AT = Integer.SIZE, SCALE_AT = TAG_AT + TAG_BITS, WINDOW_AT = SCALE_AT + SCALE_BITS;
    private static final int NO_SCALE = (1 << SCALE_BITS) - 1;
    /** Data that a SYN may carry (RFC 7413) and its receiver acknowledge at once. */
    private static final int MOST_DATA = 1460;
    private static final long NOTHING = 0;

    private final AtomicLongArray notes = new AtomicLongArray(PLACES);

    public void note(SessionKey key, PacketView syn) {
        long hash = key.hash();
        long scale = syn.tcpScale() < 0 ? NO_SCALE : Math.min(syn.tcpScale(), TcpTracker.LARGEST_SCALE);
        notes.set(place(hash), (long) syn.tcpWindow() << WINDOW_AT | scale << SCALE_AT | tag(hash) << TAG_AT
                | Integer.toUnsignedLong(syn.tcpSeq() + 1));
    }

    /**
     * Takes the note of the SYN that this SYN-ACK acknowledges.
     *
     * @return 0 when there is none
     */
    long take(SessionKey key, PacketView synAck) {
        long hash = key.hash();
        int place = place(hash);
        long note = notes.get(place);
        if (note == NOTHING || (note >>> TAG_AT & (1 << TAG_BITS) - 1) != tag(hash)) return NOTHING;
        int data = synAck.tcpAck() - (int) note;
        if (data < 0 || data > MOST_DATA) return NOTHING;
        return notes.compareAndSet(place, note, NOTHING) ? note : NOTHING;
    }

    /** Bytes, unscaled. */
    static int window(long note) { return (int) (note >>> WINDOW_AT); }

    /** Negative when the SYN had none. */
    static int scale(long note) {
        int scale = (int) (note >>> SCALE_AT) & NO_SCALE;
        return scale == NO_SCALE ? -1 : scale;
    }

    private static int place(long hash) { return (int) hash & PLACES - 1; }

    private static long tag(long hash) { return hash >>> Long.SIZE - TAG_BITS; }
}

package io.ambo.node.redirect;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A packet that another member has handed over, as this node's workers see it: a frame on a port of its own, with an Ethernet header that no wire has carried.
 * What authenticated the packet has written it, the XDP program or {@link RedirectSocket}.
 *
 * <pre>
 *     0 0x02 0x41, zone (2), hops (1), lane (1)
 *     6 0x02 0x41, ingress (2), sender (2)
 *    12 Ethernet type
 * </pre>
 */
public final class HandedFrame {
    /** The last one: data interfaces have those before. */
    public static final int PORT = 63;
    /** Bytes of the header. */
    public static final int HEADER = 14;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final short MARK = 0x0241, TAGGED = (short) 0x8100;
    private static final int TAG = 4;
    private static final int ZONE = 2, HOPS = 4, LANE = 5, SECOND = 6, INGRESS = 8, SENDER = 10, TYPE = 12;

    private HandedFrame() {}

    static void write(MemorySegment into, long frame, MemorySegment datagram, long geneve) {
        into.set(SHORT, frame, MARK);
        into.set(SHORT, frame + ZONE, (short) Geneve.zone(datagram, geneve));
        into.set(ValueLayout.JAVA_BYTE, frame + HOPS, (byte) Geneve.hops(datagram, geneve));
        into.set(ValueLayout.JAVA_BYTE, frame + LANE, (byte) Geneve.lane(datagram, geneve));
        into.set(SHORT, frame + SECOND, MARK);
        into.set(SHORT, frame + INGRESS, (short) Geneve.ingress(datagram, geneve));
        into.set(SHORT, frame + SENDER, (short) Geneve.sender(datagram, geneve));
        into.set(SHORT, frame + TYPE, datagram.get(SHORT, geneve + 2));
    }

    /**
     * Makes of a frame what it is at the member that it was handed to, without a wire between: for simulations.
     *
     * @return where it begins
     */
    public static long overwrite(MemorySegment memory, long frame, int zone, int hops, int ingress, int sender) {
        short type = memory.get(SHORT, frame + TYPE);
        long at = frame;
        if (type == TAGGED) {
            at += TAG;
            type = memory.get(SHORT, at + TYPE);
        }
        memory.set(SHORT, at, MARK);
        memory.set(SHORT, at + ZONE, (short) zone);
        memory.set(ValueLayout.JAVA_BYTE, at + HOPS, (byte) hops);
        memory.set(ValueLayout.JAVA_BYTE, at + LANE, (byte) Geneve.WORKER);
        memory.set(SHORT, at + SECOND, MARK);
        memory.set(SHORT, at + INGRESS, (short) ingress);
        memory.set(SHORT, at + SENDER, (short) sender);
        memory.set(SHORT, at + TYPE, type);
        return at;
    }

    public static int zone(MemorySegment memory, long frame) { return memory.get(SHORT, frame + ZONE) & 0xFFFF; }

    public static int hops(MemorySegment memory, long frame) { return memory.get(ValueLayout.JAVA_BYTE, frame + HOPS); }

    /** Node id of the member that has handed it over: the same, or one that was asked. */
    public static int sender(MemorySegment memory, long frame) {
        return memory.get(SHORT, frame + SENDER) & 0xFFFF;
    }

    /** Node id of the member that the packet came in at. */
    public static int ingress(MemorySegment memory, long frame) {
        return memory.get(SHORT, frame + INGRESS) & 0xFFFF;
    }
}

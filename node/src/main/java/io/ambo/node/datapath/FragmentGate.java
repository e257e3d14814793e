package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Fragments;
import io.ambo.node.packet.PacketView;

/**
 * The worker's {@link Fragments}, with frames in place of handles. Fragments released by their first one wait here until the turn's end, so that a packet
 * is never judged in the midst of another. The worker's own.
 */
final class FragmentGate {
    /** Takes a fragment that goes on; protocol and ports are those of its datagram. */
    @FunctionalInterface
    interface Sink {
        void onReleased(long frame, int length, int port, int protocol, int sourcePort, int destinationPort);
    }

    private static final int PORT_BITS = 6;
    private static final int LENGTH_BITS = 14;
    private static final int MOST_EXPIRIES = 8;
    private static final long IDLE_CHECK_NS = 100_000_000;

    private final Fragments fragments;
    private final PacketView scratch = new PacketView();
    private final PacketIo io;
    private final Sink sink;
    private final long[] releasedHandles;
    private final int[] releasedPorts;
    private final int[] releasedProtocols;
    private int released;

    FragmentGate(WorkerContext context, Sink sink) {
        io = context.io();
        this.sink = sink;
        CounterBank<DropReason>.Row drops = context.drops();
        fragments = new Fragments(context.limits().fragments(), (handle, reason) -> {
            drops.increment(reason);
            io.giveFrame(frame(handle));
        });
        releasedHandles = new long[context.limits().fragments().heldFrames()];
        releasedPorts = new int[releasedHandles.length];
        releasedProtocols = new int[releasedHandles.length];
    }

    Fragments.Result judge(PacketView packet, int port, long nowNs) {
        return fragments.onFragment(packet, 0, handle(packet.frame(), packet.frameLength(), port), nowNs);
    }

    /** The verdict on the first fragment is that on its datagram. */
    void settle(PacketView first, DropReason verdict) {
        if (verdict == NONE) fragments.onFirstPassed(first, scratch, this::onReleased);
        else
            fragments.onFirstRefused(first);
    }

    int onTimer(long nowNs) {
        int work = released;
        for (int i = 0; i < work; i++) {
            long handle = releasedHandles[i];
            sink.onReleased(frame(handle), length(handle), port(handle), releasedProtocols[i], releasedPorts[i] >>> 16,
                    releasedPorts[i] & 0xFFFF);
        }
        released = 0;
        return fragments.datagrams() == 0 ? work : work + fragments.expire(nowNs, MOST_EXPIRIES);
    }

    long nextTimerInNs() { return released > 0 ? 0 : fragments.datagrams() > 0 ? IDLE_CHECK_NS : Long.MAX_VALUE; }

    private void onReleased(PacketView fragment, long handle) {
        releasedHandles[released] = handle;
        releasedPorts[released] = fragment.sourcePort() << 16 | fragment.destinationPort();
        releasedProtocols[released] = fragment.protocol();
        released++;
    }

    private static long handle(long frame, int length, int port) {
        return frame << LENGTH_BITS + PORT_BITS | (long) length << PORT_BITS | port;
    }

    private static long frame(long handle) { return handle >>> LENGTH_BITS + PORT_BITS; }

    private static int length(long handle) { return (int) (handle >>> PORT_BITS) & (1 << LENGTH_BITS) - 1; }

    private static int port(long handle) { return (int) handle & (1 << PORT_BITS) - 1; }
}

package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.sys.PacketSocket;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.util.function.Predicate;

/** Counts the frames of a kind that an interface sees, whatever the host then does with them. A thread of its own. */
public final class FrameCounter implements AutoCloseable {
    private static final int ETHERNET = 14;
    private final PacketSocket wire;
    private final Predicate<ByteBuffer> wanted;
    private final Thread thread;
    private volatile long count;
    private volatile boolean closed;

    /** @param wanted sees each frame, Ethernet header first */
    public FrameCounter(NetworkNamespace host, String device, Predicate<ByteBuffer> wanted) {
        this.wanted = wanted;
        wire = host.call(() -> PacketSocket.listener(device));
        thread = Thread.ofPlatform().daemon().name("count-" + device).start(this::listen);
    }

    private void listen() {
        long counted = 0;
        while (!closed) {
            ByteBuffer frame = wire.receive();
            if (frame.remaining() >= ETHERNET && wanted.test(frame)) count = ++counted;
        }
    }

    public long count() { return count; }

    /** True for an IP packet with this source address. */
    public static boolean isFrom(ByteBuffer frame, InetAddress source) {
        byte[] address = source.getAddress();
        boolean v4 = address.length == 4;
        int place = ETHERNET + (v4 ? 12 : 8);
        if (Short.toUnsignedInt(frame.getShort(12)) != (v4 ? 0x0800 : 0x86DD) || frame.remaining() < place + address.length) return false;
        for (int i = 0; i < address.length; i++) if (frame.get(place + i) != address[i]) return false;
        return true;
    }

    @Override
    public void close() {
        closed = true;
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        wire.close();
    }
}

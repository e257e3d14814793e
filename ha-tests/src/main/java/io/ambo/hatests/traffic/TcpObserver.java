package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.NetworkNamespace;
import io.ambo.hatests.sys.PacketSocket;
import java.nio.ByteBuffer;

/** Reads along at a client's interface and knows the next sequence number of both ends of the one connection to a port. A thread of its own. */
public final class TcpObserver implements AutoCloseable {
    private final PacketSocket wire;
    private final int port;
    private final Thread thread;
    private volatile int clientNext;
    private volatile int serverNext;
    private volatile boolean closed;

    public TcpObserver(NetworkNamespace client, String device, int port) {
        this.port = port;
        wire = client.call(() -> PacketSocket.listener(device));
        thread = Thread.ofPlatform().daemon().name("observe-" + port).start(this::listen);
    }

    public int clientNext() { return clientNext; }

    public int serverNext() { return serverNext; }

    private void listen() {
        while (!closed) {
            ByteBuffer frame = wire.receive();
            if (frame.remaining() < 54) continue;
            boolean v6 = Short.toUnsignedInt(frame.getShort(12)) == 0x86DD;
            if (frame.get(v6 ? 20 : 23) != Frames.TCP || v6 && frame.remaining() < 74) continue;
            int transport = v6 ? 54 : 34;
            int end = v6 ? 54 + Short.toUnsignedInt(frame.getShort(18)) : 14 + Short.toUnsignedInt(frame.getShort(16));
            int headerBytes = (frame.get(transport + 12) & 0xF0) >>> 2;
            int flags = frame.get(transport + 13);
            int next = frame.getInt(transport + 4) + (end - transport - headerBytes) + ((flags & (Frames.SYN | Frames.FIN)) != 0 ? 1 : 0);
            if (Short.toUnsignedInt(frame.getShort(transport + 2)) == port) clientNext = next;
            if (Short.toUnsignedInt(frame.getShort(transport)) == port) serverNext = next;
        }
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

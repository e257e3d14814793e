package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.NetworkNamespace;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Datagrams from several sockets of a host to one address, at a steady pace, until it is closed. Nobody answers. */
public final class DatagramStream implements AutoCloseable {
    private static final int PORT = 9_100, BYTES = 64;

    private final List<DatagramSocket> sockets = new ArrayList<>();
    private final Thread thread;
    private volatile boolean running = true;
    private final AtomicInteger failures = new AtomicInteger();

    public DatagramStream(NetworkNamespace from, String to, int flows, int intervalMs) {
        InetAddress address = Addresses.of(to);
        from.call(() -> {
            for (int i = 0; i < flows; i++) sockets.add(new DatagramSocket());
            return null;
        });
        thread = Thread.ofPlatform().daemon().name("datagrams").start(() -> send(address, intervalMs));
    }

    private void send(InetAddress address, int intervalMs) {
        DatagramPacket packet = new DatagramPacket(new byte[BYTES], BYTES, address, PORT);
        long nextNs = System.nanoTime();
        while (running) {
            for (DatagramSocket socket : sockets) {
                try {
                    socket.send(packet);
                } catch (IOException refused) {
                    failures.incrementAndGet();
                }
            }
            nextNs += intervalMs * 1_000_000L;
            java.util.concurrent.locks.LockSupport.parkNanos(nextNs - System.nanoTime());
        }
    }

    /** Datagrams that the host's kernel did not take. */
    public int failures() { return failures.get(); }

    @Override
    public void close() {
        running = false;
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        sockets.forEach(DatagramSocket::close);
    }
}

package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** One TCP connection from the lab's client to its server, both ends held by the drill, silent until asked. */
public final class Link implements AutoCloseable {
    private static final int CONNECT_LIMIT_MS = 5_000;

    private final String name;
    private final SocketChannel client;
    private final SocketChannel server;
    /** Each byte differs from the last, so that one that comes late is not taken for its successor. */
    private byte next;

    public Link(Lab lab, String address, int port) {
        name = (address.contains(":") ? "[" + address + "]" : address) + ":" + port;
        InetSocketAddress destination = new InetSocketAddress(Addresses.of(address), port);
        try (ServerSocketChannel listener = lab.server().call(() -> ServerSocketChannel.open().bind(destination))) {
            client = lab.client().call(() -> {
                SocketChannel channel = SocketChannel.open();
                channel.socket().connect(destination, CONNECT_LIMIT_MS);
                return channel;
            });
            server = listener.accept();
            client.configureBlocking(false);
            server.configureBlocking(false);
        } catch (IOException failed) {
            throw new LabException("connecting to " + name + ": " + failed.getMessage(), failed);
        }
    }

    public String name() { return name; }

    public InetSocketAddress clientEnd() { return end(client); }

    public InetSocketAddress serverEnd() { return end(server); }

    private static InetSocketAddress end(SocketChannel channel) {
        try {
            return (InetSocketAddress) channel.getLocalAddress();
        } catch (IOException closed) {
            throw new LabException("the connection is closed", closed);
        }
    }

    /** A byte there and a byte back. @return whether both arrived in time; what was not read in time stays in the connection */
    public boolean passesBothWays(long limitMs) {
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        try {
            next++;
            client.write(ByteBuffer.wrap(new byte[]{ next }));
            if (!arrives(server, next, deadlineNs)) return false;
            server.write(ByteBuffer.wrap(new byte[]{ next }));
            return arrives(client, next, deadlineNs);
        } catch (IOException reset) {
            return false;
        }
    }

    private static boolean arrives(SocketChannel channel, byte wanted, long deadlineNs) throws IOException {
        ByteBuffer one = ByteBuffer.allocate(1);
        while (System.nanoTime() < deadlineNs) {
            int got = channel.read(one.clear());
            if (got < 0) return false;
            if (got == 1 && one.get(0) == wanted) return true;
            if (got == 0) pause();
        }
        return false;
    }

    /** Waits until both ends are reset. @return the ends that were, of "client" and "server" */
    public String awaitReset(long limitMs) {
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        boolean clientReset = false;
        boolean serverReset = false;
        while (System.nanoTime() < deadlineNs && !(clientReset && serverReset)) {
            clientReset = clientReset || isReset(client);
            serverReset = serverReset || isReset(server);
            pause();
        }
        return ((clientReset ? "client " : "") + (serverReset ? "server" : "")).strip();
    }

    private static boolean isReset(SocketChannel channel) {
        try {
            int _ = channel.read(ByteBuffer.allocate(16));
            return false;
        } catch (IOException reset) {
            return true;
        }
    }

    private static void pause() {
        try {
            Thread.sleep(2);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", interrupted);
        }
    }

    @Override
    public void close() {
        try {
            client.close();
            server.close();
        } catch (IOException failed) {
            throw new LabException("closing " + name + ": " + failed.getMessage(), failed);
        }
    }
}

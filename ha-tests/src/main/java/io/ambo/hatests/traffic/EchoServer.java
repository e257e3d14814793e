package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.NetworkNamespace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/**
 * Answers on one port, TCP and UDP, IPv4 and IPv6: a TCP request of {@link #REQUEST_SIZE} bytes gets {@link #ANSWER_SIZE} bytes and the connection is
 * closed when the client has closed it; a datagram comes back as it is. One thread.
 */
public final class EchoServer implements AutoCloseable {
    public static final int REQUEST_SIZE = 64, ANSWER_SIZE = 256;

    /** A frame that came by XDP holds a page, so the kernel's usual buffer is full after fifty datagrams: as many as come while this thread waits for a processor. */
    private static final int BUFFER_BYTES = 4 << 20;

    private final Selector selector;
    private final ServerSocketChannel listener;
    private final DatagramChannel datagrams;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(2048);
    private final ByteBuffer answer = ByteBuffer.allocateDirect(ANSWER_SIZE);
    private volatile boolean closed;

    public EchoServer(NetworkNamespace host, int port) {
        try {
            selector = Selector.open();
            listener = host.call(() -> {
                ServerSocketChannel channel = ServerSocketChannel.open();
                channel.bind(new InetSocketAddress(port), 4096);
                return channel;
            });
            datagrams = host.call(() -> DatagramChannel.open().setOption(StandardSocketOptions.SO_RCVBUF, BUFFER_BYTES)
                    .setOption(StandardSocketOptions.SO_SNDBUF, BUFFER_BYTES).bind(new InetSocketAddress(port)));
            listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
            datagrams.configureBlocking(false).register(selector, SelectionKey.OP_READ);
        } catch (IOException failed) {
            throw new LabException("cannot listen on port " + port + " in " + host.name() + ": " + failed.getMessage(), failed);
        }
        Thread.ofPlatform().daemon().name("echo-" + port).start(this::serve);
    }

    private void serve() {
        try {
            while (!closed) {
                selector.select();
                for (SelectionKey key : selector.selectedKeys()) {
                    if (!key.isValid()) continue;
                    if (key.isAcceptable()) {
                        accept();
                    } else if (key.channel().equals(datagrams)) {
                        answerDatagrams();
                    } else {
                        answerRequest(key);
                    }
                }
                selector.selectedKeys().clear();
            }
        } catch (IOException | RuntimeException failed) {
            if (!closed) throw new LabException("the echo server ended: " + failed, failed);
        }
    }

    private void accept() throws IOException {
        for (SocketChannel channel = listener.accept(); channel != null; channel = listener.accept()) {
            channel.configureBlocking(false).register(selector, SelectionKey.OP_READ);
            // The request may be there already: one turn of the selector less.
        }
    }

    private void answerRequest(SelectionKey key) {
        SocketChannel channel = (SocketChannel) key.channel();
        try {
            buffer.clear();
            int got = channel.read(buffer);
            if (got < 0) {
                channel.close();
                return;
            }
            int soFar = got + (key.attachment() instanceof Integer earlier ? earlier : 0);
            key.attach(soFar);
            if (soFar == REQUEST_SIZE) channel.write(answer.clear());
        } catch (IOException reset) {
            // The client sees it and counts it.
            closeQuietly(channel);
        }
    }

    private void answerDatagrams() throws IOException {
        buffer.clear();
        for (SocketAddress from = datagrams.receive(buffer); from != null; from = datagrams.receive(buffer)) {
            datagrams.send(buffer.flip(), from);
            buffer.clear();
        }
    }

    private static void closeQuietly(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException alreadyGone) {
            // Nothing is lost with it.
        }
    }

    @Override
    public void close() {
        closed = true;
        try {
            selector.close();
            listener.close();
            datagrams.close();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }
}

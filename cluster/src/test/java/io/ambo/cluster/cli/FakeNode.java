package io.ambo.cluster.cli;

import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;

/** A control socket that answers as a test wishes. */
final class FakeNode implements AutoCloseable {
    final Path socket;
    final List<Request> asked = Collections.synchronizedList(new ArrayList<>());
    private final ServerSocketChannel listener;

    FakeNode(Path socket, Function<Request, Response.Builder> answers) throws IOException {
        this.socket = socket;
        listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().name("fake-node").start(() -> serve(answers));
    }

    private void serve(Function<Request, Response.Builder> answers) {
        while (listener.isOpen()) {
            try (SocketChannel channel = listener.accept()) {
                Request request;
                while ((request = Request.parseDelimitedFrom(Channels.newInputStream(channel))) != null) {
                    asked.add(request);
                    answers.apply(request).setId(request.getId()).build().writeDelimitedTo(Channels.newOutputStream(channel));
                }
            } catch (IOException e) {
                // The command has gone, or the test is over.
            }
        }
    }

    @Override
    public void close() throws IOException { listener.close(); }
}

package io.ambo.cluster.cli;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Asks one node over its control socket. One thread. */
final class ControlClient implements AutoCloseable {
    private static final int LENGTH_BYTES_MAX = 5;
    private static final int RESPONSE_MAX_BYTES = 256 << 20;

    private final SocketChannel channel;
    private final Selector selector;
    private final Path socket;
    private ByteBuffer received = ByteBuffer.allocate(16 << 10);
    private long nextId = 1;

    private ControlClient(SocketChannel channel, Path socket) throws IOException {
        this.channel = channel;
        this.socket = socket;
        channel.configureBlocking(false);
        selector = Selector.open();
        channel.register(selector, SelectionKey.OP_READ);
    }

    /** Connects to the first of these sockets that exists. */
    static ControlClient connect(List<Path> candidates) {
        Path socket = candidates.stream().filter(Files::exists).findFirst().orElseThrow(() -> nobodyHome(candidates));
        try {
            return new ControlClient(SocketChannel.open(UnixDomainSocketAddress.of(socket)), socket);
        } catch (ConnectException e) {
            throw new CliException(ExitCode.UNREACHABLE, "no node listens on " + socket + ": it has stopped",
                    "start it: systemctl start ambo");
        } catch (IOException e) {
            String why = String.valueOf(e.getMessage());
            throw new CliException(ExitCode.UNREACHABLE, "cannot connect to " + socket + ": " + why,
                    why.contains("ermission")
                            ? "run as root, or as a member of the group that owns it: ls -l " + socket
                            : "name the node's socket with --socket PATH");
        } catch (IllegalArgumentException e) {
            throw new CliException(ExitCode.UNREACHABLE, socket + " is no usable path of a socket",
                    "name the node's socket with --socket PATH");
        }
    }

    private static CliException nobodyHome(List<Path> candidates) {
        String paths = candidates.stream().map(Path::toString).collect(Collectors.joining(" and "));
        return new CliException(ExitCode.UNREACHABLE,
                "no node is running here: " + paths + (candidates.size() == 1 ? " does not exist" : " do not exist"),
                "start it: systemctl start ambo; or name its socket: --socket PATH");
    }

    /**
     * Sends a request and waits for its response.
     *
     * @throws CliException the node did not answer in time, or not in our words
     */
    Response ask(Request.Builder request, long timeoutMs) {
        Request numbered = request.setId(nextId++).build();
        long deadlineNs = System.nanoTime() + timeoutMs * 1_000_000;
        try {
            send(numbered, deadlineNs);
            while (true) {
                Response response = take();
                if (response != null) return response;
                await(SelectionKey.OP_READ, deadlineNs);
                if (!received.hasRemaining()) grow();
                if (channel.read(received) < 0) throw broken("closed the connection");
            }
        } catch (InvalidProtocolBufferException e) {
            throw broken("answered with something else than a response");
        } catch (IOException e) {
            throw broken("broke the connection: " + e.getMessage());
        }
    }

    private void grow() {
        received = ByteBuffer.wrap(Arrays.copyOf(received.array(), 2 * received.capacity())).position(received.position());
    }

    private void send(Request request, long deadlineNs) throws IOException {
        int size = request.getSerializedSize();
        ByteBuffer frame = ByteBuffer.allocate(size + LENGTH_BYTES_MAX);
        CodedOutputStream out = CodedOutputStream.newInstance(frame);
        out.writeUInt32NoTag(size);
        request.writeTo(out);
        out.flush();
        frame.flip();
        while (frame.hasRemaining()) if (channel.write(frame) == 0) await(SelectionKey.OP_WRITE, deadlineNs);
    }

    private void await(int operation, long deadlineNs) throws IOException {
        long leftMs = (deadlineNs - System.nanoTime()) / 1_000_000;
        channel.register(selector, operation);
        if (leftMs <= 0 || selector.select(leftMs) == 0) {
            throw new CliException(ExitCode.UNREACHABLE, "the node on " + socket + " does not answer",
                    "is it busy or stopped? look at its log: journalctl -u ambo");
        }
        selector.selectedKeys().clear();
    }

    /** The next response when all of it is there, else null. */
    private @Nullable Response take() throws IOException {
        int end = received.position();
        int length = 0;
        for (int i = 0; i < Math.min(end, LENGTH_BYTES_MAX); i++) {
            byte next = received.get(i);
            length |= (next & 0x7F) << (7 * i);
            if (next < 0) continue;
            if (length < 0 || length > RESPONSE_MAX_BYTES) throw broken("announced an answer of impossible size");
            int bodyAt = i + 1;
            if (end - bodyAt < length) return null;
            Response response = Response.parseFrom(ByteBuffer.wrap(received.array(), bodyAt, length));
            received.limit(end).position(bodyAt + length);
            received.compact();
            return response;
        }
        if (end >= LENGTH_BYTES_MAX) throw broken("answered with something else than a response");
        return null;
    }

    private CliException broken(String what) {
        return new CliException(ExitCode.UNREACHABLE, "the node on " + socket + " " + what,
                "do the node and this command have the same version? ambo --version");
    }

    @Override
    public void close() {
        try {
            selector.close();
            channel.close();
        } catch (IOException e) {
            // Nothing hangs on it: the process ends, and the node sees the end of the connection either way.
        }
    }
}

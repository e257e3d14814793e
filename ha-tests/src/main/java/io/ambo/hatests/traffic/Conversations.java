package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.sys.Pause;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.ToLongFunction;
import org.HdrHistogram.Histogram;

/**
 * Long-lived TCP connections from the lab's client to its server, with data flowing both ways all the time, and every byte checked where it arrives.
 * Every second connection is IPv6. Threads: each end of each connection has a sending and a receiving virtual thread; the counters are volatile with one
 * writer.
 */
public final class Conversations implements AutoCloseable {
    private static final int CONNECT_LIMIT_MS = 10_000;

    private final List<Conversation> all = new ArrayList<>();
    private final ServerSocket listener;
    private final int chunkBytes;
    private final int intervalMs;
    private volatile boolean sending = true;

    /**
     * Opens them, one after the other, and starts talking.
     *
     * @param chunkBytes what each end sends at once
     * @param intervalMs and how often
     */
    public Conversations(Lab lab, int port, int count, int chunkBytes, int intervalMs) {
        this.chunkBytes = chunkBytes;
        this.intervalMs = intervalMs;
        try {
            listener = lab.server().call(() -> new ServerSocket(port, 1024));
            for (int id = 0; id < count; id++) {
                InetSocketAddress server = new InetSocketAddress(Addresses.of(id % 2 == 0 ? Addresses.SERVER : Addresses.SERVER6), port);
                Socket clientEnd = lab.client().call(() -> {
                    Socket socket = new Socket();
                    socket.connect(server, CONNECT_LIMIT_MS);
                    return socket;
                });
                // Connections come one at a time, so the one that is accepted now is this one.
                listener.setSoTimeout(CONNECT_LIMIT_MS);
                all.add(new Conversation(id, clientEnd, listener.accept()));
            }
        } catch (IOException failed) {
            throw new LabException("opening connections: " + failed.getMessage(), failed);
        }
        all.forEach(Conversation::start);
    }

    public int size() { return all.size(); }

    /** Connections in both of whose directions new bytes have arrived, within the limit, since now. */
    public int awaitProgress(long limitMs) {
        long[] mark = all.stream().mapToLong(c -> c.atServer.received).toArray();
        long[] answerMark = all.stream().mapToLong(c -> c.atClient.received).toArray();
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        while (true) {
            int progressed = 0;
            for (int i = 0; i < mark.length; i++)
                if (all.get(i).atServer.received > mark[i] && all.get(i).atClient.received > answerMark[i]) progressed++;
            if (progressed == mark.length || System.nanoTime() > deadlineNs) return progressed;
            Pause.ms(5);
        }
    }

    /** The longest silence, in nanoseconds, of each end of each connection since {@link #forgetSilences}. */
    public Histogram silences() {
        Histogram histogram = Requests.histogram();
        for (Conversation conversation : all) {
            histogram.recordValue(conversation.atServer.longestSilenceNs());
            histogram.recordValue(conversation.atClient.longestSilenceNs());
        }
        return histogram;
    }

    public void forgetSilences() {
        for (Conversation conversation : all) {
            conversation.atServer.longestSilenceNs = 0;
            conversation.atClient.longestSilenceNs = 0;
        }
    }

    public long bytesReceived() { return sum(end -> end.received); }

    /** Connections that met with an error (a reset, say), and with which. */
    public List<String> failures() {
        List<String> failures = new ArrayList<>();
        for (Conversation c : all)
            for (End end : List.of(c.atServer, c.atClient))
                if (!end.failure.isEmpty()) failures.add("connection " + c.id + " " + end.name + ": " + end.failure);
        return failures;
    }

    /** Lets every end stop sending and read what is still to come. @return connections whose every byte arrived in order at both ends */
    public int finish(long limitMs) {
        sending = false;
        long deadlineNs = System.nanoTime() + limitMs * 1_000_000;
        int whole = 0;
        for (Conversation conversation : all) {
            boolean serverEnded = conversation.atServer.awaitEnd(deadlineNs);
            boolean clientEnded = conversation.atClient.awaitEnd(deadlineNs);
            if (serverEnded && clientEnded && conversation.isWhole()) whole++;
        }
        return whole;
    }

    private long sum(ToLongFunction<End> value) {
        return all.stream().mapToLong(c -> value.applyAsLong(c.atServer) + value.applyAsLong(c.atClient)).sum();
    }

    @Override
    public void close() {
        sending = false;
        try {
            listener.close();
            for (Conversation conversation : all) {
                conversation.atServer.socket.close();
                conversation.atClient.socket.close();
            }
        } catch (IOException failed) {
            throw new LabException("closing connections: " + failed.getMessage(), failed);
        }
    }

    private final class Conversation {
        final int id;
        final End atClient;
        final End atServer;

        Conversation(int id, Socket clientEnd, Socket serverEnd) {
            this.id = id;
            ByteStream request = new ByteStream(2L * id + 1);
            ByteStream answer = new ByteStream(2L * id + 2);
            atClient = new End("at the client", clientEnd, request, answer);
            atServer = new End("at the server", serverEnd, answer, request);
        }

        void start() {
            atClient.start();
            atServer.start();
        }

        boolean isWhole() {
            return atClient.failure.isEmpty() && atServer.failure.isEmpty() && atClient.received == atServer.sent
                    && atServer.received == atClient.sent;
        }
    }

    /** One end of one connection. */
    private final class End {
        final String name;
        final Socket socket;
        private final ByteStream outgoing;
        private final ByteStream incoming;
        private final CompletableFuture<Void> sendingEnded = new CompletableFuture<>();
        private final CompletableFuture<Void> receivingEnded = new CompletableFuture<>();
        volatile long sent;
        volatile long received;
        volatile long lastArrivalNs = System.nanoTime();
        volatile long longestSilenceNs;
        volatile String failure = "";

        End(String name, Socket socket, ByteStream outgoing, ByteStream incoming) {
            this.name = name;
            this.socket = socket;
            this.outgoing = outgoing;
            this.incoming = incoming;
        }

        void start() {
            Thread.ofVirtual().start(this::send);
            Thread.ofVirtual().start(this::receive);
        }

        /** A silence that still lasts counts. */
        long longestSilenceNs() {
            return Math.max(longestSilenceNs, System.nanoTime() - lastArrivalNs);
        }

        private void send() {
            byte[] chunk = new byte[chunkBytes];
            long place = 0;
            try {
                DataOutputStream out = new DataOutputStream(socket.getOutputStream());
                while (sending) {
                    outgoing.fill(chunk, place);
                    out.write(chunk);
                    place += chunk.length;
                    sent = place;
                    Pause.ms(intervalMs);
                }
                socket.shutdownOutput();
            } catch (IOException failed) {
                fail(failed);
            }
            sendingEnded.complete(null);
        }

        private void receive() {
            byte[] buffer = new byte[8192];
            long place = 0;
            try {
                DataInputStream in = new DataInputStream(socket.getInputStream());
                for (int got = in.read(buffer); got >= 0; got = in.read(buffer)) {
                    long nowNs = System.nanoTime();
                    longestSilenceNs = Math.max(longestSilenceNs, nowNs - lastArrivalNs);
                    lastArrivalNs = nowNs;
                    long wrong = incoming.mismatch(buffer, got, place);
                    if (wrong >= 0) throw new IOException("byte " + wrong + " is wrong");
                    place += got;
                    received = place;
                }
            } catch (IOException failed) {
                fail(failed);
            }
            receivingEnded.complete(null);
        }

        private synchronized void fail(IOException why) { if (failure.isEmpty()) failure = String.valueOf(why.getMessage()); }

        boolean awaitEnd(long deadlineNs) {
            try {
                CompletableFuture.allOf(sendingEnded, receivingEnded).get(Math.max(1, deadlineNs - System.nanoTime()),
                        TimeUnit.NANOSECONDS);
                return true;
            } catch (TimeoutException late) {
                fail(new IOException("had not ended when the drill did"));
                return false;
            } catch (InterruptedException | java.util.concurrent.ExecutionException failed) {
                throw new IllegalStateException("waiting for a connection to end", failed);
            }
        }
    }
}

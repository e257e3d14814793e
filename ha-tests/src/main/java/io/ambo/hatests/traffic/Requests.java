package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.NetworkNamespace;
import java.io.EOFException;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.HdrHistogram.Histogram;

/** Many clients that ask an {@link EchoServer}, each from a port of its own, a few at once. */
public final class Requests {
    private static final int TIMEOUT_MS = 5_000;

    private Requests() {}

    /**
     * What became of a round of requests.
     *
     * @param done      requests answered in full
     * @param failures  what the others met with
     * @param handshake nanoseconds of connect(); empty for UDP
     * @param exchange  nanoseconds from the first packet to the last byte of the answer
     */
    public record Outcome(int done, List<String> failures, Histogram handshake, Histogram exchange) {
        public Outcome plus(Outcome other) {
            Histogram bothHandshake = handshake.copy();
            bothHandshake.add(other.handshake);
            Histogram bothExchange = exchange.copy();
            bothExchange.add(other.exchange);
            List<String> bothFailures = new ArrayList<>(failures);
            bothFailures.addAll(other.failures);
            return new Outcome(done + other.done, bothFailures, bothHandshake, bothExchange);
        }
    }

    public static Outcome none() { return new Outcome(0, List.of(), histogram(), histogram()); }

    public static Histogram histogram() { return new Histogram(60_000_000_000L, 3); }

    @FunctionalInterface
    private interface Exchange {
        /** @return nanoseconds of the handshake, 0 without one */
        long run() throws IOException;
    }

    /** Connect, request, answer, close: so many times. */
    public static Outcome tcp(NetworkNamespace host, InetSocketAddress server, int count, int atOnce) {
        return run(host, count, atOnce, () -> connectAndAsk(server));
    }

    /** One datagram and its echo, from a new socket each: so many times. */
    public static Outcome udp(NetworkNamespace host, InetSocketAddress server, int count, int atOnce) {
        return udp(host, server, count, atOnce, 1_000);
    }

    /** The same with a limit for each echo. */
    public static Outcome udp(NetworkNamespace host, InetSocketAddress server, int count, int atOnce, int limitMs) {
        return run(host, count, atOnce, () -> sendAndReceive(0, server, limitMs));
    }

    /** One datagram and its echo, from this port: one below those that sockets are given by chance belongs to no other session. */
    public static Outcome udpFrom(NetworkNamespace host, int port, InetSocketAddress server) {
        return run(host, 1, 1, () -> sendAndReceive(port, server, TIMEOUT_MS));
    }

    private static long connectAndAsk(InetSocketAddress server) throws IOException {
        try (Socket socket = new Socket()) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(TIMEOUT_MS);
            long beganNs = System.nanoTime();
            socket.connect(server, TIMEOUT_MS);
            long handshakeNs = System.nanoTime() - beganNs;
            socket.getOutputStream().write(new byte[EchoServer.REQUEST_SIZE]);
            if (socket.getInputStream().readNBytes(EchoServer.ANSWER_SIZE).length != EchoServer.ANSWER_SIZE)
                throw new EOFException("the answer was cut short");
            return handshakeNs;
        }
    }

    /** @param port to send from; 0: any */
    private static long sendAndReceive(int port, InetSocketAddress server, int limitMs) throws IOException {
        try (DatagramSocket socket = new DatagramSocket(port)) {
            socket.setSoTimeout(limitMs);
            byte[] request = new byte[EchoServer.REQUEST_SIZE];
            socket.send(new DatagramPacket(request, request.length, server));
            socket.receive(new DatagramPacket(request, request.length));
            return 0;
        }
    }

    private static Outcome run(NetworkNamespace host, int count, int atOnce, Exchange exchange) {
        AtomicInteger left = new AtomicInteger(count);
        ConcurrentLinkedQueue<Outcome> outcomes = new ConcurrentLinkedQueue<>();
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < atOnce; i++) clients.add(host.start("client-" + i, () -> outcomes.add(repeat(left, exchange))));
        for (Thread client : clients) {
            try {
                client.join();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", interrupted);
            }
        }
        return outcomes.stream().reduce(none(), Outcome::plus);
    }

    private static Outcome repeat(AtomicInteger left, Exchange exchange) {
        Histogram handshake = histogram();
        Histogram whole = histogram();
        List<String> failures = new ArrayList<>();
        int done = 0;
        while (left.getAndDecrement() > 0) {
            long beganNs = System.nanoTime();
            try {
                long handshakeNs = exchange.run();
                whole.recordValue(System.nanoTime() - beganNs);
                if (handshakeNs > 0) handshake.recordValue(handshakeNs);
                done++;
            } catch (SocketTimeoutException late) {
                failures.add("no answer in time");
            } catch (IOException failed) {
                failures.add(String.valueOf(failed.getMessage()));
            }
        }
        return new Outcome(done, failures, handshake, whole);
    }
}

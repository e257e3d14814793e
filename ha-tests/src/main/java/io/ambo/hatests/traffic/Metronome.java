package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.NetworkNamespace;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Numbered datagrams at a steady pace to an {@link EchoServer} and back, from several sockets in turn: which of them got lost, and how long nothing came back.
 * Two threads, one that sends and one that receives.
 */
public final class Metronome implements AutoCloseable {
    private static final int BYTES = 64, BUFFER_BYTES = 1 << 20;
    /** What is under way when the sender stops. */
    private static final long DRAIN_NS = 500_000_000L;

    private final List<DatagramChannel> channels = new ArrayList<>();
    private final long intervalNs;
    private final Thread sender;
    private final Thread receiver;
    private final BitSet arrived = new BitSet();
    private volatile boolean sending = true;
    private volatile boolean receiving = true;
    private volatile int sent;
    private final AtomicInteger refused = new AtomicInteger();
    private int duplicates;
    private long lastArrivalNs = System.nanoTime();
    private long longestGapNs;

    /**
     * Starts at once.
     *
     * @param flows sockets, each a session of its own
     */
    public Metronome(NetworkNamespace host, InetSocketAddress server, int flows, int perSecond) {
        intervalNs = 1_000_000_000L / perSecond;
        try {
            for (int i = 0; i < flows; i++) {
                DatagramChannel channel = host.call(
                        () -> DatagramChannel.open().setOption(StandardSocketOptions.SO_RCVBUF, BUFFER_BYTES).bind(null).connect(server));
                channel.configureBlocking(false);
                channels.add(channel);
            }
        } catch (IOException failed) {
            throw new LabException("opening datagram sockets: " + failed.getMessage(), failed);
        }
        sender = Thread.ofPlatform().daemon().name("metronome").start(this::send);
        receiver = Thread.ofPlatform().daemon().name("metronome-answers").start(this::receive);
    }

    /** What has become of all datagrams so far. */
    public record Count(int sent, int lost, int duplicates) {}

    private void send() {
        ByteBuffer bytes = ByteBuffer.allocateDirect(BYTES);
        long nextNs = System.nanoTime();
        while (sending) {
            int number = sent;
            try {
                bytes.clear().putInt(0, number);
                // The host's own kernel may refuse one, while it looks for its gateway: that is a loss like any other.
                if (channels.get(number % channels.size()).write(bytes) == 0) refused.incrementAndGet();
            } catch (IOException failed) {
                refused.incrementAndGet();
            }
            sent = number + 1;
            nextNs += intervalNs;
            LockSupport.parkNanos(nextNs - System.nanoTime());
        }
    }

    private void receive() {
        ByteBuffer bytes = ByteBuffer.allocateDirect(2 * BYTES);
        while (receiving) {
            int got = 0;
            for (DatagramChannel channel : channels) {
                try {
                    while (channel.read(bytes.clear()) == BYTES) {
                        got++;
                        onAnswer(bytes.getInt(0));
                    }
                } catch (IOException unreachable) {
                    // An ICMP error of a datagram that is counted as lost.
                }
            }
            if (got == 0) LockSupport.parkNanos(200_000);
        }
    }

    private synchronized void onAnswer(int number) {
        long nowNs = System.nanoTime();
        longestGapNs = Math.max(longestGapNs, nowNs - lastArrivalNs);
        lastArrivalNs = nowNs;
        if (arrived.get(number)) duplicates++;
        arrived.set(number);
    }

    /** The longest time without an answer since {@link #forgetGaps}, one that still lasts included. */
    public synchronized long longestGapNs() {
        return Math.max(longestGapNs, System.nanoTime() - lastArrivalNs);
    }

    public synchronized void forgetGaps() {
        longestGapNs = 0;
        lastArrivalNs = System.nanoTime();
    }

    /** How many have been sent: a place to count from. */
    public int mark() { return sent; }

    /** Datagrams from one place to another, those that are still to come waited for. */
    public Count between(int from, int to) {
        LockSupport.parkNanos(DRAIN_NS);
        synchronized (this) {
            return new Count(to - from, to - from - arrived.get(from, to).cardinality(), duplicates);
        }
    }

    /** Which are lost between two places: where to look when some are. */
    public synchronized String lostBetween(int from, int to) {
        List<String> ranges = new ArrayList<>();
        for (int next = arrived.nextClearBit(from); next < to && ranges.size() < 8;) {
            int end = Math.min(to, arrived.nextSetBit(next) < 0 ? to : arrived.nextSetBit(next));
            ranges.add(end - next == 1 ? Integer.toString(next) : next + " to " + (end - 1));
            next = arrived.nextClearBit(end);
        }
        return "numbers " + String.join(", ", ranges) + "; the first was sent "
                + (intervalNs * (to - arrived.nextClearBit(from)) / 1_000_000) + " ms before the end";
    }

    /** Those that the host's kernel did not take. */
    public int refused() { return refused.get(); }

    @Override
    public void close() {
        sending = false;
        receiving = false;
        try {
            sender.join();
            receiver.join();
            for (DatagramChannel channel : channels) channel.close();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } catch (IOException failed) {
            throw new LabException("closing datagram sockets: " + failed.getMessage(), failed);
        }
    }
}

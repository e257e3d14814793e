package io.ambo.node.datapath;

import io.ambo.node.firewall.Rule;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import org.agrona.concurrent.AtomicBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Lines about sessions opened and packets refused by rules with {@code log: true}. Workers write a few words into a ring; a thread of its own makes text of
 * them. A full ring, and lines beyond the rate, are counted and left out: logging never slows a packet.
 */
public final class FirewallLog implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger("io.ambo.firewall");
    private static final int RING_BYTES = 256 * 1024;
    private static final int MESSAGE = 1;
    private static final int SIZE = 56;
    private static final long IDLE_NS = 20_000_000;

    private final ManyToOneRingBuffer ring = new ManyToOneRingBuffer(
            new UnsafeBuffer(ByteBuffer.allocateDirect(RING_BYTES + RingBufferDescriptor.TRAILER_LENGTH)));
    private final IntFunction<String> ruleName;
    private final int linesPerSecond;
    private final Thread thread;
    private volatile boolean running = true;
    private long second;
    private int linesInSecond;
    private long suppressed;

    /** Starts the thread. */
    public FirewallLog(IntFunction<String> ruleName, int linesPerSecond) {
        this.ruleName = ruleName;
        this.linesPerSecond = linesPerSecond;
        thread = Thread.ofPlatform().daemon().name("ambo-log").start(this::run);
    }

    /** A packet met a rule that logs; reason NONE: it has opened a session. */
    void write(PacketView packet, Rule rule, DropReason reason) {
        int index = ring.tryClaim(MESSAGE, SIZE);
        if (index < 0) return;
        AtomicBuffer buffer = ring.buffer();
        buffer.putLong(index, packet.sourceHigh());
        buffer.putLong(index + 8, packet.sourceLow());
        buffer.putLong(index + 16, packet.destinationHigh());
        buffer.putLong(index + 24, packet.destinationLow());
        buffer.putInt(index + 32, packet.sourcePort());
        buffer.putInt(index + 36, packet.destinationPort());
        buffer.putInt(index + 40, packet.protocol());
        buffer.putInt(index + 44, rule.id());
        buffer.putInt(index + 48, reason.ordinal());
        ring.commit(index);
    }

    private void run() {
        while (running) {
            if (ring.read((type, buffer, index, length) -> {
                if (!mayWrite()) return;
                DropReason reason = DropReason.values()[buffer.getInt(index + 48)];
                LOG.info("rule={} verdict={} protocol={} source={} destination={}", ruleName.apply(buffer.getInt(index + 44)),
                        reason == DropReason.NONE ? "allow" : reason.label(), protocol(buffer.getInt(index + 40)),
                        end(buffer.getLong(index), buffer.getLong(index + 8), buffer.getInt(index + 32)),
                        end(buffer.getLong(index + 16), buffer.getLong(index + 24), buffer.getInt(index + 36)));
            }) == 0) LockSupport.parkNanos(IDLE_NS);
        }
    }

    private boolean mayWrite() {
        long now = System.nanoTime() / 1_000_000_000;
        if (now != second) {
            if (suppressed > 0) LOG.warn("{} firewall lines left out: more than {} a second", suppressed, linesPerSecond);
            second = now;
            linesInSecond = 0;
            suppressed = 0;
        }
        if (linesInSecond >= linesPerSecond) {
            suppressed++;
            return false;
        }
        linesInSecond++;
        return true;
    }

    private static String protocol(int number) {
        return switch (number) {
            case PacketView.TCP -> "tcp";
            case PacketView.UDP -> "udp";
            default -> "icmp";
        };
    }

    private static String end(long high, long low, int port) {
        byte[] bytes = new byte[16];
        MemorySegment.ofArray(bytes).asByteBuffer().order(ByteOrder.BIG_ENDIAN).putLong(high).putLong(low);
        try {
            String address = java.net.InetAddress.getByAddress(bytes).getHostAddress();
            return address.indexOf(':') >= 0 ? "[" + address + "]:" + port : address + ":" + port;
        } catch (java.net.UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        running = false;
        LockSupport.unpark(thread);
    }
}

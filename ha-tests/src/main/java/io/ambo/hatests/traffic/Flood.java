package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.sys.PacketSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * As many small datagrams as one core can send, into node a from the switch beside it; counted and thrown away at the far switch's port, so that neither end
 * host is in the way.
 */
public final class Flood implements AutoCloseable {
    /** Bytes of a frame without its checksum: the smallest of Ethernet. */
    public static final int FRAME_BYTES = 60;
    private static final int HEADERS = 14 + 20 + 8, FIRST_PORT = 10_000, SERVER_PORT = 9_000;
    /** What is still on its way when the sender stops. */
    private static final int DRAIN_MS = 20;
    private static final Pattern PACKETS = Pattern.compile("counter packets (\\d+)");

    private final Lab lab;
    private final Arena arena = Arena.ofShared();
    private final PacketSocket wire;
    private final MemorySegment[] frames;
    private volatile boolean sending;

    public Flood(Lab lab, int flows) {
        this.lab = lab;
        frames = new MemorySegment[flows];
        long from = lab.client().macOf("eth0");
        long to = lab.a().host().macOf("left");
        for (int flow = 0; flow < flows; flow++) {
            Frames.Ends ends = new Frames.Ends(from, to, Addresses.of(Addresses.CLIENT), FIRST_PORT + flow, Addresses.of(Addresses.SERVER),
                    SERVER_PORT);
            frames[flow] = arena.allocateFrom(ValueLayout.JAVA_BYTE, Frames.udp(ends, new byte[FRAME_BYTES - HEADERS]));
        }
        lab.host("right").run("nft",
                "add table netdev sink { chain count { type filter hook ingress device a priority 0; udp dport " + SERVER_PORT
                        + " counter drop; }; }");
        wire = lab.host("left").call(() -> PacketSocket.sender("a"));
    }

    /** What one round sent and what of it came through. */
    public record Round(long sent, long received, double seconds) {
        public double sentPerSecond() { return sent / seconds; }

        public double receivedPerSecond() { return received / seconds; }

        public long lost() { return sent - received; }
    }

    public Round run(long durationMs) {
        long receivedBefore = received();
        long beganNs = System.nanoTime();
        sending = true;
        long[] sent = new long[1];
        Thread sender = lab.host("left").start("flood", () -> sent[0] = send());
        try {
            Thread.sleep(durationMs);
            sending = false;
            sender.join();
            double seconds = (System.nanoTime() - beganNs) / 1e9;
            Thread.sleep(DRAIN_MS);
            return new Round(sent[0], received() - receivedBefore, seconds);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", interrupted);
        }
    }

    private long send() {
        long sent = 0;
        int flow = 0;
        while (sending) {
            for (int place = 0; place < PacketSocket.BATCH; place++) {
                wire.setFrame(place, frames[flow], FRAME_BYTES);
                flow = flow + 1 == frames.length ? 0 : flow + 1;
            }
            wire.sendPrepared(PacketSocket.BATCH);
            sent += PacketSocket.BATCH;
        }
        return sent;
    }

    private long received() {
        Matcher packets = PACKETS.matcher(lab.host("right").run("nft", "list", "table", "netdev", "sink"));
        if (!packets.find()) throw new IllegalStateException("nft lists no counter");
        return Long.parseLong(packets.group(1));
    }

    @Override
    public void close() {
        wire.close();
        arena.close();
    }
}

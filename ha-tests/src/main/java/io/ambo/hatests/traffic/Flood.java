package io.ambo.hatests.traffic;

import io.ambo.hatests.lab.Addresses;
import io.ambo.hatests.lab.Lab;
import io.ambo.hatests.lab.LabNode;
import io.ambo.hatests.sys.PacketSocket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * As many small datagrams as one core can send, into nodes from the switch beside them; counted and thrown away at the far switch's ports, so that neither end
 * host is in the way.
 */
public final class Flood implements AutoCloseable {
    /** Bytes of a frame without its checksum: the smallest of Ethernet. */
    public static final int FRAME_BYTES = 60;
    public static final int SERVER_PORT = 9_000;
    private static final int HEADERS = 14 + 20 + 8, FIRST_PORT = 10_000;
    /** What is still on its way when the sender stops. */
    private static final int DRAIN_MS = 20;
    private static final Pattern PACKETS = Pattern.compile("counter packets (\\d+)");

    private final Lab lab;
    private final Arena arena = Arena.ofShared();
    private final List<PacketSocket> wires;
    /** For each node all flows. */
    private final MemorySegment[][] frames;
    private volatile boolean sending;

    /** Into node a. */
    public Flood(Lab lab, int flows) { this(lab, List.of(lab.a()), flows, true); }

    /**
     * @param sticky each flow goes through one of the nodes; otherwise through one after the other
     */
    public Flood(Lab lab, List<LabNode> nodes, int flows, boolean sticky) {
        this.lab = lab;
        frames = new MemorySegment[nodes.size()][];
        for (int i = 0; i < frames.length; i++) frames[i] = frames(nodes.get(i), sticky ? i : 0, sticky ? frames.length : 1, flows);
        StringBuilder chains = new StringBuilder();
        for (LabNode node : nodes)
            chains.append(" chain ").append(node.name()).append(" { type filter hook ingress device ").append(node.name())
                    .append(" priority 0; udp dport " + SERVER_PORT + " counter drop; };");
        lab.host("right").run("nft", "add table netdev sink; delete table netdev sink; add table netdev sink {" + chains + " }");
        wires = nodes.stream().map(node -> lab.host("left").call(() -> PacketSocket.sender(node.name()))).toList();
    }

    private MemorySegment[] frames(LabNode node, int first, int step, int flows) {
        long from = lab.client().macOf("eth0");
        long to = node.host().macOf("left");
        MemorySegment[] all = new MemorySegment[(flows - first + step - 1) / step];
        for (int i = 0, flow = first; flow < flows; i++, flow += step) {
            Frames.Ends ends = new Frames.Ends(from, to, Addresses.of(Addresses.CLIENT), FIRST_PORT + flow, Addresses.of(Addresses.SERVER),
                    SERVER_PORT);
            all[i] = arena.allocateFrom(ValueLayout.JAVA_BYTE, Frames.udp(ends, new byte[FRAME_BYTES - HEADERS]));
        }
        return all;
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
        int[] next = new int[frames.length];
        for (int node = 0; sending; node = node + 1 == frames.length ? 0 : node + 1) {
            PacketSocket wire = wires.get(node);
            MemorySegment[] flows = frames[node];
            for (int place = 0; place < PacketSocket.BATCH; place++) {
                wire.setFrame(place, flows[next[node]], FRAME_BYTES);
                next[node] = next[node] + 1 == flows.length ? 0 : next[node] + 1;
            }
            wire.sendPrepared(PacketSocket.BATCH);
            sent += PacketSocket.BATCH;
        }
        return sent;
    }

    /** What has come through in all rounds. */
    public long received() {
        Matcher packets = PACKETS.matcher(lab.host("right").run("nft", "list", "table", "netdev", "sink"));
        long received = 0;
        for (int found = 0; found < frames.length; found++) {
            if (!packets.find()) throw new IllegalStateException("nft lists no counter");
            received += Long.parseLong(packets.group(1));
        }
        return received;
    }

    @Override
    public void close() {
        wires.forEach(PacketSocket::close);
        arena.close();
    }
}

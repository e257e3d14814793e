package io.ambo.node.datapath;

import static io.ambo.node.packet.PacketView.ACK;
import static io.ambo.node.packet.PacketView.PSH;
import static io.ambo.node.packet.PacketView.SYN;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.node.firewall.Match;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Fragments;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The worker's steady state: packets of open sessions, TCP, UDP and ICMP, IPv4 and IPv6, judged, counted, reported and rewritten. */
class PacketPipelineAllocationTest {
    private static final int PACKETS = 1_000_000;
    private static final int SESSIONS = 64;
    /** A garbage collector or the compiler may note something on this thread now and then; a packet path that allocates needs 16 bytes for each packet. */
    private static final long TOLERATED_BYTES = 64 * 1024;

    @TempDir
    Path directory;

    @Test
    void aMillionPacketsAllocateNothing() {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(directory, 10_000, Clock.SYSTEM)) {
            Stage stage = new Stage();
            CounterBank<DropReason> drops = new CounterBank<>(DropReason.class);
            CounterBank<NodeCounter> counters = new CounterBank<>(NodeCounter.class);
            PacketPipeline pipeline = pipeline(stage, table, drops, counters);
            List<byte[]> frames = openSessions(stage, pipeline);

            long nowNs = Clock.SYSTEM.monotonicNs();
            for (int i = 0; i < 200_000; i++) send(stage, pipeline, frames.get(i % frames.size()), nowNs += 1000);
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            long self = Thread.currentThread().threadId();
            threads.getThreadAllocatedBytes(self);
            long forwardedBefore = counters.total(NodeCounter.PACKETS_FORWARDED);
            long before = threads.getThreadAllocatedBytes(self);
            for (int i = 0; i < PACKETS; i++) send(stage, pipeline, frames.get(i % frames.size()), nowNs += 1000);
            long allocated = threads.getThreadAllocatedBytes(self) - before;

            System.out.println("allocated over " + PACKETS + " packets: " + allocated + " bytes");
            assertThat(counters.total(NodeCounter.PACKETS_FORWARDED) - forwardedBefore).isEqualTo(PACKETS);
            assertThat(allocated).isLessThan(TOLERATED_BYTES);
        }
    }

    private static PacketPipeline pipeline(Stage stage, ChronicleSessionTable table, CounterBank<DropReason> drops,
            CounterBank<NodeCounter> counters) {
        Timeouts timeouts = new Timeouts(30_000, 7_200_000, 120_000, 10_000, 30_000, 120_000, 10_000, 120_000);
        Rule everything = new Rule(1, "everything", Rule.Action.ALLOW, false, 0, false, false, false, true, 0, 0, Match.EVERYTHING);
        WorkerContext.Identity identity = new WorkerContext.Identity() {
            @Override
            public int nodeId() { return 1; }

            @Override
            public long created() { return 1; }
        };
        FirewallLog log = new FirewallLog(Integer::toString, 10);
        log.close();
        WorkerContext.Limits limits = new WorkerContext.Limits(64, 10_000_000, 64, 10_000_000, 64, 1000, 0,
                new Fragments.Limits(64, 64, 16, 1_000_000_000));
        return new PacketPipeline(
                new WorkerContext(stage, stage, table, (key, session, acknowledge) -> 0,
                        StrayOutlet.NONE, Redirection.NONE, FastPath.NONE, new SessionCounts(1), new PassedSyns(), identity,
                        () -> true,
                        drops.newRow(), counters.newRow(), limits, log),
                new Policy(List.of(everything), everything, timeouts, 0, io.ambo.node.firewall.Nat.NONE));
    }

    /** Opens the sessions and returns packets that belong to them. */
    private static List<byte[]> openSessions(Stage stage, PacketPipeline pipeline) {
        List<byte[]> frames = new ArrayList<>();
        long nowNs = Clock.SYSTEM.monotonicNs();
        for (int i = 0; i < SESSIONS; i++) {
            boolean ipv6 = i % 2 == 1;
            String client = ipv6 ? "2001:db8::7" : "10.0.0.7";
            String server = ipv6 ? "2001:db8:1::3" : "192.0.2.3";
            switch (i % 3) {
                case 0 -> {
                    send(stage, pipeline, tcp(ipv6, i).from(client, 1024 + i).to(server, 443).flags(SYN).seq(99).window(60_000).bytes(),
                            nowNs);
                    send(stage, pipeline,
                            tcp(ipv6, i).from(server, 443).to(client, 1024 + i).flags(SYN | ACK).seq(499).ack(100).window(60_000).bytes(),
                            nowNs);
                    send(stage, pipeline,
                            tcp(ipv6, i).from(client, 1024 + i).to(server, 443).flags(ACK).seq(100).ack(500).window(60_000).bytes(), nowNs);
                    frames.add(tcp(ipv6, i).from(client, 1024 + i).to(server, 443).flags(ACK | PSH).seq(100).ack(500).window(60_000)
                            .payload(64).bytes());
                    frames.add(tcp(ipv6, i).from(server, 443).to(client, 1024 + i).flags(ACK | PSH).seq(500).ack(100).window(60_000)
                            .payload(64).bytes());
                }
                case 1 -> {
                    frames.add(
                            (ipv6 ? PacketBuilder.udp6() : PacketBuilder.udp4()).from(client, 1024 + i).to(server, 53).payload(64).bytes());
                    frames.add(
                            (ipv6 ? PacketBuilder.udp6() : PacketBuilder.udp4()).from(server, 53).to(client, 1024 + i).payload(64).bytes());
                }
                default -> {
                    frames.add(
                            (ipv6 ? PacketBuilder.echoRequest6(i, 1) : PacketBuilder.echoRequest4(i, 1)).from(client).to(server).bytes());
                    frames.add((ipv6 ? PacketBuilder.echoReply6(i, 1) : PacketBuilder.echoReply4(i, 1)).from(server).to(client).bytes());
                }
            }
        }
        return frames;
    }

    private static PacketBuilder tcp(boolean ipv6, int number) { return (ipv6 ? PacketBuilder.tcp6() : PacketBuilder.tcp4()).id(number); }

    private static void send(Stage stage, PacketPipeline pipeline, byte[] frame, long nowNs) {
        long at = stage.takeFrame();
        for (int i = 0; i < frame.length; i++) stage.memory.set(java.lang.foreign.ValueLayout.JAVA_BYTE, at + i, frame[i]);
        pipeline.tick(nowNs);
        pipeline.process(at, frame.length, 0);
        pipeline.onTimers();
    }

    /** Packet memory and routes that lead nowhere. */
    private static final class Stage implements PacketIo, Routes {
        private static final int FRAME_SIZE = 2048;
        private final MemorySegment memory = Arena.global().allocate(64L * FRAME_SIZE, 8);
        private final long[] free = new long[64];
        private int freeCount;
        private final DataInterface both = new DataInterface(1, "data", 0, -1, 1, 0x02_00_00_00_00_01L, 1500, 1, 1, 1, true);

        Stage() { for (int i = 0; i < free.length; i++) free[freeCount++] = (long) i * FRAME_SIZE + 256; }

        @Override
        public MemorySegment memory() { return memory; }

        @Override
        public long takeFrame() { return free[--freeCount]; }

        @Override
        public void giveFrame(long frame) { free[freeCount++] = frame - frame % FRAME_SIZE + 256; }

        @Override
        public int frameCapacity() { return FRAME_SIZE - 256; }

        @Override
        public boolean transmit(int port, long frame, int length) {
            giveFrame(frame);
            return true;
        }

        @Override
        public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
            into.egress = both;
            into.destinationMac = 0x02_00_00_00_00_02L;
            into.mtu = 1500;
            return Result.FOUND;
        }

        @Override
        public DataInterface ingress(int port, int vlan) { return both; }

        @Override
        public DataInterface inZone(int zone) { return both; }

        @Override
        public long generation() { return 1; }
    }
}

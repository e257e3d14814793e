package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.replication.DeltaReader;
import io.ambo.cluster.replication.DeltaWriter;
import io.ambo.cluster.replication.MalformedMessage;
import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.node.firewall.Match;
import io.ambo.node.firewall.Nat;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.Rule;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.firewall.Timeouts;
import io.ambo.node.io.FrameBatch;
import io.ambo.node.packet.Checksum;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Fragments;
import io.ambo.node.packet.PacketView;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;

/**
 * Runs made-up sessions through a pipeline and a table of its own before the gate opens, so that the first real packet does not meet a JVM that has yet to
 * load, link and compile: a cold handshake takes tens of milliseconds, longer than a stray is parked. The addresses are those of RFC 5737 and RFC 3849,
 * the frames go nowhere, and nothing of it is left behind.
 */
final class Rehearsal {
    private static final int FRAME_SIZE = 2048;
    private static final int HEADROOM = 256;
    private static final int FRAMES = 512;
    private static final int CAPACITY = 4096;
    private static final long MAC_A = 0x020000000001L;
    private static final long MAC_B = 0x020000000002L;
    private static final long MAPPED = PacketView.IPV4_MAPPED_PREFIX;
    /** 192.0.2.1 and 198.51.100.1; 2001:db8::1 and 2001:db8:1::1. */
    private static final long[][] CLIENTS = { { 0, MAPPED | 0xC0000201L }, { 0x20010DB800000000L, 1 } };
    private static final long[][] SERVERS = { { 0, MAPPED | 0xC6336401L }, { 0x20010DB800010000L, 1 } };

    private final Stage stage = new Stage();
    private final PacketPipeline pipeline;
    private final FrameBatch burst = new FrameBatch(1);
    private final DeltaWriter writer = new DeltaWriter(4096);
    private final DeltaReader reader = new DeltaReader();
    private long nowNs;

    private Rehearsal(ChronicleSessionTable table, ChronicleSessionTable peer, Clock clock) {
        Rule everything = new Rule(1, "rehearsal", Rule.Action.ALLOW, false, 0, false, false, false, true, 0, 0, Match.EVERYTHING);
        Timeouts timeouts = new Timeouts(1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000);
        CounterBank<DropReason> drops = new CounterBank<>(DropReason.class);
        CounterBank<NodeCounter> counters = new CounterBank<>(NodeCounter.class);
        WorkerContext.Identity identity = new WorkerContext.Identity() {
            private long created;

            @Override
            public int nodeId() { return 1; }

            @Override
            public long created() { return ++created; }
        };
        WorkerContext.Limits limits = new WorkerContext.Limits(64, 1000, 64, 1000, 64, 1000, 0, new Fragments.Limits(64, 64, 16, 1000));
        FirewallLog log = new FirewallLog(Integer::toString, 0);
        log.close();
        pipeline = new PacketPipeline(
                new WorkerContext(stage, stage, table, (key, session, acknowledge) -> {
                    replicate(key, session, peer);
                    return 0;
                }, StrayOutlet.NONE, Redirection.NONE, FastPath.NONE, new SessionCounts(1), new PassedSyns(), identity,
                        () -> true,
                        drops.newRow(), counters.newRow(), limits, log),
                new Policy(List.of(everything), everything, timeouts, 0, Nat.NONE));
        nowNs = clock.monotonicNs();
    }

    /**
     * Plays.
     *
     * @param directory for two tables, which are the caller's to delete
     * @param sessions  how many rounds, enough for the compiler to have seen each branch
     * @param atMostNs  but no longer than this
     * @return sessions played
     */
    static int run(Path directory, Clock clock, int sessions, long atMostNs) {
        try (ChronicleSessionTable table = ChronicleSessionTable.open(directory.resolve("local"), CAPACITY, clock);
                ChronicleSessionTable peer = ChronicleSessionTable.open(directory.resolve("peer"), CAPACITY, clock)) {
            Rehearsal rehearsal = new Rehearsal(table, peer, clock);
            long end = clock.monotonicNs() + atMostNs;
            int played = 0;
            while (played < sessions && clock.monotonicNs() - end < 0) {
                rehearsal.play(played, table, peer);
                played++;
            }
            return played;
        }
    }

    /** One TCP connection, one datagram and its answer, one ping; IPv4 and IPv6 in turn. */
    private void play(int number, ChronicleSessionTable table, ChronicleSessionTable peer) {
        int version = number & 1;
        int port = 1024 + number % 1500;
        int seq = 1000 * number;
        nowNs += 2_000_000_000L; // long enough for the last round to be over
        pipeline.tick(nowNs);
        tcp(version, true, port, PacketView.SYN, seq, 0, 0);
        tcp(version, false, port, PacketView.SYN | PacketView.ACK, 7000, seq + 1, 0);
        tcp(version, true, port, PacketView.ACK, seq + 1, 7001, 0);
        for (int i = 0; i < 4; i++) {
            tcp(version, true, port, PacketView.ACK | PacketView.PSH, seq + 1 + 100 * i, 7001 + 100 * i, 100);
            tcp(version, false, port, PacketView.ACK | PacketView.PSH, 7001 + 100 * i, seq + 101 + 100 * i, 100);
        }
        tcp(version, true, port, PacketView.FIN | PacketView.ACK, seq + 401, 7401, 0);
        tcp(version, false, port, PacketView.FIN | PacketView.ACK, 7401, seq + 402, 0);
        tcp(version, true, port, PacketView.ACK, seq + 402, 7402, 0);
        datagram(version, true, port, PacketView.UDP);
        datagram(version, false, port, PacketView.UDP);
        datagram(version, true, port, version == 0 ? PacketView.ICMP : PacketView.ICMPV6);
        datagram(version, false, port, version == 0 ? PacketView.ICMP : PacketView.ICMPV6);
        tcp(version, false, port + 2000, PacketView.SYN | PacketView.ACK, 1, 1, 0); // a stray
        pipeline.onTimers();
        pipeline.onDeltaApplied(number);
        pipeline.tick(nowNs + 1_000_000);
        pipeline.onTimers();
        if (number % 512 == 0) {
            empty(table);
            empty(peer);
        }
    }

    /** A delta's way, without the network. */
    private void replicate(SessionKey key, SessionRecord session, ChronicleSessionTable peer) {
        long nowMs = nowNs / 1_000_000;
        writer.clear();
        writer.add(key, session, nowMs);
        writer.finishBatch(1, 1, 1, false);
        try {
            reader.read(writer.bytes(), writer.offset(), writer.length(), nowMs);
        } catch (MalformedMessage impossible) {
            throw new IllegalStateException("the codec does not read what it has written", impossible);
        }
        peer.merge(reader.key(0), reader.record(0));
    }

    private static void empty(ChronicleSessionTable table) {
        for (int slice = 0; slice < table.slices(); slice++) table.sweep(slice, (key, session) -> true);
    }

    private void tcp(int version, boolean toServer, int port, int flags, int seq, int ack, int payload) {
        ByteBuffer segment = ByteBuffer.allocate(20 + payload);
        segment.putShort((short) (toServer ? port : 80)).putShort((short) (toServer ? 80 : port)).putInt(seq).putInt(ack);
        segment.put((byte) 0x50).put((byte) flags).putShort((short) 60_000).putShort((short) 0).putShort((short) 0);
        packet(version, toServer, PacketView.TCP, segment.array(), 16);
    }

    private void datagram(int version, boolean toServer, int port, int protocol) {
        ByteBuffer message = ByteBuffer.allocate(32);
        if (protocol == PacketView.UDP) {
            message.putShort((short) (toServer ? port : 53)).putShort((short) (toServer ? 53 : port)).putShort((short) 32);
        } else {
            int type = protocol == PacketView.ICMP ? (toServer ? 8 : 0) : (toServer ? 128 : 129);
            message.put((byte) type).put((byte) 0).putShort((short) 0).putShort((short) port);
        }
        packet(version, toServer, protocol, message.array(), protocol == PacketView.UDP ? 6 : 2);
    }

    private void packet(int version, boolean toServer, int protocol, byte[] payload, int checksumAt) {
        long[] source = (toServer ? CLIENTS : SERVERS)[version];
        long[] destination = (toServer ? SERVERS : CLIENTS)[version];
        long pseudo = protocol == PacketView.ICMP
                ? 0
                : Checksum.pseudoHeader(source[0], source[1], destination[0], destination[1], protocol, payload.length);
        int checksum = Checksum.finish(pseudo + Checksum.sum(MemorySegment.ofArray(payload), 0, payload.length));
        ByteBuffer.wrap(payload).putShort(checksumAt, (short) checksum);
        ByteBuffer frame = ByteBuffer.allocate(14 + (version == 0 ? 20 : 40) + payload.length);
        frame.putShort((short) (MAC_B >>> 32)).putInt((int) MAC_B).putShort((short) (MAC_A >>> 32)).putInt((int) MAC_A);
        if (version == 0) {
            frame.putShort((short) 0x0800).put((byte) 0x45).put((byte) 0).putShort((short) (20 + payload.length)).putInt(0x00004000);
            frame.put((byte) 64).put((byte) protocol).putShort((short) 0).putInt((int) source[1]).putInt((int) destination[1]);
            frame.putShort(24, (short) Checksum.finish(Checksum.sum(MemorySegment.ofArray(frame.array()), 14, 20)));
        } else {
            frame.putShort((short) 0x86DD).putInt(0x60000000).putShort((short) payload.length).put((byte) protocol).put((byte) 64);
            frame.putLong(source[0]).putLong(source[1]).putLong(destination[0]).putLong(destination[1]);
        }
        frame.put(payload);
        long at = stage.takeFrame();
        if (at < 0) return;
        MemorySegment.copy(MemorySegment.ofArray(frame.array()), 0, stage.memory(), at, frame.capacity());
        burst.clear();
        burst.add(at, frame.capacity());
        pipeline.foresee(burst);
        pipeline.process(at, frame.capacity(), toServer ? 0 : 1);
    }

    /** Packet memory and routes that lead nowhere. Sent frames are free at once. */
    private static final class Stage implements PacketIo, Routes {
        private final MemorySegment memory = Arena.ofAuto().allocate((long) FRAMES * FRAME_SIZE, 8);
        private final long[] free = new long[FRAMES];
        private int freeCount;
        private final DataInterface[] interfaces = {
                new DataInterface(1, "a", 0, -1, 1, MAC_A, 1500, 0xC0000202, 0x20010DB800000000L, 2, true),
                new DataInterface(2, "b", 1, -1, 2, MAC_B, 1500, 0xC6336402, 0x20010DB800010000L, 2, true) };

        Stage() { for (int i = 0; i < FRAMES; i++) free[freeCount++] = (long) i * FRAME_SIZE + HEADROOM; }

        @Override
        public MemorySegment memory() { return memory; }

        @Override
        public long takeFrame() { return freeCount == 0 ? -1 : free[--freeCount]; }

        @Override
        public void giveFrame(long frame) { free[freeCount++] = frame - frame % FRAME_SIZE + HEADROOM; }

        @Override
        public int frameCapacity() { return FRAME_SIZE - HEADROOM; }

        @Override
        public boolean transmit(int port, long frame, int length) {
            giveFrame(frame);
            return true;
        }

        @Override
        public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
            boolean toServer = destinationLow == SERVERS[0][1] || destinationHigh == SERVERS[1][0];
            into.egress = interfaces[toServer ? 1 : 0];
            into.destinationMac = toServer ? MAC_B : MAC_A;
            into.mtu = 1500;
            return Result.FOUND;
        }

        @Override
        public DataInterface ingress(int port, int vlan) { return interfaces[port]; }

        @Override
        public DataInterface inZone(int zone) { return DataInterface.NONE; }

        @Override
        public long generation() { return 1; }
    }
}

package io.ambo.node.datapath;

import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Fragments;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.redirect.Geneve;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * One node's packet path without sockets: port 0 leads to the clients (10.0.0.0/8 and 2001:db8:0::), port 1 to everything else. Deltas it publishes are kept
 * until the test hands them to a peer.
 */
final class TestNode implements PacketIo, Routes {
    static final int CLIENT_ZONE = 11;
    static final int SERVER_ZONE = 22;
    static final long NEXT_HOP_MAC = 0x02_00_00_00_00_99L;
    private static final int FRAME_SIZE = 4096;
    private static final int FRAMES = 256;

    /** A frame that went out. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Sent(int port, byte[] bytes) {}

    private static final int ETHERNET = 14;

    /** A delta on its way. */
    record Delta(SessionKey key, SessionRecord session) {}

    final MemorySegment memory = Arena.ofAuto().allocate((long) FRAMES * FRAME_SIZE, 8);
    private final Deque<Long> free = new ArrayDeque<>();
    final List<Sent> sent = new ArrayList<>();
    record HandedOver(int sender, int zone, int ingress, int hops, MemorySegment frame) {}

    final Deque<HandedOver> strays = new ArrayDeque<>();
    boolean takesStrays;
    final Deque<Delta> deltas = new ArrayDeque<>();
    final CounterBank<DropReason> drops = new CounterBank<>(DropReason.class);
    final CounterBank<NodeCounter> counters = new CounterBank<>(NodeCounter.class);
    final SessionTable table;
    final PacketPipeline pipeline;
    boolean hasPeers;
    Result route = Result.FOUND;
    int mtu = 1500;
    long generation = 1;
    long ticket;
    private long created;
    long nowNs = 1_000_000_000_000L;

    TestNode(SessionTable table, Policy policy, int nodeId) { this(table, policy, nodeId, Redirection.NONE); }

    TestNode(SessionTable table, Policy policy, int nodeId, Redirection redirection) {
        this.table = table;
        for (int i = 0; i < FRAMES; i++) free.push((long) i * FRAME_SIZE + 256);
        WorkerContext.Identity identity = new WorkerContext.Identity() {
            @Override
            public int nodeId() { return nodeId; }

            @Override
            public long created() { return ++created; }
        };
        FirewallLog log = new FirewallLog(Integer::toString, 10);
        log.close();
        WorkerContext.Limits limits = new WorkerContext.Limits(8, 10_000_000, 8, 10_000_000, 8, 1000, 100,
                new Fragments.Limits(16, 16, 8, 1_000_000_000));
        pipeline = new PacketPipeline(
                new WorkerContext(this, this, table, this::publish, this::redirect, redirection, FastPath.NONE, new SessionCounts(7),
                        new PassedSyns(),
                        identity,
                        () -> hasPeers,
                        drops.newRow(),
                        counters.newRow(), limits, log),
                policy);
        pipeline.tick(nowNs);
    }

    private long publish(SessionKey key, SessionRecord session, boolean acknowledge) {
        if (!hasPeers) return 0;
        deltas.add(new Delta(new SessionKey().copyFrom(key), new SessionRecord().copyFrom(session)));
        return ++ticket;
    }

    /** With room for the header that takes the place of Ethernet's. */
    private boolean redirect(long endsHash, int zone, boolean opens, MemorySegment from, long ip, int length) {
        if (!hasPeers || !takesStrays) return false;
        byte[] copy = new byte[ETHERNET + length];
        MemorySegment.copy(from, java.lang.foreign.ValueLayout.JAVA_BYTE, ip - ETHERNET, copy, 0, copy.length);
        strays.add(new HandedOver(0, zone, 0, Geneve.FINAL, MemorySegment.ofArray(copy)));
        return true;
    }

    /** Hands all strays to the peer. */
    void handOverTo(TestNode peer) {
        for (HandedOver stray = strays.poll(); stray != null; stray = strays.poll()) {
            long at = peer.takeFrame();
            int length = (int) stray.frame().byteSize();
            MemorySegment.copy(stray.frame(), 0, peer.memory, at, length);
            long handed = HandedFrame.overwrite(peer.memory, at, stray.zone(), stray.hops(), stray.ingress(), stray.sender());
            peer.pipeline.processHanded(handed, length - (int) (handed - at));
        }
    }

    /** Hands all deltas to the peer, which releases what waits for them. */
    void deliverTo(TestNode peer) {
        for (Delta delta = deltas.poll(); delta != null; delta = deltas.poll()) {
            delta.session().localFlags(0);
            peer.table.merge(delta.key(), delta.session());
            if (!peer.pipeline.awaitsDeltas()) continue;
            peer.pipeline.onDeltaApplied(delta.key().hash());
            if (!delta.session().has(SessionRecord.TRANSLATED)) continue;
            SessionKey ends = new SessionKey();
            delta.session().writeTranslatedKey(delta.key(), ends);
            peer.pipeline.onDeltaApplied(ends.hash());
        }
    }

    TestNode in(int port, PacketBuilder packet) { return in(port, packet.bytes()); }

    TestNode in(int port, byte[] frame) {
        long at = takeFrame();
        MemorySegment.copy(MemorySegment.ofArray(frame), 0, memory, at, frame.length);
        pipeline.process(at, frame.length, port);
        return this;
    }

    void passMs(long ms) {
        nowNs += ms * 1_000_000;
        pipeline.tick(nowNs);
        pipeline.onTimers();
    }

    /** The only frame that went out since the last call, parsed. */
    PacketView onlySent() {
        if (sent.size() != 1) throw new AssertionError(sent.size() + " frames went out, drops: " + dropped());
        return PacketBuilder.parsed(sent.remove(0).bytes());
    }

    List<String> dropped() {
        List<String> all = new ArrayList<>();
        for (DropReason reason : DropReason.values()) if (drops.total(reason) > 0) all.add(reason + "=" + drops.total(reason));
        return all;
    }

    int freeFrames() { return free.size(); }

    static int frames() { return FRAMES; }

    @Override
    public MemorySegment memory() { return memory; }

    @Override
    public long takeFrame() { return free.isEmpty() ? -1 : free.pop(); }

    @Override
    public void giveFrame(long frame) {
        long home = frame - frame % FRAME_SIZE + 256;
        if (free.contains(home)) throw new AssertionError("frame " + frame + " was given back twice");
        free.push(home);
    }

    @Override
    public int frameCapacity() { return FRAME_SIZE - 256; }

    @Override
    public boolean transmit(int port, long frame, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(memory, frame, MemorySegment.ofArray(bytes), 0, length);
        sent.add(new Sent(port, bytes));
        giveFrame(frame);
        return true;
    }

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        boolean ipv4 = destinationHigh == 0;
        boolean toClient = ipv4 ? (destinationLow >>> 24 & 0xFF) == 10 : destinationHigh == 0x2001_0DB8_0000_0000L;
        into.egress = ingress(toClient ? 0 : 1, -1);
        into.destinationMac = NEXT_HOP_MAC;
        into.mtu = mtu;
        return route;
    }

    @Override
    public DataInterface ingress(int port, int vlan) {
        if (vlan >= 0 || port > 1) return DataInterface.NONE;
        return new DataInterface(port + 1, "data" + port, port, -1, port == 0 ? CLIENT_ZONE : SERVER_ZONE, 0x02_00_00_00_01_00L + port,
                1500,
                0x0A0000FE, 0x2001_0DB8_0000_0000L, 0xFE, true);
    }

    @Override
    public DataInterface inZone(int zone) { return ingress(zone == CLIENT_ZONE ? 0 : 1, -1); }

    @Override
    public long generation() { return generation; }
}

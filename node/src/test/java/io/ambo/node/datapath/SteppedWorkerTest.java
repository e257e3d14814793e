package io.ambo.node.datapath;

import static org.assertj.core.api.Assertions.assertThat;

import io.ambo.cluster.replication.DeltaPublisher;
import io.ambo.cluster.session.InMemorySessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.time.Clock;
import io.ambo.node.config.Config;
import io.ambo.node.config.ConfigLoader;
import io.ambo.node.config.HostFacts;
import io.ambo.node.config.Loaded;
import io.ambo.node.firewall.Names;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketBuilder;
import io.ambo.node.packet.PacketView;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.NextHop;
import io.ambo.node.routing.Routes;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SteppedWorkerTest implements Routes, Clock, SteppedWorker.Membership, SteppedWorker.Fates {
    private static final String CONFIG = """
            node: { name: a }
            interfaces: [ { name: in0, zone: inside }, { name: out0, zone: outside } ]
            cluster: { name: test, bind-address: 192.0.2.1, key-file: /key }
            firewall: { rules: [ { name: out, from: inside, to: outside, action: allow },
                                 { name: no, from: outside, protocol: tcp, action: reject } ] }
            """;
    private final List<String> told = new ArrayList<>();
    private final InMemorySessionTable table = new InMemorySessionTable(100);
    private long nowNs = 1_000_000_000;
    private boolean peerTakesStrays;
    private final SteppedWorker worker = new SteppedWorker(config(), this, table, this, this, new SteppedWorker.Room(4, 1600), this);

    @Test
    void itsOwnerHearsWhatBecameOfEachFrame() {
        worker.receive(1, 0, PacketBuilder.tcp4().from("10.0.0.1", 40_000).to("192.0.2.9", 80).flags(PacketView.SYN).seq(1).bytes());
        worker.receive(2, 1, PacketBuilder.udp4().from("192.0.2.9", 53).to("10.0.0.1", 53).bytes());
        worker.receive(3, 1, PacketBuilder.tcp4().from("192.0.2.9", 81).to("10.0.0.1", 53).flags(PacketView.SYN).bytes());
        assertThat(told).containsExactly("1 sent on 1", "3 sent on 1", "3 dropped: RULE_REJECT");
        assertThat(worker.awaitsDeltas()).as("the datagram waits for a session").isTrue();

        peerTakesStrays = true;
        passMs(11);
        assertThat(told).last().isEqualTo("2 handed over");
        assertThat(worker.nextTimerInNs()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void aStrayGoesOnWhenItsDeltaHasCome() {
        worker.receive(7, 1, answer());
        assertThat(told).isEmpty();
        SessionKey key = new SessionKey();
        boolean clientIsHigh = key.set(0, PacketView.IPV4_MAPPED_PREFIX | 0x0A000001L, 40_000, 0,
                PacketView.IPV4_MAPPED_PREFIX | 0xC0000209L,
                53, PacketView.UDP, 0);
        SessionRecord session = new SessionRecord().incarnation(0, 1, 2).owner(2).timeoutMs(10_000).lastSeenMs(monotonicMs());
        if (clientIsHigh) session.addFlags(SessionRecord.ORIGINAL_FROM_HIGH);
        table.merge(key, session);
        worker.onDeltaApplied(key);
        assertThat(told).containsExactly("7 sent on 0");
    }

    @Test
    void framesThatFindNoMemoryAreDropped() {
        for (int label = 1; label <= 5; label++) worker.receive(label, 1, answer());
        assertThat(told).containsExactly("5 dropped: NO_FRAME");
    }

    @Test
    void theKeeperEndsSessions() {
        worker.receive(1, 0, PacketBuilder.udp4().from("10.0.0.1", 40_000).to("192.0.2.9", 53).bytes());
        nowNs += 31_000_000_000L;
        for (int turn = 0; turn < 100; turn++) worker.sweep();
        assertThat(worker.counters().total(NodeCounter.SESSIONS_EXPIRED)).isEqualTo(1);
    }

    private static byte[] answer() { return PacketBuilder.udp4().from("192.0.2.9", 53).to("10.0.0.1", 40_000).bytes(); }

    private void passMs(int ms) {
        nowNs += ms * 1_000_000L;
        worker.tick();
        worker.onTimers();
    }

    private static Config config() {
        return switch (ConfigLoader.parse("test", CONFIG, HostFacts.UNKNOWN)) {
            case Loaded.Accepted(Config accepted) -> accepted;
            case Loaded.Refused refused -> throw new AssertionError(refused.report());
        };
    }

    @Override
    public void onSent(long label, int port, byte[] frame) { told.add(label + " sent on " + port); }

    @Override
    public void onDropped(long label, DropReason reason) { told.add(label + " dropped: " + reason); }

    @Override
    public void onHandedOver(long label) { told.add(label + " handed over"); }

    @Override
    public int nodeId() { return 1; }

    @Override
    public long created() { return nowNs; }

    @Override
    public boolean hasPeers() { return true; }

    @Override
    public boolean owns(SessionKey key, SessionRecord session) { return session.owner() == 1; }

    @Override
    public boolean inView(int nodeId) { return nodeId <= 2; }

    @Override
    public DeltaPublisher publisher() { return (key, session, acknowledge) -> 0; }

    @Override
    public StrayOutlet strays() { return (endsHash, zone, opens, memory, ip, length) -> peerTakesStrays; }

    @Override
    public long monotonicMs() { return nowNs / 1_000_000; }

    @Override
    public long monotonicNs() { return nowNs; }

    @Override
    public long wallMs() { return nowNs / 1_000_000; }

    @Override
    public Result lookup(long sourceHigh, long sourceLow, long destinationHigh, long destinationLow, int flowHash, NextHop into) {
        into.egress = ingress((destinationLow >>> 24 & 0xFF) == 10 ? 0 : 1, -1);
        into.mtu = 1500;
        return Result.FOUND;
    }

    @Override
    public DataInterface ingress(int port, int vlan) {
        return new DataInterface(port + 1, "data" + port, port, -1, Names.zoneId(port == 0 ? "inside" : "outside"), port + 1, 1500,
                0x0A0000FE, 0, 0, true);
    }

    @Override
    public DataInterface inZone(int zone) { return ingress(zone == Names.zoneId("inside") ? 0 : 1, -1); }

    @Override
    public long generation() { return 1; }
}

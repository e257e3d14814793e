package io.ambo.node.control;

import io.ambo.cluster.EventLog;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.cluster.time.Clock;
import io.ambo.proto.control.Addresses;
import io.ambo.proto.control.Counter;
import io.ambo.proto.control.Drain;
import io.ambo.proto.control.DrainRequest;
import io.ambo.proto.control.Gate;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.Version;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** A node that has sessions and nothing else. */
final class FakeTarget implements ControlTarget {
    static final long NOW_MS = 1_000_000;
    final HeapSessionTable table = new HeapSessionTable();
    final AtomicInteger reloads = new AtomicInteger();
    final EventLog events = new EventLog(Clock.SYSTEM, 4711);
    Consumer<BitSet> onResend = buckets -> {};
    private final String name;

    private final String creator;

    FakeTarget(String name) { this(name, name); }

    /** @param creator which node has opened its sessions */
    FakeTarget(String name, String creator) {
        this.name = name;
        this.creator = creator;
    }

    /** An established TCP session from 10.0.0.7 to 203.0.113.10:443, seen 3 s ago. */
    FakeTarget withTcp(int sourcePort) {
        return with(6, "10.0.0.7", sourcePort, "203.0.113.10", 443, TcpHalf.ESTABLISHED, 0);
    }

    FakeTarget with(int protocol, String source, int sourcePort, String destination, int destinationPort, int halfState, int flags) {
        IpAddress from = Objects.requireNonNull(IpAddress.parse(source));
        IpAddress to = Objects.requireNonNull(IpAddress.parse(destination));
        SessionKey key = new SessionKey();
        boolean sourceIsHigh = key.set(from.high(), from.low(), sourcePort, to.high(), to.low(), destinationPort, protocol, 0);
        SessionRecord session = new SessionRecord().incarnation(2, 4711, NodeId.of(creator).value()).owner(NodeId.of(creator).value())
                .zones(1, 2)
                .rule(7)
                .timeoutMs(7_200_000).lastSeenMs(NOW_MS - 3000).addFlags(flags | (sourceIsHigh ? SessionRecord.ORIGINAL_FROM_HIGH : 0));
        session.original().raiseState(halfState);
        session.original().advanceSeqEnd(-1);
        session.original().raiseScale(7);
        session.reply().raiseState(halfState);
        session.count(false, 10, 2345);
        table.add(key, session);
        return this;
    }

    @Override
    public String nodeName() { return name; }

    @Override
    public NodeStatus status() {
        return NodeStatus.newBuilder().setCluster("edge").setGate(Gate.newBuilder().setOpen(true)).setSessions(table.size()).build();
    }

    @Override
    public Members members() { return Members.getDefaultInstance(); }

    @Override
    public Version version() { return Version.newBuilder().setVersion("9.9").build(); }

    @Override
    public List<Counter> counters() {
        return List.of(Counter.newBuilder().setName("stray").setGroup("drops").setValue(3).build(),
                Counter.newBuilder().setName("packets_received").setGroup("packets").setValue(9).build());
    }

    @Override
    public EventLog events() { return events; }

    @Override
    public SessionTable sessions() { return table; }

    @Override
    public void resend(BitSet buckets) { onResend.accept(buckets); }

    @Override
    public long monotonicMs() { return NOW_MS; }

    @Override
    public String ruleName(int id) { return id == 7 ? "web" : "rule#" + id; }

    @Override
    public String zoneName(int id) { return id == 1 ? "inside" : "outside"; }

    @Override
    public String memberName(int id) { return id == NodeId.of("a").value() ? "a" : id == NodeId.of("b").value() ? "b" : "node#" + id; }

    @Override
    public String fastPath(SessionKey key, SessionRecord session) { return "no: a test"; }

    @Override
    public Addresses addresses() { return Addresses.getDefaultInstance(); }

    @Override
    public Drain drain(DrainRequest request) { return Drain.newBuilder().setDraining(request.getBegin()).build(); }

    @Override
    public Restart restart() { return Restart.newBuilder().setFlows(3).setSurviveMs(600_000).build(); }

    @Override
    public Reload reload(boolean dryRun) {
        reloads.incrementAndGet();
        return Reload.newBuilder().setApplied(!dryRun).addChanges("timeouts.icmp: 10s -> 20s").build();
    }
}

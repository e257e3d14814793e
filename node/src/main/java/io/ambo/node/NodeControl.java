package io.ambo.node;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.EventLog;
import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.metrics.CounterName;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.node.config.Config;
import io.ambo.node.control.ControlTarget;
import io.ambo.node.datapath.Datapath;
import io.ambo.node.datapath.NodeCounter;
import io.ambo.node.fastpath.XdpCounter;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.packet.DropReason;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.KernelNetwork;
import io.ambo.proto.control.Counter;
import io.ambo.proto.control.Gate;
import io.ambo.proto.control.Interface;
import io.ambo.proto.control.Member;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.Version;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;

/** What the node says of itself on the control socket. Reads only, but for {@link #reload} and {@link #restart}; any thread. */
final class NodeControl implements ControlTarget {
    private static final String VERSION = version(Node.class.getPackage().getImplementationVersion());

    private final Clock clock;
    private final long startedMs;
    private final RunningConfig running;
    private final Cluster cluster;
    private final SessionTable sessions;
    private final Datapath datapath;
    private final KernelNetwork network;
    private final XdpProgram program;
    private final Runnable onRestart;

    NodeControl(Clock clock, RunningConfig running, Cluster cluster, SessionTable sessions, Datapath datapath, KernelNetwork network,
            XdpProgram program, Runnable onRestart) {
        this.onRestart = onRestart;
        this.clock = clock;
        this.running = running;
        this.cluster = cluster;
        this.sessions = sessions;
        this.datapath = datapath;
        this.network = network;
        this.program = program;
        startedMs = clock.monotonicMs();
    }

    @Override
    public String nodeName() { return cluster.local().name(); }

    @Override
    public NodeStatus status() {
        Config config = running.config();
        View view = cluster.view();
        NodeStatus.Builder status = NodeStatus.newBuilder().setNodeId(cluster.local().value()).setVersion(VERSION).setUptimeMs(uptimeMs())
                .setGate(gate()).setCluster(config.cluster().name()).setViewId(view.id()).setSessions(sessions.size())
                .setSessionCapacity(sessions.capacity()).setWorkers(datapath.workers())
                .setForwardedPackets(datapath.counters().total(NodeCounter.PACKETS_FORWARDED)).setDroppedPackets(dropped())
                .setConfigDigest(digest(config)).setConfigFile(running.file().toString()).setConfigAgeMs(running.ageMs());
        view.members().forEach(member -> status.addView(member.name()));
        for (DataInterface each : network.interfaces()) {
            status.addInterfaces(Interface.newBuilder().setName(each.name()).setZone(running.zoneName(each.zone())).setUp(each.linkIsUp())
                    .setXdpMode(datapath.mode(each.port())).setMtu(each.mtu()).setVlan(each.vlan()));
            if (!each.linkIsUp()) status.addWarnings("interface " + each.name() + " is down");
            else if (datapath.mode(each.port()).isEmpty())
                status.addWarnings("interface " + each.name() + " takes no traffic: XDP is not attached, see the log");
        }
        if (!cluster.gate().open()) status.addWarnings("takes no traffic: " + cluster.gate().reason());
        return status.build();
    }

    @Override
    public Members members() {
        View view = cluster.view();
        Members.Builder members = Members.newBuilder().setViewId(view.id()).setGate(gate()).setSessions(sessions.size())
                .setUptimeMs(uptimeMs());
        for (NodeId each : view.members()) members.addMembers(Member.newBuilder().setName(each.name()).setNodeId(each.value()));
        return members.build();
    }

    @Override
    public Version version() {
        return Version.newBuilder().setVersion(VERSION).setJava(Runtime.version().toString())
                .setKernel(System.getProperty("os.version", "unknown")).build();
    }

    @Override
    public List<Counter> counters() {
        List<Counter> all = new ArrayList<>();
        add(all, "packets", datapath.counters());
        add(all, "drops", datapath.drops());
        add(all, "cluster", cluster.counters());
        for (XdpCounter each : XdpCounter.values()) all.add(counter("xdp", each, program.counter(each)));
        return all;
    }

    @Override
    public EventLog events() { return cluster.events(); }

    @Override
    public SessionTable sessions() { return sessions; }

    @Override
    public void resend(BitSet buckets) { cluster.resend(buckets); }

    @Override
    public long monotonicMs() { return clock.monotonicMs(); }

    @Override
    public String ruleName(int id) { return running.ruleName(id); }

    @Override
    public String zoneName(int id) { return running.zoneName(id); }

    @Override
    public String memberName(int id) { return cluster.nameOf(id); }

    @Override
    public String fastPath(SessionKey key, SessionRecord session) { return datapath.fastPath(key, session); }

    @Override
    public Reload reload(boolean dryRun) {
        Reload reload = running.reload(dryRun);
        if (dryRun) return reload;
        events().add(EventLog.Kind.CONFIG, reload.getApplied()
                ? "config reloaded, changes: " + reload.getChangesCount()
                : "reload refused, problems: " + (reload.getProblemsCount() + reload.getRestartChangesCount())
                        + "; the running config stays");
        return reload;
    }

    @Override
    public Restart restart() {
        onRestart.run();
        events().add(EventLog.Kind.NODE, "restarts");
        return Restart.newBuilder().setFlows(datapath.flows()).setSurviveMs(running.config().datapath().surviveMs()).build();
    }

    private long uptimeMs() { return clock.monotonicMs() - startedMs; }

    private Gate gate() {
        GateState gate = cluster.gate();
        return Gate.newBuilder().setOpen(gate.open() && program.isGateOpen()).setSessions(gate.sessions()).setExpected(gate.expected())
                .setReason(gate.reason())
                .build();
    }

    private long dropped() {
        long sum = 0;
        for (DropReason reason : DropReason.values()) if (reason != DropReason.NONE) sum += datapath.drops().total(reason);
        return sum;
    }

    /** Of the settings that must be equal on all members: the policy, whose numbers stand in session records. */
    private static String digest(Config config) {
        CRC32C crc = new CRC32C();
        crc.update((config.firewall().toString() + config.timeouts()).getBytes(java.nio.charset.StandardCharsets.UTF_8));
        return HexFormat.of().toHexDigits((int) crc.getValue());
    }

    private static <E extends Enum<E> & CounterName> void add(List<Counter> all, String group, CounterBank<E> bank) {
        for (E each : bank.counters()) if (!each.label().equals("none")) all.add(counter(group, each, bank.total(each)));
    }

    private static Counter counter(String group, CounterName name, long value) {
        return Counter.newBuilder().setGroup(group).setName(name.label()).setHelp(name.help()).setValue(value).build();
    }

    private static String version(@org.jspecify.annotations.Nullable String fromManifest) {
        return fromManifest == null ? "development" : fromManifest;
    }
}

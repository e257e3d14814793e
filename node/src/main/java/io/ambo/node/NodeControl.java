package io.ambo.node;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.EventLog;
import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.metrics.CounterName;
import io.ambo.cluster.replication.Backlogs;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.node.addresses.AddressKeeper;
import io.ambo.node.addresses.AddressReport;
import io.ambo.node.config.ClusterWide;
import io.ambo.node.config.Config;
import io.ambo.node.control.ControlTarget;
import io.ambo.node.datapath.Datapath;
import io.ambo.node.datapath.NodeCounter;
import io.ambo.node.fastpath.FlowCache;
import io.ambo.node.fastpath.XdpCounter;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.packet.DropReason;
import io.ambo.node.redirect.Redirects;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.KernelNetwork;
import io.ambo.proto.control.Addresses;
import io.ambo.proto.control.Counter;
import io.ambo.proto.control.Drain;
import io.ambo.proto.control.DrainRequest;
import io.ambo.proto.control.FloatingAddress;
import io.ambo.proto.control.Gate;
import io.ambo.proto.control.Interface;
import io.ambo.proto.control.Member;
import io.ambo.proto.control.Members;
import io.ambo.proto.control.NodeStatus;
import io.ambo.proto.control.Peer;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.Restart;
import io.ambo.proto.control.Setting;
import io.ambo.proto.control.Version;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;

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
    private final AddressKeeper keeper;
    private final Runnable onRestart;

    private final Redirects redirects;
    private final FlowCache.Access flows;

    NodeControl(Clock clock, RunningConfig running, Cluster cluster, Redirects redirects, SessionTable sessions, Datapath datapath,
            KernelNetwork network,
            XdpProgram program, AddressKeeper keeper, Runnable onRestart) {
        this.keeper = keeper;
        this.onRestart = onRestart;
        this.redirects = redirects;
        flows = program.flowCache().newAccess();
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
                .setConfigDigest(HexFormat.of().toHexDigits(ClusterWide.digest(config))).addAllKeyFingerprints(running.keyFingerprints())
                .setConfigFile(running.file().toString()).setConfigAgeMs(running.ageMs()).setMode(config.cluster().mode().word());
        datapath.redirectWarnings().forEach(status::addWarnings);
        view.members().forEach(member -> status.addView(member.name()));
        for (DataInterface each : network.interfaces()) {
            status.addInterfaces(Interface.newBuilder().setName(each.name()).setZone(running.zoneName(each.zone())).setUp(each.linkIsUp())
                    .setXdpMode(datapath.mode(each.port())).setMtu(each.mtu()).setVlan(each.vlan()));
            if (!each.linkIsUp()) status.addWarnings("interface " + each.name() + " is down");
            else if (datapath.mode(each.port()).isEmpty())
                status.addWarnings("interface " + each.name() + " takes no traffic: XDP is not attached, see the log");
        }
        if (!cluster.gate().open()) status.addWarnings("takes no traffic: " + cluster.gate().reason());
        AddressReport addresses = keeper.report();
        addresses.rows().stream().filter(AddressReport.Row::held).forEach(row -> status.addAddresses(row.text()));
        status.setDraining(keeper.isDraining());
        ClusterWide.settings(config).forEach((key, value) -> status.addClusterSettings(Setting.newBuilder().setKey(key).setValue(value)));
        new LinkedHashSet<>(addresses.rows().stream().flatMap(row -> row.obstacles().stream()).toList()).forEach(status::addWarnings);
        for (AddressReport.PeerRow peer : addresses.peers()) {
            switch (peer.standing()) {
                case PROCESS_SILENT, PROCESS_GONE -> status.addWarnings("the process of " + peer.name() + " is silent, its host is alive");
                case HOST_SILENT -> status.addWarnings("the host of " + peer.name() + " does not answer");
                case TALKS, LEFT -> {
                }
            }
        }
        for (NodeId each : view.members()) {
            Backlogs.Backlog backlog = cluster.backlog(each);
            if (backlog.batches() > 0)
                status.addWarnings(each.name() + " does not keep up: it is behind by " + backlog.batches() + " batches, " + backlog.ms()
                        + " ms (has it enough processor, has the sync link enough room?)");
        }
        return status.build();
    }

    @Override
    public Members members() {
        View view = cluster.view();
        Members.Builder members = Members.newBuilder().setViewId(view.id()).setGate(gate()).setSessions(sessions.size())
                .setUptimeMs(uptimeMs());
        for (NodeId each : view.members()) {
            Backlogs.Backlog backlog = cluster.backlog(each);
            members.addMembers(Member.newBuilder().setName(each.name()).setNodeId(each.value()).setBehindBatches(backlog.batches())
                    .setBehindMs(backlog.ms()));
        }
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
        add(all, "redirect", redirects.counters());
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
    public String backup(SessionKey key, SessionRecord session) {
        if (running.config().cluster().mode() == ClusterSettings.Mode.SYNC) return "";
        View view = cluster.view();
        NodeId backup = Homes.backup(view, key.hash(), Homes.owner(view, key, session));
        return backup == null ? "" : backup.name();
    }

    @Override
    public String redirectedTo(SessionKey key) {
        int owner;
        synchronized (flows) {
            owner = flows.redirectedTo(key);
        }
        return owner == 0 ? "" : cluster.nameOf(owner);
    }

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

    @Override
    public Addresses addresses() {
        AddressReport report = keeper.report();
        Addresses.Builder answer = Addresses.newBuilder();
        for (AddressReport.Row row : report.rows())
            answer.addAddresses(
                    FloatingAddress.newBuilder().setAddress(row.text()).setInterface(row.interfaceName()).setPrefer(row.prefer())
                            .setHeld(row.held()).addAllHolders(row.holders()).setReason(row.reason()).addAllObstacles(row.obstacles()));
        for (AddressReport.PeerRow peer : report.peers())
            answer.addPeers(Peer.newBuilder().setName(peer.name()).setStanding(Peer.Standing.valueOf(peer.standing().name()))
                    .setHostSilenceMs(peer.hostSilenceMs()).setProcessSilenceMs(peer.processSilenceMs()).setUnproven(peer.unproven())
                    .setDraining(peer.draining()));
        return answer.build();
    }

    @Override
    public Drain drain(DrainRequest request) {
        if (request.getBegin()) keeper.drain(true);
        if (request.getEnd()) keeper.drain(false);
        AddressReport report = keeper.report();
        Drain.Builder answer = Drain.newBuilder().setDraining(keeper.isDraining()).setKnownToAll(report.knownToAll())
                .setOwnedSessions(owned()).setAlone(!keeper.hasLivingPeer())
                .setForwardedPackets(datapath.counters().total(NodeCounter.PACKETS_FORWARDED) + program.counter(XdpCounter.FORWARDED));
        report.rows().stream().filter(AddressReport.Row::held).forEach(row -> answer.addAddresses(row.text()));
        return answer.build();
    }

    /** Live sessions that this node answers for. */
    private long owned() {
        long[] owned = new long[1];
        for (int slice = 0; slice < sessions.slices(); slice++) {
            sessions.sweep(slice, (key, session) -> {
                if (!session.has(SessionRecord.CLOSED) && cluster.owns(key, session)) owned[0]++;
                return false;
            });
        }
        return owned[0];
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

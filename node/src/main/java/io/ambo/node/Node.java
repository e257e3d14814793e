package io.ambo.node;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterKey;
import io.ambo.cluster.ClusterListener;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.EventLog;
import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.NodeState;
import io.ambo.cluster.membership.Presence;
import io.ambo.cluster.membership.View;
import io.ambo.cluster.session.ChronicleSessionTable;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import io.ambo.node.addresses.AddressKeeper;
import io.ambo.node.config.ClusterWide;
import io.ambo.node.config.Config;
import io.ambo.node.config.Transport;
import io.ambo.node.control.ControlServer;
import io.ambo.node.control.LocalAnswers;
import io.ambo.node.datapath.Datapath;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.firewall.Names;
import io.ambo.node.redirect.Redirects;
import io.ambo.node.routing.FailClosed;
import io.ambo.node.routing.KernelNetwork;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The composition root: builds the parts in the order in which they need each other, and closes them in reverse. From the first line on nothing is
 * forwarded that was not judged: forwarding by the kernel is turned off first, and the gate opens last.
 */
public final class Node implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();

    /** A peer's clock that is further ahead than this does not move ours. */
    private static final long CLOCK_AHEAD_LIMIT_MS = 60_000;

    private static final long LONGEST_COMPILATION_MS = 3_000;
    private static final long RESTART_DELAY_NS = 200_000_000;
    private static final long MS = 1_000_000;
    /** A peer whose process has not told its state (ten times a second) for so long is silent. */
    private static final long STATE_TIMEOUT_NS = 500 * MS;

    private final Deque<AutoCloseable> parts = new ArrayDeque<>();

    /** What is pinned is left to the next process. A start that fails leaves what it has found. */
    private volatile boolean fastPathStays;
    private volatile @Nullable AddressKeeper keeper;

    private Node() {}

    /**
     * Starts a node; returns when it is a member of its cluster. Its gate opens when its table is equal to the peers'.
     *
     * @param file where the config came from, for reloads
     */
    public static Node start(Path file, Config config) {
        Node node = new Node();
        try {
            node.build(file, config);
            return node;
        } catch (RuntimeException | Error failed) {
            node.close();
            throw failed;
        }
    }

    private void build(Path file, Config config) {
        Clock clock = Clock.SYSTEM;
        createDirectory(config.node().stateDir());
        Path tableDir = PrivateDirectory.make("node.table-dir", config.node().tableDir());
        TableMemory.check(tableDir);
        Rehearsals rehearsals = Rehearsals.start(tableDir, clock, config.node().rehearsalMs());
        part(FailClosed.engage(forwardingInterfaces(config)));
        KernelNetwork network = part(KernelNetwork.open(config.interfaces().stream().map(Node::wanted).toList()));
        ChronicleSessionTable sessions = part(ChronicleSessionTable.open(tableDir, config.limits().sessions(), clock));
        HybridClock hybridClock = new HybridClock(clock, CLOCK_AHEAD_LIMIT_MS);

        XdpProgram program = XdpProgram.open(config.node().pinDir(), config.limits().flows());
        fastPathStays = program.isAdopted();
        part(() -> {
            if (fastPathStays) program.close();
            else
                program.remove();
        });
        int adopted = program.isAdopted() ? Datapath.adoptFlows(config, program, sessions) : 0;
        if (program.isAdopted() || sessions.size() > 0) rehearsals.hurry();
        if (program.isAdopted()) LOG.info("adopted the fast path in {} with {} flows", config.node().pinDir(), adopted);

        int workers = Datapath.workerCount(config, network);
        ClusterEvents events = new ClusterEvents(program);
        KeyFile keys = new KeyFile(config.cluster().keyFile());
        Cluster cluster = part(prepare(config, keys.key(), workers, sessions, hybridClock, clock, events));
        keys.onChange(cluster::rekey);
        RunningConfig running = new RunningConfig(file, config, keys);
        Redirects redirects = part(
                new Redirects(keys.key(), cluster.local(), config.cluster().bindAddress(), config.cluster().redirectPort(),
                        config.datapath().surviveMs(), clock, new SecureRandom()));
        Datapath datapath = part(
                new Datapath(config, workers, network, program, sessions, cluster, redirects, hybridClock, clock, running::ruleName));
        datapath.countAdopted(adopted);
        network.onLocalAddressesChange(datapath::localAddressesChanged);
        datapath.localAddressesChanged();
        events.attach(datapath, redirects);
        // The others' sessions, and all that they say, come with the first view: by then everything is there, and has been played through.
        rehearsals.await();
        if (!Compilers.awaitRest(LONGEST_COMPILATION_MS)) LOG.info("the compilers have not come to rest; joining nevertheless");
        join(cluster);
        datapath.start();
        redirects.onView(cluster.view());
        redirects.start(cluster::sendRedirectHello);
        AddressKeeper addresses = part(addressKeeper(config, network, program, cluster, new SettingsCheck(cluster, running), clock));
        keeper = addresses;
        events.attach(addresses);
        addresses.onView(cluster.view());
        events.open(cluster.gate());
        fastPathStays = false;
        addresses.start();
        running.onChange(changed -> {
            datapath.policy(changed);
            addresses.configure(changed.addresses(), changed.tracking(), ClusterWide.digest(changed));
        });

        NodeControl control = new NodeControl(clock, running, cluster, redirects, sessions, datapath, network, program, addresses,
                this::onRestart);
        LocalAnswers answers = new LocalAnswers(control);
        cluster.answerWith(answers::answer);
        ControlServer server = part(
                new ControlServer(new ControlServer.Settings(config.node().controlSocket(), config.node().controlGroup()), answers,
                        new ClusterPeers(cluster)));
        server.start();
        cluster.events().add(EventLog.Kind.NODE,
                "up" + (adopted > 0 ? ", with " + adopted + " flows that the kernel had gone on with" : ""));
        LOG.info("node {} is up: {} data interfaces, {} workers, control socket {}", config.node().name(), config.interfaces().size(),
                workers,
                config.node().controlSocket());
    }

    private static Cluster prepare(Config config, ClusterKey key, int workers, ChronicleSessionTable sessions, HybridClock hybridClock,
            Clock clock, ClusterListener listener) {
        ClusterSettings.Link link = config.cluster().transport() == Transport.UDP
                ? new ClusterSettings.Multicast(config.cluster().multicast().getAddress(), config.cluster().multicast().getPort(), 1)
                : new ClusterSettings.Tcp(config.cluster().bindPort(), config.cluster().peers());
        ClusterSettings settings = ClusterSettings
                .of(config.cluster().name(), config.node().name(), config.cluster().bindAddress(), key).withLink(link)
                .withTiming(timing(config)).withLimits(ClusterSettings.Limits.DEFAULT.withWorkers(workers + 2))
                .withMode(config.cluster().mode());
        return Cluster.prepare(settings, sessions, hybridClock, clock, listener);
    }

    private static void join(Cluster cluster) {
        try {
            cluster.start();
        } catch (ClusterException failed) {
            throw new IllegalStateException(failed.getMessage(), failed);
        }
    }

    private static AddressKeeper addressKeeper(Config config, KernelNetwork network, XdpProgram program, Cluster cluster,
            SettingsCheck check, Clock clock) {
        Presence.Timing timing = new Presence.Timing(config.cluster().probeMs() * MS, config.cluster().probeTimeoutMs() * MS,
                STATE_TIMEOUT_NS, config.cluster().processTimeoutMs() * MS);
        AddressKeeper.Settings settings = new AddressKeeper.Settings(cluster.local(), config.cluster().bindAddress(), timing,
                config.node().stateDir());
        AddressKeeper.Peers peers = new AddressKeeper.Peers() {
            @Override
            public void tell(Collection<NodeId> to, NodeState state) { cluster.tellState(to, state); }

            @Override
            public void draining(Set<Integer> nodeIds) { cluster.draining(nodeIds); }

            @Override
            public void hostLost(NodeId peer) { cluster.onHostLost(peer); }

            @Override
            public void hostFound(NodeId peer) { cluster.onHostFound(peer); }

            @Override
            public void settingsDiffer(NodeId peer) { check.onDifference(peer); }
        };
        return new AddressKeeper(settings, config.addresses(), config.tracking(), ClusterWide.digest(config), network, program,
                cluster.events(),
                peers, cluster.view(), clock);
    }

    private static ClusterSettings.Timing timing(Config config) {
        ClusterSettings.Timing usual = ClusterSettings.Timing.DEFAULT;
        return new ClusterSettings.Timing(config.cluster().joinTimeoutMs(), config.cluster().heartbeatMs(),
                config.cluster().heartbeatTimeoutMs(),
                usual.verifyMs(), usual.mergeMinMs(), usual.mergeMaxMs(), usual.retransmitMs(), usual.gateRetryMs());
    }

    private static KernelNetwork.Wanted wanted(io.ambo.node.config.InterfaceConfig each) {
        return new KernelNetwork.Wanted(each.name(), Names.zoneId(each.zone()), each.parent().isEmpty() ? null : each.parent(),
                each.vlan());
    }

    private static Set<String> forwardingInterfaces(Config config) {
        Set<String> names = new LinkedHashSet<>();
        for (var each : config.interfaces()) {
            names.add(each.name());
            names.add(each.device());
        }
        return names;
    }

    private static void createDirectory(Path directory) {
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw new IllegalArgumentException("node.state-dir = " + directory + " cannot be made: " + e.getMessage(), e);
        }
    }

    private void onRestart() {
        fastPathStays = true;
        AddressKeeper running = keeper;
        if (running != null) running.keepAddresses();
        Thread.ofPlatform().name("ambo-restart").start(() -> {
            // The answer is on its way to the operator.
            LockSupport.parkNanos(RESTART_DELAY_NS);
            System.exit(0);
        });
    }

    private <T extends AutoCloseable> T part(T part) {
        parts.push(part);
        return part;
    }

    @Override
    public void close() {
        while (!parts.isEmpty()) {
            AutoCloseable part = parts.pop();
            try {
                part.close();
            } catch (Exception failed) {
                LOG.error("{} did not close: {}", part.getClass().getSimpleName(), failed.getMessage(), failed);
            }
        }
        LOG.info("stopped");
    }

    /** Carries what the cluster says to the packet threads and to the gate. Receiving threads call it. */
    private static final class ClusterEvents implements ClusterListener {
        private final XdpProgram program;
        private volatile @Nullable Datapath datapath;
        private volatile @Nullable AddressKeeper addresses;
        private volatile @Nullable Redirects redirects;
        private volatile boolean ready;

        ClusterEvents(XdpProgram program) { this.program = program; }

        void attach(Datapath started, Redirects ways) {
            datapath = started;
            redirects = ways;
        }

        void attach(AddressKeeper started) { addresses = started; }

        /** The packet path is ready: from now on the gate follows the cluster's. */
        void open(GateState gate) {
            ready = true;
            onGate(gate);
        }

        @Override
        public boolean awaitsDeltas() {
            Datapath now = datapath;
            return now != null && now.awaitsDeltas();
        }

        @Override
        public void onDeltaApplied(SessionKey key) {
            Datapath now = datapath;
            if (now != null) now.onDeltaApplied(key);
        }

        @Override
        public void onAcknowledged(int worker, long ticket) {
            Datapath now = datapath;
            if (now != null) now.onAcknowledged(worker, ticket);
        }

        @Override
        public void onView(View view) {
            LOG.info("view {}: {}", view.id(), view.members());
            AddressKeeper now = addresses;
            if (now != null) now.onView(view);
            Redirects ways = redirects;
            if (ways != null) ways.onView(view);
        }

        @Override
        public void onState(NodeId peer, NodeState state) {
            AddressKeeper now = addresses;
            if (now != null) now.onState(peer, state);
        }

        @Override
        public void onGate(GateState gate) {
            if (!ready || program.isGateOpen() == gate.open()) return;
            program.setGate(gate.open());
            LOG.info("the gate is {}: {}", gate.open() ? "open" : "closed", gate.reason());
        }
    }
}

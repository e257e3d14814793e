package io.ambo.node.datapath;

import io.ambo.cluster.Cluster;
import io.ambo.cluster.ClusterSettings;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.Homes;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.time.Clock;
import io.ambo.cluster.time.HybridClock;
import io.ambo.node.config.Config;
import io.ambo.node.fastpath.KernelRedirect;
import io.ambo.node.fastpath.XdpProgram;
import io.ambo.node.firewall.Nat;
import io.ambo.node.firewall.PassedSyns;
import io.ambo.node.firewall.Policy;
import io.ambo.node.firewall.PolicyCompiler;
import io.ambo.node.firewall.SessionCounts;
import io.ambo.node.io.Umem;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Fragments;
import io.ambo.node.redirect.HandedFrame;
import io.ambo.node.redirect.RedirectSocket;
import io.ambo.node.redirect.RedirectTeller;
import io.ambo.node.redirect.Redirects;
import io.ambo.node.routing.DataInterface;
import io.ambo.node.routing.KernelNetwork;
import io.ambo.node.sys.NetworkDevice;
import io.ambo.node.sys.SysException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The slow path as the rest of the node sees it: workers, keeper and their sockets, started together and closed together.
 *
 * <p>Worker w serves the receive queues whose number is w modulo the number of workers, on every data interface. So a packet that came in on one interface
 * leaves on another without a copy and without another thread.
 */
public final class Datapath implements AutoCloseable {
    private static final Logger LOG = LogManager.getLogger();
    private static final int SMALLEST_RING = 64, LARGEST_RING = 16 * 1024;
    private static final long FRAGMENT_TIMEOUT_NS = 2_000_000_000L;
    private static final int REHEARSED_SESSIONS = 3000;
    private static final long LONGEST_REHEARSAL_NS = 10_000_000_000L;
    private static final int HELD_PER_DATAGRAM = 48;

    private final KernelNetwork network;
    private final SessionTable sessions;
    private final XdpProgram program;
    private final XdpProgram.ModeChoice modeChoice;
    private final CounterBank<DropReason> drops = new CounterBank<>(DropReason.class);
    private final CounterBank<NodeCounter> counters = new CounterBank<>(NodeCounter.class);
    private final CounterBank<NodeCounter>.Row lost = counters.newRow();
    private final List<Worker> workers = new ArrayList<>();
    private final Keeper keeper;
    private final FlowKeeper flows;
    private final RedirectTeller teller;
    private final Redirects redirects;
    private final boolean redirectMode;
    private final Cluster cluster;
    private volatile String slowRedirects = "";
    private final int fastPathAfter;
    private final int framesOfWorker;
    private volatile Policy policy;
    private final FirewallLog log;
    /** Port number to the device index that is attached now. Guarded by this. */
    private final Map<Integer, Integer> attached = new HashMap<>();

    /** Number of packet workers a config leads to on this host: publishers of the cluster are needed for these and one more, the keeper. */
    public static int workerCount(Config config, KernelNetwork network) {
        int queues = Integer.MAX_VALUE;
        for (KernelNetwork.Port port : network.ports())
            if (port.index() > 0) queues = Math.min(queues, NetworkDevice.receiveQueues(port.device()));
        if (queues == Integer.MAX_VALUE) queues = 1;
        return config.datapath().workers() > 0 ? Math.min(queues, config.datapath().workers()) : queues;
    }

    /**
     * Makes this JVM fit for its first packet, see {@link Rehearsal}. Takes a core for that time; nothing else is touched.
     *
     * @param directory for a table that is gone when this returns
     */
    public static void rehearse(Path directory, Clock clock) {
        int sessions = Rehearsal.run(directory, clock, REHEARSED_SESSIONS, LONGEST_REHEARSAL_NS);
        LOG.info("rehearsed {} sessions of each protocol", sessions);
    }

    /**
     * Takes over the flows that the kernel has gone on forwarding since an earlier process ended; without one there are none. Before {@link Cluster#join}.
     *
     * @return how many
     */
    public static int adoptFlows(Config config, XdpProgram program, SessionTable sessions) {
        return FlowKeeper.adopt(sessions, program.flowCache(), config.datapath().fastPath());
    }

    /**
     * Builds everything; no packet is taken before {@link #start}.
     *
     * @param ruleName name of a rule's number, for log lines
     */
    public Datapath(Config config, int workerCount, KernelNetwork network, XdpProgram program, SessionTable sessions, Cluster cluster,
            Redirects redirects, HybridClock hybridClock,
            Clock clock, IntFunction<String> ruleName) {
        this.network = network;
        this.sessions = sessions;
        this.program = program;
        modeChoice = switch (config.datapath().xdpMode()) {
            case AUTO -> XdpProgram.ModeChoice.NATIVE_OR_GENERIC;
            case NATIVE -> XdpProgram.ModeChoice.NATIVE_ONLY;
            case GENERIC -> XdpProgram.ModeChoice.GENERIC_ONLY;
        };
        Policy policy = PolicyCompiler.compile(config);
        this.policy = policy;
        SessionCounts counts = new SessionCounts(new SecureRandom().nextLong());
        PassedSyns passedSyns = new PassedSyns();
        WorkerContext.Identity identity = identity(cluster, hybridClock);
        log = new FirewallLog(ruleName, config.logging().ruleLinesPerSecond());
        WorkerContext.Limits limits = limits(config);
        flows = new FlowKeeper(sessions, program.flowCache(), program::forwardUntil, config.datapath().surviveMs() * 1_000_000L,
                cluster.publisher(workerCount + 1), clock, counters.newRow(), policy);
        boolean fast = config.datapath().fastPath();
        fastPathAfter = fast ? config.datapath().fastPathAfter() : Integer.MAX_VALUE;
        this.redirects = redirects;
        this.cluster = cluster;
        redirectMode = config.cluster().mode() == ClusterSettings.Mode.REDIRECT;
        teller = new RedirectTeller(cluster, redirects, flows);
        if (redirectMode) flows.members(members(cluster));
        int sockets = (network.ports().size() + 2) * 16;
        framesOfWorker = config.datapath().packetMemoryBytes() / Umem.FRAME_SIZE;
        for (int number = 0; number < workerCount; number++) {
            int index = number;
            Umem umem = Umem.create(framesOfWorker);
            RedirectSocket socket = redirects.newSocket();
            FastPath fastPath = fast ? flows.forThread(config.datapath().fastPathAfter()) : FastPath.NONE;
            Redirection redirection = redirectMode ? new MemberRedirection(cluster, socket, fastPath, flows, teller) : Redirection.NONE;
            List<Integer> cpus = config.datapath().cpus();
            int cpu = cpus.isEmpty() ? Worker.ANY_CPU : cpus.get(number % cpus.size());
            workers.add(new Worker(number, cpu, clock, umem, sockets, socket, counters.newRow(),
                    io -> new PacketPipeline(
                            new WorkerContext(io, network.newRoutes(), sessions, cluster.publisher(index),
                                    new MemberStrays(cluster, socket::send), redirection, fastPath, counts, passedSyns, identity,
                                    cluster::hasLivingPeers, drops.newRow(), counters.newRow(), limits, log),
                            policy)));
        }
        keeper = new Keeper(sessions, cluster.publisher(workerCount), counts, identity, owners(cluster), clock,
                command -> workers.get(0).reset(command), fast ? flows.forThread(config.datapath().fastPathAfter()) : FastPath.NONE,
                counters.newRow(), policy);
    }

    /** Starts the threads, attaches the program and opens the sockets; follows devices that come and go from then on. */
    public void start() {
        for (Worker worker : workers) worker.start();
        keeper.start();
        teller.start();
        if (fastPathAfter != Integer.MAX_VALUE) flows.start();
        network.onLinkChange(this::followPorts);
        network.onGenerationChange(() -> {
            program.routesChanged();
            for (Worker worker : workers) worker.wakeUp();
        });
        followPorts();
        if (redirectMode) joinSyncLink();
        for (Worker worker : workers) worker.awaitCommands();
        program.releaseUnclaimed();
    }

    /** From now on this config decides about sessions. Open ones that it forbids end, the others stay. */
    public void policy(Config config) {
        Policy compiled = PolicyCompiler.compile(config);
        policy = compiled;
        for (Worker worker : workers) worker.policy(compiled);
        localAddressesChanged();
        flows.policy(compiled);
        keeper.policy(compiled);
    }

    /** Tells the kernel which addresses are the host's own. Those that the policy translates are the workers'. */
    public synchronized void localAddressesChanged() {
        Nat nat = policy.nat();
        Set<InetAddress> own = new HashSet<>();
        for (InetAddress address : network.localAddresses()) {
            IpAddress known = IpAddress.ofBytes(address.getAddress());
            if (known == null || !nat.takes(known.high(), known.low())) own.add(address);
        }
        program.setLocalAddresses(own);
    }

    /** Somebody waits for a delta. Any thread. */
    public boolean awaitsDeltas() {
        for (int i = 0; i < workers.size(); i++) if (workers.get(i).awaitsDeltas()) return true;
        return false;
    }

    /** A delta of this session was merged. Any thread. */
    public void onDeltaApplied(SessionKey key) {
        release(key.hash());
        if (sessions.claims() == 0) return;
        // Strays of its reply flow came with the translated ends.
        SessionRecord session = new SessionRecord();
        if (!sessions.read(key, session) || !session.has(SessionRecord.TRANSLATED)) return;
        SessionKey ends = new SessionKey();
        session.writeTranslatedKey(key, ends);
        release(ends.hash());
    }

    private void release(long keyHash) {
        for (int i = 0; i < workers.size(); i++) {
            Worker worker = workers.get(i);
            if (worker.awaitsDeltas() && !worker.onDeltaApplied(keyHash)) countLost();
        }
    }

    /** A peer has merged what a worker published. Any thread. */
    public void onAcknowledged(int worker, long ticket) {
        if (worker < workers.size() && !workers.get(worker).onAcknowledged(ticket)) countLost();
    }

    /** "yes" when the kernel forwards the session's packets on this node, else why it does not. */
    public String fastPath(SessionKey key, SessionRecord session) {
        if (redirectMode && !session.has(SessionRecord.CLOSED) && members(cluster).isElsewhere(key, session))
            return "no: its packets go to its owner";
        return fastPathAfter == Integer.MAX_VALUE
                ? "no: datapath.fast-path is off"
                : FlowKeeper.describe(key, session, policy, fastPathAfter);
    }

    /** What {@link #adoptFlows} returned, for the counters. */
    public synchronized void countAdopted(int adopted) {
        lost.add(NodeCounter.FLOWS_ADOPTED, adopted);
    }

    /** Entries of the kernel's flow cache, a moment ago. */
    public int flows() { return flows.flows(); }

    public CounterBank<DropReason> drops() { return drops; }

    public CounterBank<NodeCounter> counters() { return counters; }

    public int workers() { return workers.size(); }

    /** How the program runs on a port, or "" while it is not attached. */
    public synchronized String mode(int port) {
        return attached.containsKey(port) ? program.mode(port).name().toLowerCase(java.util.Locale.ROOT) : "";
    }

    private synchronized void countLost() { lost.increment(NodeCounter.COMMANDS_LOST); }

    /** Attaches what has appeared, lets go of what has vanished. */
    private synchronized void followPorts() {
        List<KernelNetwork.Port> ports = network.ports();
        List<XdpProgram.Interface> interfaces = new ArrayList<>();
        for (DataInterface each : network.interfaces()) {
            if (each.index() > 0 && each.port() >= 0)
                interfaces.add(new XdpProgram.Interface(each.index(), ports.get(each.port()).index(), each.vlan()));
        }
        for (DataInterface each : network.interfaces())
            if (each.index() > 0 && each.port() >= 0) program.setZone(ports.get(each.port()).index(), each.vlan(), each.zone());
        program.setInterfaces(interfaces);
        for (int number = 0; number < ports.size(); number++) {
            KernelNetwork.Port port = ports.get(number);
            Integer now = attached.get(number);
            if (now != null && now == port.index()) {
                program.setMac(number, NetworkDevice.mac(port.device()));
                continue;
            }
            if (now != null) detach(number);
            if (port.index() > 0) attach(number, port);
        }
    }

    private void attach(int number, KernelNetwork.Port port) {
        try {
            XdpProgram.Mode mode = program.attach(port.index(), number, NetworkDevice.mac(port.device()), modeChoice);
            attached.put(number, port.index());
            int queues = NetworkDevice.receiveQueues(port.device());
            for (int queue = 0; queue < queues; queue++) {
                int of = queue;
                workers.get(queue % workers.size()).addSocket(number, port.index(), queue, ringSize(queues),
                        socket -> program.registerSocket(number, of, socket.fd()));
            }
            LOG.info("{} is port {}: {} queues, XDP {}", port.device(), number, queues, mode);
        } catch (SysException failed) {
            LOG.error("{} takes no traffic: {}", port.device(), failed.getMessage());
        }
    }

    /** Lets the kernel take part in redirect mode: its program looks at the sync link's frames, and what it does not forward goes to a worker. */
    private synchronized void joinSyncLink() {
        boolean fast = fastPathAfter != Integer.MAX_VALUE;
        NetworkInterface device = interfaceOf(redirects.bindAddress());
        boolean mayAttach = device != null && device.getIndex() > 1 && !attached.containsValue(device.getIndex());
        if (!fast || device == null || !mayAttach) {
            slowRedirects = "the kernel hands no packets over, Java does: " + (fast
                    ? "the sync link's address " + redirects.bindAddress().getHostAddress() + " is on no device of its own"
                    : "datapath.fast-path is off");
            LOG.warn("{}", slowRedirects);
            return;
        }
        KernelNetwork.Port port = new KernelNetwork.Port(device.getName(), device.getIndex(), true);
        attach(HandedFrame.PORT, port);
        if (!attached.containsKey(HandedFrame.PORT)) {
            slowRedirects = "the kernel hands no packets over, Java does: XDP is not attached to " + device.getName() + ", see the log";
            return;
        }
        byte[] known = program.redirect().salt();
        byte[] salt = known == null ? new byte[KernelRedirect.SALT] : known;
        if (known == null) new SecureRandom().nextBytes(salt);
        byte[] key = redirects.kernelKey(salt);
        program.redirect().turnOn(device.getIndex(), redirects.local(), redirects.bindAddress(), redirects.port(), salt,
                Redirects.keyWord(key, 0), Redirects.keyWord(key, 1));
        redirects.kernelLane(program.redirect(), salt);
    }

    /** Redirect mode: what keeps packets that members hand to each other from going as fast as they might, in sentences for the operator. */
    public List<String> redirectWarnings() {
        if (!redirectMode) return List.of();
        List<String> warnings = new ArrayList<>();
        if (!slowRedirects.isEmpty()) warnings.add(slowRedirects);
        int overhead = redirects.overhead();
        int largest = network.interfaces().stream().mapToInt(DataInterface::mtu).max().orElse(0);
        int mtu = redirects.linkMtu();
        if (mtu < largest + overhead)
            warnings.add(
                    "the sync link's MTU is %d: packets of more than %d bytes that members hand to each other go in fragments, through Java; %d would do"
                            .formatted(mtu, mtu - overhead, largest + overhead));
        return warnings;
    }

    private static @Nullable NetworkInterface interfaceOf(InetAddress address) {
        try {
            return NetworkInterface.getByInetAddress(address);
        } catch (SocketException unknown) {
            return null;
        }
    }

    /** Half of a worker's frames, dealt to its sockets: what waits for a worker that does not get its processor. The other half is on its way out, or held. */
    private int ringSize(int queues) {
        int sockets = (Math.max(1, network.ports().size()) + (redirectMode ? 1 : 0)) * ((queues + workers.size() - 1) / workers.size());
        return Math.clamp(Integer.highestOneBit(Math.max(1, framesOfWorker / (2 * sockets))), SMALLEST_RING, LARGEST_RING);
    }

    private void detach(int number) {
        program.detach(number);
        for (Worker worker : workers) worker.removePort(number);
        attached.remove(number);
    }

    private static WorkerContext.Identity identity(Cluster cluster, HybridClock clock) {
        int nodeId = cluster.local().value();
        return new WorkerContext.Identity() {
            @Override
            public int nodeId() { return nodeId; }

            @Override
            public long created() { return clock.next(); }
        };
    }

    private static Keeper.Owners owners(Cluster cluster) {
        return new Keeper.Owners() {
            @Override
            public boolean owns(SessionKey key, SessionRecord session) { return cluster.owns(key, session); }

            @Override
            public boolean inView(int nodeId) { return cluster.view().contains(nodeId); }
        };
    }

    private static FlowKeeper.Members members(Cluster cluster) {
        int local = cluster.local().value();
        return new FlowKeeper.Members() {
            @Override
            public boolean mayOwn(int node) { return cluster.view().mayOwn(node); }

            @Override
            public boolean isElsewhere(SessionKey key, SessionRecord session) { return Homes.owner(cluster.view(), key, session) != local; }
        };
    }

    static WorkerContext.Limits limits(Config config) {
        int fragments = config.limits().fragments();
        return new WorkerContext.Limits(config.limits().parked(), config.cluster().parkNs(), config.limits().parked(),
                config.cluster().deferTimeoutNs(),
                config.limits().pendingNeighbour(), config.limits().icmpErrorsPerSecond(), config.limits().redirectsPerSecond(),
                new Fragments.Limits(fragments, fragments, HELD_PER_DATAGRAM, FRAGMENT_TIMEOUT_NS));
    }

    @Override
    public void close() {
        keeper.close();
        teller.close();
        flows.close();
        for (Worker worker : workers) worker.close();
        log.close();
    }
}

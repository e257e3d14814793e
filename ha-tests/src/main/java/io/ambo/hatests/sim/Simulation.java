package io.ambo.hatests.sim;

import io.ambo.cluster.ClusterCounter;
import io.ambo.node.packet.DropReason;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * One cluster's life from one seed, in one thread. Real: session tables' logic, merging, replication, resync, the gate, ownership, expiry, the packet path with
 * translation. Simulated: time, the sync link and its membership, the network, the ends, and what goes wrong.
 *
 * <pre>
 *   0 s      nodes start
 *   1 s      conversations open              faults
 *   20 s                                     everything is mended
 *   30 s     conversations end
 *   34 s     and the tables must be equal
 * </pre>
 */
public final class Simulation implements SimulatedNode.Outside {
    private static final long FIRST_PACKET_NS = Agenda.S, FAULTS_END_NS = 20 * Agenda.S, LAST_OPEN_NS = 26 * Agenda.S,
            QUIT_NS = 30 * Agenda.S, END_NS = 34 * Agenda.S, LATEST_END_NS = 46 * Agenda.S;
    private static final long OWNERS_EVERY_NS = 250 * Agenda.MS;
    private static final String[] NAMES = { "a", "b", "c", "d" };

    private final Agenda agenda = new Agenda();
    private final EventLog log;
    private final List<SimulatedNode> nodes = new ArrayList<>();
    private final SyncLink link;
    private final Traffic traffic;
    private final Invariants invariants;
    private final Faults faults;
    private final long seed;
    private final Scenario scenario;
    private boolean well;

    /**
     * How a run ended.
     *
     * @param violation what was violated, or null
     * @param history   the last events of the cluster and of the conversations concerned
     * @param digest    of all events
     */
    public record Outcome(long seed, String scenario, @Nullable String violation, List<String> history, long digest, long events,
            long packets, long forwarded, int conversations, int established, int faults, long messages, long views, long merges,
            long clashes, long handedOver) {
        public Outcome {
            history = List.copyOf(history);
        }

        public boolean passed() { return violation == null; }
    }

    private Simulation(long seed, Parts parts, @Nullable PrintStream wholeLog) {
        this.seed = seed;
        log = new EventLog(agenda, wholeLog);
        SplittableRandom random = new SplittableRandom(seed);
        scenario = Scenario.of(seed, random);
        List<String> names = List.of(NAMES).subList(0, scenario.nodes());
        invariants = new Invariants(agenda, log, nodes, names);
        link = new SyncLink(agenda, log, random.split(), scenario);
        for (int i = 0; i < names.size(); i++)
            nodes.add(new SimulatedNode(i, SimulatedConfig.of(names.get(i), names, parts.tombstoneMs()), scenario.redirect(), agenda, log,
                    random.split(), link, parts, this, invariants.of(i)));
        traffic = new Traffic(agenda, log, random.split(), scenario, nodes, invariants);
        invariants.watch(traffic, scenario.redirect());
        faults = new Faults(agenda, log, random.split(), link, nodes, scenario, invariants);
        for (SimulatedNode each : nodes) agenda.at(random.nextLong(1500 * Agenda.MS), () -> faults.start(each));
        agenda.at(FIRST_PACKET_NS, () -> traffic.start(LAST_OPEN_NS - FIRST_PACKET_NS));
        faults.start(2 * Agenda.S, FAULTS_END_NS);
        agenda.at(FAULTS_END_NS, () -> {
            well = true;
            faults.end();
            traffic.calm();
        });
        agenda.at(QUIT_NS, traffic::quit);
        agenda.in(OWNERS_EVERY_NS, this::look);
    }

    /** Runs one seed to its end, or to the first violation. */
    public static Outcome run(long seed, Parts parts) {
        return run(seed, parts, null);
    }

    /** @param wholeLog gets every event, or null */
    static Outcome run(long seed, Parts parts, @Nullable PrintStream wholeLog) {
        Simulation simulation = new Simulation(seed, parts, wholeLog);
        simulation.run();
        return simulation.outcome();
    }

    private void run() {
        runUntil(END_NS);
        for (long end = END_NS; end < LATEST_END_NS && invariants.violation() == null && invariants.difference() != null;) {
            end += Agenda.S / 2;
            runUntil(end);
        }
        if (invariants.violation() == null) invariants.checkEnd();
    }

    private void runUntil(long ns) {
        while (invariants.violation() == null && agenda.next(ns)) {
        }
    }

    private void look() {
        invariants.lookAtViews();
        invariants.checkOwners();
        if (well) invariants.checkStalls(FAULTS_END_NS);
        agenda.in(OWNERS_EVERY_NS, this::look);
    }

    private Outcome outcome() {
        long clashes = 0;
        long handedOver = 0;
        for (SimulatedNode each : nodes) {
            clashes += each.count(ClusterCounter.MERGES_LOST) + each.count(ClusterCounter.MERGES_REPLACED);
            handedOver += each.handedOver();
        }
        String violation = invariants.violation();
        return new Outcome(seed, scenario.toString(), violation, violation == null ? List.of() : log.last(invariants.subjects()),
                log.digest(),
                log.lines(), traffic.packets(), traffic.forwarded(), traffic.conversations().size(), traffic.established(),
                faults.injected(),
                link.messages(), link.membership().views(), link.membership().merges(), clashes, handedOver);
    }

    // What the nodes tell

    @Override
    public @Nullable SimulatedNode node(int nodeId) {
        for (SimulatedNode each : nodes) if (each.id.value() == nodeId) return each;
        return null;
    }

    @Override
    public void onSent(SimulatedNode node, int conversation, int port, byte[] frame) { traffic.onSent(node, conversation, port, frame); }

    @Override
    public void onDropped(SimulatedNode node, int conversation, DropReason reason) { traffic.onDropped(node, conversation, reason); }

    @Override
    public void onTraffic(SimulatedNode node, boolean takes) {
        log.add(EventLog.CLUSTER, node.id.name(), takes ? "takes packets" : "takes no packets");
        if (takes) invariants.onTraffic(node);
    }
}

package io.ambo.hatests.sim;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/**
 * What is done to a simulated cluster, at random times within a span, and mended after a random time. Bounds are such that a tombstone
 * ({@link Parts#tombstoneMs}) outlives every delay that comes about.
 */
final class Faults {
    private static final long DRAIN_KNOWN_NS = 300 * Agenda.MS;
    private static final long SHORTEST_NS = 50 * Agenda.MS, LONGEST_NS = 6 * Agenda.S;

    private final Agenda agenda;
    private final EventLog log;
    private final SplittableRandom random;
    private final SyncLink link;
    private final List<SimulatedNode> nodes;
    private final Scenario scenario;
    private final Invariants invariants;
    /** Nodes that have lost their tables, and have yet to get them back. */
    private final Set<SimulatedNode> blank = new HashSet<>();
    private boolean over;
    private int injected;

    Faults(Agenda agenda, EventLog log, SplittableRandom random, SyncLink link, List<SimulatedNode> nodes, Scenario scenario,
            Invariants invariants) {
        this.agenda = agenda;
        this.log = log;
        this.random = random;
        this.link = link;
        this.nodes = nodes;
        this.scenario = scenario;
        this.invariants = invariants;
    }

    int injected() { return injected; }

    void start(long fromNs, long toNs) {
        for (int i = 0; i < scenario.faults(); i++) agenda.at(random.nextLong(fromNs, toNs), this::inject);
        for (int i = 0; i < scenario.drains(); i++) agenda.at(random.nextLong(fromNs, toNs), this::drain);
    }

    private void inject() {
        if (over) return;
        injected++;
        long ns = SHORTEST_NS + random.nextLong(LONGEST_NS - SHORTEST_NS) / (random.nextBoolean() ? 1 : 8);
        invariants.disturbed(agenda.nowNs() + ns);
        SimulatedNode node = nodes.get(random.nextInt(nodes.size()));
        switch (random.nextInt(12)) {
            case 0, 1 -> partition(ns);
            case 2 -> oneWay(ns);
            case 3, 4 -> crash(node, true, ns);
            case 5 -> crash(node, !mayLoseFile(), ns);
            case 6 -> stop(node, ns);
            case 7 -> node.pause(ns / 2);
            case 8 -> node.stall(ns / 4);
            case 9 -> loss(ns);
            case 10 -> delay(ns);
            default -> node.clock.setWallErrorMs(random.nextLong(-30_000, 30_000));
        }
    }

    /**
     * A node that has lost its table and is cut off from those who have it knows of no port that is in use: two faults at once, one more than the shares of the
     * ports are made for.
     */
    private boolean mayLoseFile() {
        for (SimulatedNode each : nodes) if (!each.takesTraffic() || each.viewNumber() != nodes.getFirst().viewNumber()) return false;
        return link.isWhole();
    }

    private boolean mayCut() {
        blank.removeIf(
                node -> node.takesTraffic() && nodes.stream().allMatch(each -> !each.isUp() || each.viewNumber() == node.viewNumber()));
        return blank.isEmpty();
    }

    private void partition(long ns) {
        if (!mayCut()) return;
        boolean[] left = new boolean[nodes.size()];
        int lefts = 0;
        for (int i = 0; i < left.length; i++) {
            left[i] = random.nextBoolean();
            if (left[i]) lefts++;
        }
        if (lefts == 0 || lefts == left.length) left[0] = !left[0];
        log.add(EventLog.CLUSTER, "faults", "partition for " + ns / Agenda.MS + " ms");
        for (int a = 0; a < left.length; a++) for (int b = 0; b < left.length; b++) if (left[a] != left[b]) link.cut(a, b);
        agenda.in(ns, this::mendAll);
    }

    private void oneWay(long ns) {
        if (!mayCut()) return;
        int from = random.nextInt(nodes.size());
        int to = (from + 1 + random.nextInt(nodes.size() - 1)) % nodes.size();
        log.add(EventLog.CLUSTER, "faults", nodes.get(to) + " does not hear " + nodes.get(from) + " for " + ns / Agenda.MS + " ms");
        link.cut(from, to);
        agenda.in(ns, this::mendAll);
    }

    private void mendAll() {
        log.add(EventLog.CLUSTER, "faults", "links mended");
        link.mendAll();
    }

    private void crash(SimulatedNode node, boolean fileStays, long ns) {
        if (!node.isUp()) return;
        node.crash(fileStays);
        if (!fileStays) blank.add(node);
        invariants.onCrash(node, fileStays);
        startAgain(node, ns);
    }

    private void stop(SimulatedNode node, long ns) {
        if (!node.isUp() || node.isPaused()) return;
        invariants.disturbed(agenda.nowNs() + ns);
        node.stop();
        invariants.onCrash(node, true);
        startAgain(node, ns);
    }

    /** Once the node is drained it is stopped and started, or goes on. */
    private void drain() {
        SimulatedNode node = nodes.get(random.nextInt(nodes.size()));
        if (over || !node.takesTraffic() || node.drains()) return;
        injected++;
        node.drain(true);
        tellOfDrains();
        agenda.in(Agenda.S / 2 + random.nextLong(2 * Agenda.S), () -> {
            if (over || !node.drains()) return;
            if (random.nextBoolean()) stop(node, random.nextLong(Agenda.S / 2, 2 * Agenda.S));
            undrain(node);
        });
    }

    private void undrain(SimulatedNode node) {
        node.drain(false);
        tellOfDrains();
    }

    /** Who drains says so several times a second; so everybody knows soon. */
    private void tellOfDrains() {
        invariants.ownersMove(agenda.nowNs() + DRAIN_KNOWN_NS);
        for (SimulatedNode each : nodes) agenda.in(random.nextLong(DRAIN_KNOWN_NS), () -> tellOfDrains(each));
    }

    private void tellOfDrains(SimulatedNode node) {
        node.onDrainers(nodes.stream().filter(SimulatedNode::drains).map(SimulatedNode::nodeId).collect(Collectors.toSet()));
    }

    private void startAgain(SimulatedNode node, long ns) { agenda.in(ns, () -> start(node)); }

    void start(SimulatedNode node) {
        if (node.isUp()) return;
        node.start();
        invariants.onStart(node);
        tellOfDrains(node);
    }

    private void loss(long ns) {
        double share = random.nextDouble(0.5);
        log.add(EventLog.CLUSTER, "faults", "the sync link loses " + Math.round(100 * share) + " % for " + ns / Agenda.MS + " ms");
        link.lose(share);
        agenda.in(ns, () -> link.lose(over ? 0 : scenario.syncLoss()));
    }

    private void delay(long ns) {
        long slowestNs = random.nextLong(Agenda.MS, 80 * Agenda.MS);
        log.add(EventLog.CLUSTER, "faults",
                "the sync link is slow by up to " + slowestNs / Agenda.MS + " ms for " + ns / Agenda.MS + " ms");
        link.delay(slowestNs);
        agenda.in(ns, () -> link.delay(250 * Agenda.US));
    }

    /** Everything is mended and every node started; nothing more is done. */
    void end() {
        over = true;
        log.add(EventLog.CLUSTER, "faults", "over: everything is mended");
        link.keepPromises();
        link.lose(0);
        link.delay(250 * Agenda.US);
        link.mendAll();
        for (SimulatedNode each : nodes) start(each);
        for (SimulatedNode each : nodes) undrain(each);
    }
}

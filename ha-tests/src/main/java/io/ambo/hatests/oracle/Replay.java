package io.ambo.hatests.oracle;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.hatests.capture.IpPacket;
import io.ambo.node.packet.DropReason;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Plays a script through one node, or several. Time is that of the capture, with one exception: an end cannot answer what has not reached it, so a packet waits
 * until what came before it from the other end of its session has been sent on, or dropped. One thread; the same arguments give the same run.
 */
final class Replay {
    private static final long TURN_NS = 20_000_000;
    private static final long SWEEP_NS = 1_000_000_000;
    /** So long after the last thing that happened nothing waits any more, and turns are as rare as sweeps. */
    private static final long QUIET_NS = 3_000_000_000L;
    private static final long LONGEST_START_NS = 60_000_000_000L;

    /** Packets of one session that are due but may not come in yet, and those that came in and are not settled; by direction. */
    private static final class Conversation {
        final List<Deque<Step>> due = List.of(new ArrayDeque<>(), new ArrayDeque<>());
        final List<TreeSet<Integer>> inside = List.of(new TreeSet<>(), new TreeSet<>());
    }

    private final Script script;
    private final Sides sides;
    private final ReplayClock clock;
    private final List<ReplayNode> nodes;
    private final @Nullable SyncLink link;
    private final ToIntFunction<Step> deal;
    private final FarSide farSide = new FarSide();
    private final Outcome[] outcomes;
    private final byte[][] fed;
    private final boolean[] cameFromFar;
    private final Map<Flow, Conversation> conversations = new HashMap<>();
    /** Something of them was settled: perhaps what waited for it may come in. */
    private final Deque<Conversation> moved = new ArrayDeque<>();
    private final Map<ByteBuffer, Deque<Integer>> handedOver = new HashMap<>();
    private final @Nullable History history;
    private int next;
    private long activeNs;
    private long turnNs;
    private long sweepNs;

    /**
     * @param link    between the nodes, or null: there is one
     * @param deal    which node a packet comes to
     * @param history is told, or null
     */
    Replay(Script script, Sides sides, ReplayClock clock, List<ReplayNode> nodes, @Nullable SyncLink link, ToIntFunction<Step> deal,
            @Nullable History history) {
        this.script = script;
        this.sides = sides;
        this.clock = clock;
        this.nodes = nodes;
        this.link = link;
        this.deal = deal;
        this.history = history;
        outcomes = new Outcome[script.steps().size()];
        for (int i = 0; i < outcomes.length; i++) outcomes[i] = new Outcome();
        fed = new byte[outcomes.length][];
        cameFromFar = new boolean[outcomes.length];
    }

    /** Lets the nodes find each other and become equal: nothing of this is in the capture's time. */
    void start() throws ClusterException {
        for (ReplayNode node : nodes) node.start(this);
        long deadlineNs = clock.monotonicNs() + LONGEST_START_NS;
        while (!nodes.stream().allMatch(ReplayNode::isOpen) || link != null && link.nextNs() != Long.MAX_VALUE) {
            if (clock.monotonicNs() > deadlineNs) throw new IllegalStateException("the nodes did not become one cluster within a minute");
            work();
            clock.moveTo(clock.monotonicNs() + TURN_NS);
        }
        clock.zero();
        activeNs = turnNs = sweepNs = clock.monotonicNs();
    }

    /** Plays the script to its end. @return what became of each step */
    Outcome[] run() {
        while (true) {
            long dueNs = next < outcomes.length ? clock.at(script.steps().get(next).afterNs()) : Long.MAX_VALUE;
            long timerNs = Long.MAX_VALUE;
            for (ReplayNode node : nodes) timerNs = Math.min(timerNs, node.nextTimerNs());
            long messageNs = link == null ? Long.MAX_VALUE : link.nextNs();
            long eventNs = Math.min(dueNs, Math.min(timerNs, messageNs));
            boolean ended = next == outcomes.length && clock.monotonicNs() - activeNs >= QUIET_NS;
            if (ended) return outcomes;
            if (eventNs <= Math.min(turnNs, sweepNs)) {
                clock.moveTo(eventNs);
                activeNs = clock.monotonicNs();
            } else {
                clock.moveTo(Math.min(turnNs, sweepNs));
            }
            turn();
        }
    }

    private void turn() {
        long now = clock.monotonicNs();
        for (ReplayNode node : nodes) node.onTimers();
        drain();
        while (next < outcomes.length && clock.at(script.steps().get(next).afterNs()) <= now) {
            come(script.steps().get(next++));
            drain();
        }
        if (now >= sweepNs) {
            for (ReplayNode node : nodes) node.sweep();
            sweepNs = now + SWEEP_NS;
        }
        if (now >= turnNs) turnNs = now + (now - activeNs < QUIET_NS ? TURN_NS : SWEEP_NS);
    }

    private void work() {
        do
            for (ReplayNode node : nodes) node.doWork();
        while (link != null && link.deliver() > 0);
    }

    /** Until nothing happens any more at this instant. */
    private void drain() {
        do {
            work();
            for (Conversation conversation = moved.poll(); conversation != null; conversation = moved.poll()) pump(conversation);
            work();
        } while (!moved.isEmpty() || link != null && link.nextNs() <= clock.monotonicNs());
    }

    private void come(Step step) {
        Flow named = step.conversation();
        if (named == null) {
            feed(step);
            return;
        }
        Conversation conversation = conversations.computeIfAbsent(named, session -> new Conversation());
        conversation.due.get(direction(step)).add(step);
        pump(conversation);
    }

    /** Feeds every packet that waits for none of the other direction any more. */
    private void pump(Conversation conversation) {
        boolean again = true;
        while (again) {
            again = false;
            for (int direction = 0; direction < 2; direction++) {
                Step first = conversation.due.get(direction).peek();
                if (first == null || mustWait(first, conversation, 1 - direction)) continue;
                conversation.due.get(direction).remove();
                // A later fragment may wait inside for the first one, which comes after it.
                if (!first.isLater()) conversation.inside.get(direction).add(first.index());
                feed(first);
                again = true;
            }
        }
    }

    private static boolean mustWait(Step step, Conversation conversation, int other) {
        TreeSet<Integer> inside = conversation.inside.get(other);
        Step due = conversation.due.get(other).peek();
        return !inside.isEmpty() && inside.first() < step.index() || due != null && due.index() < step.index();
    }

    private static int direction(Step step) { return step.goesForward() ? 0 : 1; }

    private void feed(Step step) {
        int index = step.index();
        fed[index] = farSide.comingIn(step);
        cameFromFar[index] = farSide.isFar(step);
        ReplayNode node = nodes.get(deal.applyAsInt(step));
        activeNs = clock.monotonicNs();
        if (history != null) history.onCame(step, node, this);
        long before = node.opened();
        node.receive(index, portOf(step), fed[index]);
        if (node.opened() > before) outcomes[index].open();
        if (history != null && !outcomes[index].isSettled()) history.onHeld(step, node, this);
    }

    private int portOf(Step step) {
        // Who sends an error is perhaps nobody that is known, but it comes from where the packet went.
        return step.quoted() == null ? sides.portOf(step.source()) : sides.portOf(step.quoted().destination());
    }

    // What the nodes tell

    void onSent(ReplayNode node, long label, int port, byte[] frame) {
        if (label < 0) return;
        Step step = script.steps().get((int) label);
        Outcome outcome = outcomes[step.index()];
        boolean isAnswer = port == portOf(step) && sides.ports() > 1 && !leavesWhereItCame(step);
        boolean toFar = cameFromFar[step.index()] == isAnswer;
        if (!cameFromFar[step.index()] && !isAnswer) {
            Flow translated = farSide.onSent(step, frame);
            if (translated != null) outcome.translated(translated);
        }
        outcome.addSent(new Outcome.Sent(port, toFar ? farSide.asCaptured(step, frame) : frame));
        settled(step, node);
    }

    private boolean leavesWhereItCame(Step step) {
        return step.quoted() == null && sides.portOf(step.destination()) == sides.portOf(step.source());
    }

    void onDropped(ReplayNode node, long label, DropReason reason) {
        if (label < 0) return;
        Step step = script.steps().get((int) label);
        outcomes[step.index()].drop(reason);
        settled(step, node);
    }

    ReplayNode node(int nodeId) {
        for (ReplayNode node : nodes) if (node.nodeId() == nodeId) return node;
        throw new IllegalArgumentException("no node has the id " + nodeId);
    }

    void onHandedOver(ReplayNode node, long label) {
        if (label < 0) return;
        if (history != null) history.onHandedOver(script.steps().get((int) label), node, this);
        handedOver.computeIfAbsent(ByteBuffer.wrap(IpPacket.of(fed[(int) label])), bytes -> new ArrayDeque<>()).add((int) label);
    }

    /** The label of a packet that a peer has handed over. */
    long labelOf(byte[] packet) {
        Deque<Integer> labels = handedOver.get(ByteBuffer.wrap(packet));
        if (labels == null || labels.isEmpty()) throw new IllegalStateException("a node was handed a packet that no other gave away");
        return labels.remove();
    }

    private void settled(Step step, ReplayNode node) {
        if (history != null) history.onSettled(step, node, outcomes[step.index()], this);
        Flow named = step.conversation();
        if (named == null) return;
        Conversation conversation = conversations.get(named);
        if (conversation == null) return;
        if (conversation.inside.get(direction(step)).remove(step.index())) moved.add(conversation);
    }

    // What the history asks

    ReplayClock clock() { return clock; }

    List<ReplayNode> nodes() { return nodes; }

    /** The keys under which a session may stand or be found: its own, and that of its translated ends. */
    List<SessionKey> keysOf(Flow conversation) {
        List<SessionKey> keys = new ArrayList<>();
        keys.add(conversation.key());
        for (ReplayNode node : nodes) {
            SessionKey key = new SessionKey();
            if (node.table().find(conversation.key(), key, new SessionRecord()) != SessionTable.Found.NOT) keys.add(key);
        }
        return keys;
    }

    List<String> underWayAbout(Flow conversation) { return link == null ? List.of() : link.about(keysOf(conversation)); }
}

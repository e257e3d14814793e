package io.ambo.hatests.sim;

import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.membership.View;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * The sync link, with the promises of {@link Transport} as JGroups keeps them.
 *
 * <ul>
 * <li>Between two members that stay in each other's views, messages to all arrive in order and once; so do messages to one; the two kinds overtake each other.
 * A lost packet is sent again, so that what follows it is late as well. A link that is cut for a moment delays.
 * <li>What is under way when the receiver gives up the sender is lost. What was sent in a view that the receiver has yet to install waits for it.
 * <li>Hints may be lost and come in any order.
 * <li>With {@link Scenario#brokenPromises} some messages are lost, come twice, or after later ones.
 * </ul>
 */
final class SyncLink {
    /** A packet that was lost is missed and sent again after so long. */
    private static final long RETRANSMIT_NS = 12 * Agenda.MS;
    private static final long LATEST_NS = 400 * Agenda.MS;

    private final Agenda agenda;
    private final EventLog log;
    private final SplittableRandom random;
    private final Membership membership;
    private final double brokenPromises;
    private final boolean[][] cut;
    private double loss;
    private long slowestNs = 250 * Agenda.US;
    private boolean keepsPromises;
    private long messages;

    SyncLink(Agenda agenda, EventLog log, SplittableRandom random, Scenario scenario) {
        this.agenda = agenda;
        this.log = log;
        this.random = random;
        brokenPromises = scenario.brokenPromises();
        loss = scenario.syncLoss();
        cut = new boolean[scenario.nodes()][scenario.nodes()];
        membership = new Membership(this, agenda, log, random.split());
    }

    Membership membership() { return membership; }

    long messages() { return messages; }

    /** Nothing that one node sends reaches the other. */
    void cut(int from, int to) { cut[from][to] = true; }

    void mend(int from, int to) {
        cut[from][to] = false;
        membership.pumpAll();
    }

    void mendAll() {
        for (boolean[] each : cut) Arrays.fill(each, false);
        membership.pumpAll();
    }

    boolean isCut(int from, int to) { return cut[from][to]; }

    boolean isWhole() {
        for (boolean[] each : cut) for (boolean one : each) if (one) return false;
        return true;
    }

    void lose(double share) { loss = share; }

    void delay(long newSlowestNs) { slowestNs = newSlowestNs; }

    /** From now on every promise is kept. */
    void keepPromises() { keepsPromises = true; }

    /** How long a packet takes that is not lost. */
    long delayNs() { return 20 * Agenda.US + random.nextLong(slowestNs); }

    private long delayOfMessageNs() {
        long delay = delayNs();
        for (int tries = 0; tries < 20 && random.nextDouble() < loss; tries++) delay += RETRANSMIT_NS;
        return delay;
    }

    /** Brings a datagram to a node: it may be lost, and overtakes others. */
    void carry(int from, int to, Runnable arrive) {
        if (cut[from][to] || random.nextDouble() < loss) return;
        agenda.in(delayNs(), () -> { if (!cut[from][to]) arrive.run(); });
    }

    private boolean breaksPromise() { return !keepsPromises && brokenPromises > 0 && random.nextDouble() < brokenPromises; }

    /** @param number of the sender's view */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Message(byte[] bytes, long number, long readyNs) {}

    /** One kind of messages from one member to another, in order. */
    private final class Channel {
        private final Member from;
        private final Member to;
        private final Deque<Message> queue = new ArrayDeque<>();
        private long lastNs;
        private long pumpAtNs = Long.MAX_VALUE;

        Channel(Member from, Member to) {
            this.from = from;
            this.to = to;
        }

        void offer(byte[] bytes) {
            messages++;
            long number = from.view().number();
            if (breaksPromise()) {
                int how = random.nextInt(3);
                if (how == 0) return;
                Message late = new Message(bytes, number, agenda.nowNs() + random.nextLong(LATEST_NS));
                agenda.at(late.readyNs(), () -> { if (!cut[from.node][to.node]) arrive(late); });
                if (how == 1) return;
            }
            lastNs = Math.max(lastNs, agenda.nowNs() + delayOfMessageNs());
            queue.add(new Message(bytes, number, lastNs));
            pumpAt(lastNs);
        }

        private void pumpAt(long atNs) {
            if (pumpAtNs <= atNs) return;
            pumpAtNs = atNs;
            agenda.at(atNs, () -> {
                if (pumpAtNs != agenda.nowNs()) return;
                pumpAtNs = Long.MAX_VALUE;
                pump();
            });
        }

        /** Delivers what is due, up to what has to wait for a link or for a view. */
        void pump() {
            while (!queue.isEmpty()) {
                Message first = queue.peek();
                if (first.readyNs() > agenda.nowNs()) {
                    pumpAt(first.readyNs());
                    return;
                }
                if (to.gone) queue.clear();
                if (to.gone || cut[from.node][to.node] || to.number() < first.number()) return;
                queue.remove();
                arrive(first);
            }
        }

        private void arrive(Message message) {
            to.host.run(() -> {
                if (to.gone || !to.view().members().contains(from) || to.view().number() < message.number()) return;
                to.receiver().onMessage(from.id, message.bytes(), 0, message.bytes().length);
            });
        }
    }

    /** One life of one node on the link: a node that comes back is another member. */
    final class Member implements Transport {
        final NodeId id;
        final int node;
        final Host host;
        boolean gone;
        private @Nullable GroupView view;
        private @Nullable Receiver receiver;
        private final Map<Member, Channel> toAll = new LinkedHashMap<>();
        private final Map<Member, Channel> toOne = new LinkedHashMap<>();

        Member(NodeId id, int node, Host host) {
            this.id = id;
            this.node = node;
            this.host = host;
        }

        GroupView view() {
            if (view == null) throw new IllegalStateException(id + " has not joined");
            return view;
        }

        /** Of its view; 0: none yet. */
        long number() { return view == null ? 0 : view.number(); }

        private Receiver receiver() {
            if (receiver == null) throw new IllegalStateException(id + " has not joined");
            return receiver;
        }

        /** Takes over a view. What members that are not in it had under way is lost. */
        void install(GroupView newView, List<NodeId> parts) {
            view = newView;
            List<NodeId> order = new ArrayList<>();
            String clash = "";
            for (Member each : newView.members()) {
                if (order.contains(each.id)) clash = "another member is called " + each.id + " too";
                else
                    order.add(each.id);
            }
            log.add(EventLog.CLUSTER, id.name(),
                    "view " + newView.number() + " " + order + (parts.isEmpty() ? "" : " of parts " + parts) + clash);
            membership.forgetChannels(this);
            receiver().onMembership(new Transport.Membership(new View(newView.number(), id, order), parts, clash));
            membership.pumpTo(this);
        }

        void dropFrom(Member sender) {
            Channel all = sender.toAll.get(this);
            if (all != null) all.queue.clear();
            Channel one = sender.toOne.get(this);
            if (one != null) one.queue.clear();
        }

        void pumpTo(Member to) {
            Channel all = toAll.get(to);
            if (all != null) all.pump();
            Channel one = toOne.get(to);
            if (one != null) one.pump();
        }

        /** The process is gone. What it had handed to the kernel may still arrive. */
        void crash() {
            gone = true;
            for (Channel each : toAll.values()) if (random.nextBoolean()) each.queue.clear();
            for (Channel each : toOne.values()) if (random.nextBoolean()) each.queue.clear();
            membership.onCrash(this);
        }

        @Override
        public void start(Receiver to) {
            receiver = to;
            membership.join(this);
        }

        @Override
        public void sendToAll(byte[] bytes, int offset, int length) {
            byte[] message = Arrays.copyOfRange(bytes, offset, offset + length);
            for (Member each : view().members())
                if (each != this) toAll.computeIfAbsent(each, peer -> new Channel(this, peer)).offer(message);
        }

        @Override
        public void sendTo(NodeId peer, byte[] bytes, int offset, int length) {
            Member to = member(peer);
            if (to != null)
                toOne.computeIfAbsent(to, one -> new Channel(this, one)).offer(Arrays.copyOfRange(bytes, offset, offset + length));
        }

        @Override
        public void sendHint(NodeId peer, byte[] bytes, int offset, int length) {
            Member to = member(peer);
            if (to == null || random.nextDouble() < loss + 0.02) return;
            byte[] hint = Arrays.copyOfRange(bytes, offset, offset + length);
            agenda.in(delayNs(), () -> {
                if (cut[node][to.node] || to.gone) return;
                to.host.run(
                        () -> { if (!to.gone && to.view().members().contains(this)) to.receiver().onMessage(id, hint, 0, hint.length); });
            });
        }

        /** The youngest member of this name. */
        private @Nullable Member member(NodeId peer) {
            Member found = null;
            for (Member each : view().members()) if (each.id.equals(peer)) found = each;
            return found == this ? null : found;
        }

        @Override
        public void close() {
            gone = true;
            membership.onLeave(this);
        }

        @Override
        public String toString() { return id.name(); }
    }

    /** What all members of a group agree on. Numbers grow over the whole link. */
    record GroupView(long number, List<Member> members) {
        GroupView {
            members = List.copyOf(members);
        }
    }
}

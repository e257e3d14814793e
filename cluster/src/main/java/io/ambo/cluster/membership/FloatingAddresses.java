package io.ambo.cluster.membership;

import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.membership.NodeState.AddressState;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Which node has which floating address. Pure, and the same on every node that knows the same: nobody is asked, nobody leads.
 *
 * <pre>
 *   who may have it     speaks, its gate is open (its table is equal), its interface has a link
 *   of these            those for whom everything that is tracked is there, if there are any; of these, those that do not drain, if there are any
 *   of these            the preferred node; else the one that has it; else the one that rendezvous hashing names
 *
 *   a host that forwards though its process is silent keeps what it has: nobody takes it (until the process is given up)
 * </pre>
 *
 * An address changes hands by make before break: the new node takes and announces it, the old one gives it up when it hears so. Both forward meanwhile, so no
 * packet is lost. Without a link it is given up at once.
 *
 * <p>
 * <b>When the sync link is cut</b> each side is alone. The network is asked then: an address that somebody on its link answers for is not taken. When both have
 * one and cannot speak, the node that is not preferred gives way; without preference the one with the higher hardware address.
 */
public final class FloatingAddresses {
    private FloatingAddresses() {}

    /**
     * A floating address, as it stands in the config of every node.
     *
     * @param prefer name of a node; empty: whoever has it
     */
    public record Floating(IpAddress address, String prefer) {}

    /** A node that counts, this one included. */
    public record Candidate(NodeId node, Standing standing, NodeState state) {}

    public enum Action {
        /** Take and announce it. */
        TAKE,
        /** This node has it and keeps it. */
        KEEP,
        /** Give it up. */
        RELEASE,
        /** It is another's. */
        LEAVE
    }

    /**
     * What this node does about one address.
     *
     * @param holder node id that should have it; 0: nobody can
     * @param reason for the operator
     */
    public record Decision(Floating floating, int holder, Action action, String reason) {}

    /** A candidate and what it says of the address in question. */
    private record Bid(Candidate candidate, AddressState address) {
        NodeId node() { return candidate.node(); }

        boolean held() { return address.held(); }

        boolean fit() { return address.fit(); }

        boolean draining() { return candidate.state().draining() || candidate.state().leaving(); }
    }

    /**
     * Decides about all addresses.
     *
     * @param answering hardware addresses of others that answer for an address on its link, while that is asked
     */
    public static List<Decision> decide(NodeId local, List<Floating> addresses, Collection<Candidate> candidates,
            Map<IpAddress, Long> answering) {
        List<Decision> decisions = new ArrayList<>();
        for (Floating each : addresses) decisions.add(decide(local, each, candidates, answering.get(each.address())));
        return decisions;
    }

    private static Decision decide(NodeId local, Floating floating, Collection<Candidate> candidates, @Nullable Long answering) {
        List<Bid> able = new ArrayList<>();
        Bid own = null;
        Bid silentHolder = null;
        boolean holderTalks = false;
        for (Candidate candidate : candidates) {
            AddressState address = candidate.state().of(floating.address());
            if (address == null) continue;
            Bid bid = new Bid(candidate, address);
            boolean isLocal = candidate.node().equals(local);
            if (isLocal) own = bid;
            if (candidate.standing() == Standing.TALKS) {
                if (candidate.state().open() && address.linked()) able.add(bid);
                holderTalks |= bid.held() && !isLocal;
            } else if (candidate.standing() == Standing.PROCESS_SILENT && bid.held()) {
                silentHolder = bid;
            }
        }
        if (own == null) return new Decision(floating, 0, Action.LEAVE, "not in this node's config");
        // Whoever takes over from a silent process has said so: then that is how it is.
        if (silentHolder != null && !holderTalks && !own.held())
            return new Decision(floating, silentHolder.node().value(), Action.LEAVE,
                    silentHolder.node() + " has it: its host forwards, though its process is silent");
        Bid holder = choose(floating, able);
        return holder != null && holder.node().equals(local)
                ? here(floating, own, holderTalks, answering)
                : elsewhere(floating, own, holder);
    }

    private static @Nullable Bid choose(Floating floating, List<Bid> able) {
        List<Bid> left = best(able, bid -> bid.fit());
        left = best(left, bid -> !bid.draining());
        if (left.isEmpty()) return null;
        for (Bid bid : left) if (bid.node().name().equals(floating.prefer())) return bid;
        left = best(left, Bid::held);
        return left.stream().max(Comparator.<Bid>comparingLong(bid -> weight(floating, bid.node()))
                .thenComparing(bid -> bid.node().name())).orElse(null);
    }

    /** Those for whom it is so; all, when it is so for none. */
    private static List<Bid> best(List<Bid> bids, java.util.function.Predicate<Bid> condition) {
        List<Bid> chosen = bids.stream().filter(condition).toList();
        return chosen.isEmpty() ? bids : chosen;
    }

    private static long weight(Floating floating, NodeId node) {
        return Ownership.weight(floating.address().high() * 31 + floating.address().low(), node);
    }

    /** This node should have it. */
    private static Decision here(Floating floating, Bid own, boolean holderTalks, @Nullable Long answering) {
        int id = own.node().value();
        if (holderTalks || answering == null) {
            String reason = own.node().name().equals(floating.prefer()) ? "preferred here" : why(own);
            return new Decision(floating, id, own.held() ? Action.KEEP : Action.TAKE, reason);
        }
        String who = "%012x".formatted(answering).replaceAll("(..)(?!$)", "$1:");
        if (!own.held())
            return new Decision(floating, 0, Action.LEAVE, who + " answers for it on the link and does not speak with this node");
        boolean gives = floating.prefer().isEmpty()
                ? own.address().mac() > answering
                : !own.node().name().equals(floating.prefer());
        return gives
                ? new Decision(floating, 0, Action.RELEASE, who + " has it too and does not speak with this node: this one gives way")
                : new Decision(floating, id, Action.KEEP, who + " has it too and does not speak with this node: it gives way");
    }

    /** Another node should have it, or nobody can. */
    private static Decision elsewhere(Floating floating, Bid own, @Nullable Bid holder) {
        int id = holder == null ? 0 : holder.node().value();
        String obstacle = obstacle(own);
        if (!own.held()) {
            String reason = holder == null
                    ? "nobody can have it; here: " + obstacle
                    : holder.node().name().equals(floating.prefer())
                            ? "preferred on " + holder.node()
                            : obstacle.isEmpty() ? holder.node() + " has it" : obstacle;
            return new Decision(floating, id, Action.LEAVE, reason);
        }
        if (!own.address().linked()) return new Decision(floating, id, Action.RELEASE, obstacle);
        if (holder == null) return new Decision(floating, own.node().value(), Action.KEEP, "nobody else can have it; here: " + obstacle);
        if (holder.held()) return new Decision(floating, id, Action.RELEASE, holder.node() + " has it now");
        return new Decision(floating, id, Action.KEEP, "until " + holder.node() + " has it");
    }

    private static String why(Bid own) { return own.held() ? "this node has it" : "nobody else can have it, or hashing names this node"; }

    /** Why this node is not the first choice; empty when it could be. */
    private static String obstacle(Bid own) {
        if (!own.address().linked()) return "its interface has no link";
        if (!own.candidate().state().open()) return "this node's gate is closed";
        if (!own.fit()) return "something that is tracked is not there";
        if (own.candidate().state().leaving()) return "this node is stopping";
        if (own.draining()) return "this node drains";
        return "";
    }

    /** Where each address is, as far as known: the nodes that have it and count. */
    public static Map<IpAddress, List<NodeId>> holders(List<Floating> addresses, Collection<Candidate> candidates) {
        Map<IpAddress, List<NodeId>> holders = new HashMap<>();
        for (Floating each : addresses) {
            List<NodeId> having = new ArrayList<>();
            for (Candidate candidate : candidates) {
                AddressState address = candidate.state().of(each.address());
                boolean counts = candidate.standing() != Standing.HOST_SILENT && candidate.standing() != Standing.LEFT;
                if (counts && address != null && address.held()) having.add(candidate.node());
            }
            holders.put(each.address(), having);
        }
        return holders;
    }
}

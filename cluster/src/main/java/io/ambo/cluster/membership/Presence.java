package io.ambo.cluster.membership;

import io.ambo.cluster.membership.HostLiveness.State;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What this node knows of each peer: its last word, whether its process speaks, whether its host lives. Pure: clock, messages and answers are arguments. Lives
 * on one thread.
 *
 * <pre>
 *            states come                          none for stateTimeout             none for processTimeout
 *   LEFT ------------------> TALKS ----------------------------------> PROCESS_SILENT --------------------> PROCESS_GONE
 *    ^                         |  host silent for probeTimeout             |                                     |
 *    |                         +-------------------------------------------+-------------> HOST_SILENT <---------+
 *    +-- "I am leaving" -------+       any answer or state: back to where it belongs
 * </pre>
 */
public final class Presence {
    /**
     * All in nanoseconds.
     *
     * @param probeInterval  between two probes of a host
     * @param probeTimeout   a host that has not answered for so long is gone
     * @param stateTimeout   a process that has not spoken for so long is silent
     * @param processTimeout and after so long its addresses go on without it
     */
    public record Timing(long probeInterval, long probeTimeout, long stateTimeout, long processTimeout) {}

    /** One peer. */
    private static final class Peer {
        final NodeId node;
        final HostLiveness host;
        @Nullable
        NodeState state;
        boolean inView;
        long quietNs;

        Peer(NodeId node, Timing timing) {
            this.node = node;
            host = new HostLiveness(timing.probeInterval, timing.probeTimeout);
        }
    }

    private final Timing timing;
    private final Map<NodeId, Peer> peers = new TreeMap<>(java.util.Comparator.comparing(NodeId::name));
    private boolean started;
    private long tickedNs;

    public Presence(Timing timing) { this.timing = timing; }

    /** Members besides this node; what those say who are none is not heard, and who leaves the view stays known. */
    public void onView(View view) {
        for (Peer peer : peers.values()) peer.inView = false;
        for (NodeId member : view.members())
            if (!member.equals(view.local())) peers.computeIfAbsent(member, node -> new Peer(node, timing)).inView = true;
        // Not a member, silent at last, and with nothing that anybody waits for: forgotten.
        peers.values().removeIf(peer -> !peer.inView && (peer.state == null || peer.state.leaving()));
    }

    /** @return whether it was news: a later state than the one known */
    public boolean onState(NodeId from, NodeState state) {
        Peer peer = peers.get(from);
        if (peer == null) return false;
        NodeState before = peer.state;
        if (before != null && before.run() == state.run() && state.number() <= before.number()) return false;
        peer.state = state;
        peer.quietNs = 0;
        peer.host.onHeard();
        return true;
    }

    /** Its kernel has answered a probe. */
    public void onAnswer(NodeId from) {
        Peer peer = peers.get(from);
        if (peer != null) peer.host.onAnswer();
    }

    /** Time has passed. @return the peers whose hosts are to be probed now */
    public Set<NodeId> tick(long nowNs) {
        long passedNs = started ? Math.clamp(nowNs - tickedNs, 0, timing.stateTimeout / 4) : 0;
        started = true;
        tickedNs = nowNs;
        Set<NodeId> due = new HashSet<>();
        for (Peer peer : peers.values()) {
            peer.quietNs += passedNs;
            NodeState state = peer.state;
            if (state != null && !state.leaving() && peer.host.tick(nowNs)) due.add(peer.node);
        }
        return due;
    }

    public Set<NodeId> peers() { return Set.copyOf(peers.keySet()); }

    public @Nullable NodeState state(NodeId node) {
        Peer peer = peers.get(node);
        return peer == null ? null : peer.state;
    }

    public Standing standing(NodeId node) {
        Peer peer = peers.get(node);
        if (peer == null) return Standing.LEFT;
        NodeState state = peer.state;
        if (state == null) return Standing.LEFT;
        if (state.leaving() && (!peer.inView || peer.quietNs >= timing.stateTimeout)) return Standing.LEFT;
        State host = peer.host.state();
        if (host == State.SILENT) return Standing.HOST_SILENT;
        if (peer.quietNs < timing.stateTimeout) return Standing.TALKS;
        // Nobody but its process could tell of such a host, and that has been given up.
        if (host == State.UNPROVEN && !peer.inView) return Standing.HOST_SILENT;
        if (peer.quietNs < timing.processTimeout) return Standing.PROCESS_SILENT;
        return Standing.PROCESS_GONE;
    }

    /** Half of a host's timeout has passed without an answer. */
    public boolean isSuspect(NodeId node) {
        Peer peer = peers.get(node);
        return peer != null && peer.state != null && !peer.state.leaving() && peer.host.isSuspect();
    }

    /** True for a peer whose host has never answered a probe: its death is noticed by its process's silence alone. */
    public boolean isUnproven(NodeId node) {
        Peer peer = peers.get(node);
        return peer != null && peer.host.state() == State.UNPROVEN;
    }

    /** How long its host has been silent, in milliseconds. */
    public long hostSilenceMs(NodeId node) {
        Peer peer = peers.get(node);
        return peer == null ? 0 : peer.host.silenceNs() / 1_000_000;
    }

    /** How long its process has been silent, in milliseconds. */
    public long processSilenceMs(NodeId node) {
        Peer peer = peers.get(node);
        return peer == null ? 0 : peer.quietNs / 1_000_000;
    }
}

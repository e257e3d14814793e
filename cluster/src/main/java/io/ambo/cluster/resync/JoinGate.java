package io.ambo.cluster.resync;

import io.ambo.cluster.GateState;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport.Membership;
import io.ambo.cluster.membership.View;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Decides when this node may take traffic. Pure: no threads, no clock; everything it knows it was told. Lives on the resync thread.
 *
 * <pre>
 *   closed, looking for members
 *      |-- nobody else there, nobody refused ------------------------------> open, with its own table
 *      |-- first of the first view: the others come after it --------------> open, with its own table
 *      |-- others were there: compare with one that is open
 *             |-- equal ---------------------------------------------------> open
 *             |-- no answer, busy, joining itself: the next one; all tried: wait, begin again
 *             |-- it left and nobody is there any more --------------------> open, with what has come
 *             |-- nobody is open and this is the longest-standing ---------> open, with its own table
 *   closed, with the reason: two nodes of one id; somebody on the link has another key; members of another mode
 * </pre>
 *
 * In redirect mode every member has something that this node is to have: it is equal when it has been compared with each that is open.
 *
 * Once open it stays open: what happens later is repaired while packets flow.
 */
public final class JoinGate {
    /**
     * How long a stranger on the link keeps a lone node from opening: one that has settled speaks up only every 1 to 3 s (MERGE3 draws from half of
     * its longest interval to one and a half), and two such packets may be lost.
     */
    static final long STRANGER_MS = 10_000;

    /** How a comparison ended. */
    public enum Outcome {
        EQUAL, NOT_OPEN, BUSY, NO_ANSWER, LEFT, STILL_DIFFERENT, OTHER_MODE
    }

    private final long retryMs;
    private final boolean everyPeer;
    private final Set<NodeId> tried = new HashSet<>();
    private final Set<NodeId> equal = new HashSet<>();
    private final Set<NodeId> notOpen = new HashSet<>();
    private @Nullable Membership membership;
    private boolean founder;
    private boolean onlyNotOpen = true;
    private boolean interrupted;
    private @Nullable NodeId comparing;
    /** The view has changed since the comparison began. */
    private boolean outdated;
    private long retryAtMs = Long.MIN_VALUE;
    private String failure = "";
    private String stranger = "";
    private long strangerAtMs;
    private long received;
    private long expected;
    private GateState state = new GateState(false, 0, 0, "looking for members");

    /** @param retryMs pause after everybody has been tried */
    public JoinGate(long retryMs) { this(retryMs, false); }

    /** @param everyPeer redirect mode */
    public JoinGate(long retryMs, boolean everyPeer) {
        this.retryMs = retryMs;
        this.everyPeer = everyPeer;
    }

    public GateState state() { return state; }

    public void onMembership(Membership now, long nowMs) {
        // The place of a predecessor that has not been given up yet is not this node's.
        if (membership == null) founder = now.clash().isEmpty() && now.view().members().getFirst().equals(now.view().local());
        // What the tables have in common depends on the view.
        if (everyPeer && membership != null && !hasSameHomes(membership.view(), now.view())) {
            equal.clear();
            outdated = comparing != null;
        }
        membership = now;
        tried.removeIf(peer -> !now.view().members().contains(peer));
        equal.retainAll(now.view().members());
        notOpen.retainAll(now.view().members());
        evaluate(nowMs);
    }

    private static boolean hasSameHomes(View a, View b) { return a.members().equals(b.members()) && a.draining().equals(b.draining()); }

    /** The same members, of whom others drain. */
    public void onDraining(View now, long nowMs) {
        Membership known = membership;
        if (known != null) onMembership(new Membership(now, known.parts(), known.clash()), nowMs);
    }

    /** Somebody on the link was refused. */
    public void onStranger(String reason, long nowMs) {
        stranger = reason;
        strangerAtMs = nowMs;
        evaluate(nowMs);
    }

    /** Records have come from the peer that the tables are compared with. */
    public void onProgress(long receivedRecords, long expectedRecords, long nowMs) {
        received = receivedRecords;
        expected = expectedRecords;
        evaluate(nowMs);
    }

    public void onCompared(NodeId peer, Outcome outcome, String detail, long nowMs) {
        comparing = null;
        boolean again = outdated && outcome == Outcome.EQUAL;
        outdated = false;
        if (state.open()) return;
        notOpen.remove(peer);
        if (again) {
            evaluate(nowMs);
            return;
        }
        if (outcome == Outcome.EQUAL) {
            equal.add(peer);
            if (everyPeer && !isEqualToAll()) {
                failure = "";
                evaluate(nowMs);
                return;
            }
            open("in sync with " + (everyPeer && equal.size() > 1 ? "all members" : peer.toString())
                    + (detail.isEmpty() ? "" : ", " + detail));
            return;
        }
        if (outcome == Outcome.NOT_OPEN) notOpen.add(peer);
        interrupted |= outcome == Outcome.LEFT && received > 0;
        onlyNotOpen &= outcome == Outcome.NOT_OPEN || outcome == Outcome.LEFT;
        failure = switch (outcome) {
            case NOT_OPEN -> peer + " is joining itself";
            case BUSY -> peer + " has too many joining nodes at once";
            case NO_ANSWER -> peer + " does not answer on the sync link";
            case LEFT -> peer + " left while the tables were compared";
            case OTHER_MODE -> peer + " has another cluster.mode: give all members the same";
            case STILL_DIFFERENT, EQUAL -> "the tables of this node and " + peer + " still differ: " + detail;
        };
        tried.add(peer);
        if (everyPeer && isEqualToAll()) open("in sync with all members that are open");
        else
            evaluate(nowMs);
    }

    private boolean isEqualToAll() {
        Membership known = membership;
        if (known == null || equal.isEmpty()) return false;
        for (NodeId peer : known.view().members())
            if (!peer.equals(known.view().local()) && !equal.contains(peer) && !notOpen.contains(peer)) return false;
        return true;
    }

    /** Time has passed: call it now and then. */
    public void evaluate(long nowMs) {
        if (state.open()) return;
        Membership known = membership;
        if (known == null) return;
        View view = known.view();
        if (!known.clash().isEmpty()) close(known.clash());
        else if (view.alone() && !stranger.isEmpty() && nowMs - strangerAtMs < STRANGER_MS) close(stranger);
        else if (view.alone() && interrupted)
            open(failure + " and nobody else is there: open with the " + received + " sessions that have come and its own");
        else if (view.alone()) open("nobody else is there: open with its own table");
        else if (founder) open("first of the cluster: open with its own table");
        else if (everyPeer && comparing == null && isEqualToAll()) open("in sync with all members that are open");
        else if (comparing != null) close("comparing tables with " + comparing);
        else
            close(failure.isEmpty() ? "about to compare tables" : failure + "; trying again");
    }

    /** The peer to compare with now, if it is time. The answer is a promise to call {@link #onCompared} for it. */
    public @Nullable NodeId nextPeer(long nowMs) {
        Membership known = membership;
        if (state.open() || known == null || !known.clash().isEmpty() || comparing != null || nowMs < retryAtMs) return null;
        View view = known.view();
        for (NodeId peer : view.members()) {
            if (peer.equals(view.local()) || tried.contains(peer) || equal.contains(peer)) continue;
            comparing = peer;
            received = 0;
            expected = 0;
            evaluate(nowMs);
            return peer;
        }
        boolean first = view.members().getFirst().equals(view.local());
        if (onlyNotOpen && first && !tried.isEmpty()) {
            open("no member has a whole table and this is the longest-standing: open with its own");
            return null;
        }
        tried.clear();
        onlyNotOpen = true;
        retryAtMs = nowMs + retryMs;
        return null;
    }

    private void open(String reason) { state = new GateState(true, received, expected, reason); }

    private void close(String reason) { state = new GateState(false, received, expected, reason); }
}

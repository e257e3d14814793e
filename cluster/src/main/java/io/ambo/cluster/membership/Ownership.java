package io.ambo.cluster.membership;

import io.ambo.cluster.session.SessionKey;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which member answers for a session. Pure: the same view and session give the same answer on every node. */
public final class Ownership {
    private Ownership() {}

    /**
     * The owner that counts: the recorded one while it is a member and does not drain, else the one that rendezvous hashing over the members names, so that a dead node's
     * sessions spread evenly and move no more than they must. When all drain, the recorded one goes on.
     *
     * @param recorded node id in the record
     * @return node id
     */
    public static int owner(View view, SessionKey key, int recorded) {
        if (view.mayOwn(recorded)) return recorded;
        NodeId heir = highest(view, key.hash(), 0);
        if (heir == null) return view.local().value();
        return view.drains(heir.value()) && view.contains(recorded) ? recorded : heir.value();
    }

    /**
     * The highest member for a key with this hash: of those that do not drain, if there is any, the one with the most weight.
     *
     * @param excluded node id of a member that does not count; 0: all count
     * @return null when no other is there
     */
    static @Nullable NodeId highest(View view, long keyHash, int excluded) {
        List<NodeId> members = view.members();
        NodeId best = null;
        for (int i = 0; i < members.size(); i++) {
            NodeId member = members.get(i);
            if (member.value() != excluded && (best == null || isAbove(view, keyHash, member, best))) best = member;
        }
        return best;
    }

    /** The same among those below a member. */
    static @Nullable NodeId highestBelow(View view, long keyHash, NodeId top, int excluded) {
        List<NodeId> members = view.members();
        NodeId best = null;
        for (int i = 0; i < members.size(); i++) {
            NodeId member = members.get(i);
            if (member.value() == excluded || member.value() == top.value() || !isAbove(view, keyHash, top, member)) continue;
            if (best == null || isAbove(view, keyHash, member, best)) best = member;
        }
        return best;
    }

    private static boolean isAbove(View view, long hash, NodeId one, NodeId other) {
        boolean drains = view.drains(one.value());
        if (drains != view.drains(other.value())) return !drains;
        int byWeight = Long.compare(weight(hash, one), weight(hash, other));
        return byWeight == 0 ? one.value() < other.value() : byWeight > 0;
    }

    /** Of a node for something with this hash: the highest of all members has it. */
    static long weight(long hash, NodeId node) {
        return mix(hash ^ node.value() * 0x9E3779B97F4A7C15L);
    }

    private static long mix(long x) {
        long h = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
        h = (h ^ (h >>> 27)) * 0x94D049BB133111EBL;
        return h ^ (h >>> 31);
    }
}

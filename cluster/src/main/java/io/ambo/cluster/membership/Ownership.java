package io.ambo.cluster.membership;

import io.ambo.cluster.session.SessionKey;
import java.util.List;

/** Which member answers for a session. Pure: the same view and session give the same answer on every node. */
public final class Ownership {
    private Ownership() {}

    /**
     * The owner that counts: the recorded one while it is a member, else the one that rendezvous hashing over the members names, so that a dead node's
     * sessions spread evenly and move no more than they must.
     *
     * @param recorded node id in the record
     * @return node id
     */
    public static int owner(View view, SessionKey key, int recorded) { return view.contains(recorded) ? recorded : heir(view, key); }

    /** The member with the highest weight for this key. */
    public static int heir(View view, SessionKey key) {
        long hash = key.hash();
        List<NodeId> members = view.members();
        int best = view.local().value();
        long bestWeight = Long.MIN_VALUE;
        for (int i = 0; i < members.size(); i++) {
            int id = members.get(i).value();
            long weight = mix(hash ^ id * 0x9E3779B97F4A7C15L);
            if (weight > bestWeight || (weight == bestWeight && id < best)) {
                bestWeight = weight;
                best = id;
            }
        }
        return best;
    }

    private static long mix(long x) {
        long h = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
        h = (h ^ (h >>> 27)) * 0x94D049BB133111EBL;
        return h ^ (h >>> 31);
    }
}

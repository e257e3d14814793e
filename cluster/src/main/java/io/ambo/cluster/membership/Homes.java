package io.ambo.cluster.membership;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import org.jspecify.annotations.Nullable;

/**
 * Where a session is kept in redirect mode: with its owner; with one backup, the first that rendezvous hashing over the view names besides the owner; and, when
 * it is translated, with the node that its translated ends name, since a packet of the reply flow knows only those, and with the one that has given its ports out,
 * its creator, which must not give them out again: whoever owns the session now, the ports are of its share.
 *
 * <pre>
 *   director of a packet = first of the hash of its ends    is the owner, or the backup: so it knows the owner
 * </pre>
 *
 * The same view and record give the same answer on every node. One thread; nothing here allocates.
 */
public final class Homes {
    private final SessionKey translated = new SessionKey();

    /** Whom a node asks that does not know the session of a packet whose ends have this hash. */
    public static NodeId director(View view, long endsHash) {
        NodeId first = Ownership.highest(view, endsHash, 0);
        return first == null ? view.local() : first;
    }

    /** The same among the others; null when this node is alone. */
    public static @Nullable NodeId directorOtherThanLocal(View view, long endsHash) {
        return Ownership.highest(view, endsHash, view.local().value());
    }

    /**
     * Whom this node asks next about a packet that it was asked about and does not know: the members are asked in the order of their weight, so that each is asked
     * once, and whoever has the session is found.
     *
     * @param ingress the member that the packet came in at, which is not asked
     * @return null when all have been asked
     */
    public static @Nullable NodeId nextDirector(View view, long endsHash, int ingress) {
        NodeId local = view.local();
        if (local.value() == ingress) return directorOtherThanLocal(view, endsHash);
        return Ownership.highestBelow(view, endsHash, local, ingress);
    }

    /** @return null when nobody but the owner is there */
    public static @Nullable NodeId backup(View view, long keyHash, int owner) {
        return Ownership.highest(view, keyHash, owner);
    }

    /** The member that answers for it: the recorded owner while it is there, then the backup. */
    public static int owner(View view, SessionKey key, SessionRecord session) {
        return Ownership.owner(view, key, session.owner());
    }

    public boolean has(View view, int member, SessionKey key, SessionRecord session) {
        int owner = owner(view, key, session);
        if (member == owner) return true;
        NodeId backup = backup(view, key.hash(), owner);
        if (backup != null && backup.value() == member) return true;
        if (!session.has(SessionRecord.TRANSLATED)) return false;
        return session.creator() == member || ofTranslatedEnds(view, key, session).value() == member;
    }

    private NodeId ofTranslatedEnds(View view, SessionKey key, SessionRecord session) {
        session.writeTranslatedKey(key, translated);
        return director(view, translated.hash());
    }
}

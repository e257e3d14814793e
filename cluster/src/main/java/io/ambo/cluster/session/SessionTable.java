package io.ambo.cluster.session;

/**
 * All sessions this node knows: the only truth about them. Threads: packet workers and the receiving side of replication use it at once; each call holds
 * the lock of one entry (or of one slice) and does no I/O. No method here allocates.
 */
public interface SessionTable extends AutoCloseable {
    /** Buckets that digests are taken over; the same on every node. */
    int BUCKETS = 4096;

    /** What became of an insertion, or of a claim. */
    enum Insert {
        INSERTED, EXISTS, FULL
    }

    /** By which of its ends a session was found. */
    enum Found {
        NOT, BY_OWN_ENDS, BY_TRANSLATED_ENDS
    }

    /** What a merge did to this node's copy. */
    enum Merge {
        /** The session was not known here. */
        INSERTED,
        /** The same incarnation; something climbed. */
        ADVANCED,
        /** Nothing new. */
        UNCHANGED,
        /** The other incarnation wins and stands here now. */
        REPLACED,
        /** The local incarnation wins; the sender has yet to hear of it. */
        LOST,
        /** No room: counted, the bucket is dirty. */
        FULL,
        /** The session here goes on in a new epoch: all have yet to hear of it. */
        OUTLIVED
    }

    /** Sees a session in place, under its lock; key and record are valid during the call only. */
    @FunctionalInterface
    interface Visitor {
        void onSession(SessionKey key, SessionRecord session);
    }

    /** Sees the sessions of a slice and says which to remove. */
    @FunctionalInterface
    interface Sweep {
        /** @return true to remove the entry */
        boolean onSession(SessionKey key, SessionRecord session);
    }

    /** Runs the visitor on the session, in place, under its lock. @return false when there is none (the visitor is not called) */
    boolean update(SessionKey key, Visitor visitor);

    /** Copies a session out. @return false when there is none */
    boolean read(SessionKey key, SessionRecord into);

    /** Adds a session unless the key has one (a tombstone counts as one: use {@link #update} and start a new incarnation in place). */
    Insert insert(SessionKey key, SessionRecord session);

    /** Joins what a peer knows into this node's copy. Times in the record are of this host's clock already. */
    Merge merge(SessionKey key, SessionRecord remote);

    boolean remove(SessionKey key);

    /**
     * Finds the session that a packet with these ends belongs to: its own, or those that it is translated to. Everything else here takes the session's own.
     *
     * @param session becomes the session's key
     * @param into    becomes a copy of it
     */
    Found find(SessionKey ends, SessionKey session, SessionRecord into);

    /**
     * Takes the ends that a session is about to be translated to, so that {@link #find} leads from them to it and no other session gets them. What a closed
     * session had is free. {@link #merge} claims by itself, and whatever takes a session out of the table releases.
     *
     * @return INSERTED: they are the session's (or were); EXISTS: another's, or of a session of their own
     */
    Insert claim(SessionKey ends, SessionKey session);

    /** Gives claimed ends back, unless they are another session's by now. */
    void release(SessionKey ends, SessionKey session);

    /** Translated sessions, about. */
    long claims();

    /**
     * The calling thread will ask for this session soon, and for others that it names before {@link #fetch}. A hint: a burst of look-ups is faster then, as they wait for memory together and not one after the
     * other.
     */
    default void expect(SessionKey key) {}

    /** Loads what is expected. */
    default void fetch() {}

    /** How many slices a whole sweep has. A slice is small (hundreds of entries), so that one call is a bounded piece of work. */
    int slices();

    /** Visits each entry of one slice under the slice's lock. @return entries seen */
    int sweep(int slice, Sweep sweep);

    /** Sessions, tombstones included. */
    long size();

    /** Sessions and claims that there is room for. */
    long capacity();

    /** The bucket a key belongs to, 0 to {@link #BUCKETS} - 1. */
    static int bucket(SessionKey key) { return bucket(key.hash()); }

    /** The bucket of a key with this {@link SessionKey#hash}. */
    static int bucket(long keyHash) { return (int) (keyHash >>> 52); }

    @Override
    void close();
}

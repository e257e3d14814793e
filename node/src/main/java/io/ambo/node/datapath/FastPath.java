package io.ambo.node.datapath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;

/**
 * The kernel's part in forwarding, as one thread of the slow path sees it. What changes an entry is called under the lock of its session, so that the
 * session's flag {@link SessionRecord#CACHED} and the entry come and go together. Nothing here allocates or waits.
 */
interface FastPath {
    /** There is none: every packet takes the slow path. */
    FastPath NONE = new FastPath() {
        @Override
        public int after() { return Integer.MAX_VALUE; }

        @Override
        public boolean offer(SessionKey key) { return false; }

        @Override
        public boolean refresh(SessionKey key, SessionRecord session) { return false; }

        @Override
        public boolean account(SessionKey key, SessionRecord session, boolean ofReply, int bytes) { return false; }

        @Override
        public void remove(SessionKey key, SessionRecord session) {}

        @Override
        public int redirectedTo(SessionKey ends) { return 0; }
    };

    /** Packets after which a session is worth it. */
    int after();

    /** Asks for the session to be put into the flow cache. @return false when too many are waiting for that */
    boolean offer(SessionKey key);

    /** Joins what the kernel knows into the session. @return false when it is not in the cache */
    boolean refresh(SessionKey key, SessionRecord session);

    /**
     * Tells the kernel of a packet that has passed here and stands in the session already, so that its counters are those of all packets.
     *
     * @param bytes of IP
     * @return false when the session is not in the cache
     */
    boolean account(SessionKey key, SessionRecord session, boolean ofReply, int bytes);

    /** Redirect mode: the member that the cache notes as the owner of packets with these ends; 0: none. */
    int redirectedTo(SessionKey ends);

    /** Takes the session out of the cache; what the kernel knew is joined. Its next packets take the slow path. */
    void remove(SessionKey key, SessionRecord session);
}

package io.ambo.cluster.replication;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;

/** A packet worker's way out to the peers: one for each worker, used by that thread only. */
public interface DeltaPublisher {

    /**
     * Hands the session's present state to the replicator: copies it into the worker's ring and returns. Never waits. A full ring is counted and flags the
     * session as {@link SessionRecord#UNPUBLISHED}, so that it goes as soon as there is room.
     *
     * @param session    the record in the table, under its lock; or a copy, and then the caller sees to it that a flag gets into the table
     * @param acknowledge ask a peer to say when it has merged this delta ({@code defer})
     * @return the ticket that {@link io.ambo.cluster.ClusterListener#onAcknowledged} will name (growing, from 1), or 0 when there is no peer to tell or
     *         the ring was full
     */
    long publish(SessionKey key, SessionRecord session, boolean acknowledge);
}

package io.ambo.cluster.membership;

import io.ambo.cluster.ClusterException;
import io.ambo.cluster.ClusterKey;
import java.util.List;

/**
 * How members reach each other: reliable, in order per sender and destination, authenticated, or not at all. A port: JGroups stands behind it in
 * production, a network in memory in tests and in the simulation.
 */
public interface Transport extends AutoCloseable {
    /** Bytes of the longest message. */
    int LONGEST_MESSAGE = 512 * 1024;

    /** What the transport tells. Called on the transport's threads: one at a time for one sender's messages to all, several at once otherwise. */
    interface Receiver {
        /** A message; the bytes are valid during the call only. The sender is a member; it is never this node itself. */
        void onMessage(NodeId sender, byte[] bytes, int offset, int length);

        /** Membership changed. */
        void onMembership(Membership membership);

        /** Somebody on the link could not be admitted, for instance because its key differs. Called at most a few times a second. */
        void onRefused(String reason);

        /** Packets refused below the messages. Called on any thread. */
        void onRefusedPacket(PacketRefusal refusal);
    }

    /** Why a packet was refused before anything in it was looked at. */
    enum PacketRefusal {
        /** Not made with this cluster's key, or changed on the way. */
        UNAUTHENTIC,
        /** Seen before, or of an earlier life of its sender. */
        REPLAYED,
        /** Its sender has not yet proved to be live, and too many packets wait for that. */
        UNPROVEN
    }

    /**
     * @param view  the members now
     * @param parts when parts that were separated have found each other: the first node of each part; else empty
     * @param clash when two members have the same node id: one sentence for the operator; else empty
     */
    record Membership(View view, List<NodeId> parts, String clash) {
        public Membership {
            parts = List.copyOf(parts);
        }
    }

    /**
     * Joins. Returns when the first membership has been told.
     *
     * @throws ClusterException when the sockets cannot be made; nothing is left open then
     */
    void start(Receiver receiver) throws ClusterException;

    /** Sends to every other member. May wait for slow receivers: only threads that may wait call it. The bytes are copied. */
    void sendToAll(byte[] bytes, int offset, int length) throws ClusterException;

    /** The same for messages that need no order: none of them waits for an earlier one that was lost on the way and is sent again. */
    default void sendToAllUnordered(byte[] bytes, int offset, int length) throws ClusterException {
        sendToAll(bytes, offset, length);
    }

    /** Sends to one member; one that left meanwhile is no error. May wait. The bytes are copied. */
    void sendTo(NodeId peer, byte[] bytes, int offset, int length) throws ClusterException;

    /**
     * Sends to one member, or to one that has been a member, once, without waiting and without repeating: it may be lost. Any thread. The bytes are copied.
     */
    void sendHint(NodeId peer, byte[] bytes, int offset, int length);

    /** This peer does not answer any more, as far as others than the transport can tell: look into it now, and go on without it if that is so. Any thread. */
    default void suspect(NodeId peer) {}

    /** From now on these are the members' keys. Any thread; nothing is lost over it. A transport that has no keys has nothing to do. */
    default void rekey(ClusterKey key) {}

    /** Leaves politely. */
    @Override
    void close();
}

package io.ambo.cluster;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.List;

/**
 * Everything a node needs to know to be a member. Immutable; {@link #of} has the defaults, the {@code with} methods change one thing.
 *
 * @param cluster     members of one cluster have the same name
 * @param node        this node's name, unique in the cluster
 * @param bindAddress the sync link's address on this host: nothing listens or sends anywhere else
 * @param mode        which members have a session; the same on all members
 * @param link        how members find and reach each other
 * @param key         the members' common secret
 * @param timing      when a silent member is given up, and the like
 * @param limits      sizes of rings and messages
 */
public record ClusterSettings(String cluster, String node, InetAddress bindAddress, Mode mode, Link link, ClusterKey key, Timing timing,
        Limits limits) {

    /** Port of the sync link unless the config names another. */
    public static final int PORT = 7800;

    public ClusterSettings {
        if (cluster.isBlank()) throw new IllegalArgumentException("the cluster has no name: set cluster.name");
        if (node.isBlank()) throw new IllegalArgumentException("the node has no name: set node.name");
    }

    /** Which members have a session. */
    public enum Mode {
        /** All. */
        SYNC,
        /** The owner, and a backup that a hash chooses: see {@link io.ambo.cluster.membership.Homes}. */
        REDIRECT;

        /** As in the config. */
        public String word() { return name().toLowerCase(java.util.Locale.ROOT); }
    }

    /** How members find and reach each other. */
    public sealed interface Link permits Multicast, Tcp {}

    /**
     * UDP: deltas go to all members in one datagram, members find each other by multicast.
     *
     * @param group a multicast address
     * @param port  UDP port of the group
     * @param ttl   hops; 1 never leaves the link
     */
    public record Multicast(InetAddress group, int port, int ttl) implements Link {
        public Multicast {
            if (!group.isMulticastAddress()) throw new IllegalArgumentException(group.getHostAddress() + " is no multicast address");
        }
    }

    /**
     * TCP, for links without multicast: each member is sent its own copy.
     *
     * @param port    where this node listens
     * @param members where members may be found; naming this node too is allowed
     */
    public record Tcp(int port, List<InetSocketAddress> members) implements Link {
        public Tcp {
            members = List.copyOf(members);
        }
    }

    /**
     * All in milliseconds.
     *
     * @param joinMs             how long to look for members before being the first: a lone start takes this long
     * @param heartbeatMs        interval of heartbeats
     * @param heartbeatTimeoutMs a member that was silent for so long is suspected (a crash is seen at once by its closed sockets, this is for frozen and cut-off ones)
     * @param verifyMs           how long a suspect may take to answer before it is given up
     * @param mergeMinMs         separated parts look for each other at random intervals of at least this,
     * @param mergeMaxMs         from half of this to one and a half times this
     * @param retransmitMs       how soon a lost message is asked for again; one to all members three times as soon, since a packet may wait for it
     * @param gateRetryMs        a joining node that had no answer tries again (another peer, if there is one) after this
     */
    public record Timing(int joinMs, int heartbeatMs, int heartbeatTimeoutMs, int verifyMs, int mergeMinMs, int mergeMaxMs,
            int retransmitMs,
            int gateRetryMs) {
        public static final Timing DEFAULT = new Timing(1000, 200, 1000, 60, 500, 2000, 10, 1000);
    }

    /**
     * @param workers       packet workers, each with a ring of its own
     * @param ringSlots     deltas a worker may be ahead of the replicator; a power of two
     * @param deltasPerBatch deltas that travel in one message at most
     * @param socketBufferBytes asked of the kernel for the sync sockets
     */
    public record Limits(int workers, int ringSlots, int deltasPerBatch, int socketBufferBytes) {
        public static final Limits DEFAULT = new Limits(1, 32 * 1024, 400, 4 * 1024 * 1024);

        public Limits {
            if (workers < 1) throw new IllegalArgumentException("workers = " + workers + ": at least one is needed");
            if (ringSlots < 64 || Integer.bitCount(ringSlots) != 1)
                throw new IllegalArgumentException("ring slots = " + ringSlots + ": a power of two from 64 is needed");
            if (deltasPerBatch < 1 || deltasPerBatch > 400)
                throw new IllegalArgumentException(
                        "deltas per batch = " + deltasPerBatch + ": 1 to 400, so that a batch fits into one datagram");
        }

        public Limits withWorkers(int count) { return new Limits(count, ringSlots, deltasPerBatch, socketBufferBytes); }
    }

    /** The defaults: UDP multicast on 239.255.67.1, {@link #PORT}, which stays on the link. */
    public static ClusterSettings of(String cluster, String node, InetAddress bindAddress, ClusterKey key) {
        return new ClusterSettings(cluster, node, bindAddress, Mode.SYNC, new Multicast(address("239.255.67.1"), PORT, 1), key,
                Timing.DEFAULT,
                Limits.DEFAULT);
    }

    public ClusterSettings withLink(Link other) {
        return new ClusterSettings(cluster, node, bindAddress, mode, other, key, timing, limits);
    }

    public ClusterSettings withMode(Mode other) {
        return new ClusterSettings(cluster, node, bindAddress, other, link, key, timing, limits);
    }

    public ClusterSettings withTiming(Timing other) {
        return new ClusterSettings(cluster, node, bindAddress, mode, link, key, other, limits);
    }

    public ClusterSettings withLimits(Limits other) {
        return new ClusterSettings(cluster, node, bindAddress, mode, link, key, timing, other);
    }

    private static InetAddress address(String literal) {
        try {
            return InetAddress.getByName(literal);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }
}

package io.ambo.node.packet;

/**
 * Virtual reassembly: remembers for each datagram in fragments which session its first fragment named, so that the others find it, and holds those that come
 * before the first. Packets stay in the fragments they came in. Owned by one worker; all memory is taken at construction.
 *
 * <p>A datagram is known by source, destination, identification and routing zone, IPv4 also by its protocol (RFC 791, RFC 8200 4.5). The way of one:
 *
 * <pre>
 *   (no entry) --first fragment--> JUDGING --onFirstPassed--> KNOWN --all bytes seen, or timeout--> (no entry)
 *       |                            ^  |
 *       +--another--> WAITING -------+  +--onFirstRefused--> REFUSED --timeout--> (no entry)
 *                                          and from everywhere when a fragment overlaps another
 * </pre>
 *
 * <p>Fragments that overlap condemn their datagram (RFC 5722, taken for IPv4 as well); an exact repetition is dropped alone. A full table gives up its oldest
 * datagram: fragments of one datagram come close together, so an attacker who floods the table still hardly separates them.
 *
 * <p>Limit: the table is this node's and this worker's. Fragments of one datagram must come in on the same node and receive queue: routers that spread by
 * address (not by port, which fragments lack) keep to that. Those that do not find their first fragment here are dropped at the timeout.
 */
public final class Fragments {

    /**
     * Bounds.
     *
     * @param datagrams       tracked at once
     * @param heldFrames      held at once, of all datagrams together
     * @param heldPerDatagram of them for one datagram
     * @param timeoutNs       from a datagram's first-seen fragment to giving it up
     */
    public record Limits(int datagrams, int heldFrames, int heldPerDatagram, long timeoutNs) {
        public static final Limits DEFAULT = new Limits(1024, 1024, 48, 2_000_000_000L);
    }

    /** What to do with a fragment. */
    public enum Result {
        /** The ports (and protocol) of its datagram are in the view now: a packet of that session. */
        KNOWN(DropReason.NONE),
        /** The first of its datagram: judge it as any packet, then say {@link Fragments#onFirstPassed} or {@link Fragments#onFirstRefused}. */
        FIRST(DropReason.NONE),
        /** It waits for the first fragment. The frame stays with the table until it is released or given up. */
        HELD(DropReason.NONE),
        /** The caller drops it, for {@link #reason()}, and frees the frame. */
        OVERLAP(DropReason.FRAGMENT_OVERLAP), SIZE(DropReason.FRAGMENT_SIZE), FULL(DropReason.FRAGMENT_TABLE_FULL),
        /** Its first fragment was refused. */
        REFUSED(DropReason.FRAGMENT_REFUSED);

        private final DropReason reason;

        Result(DropReason reason) { this.reason = reason; }

        /** NONE when the fragment lives on. */
        public DropReason reason() { return reason; }
    }

    /** Takes back frames that were held and will not be released. */
    @FunctionalInterface
    public interface GivenUp {
        /** The frame is the caller's again: count the reason and free it. Must not call the table. */
        void onGivenUp(long frameHandle, DropReason reason);
    }

    /** Takes frames whose first fragment has passed. */
    @FunctionalInterface
    public interface Released {
        /** The fragment is parsed and its ports are set: treat it as one that was {@link Result#KNOWN}. The frame is the caller's again. Must not call the table. */
        void onReleased(PacketView fragment, long frameHandle);
    }

    /** @param givenUp called from within the methods of this table */
    public Fragments(Limits limits, GivenUp givenUp) {
        if (limits.datagrams < 1 || givenUp == null) throw new IllegalArgumentException(limits.toString());
    }

    /**
     * Judges a fragment ({@link PacketView#isFragment()}) that was just parsed. Present each once; only a first one may come again (after it was parked) as
     * long as it was neither passed nor refused.
     *
     * @param frameHandle the caller's own name of the frame (and of what else it must remember, such as the port it came in on)
     */
    public Result onFragment(PacketView fragment, int routingZone, long frameHandle, long nowNs) { return Result.FULL; }

    /**
     * The first fragment passed: from now on others of its datagram are {@link Result#KNOWN}, and those held are released, in the order they came.
     *
     * @param first   the view that {@link #onFragment} called FIRST; its addresses may have been translated since, the remembered ports are the original ones
     * @param scratch filled for each released fragment
     * @return fragments released
     */
    public int onFirstPassed(PacketView first, PacketView scratch, Released released) { return 0; }

    /** The first fragment was dropped: so are those held and those to come. */
    public void onFirstRefused(PacketView first) {}

    /**
     * Gives up datagrams whose time is over.
     *
     * @param limit datagrams at most in this call
     * @return datagrams given up
     */
    public int expire(long nowNs, int limit) { return 0; }

    /** Datagrams tracked now. */
    public int datagrams() { return 0; }

    /** Frames held now. */
    public int heldFrames() { return 0; }
}

package io.ambo.node.routing;

/** What the kernel answered for one destination. Immutable but for the hops, which follow their neighbours. */
final class RouteEntry {
    static final RouteEntry LOCAL = new RouteEntry(Routes.Result.LOCAL);
    static final RouteEntry NO_ROUTE = new RouteEntry(Routes.Result.NO_ROUTE);
    static final RouteEntry PROHIBITED = new RouteEntry(Routes.Result.PROHIBITED);
    static final RouteEntry NOT_A_DATA_INTERFACE = new RouteEntry(Routes.Result.NOT_A_DATA_INTERFACE);
    static final RouteEntry NEIGHBOUR_FAILED = new RouteEntry(Routes.Result.NEIGHBOUR_FAILED);

    /** The answer when there are no hops. */
    final Routes.Result result;
    final Hop[] hops;
    /** For each hop its interface's position in the config. */
    final int[] positions;
    /** For each hop the last of its share of the hashes 0 to 2^31 - 1; shares follow the weights. */
    private final int[] lastHash;
    /** Bytes; 0: the interface's. */
    final int mtu;

    private RouteEntry(Routes.Result result) {
        this.result = result;
        hops = new Hop[0];
        positions = new int[0];
        lastHash = new int[0];
        mtu = 0;
    }

    RouteEntry(Hop[] hops, int[] positions, int[] weights, int mtu) {
        this.result = Routes.Result.FOUND;
        this.hops = hops;
        this.positions = positions;
        this.mtu = mtu;
        lastHash = new int[hops.length];
        long total = 0;
        for (int weight : weights) total += weight;
        long sum = 0;
        for (int i = 0; i < hops.length; i++) {
            sum += total == 0 ? 1 : weights[i];
            lastHash[i] = (int) ((sum << 31) / (total == 0 ? hops.length : total) - 1);
        }
    }

    /** The hop for a flow: the same one for the same hash. */
    int pick(int flowHash) {
        if (hops.length == 1) return 0;
        int mixed = flowHash * 0x85EBCA6B;
        mixed = (mixed ^ mixed >>> 13) * 0xC2B2AE35;
        int hash = (mixed ^ mixed >>> 16) >>> 1;
        int i = 0;
        while (hash > lastHash[i]) i++;
        return i;
    }
}

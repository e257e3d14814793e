package io.ambo.node.firewall;

/**
 * A rule of {@link Nat}, ready to be matched. Immutable.
 *
 * @param name      from the config
 * @param ofSource  translates sources, else destinations
 * @param match     what packets it speaks of
 * @param high      first eight bytes of the address they get, or of the first of several
 * @param low       last eight bytes
 * @param addresses how many, a power of two: a client always gets the same one
 * @param firstPort of sources: the first port that this node gives out; of destinations: the port they get, 0: the one they have
 * @param lastPort  of sources: the last one. Other nodes have other ports, so that no two give out the same without asking each other
 */
public record NatRule(String name, boolean ofSource, Match match, long high, long low, int addresses, int firstPort, int lastPort) {
    /** Whether packets of this IP version can be translated so. */
    boolean isOf(int ipVersion) {
        boolean ipv4 = high == 0 && low >>> 32 == 0xFFFF;
        return ipv4 == (ipVersion == 4);
    }

    /** Last eight bytes of the address for this client. The first eight are the rule's. */
    public long lowFor(long clientHigh, long clientLow) {
        if (addresses == 1) return low;
        long mixed = (clientHigh * 31 + clientLow) * 0x9E3779B97F4A7C15L;
        return low + (mixed >>> 40) % addresses;
    }

    /** How many ports this node gives out. */
    public int ports() { return lastPort - firstPort + 1; }

    boolean hasInPool(long addressHigh, long addressLow) {
        return addressHigh == high && addressLow - low >= 0 && addressLow - low < addresses;
    }
}

package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;

/**
 * A network. IPv4 is mapped, so that one comparison of 128 bits serves both: 10.0.0.0/8 has a prefix length of 104.
 *
 * @param high         the first eight bytes of the network's address, host bits zero
 * @param low          the last eight bytes
 * @param prefixLength 0 to 128, in the mapped form
 */
public record Cidr(long high, long low, int prefixLength) {
    private static final int MAPPED_BITS = 96;

    /** Why a text is not a network. */
    public static final class FormatException extends Exception {
        private static final long serialVersionUID = 1;

        private final String remedy;

        FormatException(String message, String remedy) {
            super(message);
            this.remedy = remedy;
        }

        String remedy() { return remedy; }
    }

    /** Reads "10.0.0.0/8", "2001:db8::/32", or an address (a network of one). */
    public static Cidr parse(String text) throws FormatException {
        int slash = text.indexOf('/');
        IpAddress address = IpAddress.parse(slash < 0 ? text : text.substring(0, slash));
        if (address == null) throw new FormatException("is no IPv4 or IPv6 network", "write 10.0.0.0/8, 10.0.0.7 or 2001:db8::/32");
        int longest = address.isIpv4() ? 32 : 128;
        int length = slash < 0 ? longest : prefixLength(text.substring(slash + 1));
        if (length < 0 || length > longest) throw new FormatException("has a prefix length that is not 0-" + longest, "");
        Cidr cidr = of(address, length + 128 - longest);
        if (cidr.high != address.high() || cidr.low != address.low()) {
            throw new FormatException("has bits set outside its prefix", "did you mean " + cidr + "?");
        }
        return cidr;
    }

    /** The network of this address and of this many bits, 0 to 128, in the mapped form. */
    public static Cidr of(IpAddress address, int prefixLength) {
        return new Cidr(address.high() & mask(prefixLength), address.low() & mask(prefixLength - 64), prefixLength);
    }

    public boolean contains(long addressHigh, long addressLow) {
        return ((addressHigh ^ high) & mask(prefixLength)) == 0 && ((addressLow ^ low) & mask(prefixLength - 64)) == 0;
    }

    /** The bits of the first half that count. */
    public long highMask() { return mask(prefixLength); }

    /** The bits of the second half that count. */
    public long lowMask() { return mask(prefixLength - 64); }

    /** True for a network of mapped addresses: it can match IPv4 packets only. */
    public boolean isIpv4() {
        return prefixLength >= MAPPED_BITS && address().isIpv4();
    }

    public IpAddress address() { return new IpAddress(high, low); }

    @Override
    public String toString() { return address() + "/" + (isIpv4() ? prefixLength - MAPPED_BITS : prefixLength); }

    private static long mask(int bits) {
        if (bits <= 0) return 0;
        return bits >= 64 ? -1L : -1L << (64 - bits);
    }

    private static int prefixLength(String text) {
        if (text.isEmpty() || text.length() > 3) return -1;
        int value = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9') return -1;
            value = 10 * value + c - '0';
        }
        return value;
    }
}

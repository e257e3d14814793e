package io.ambo.cluster.address;

import org.jspecify.annotations.Nullable;

/**
 * An IPv4 or IPv6 address as the session table writes it: sixteen bytes in network order, IPv4 mapped (::ffff:a.b.c.d).
 *
 * @param high the first eight bytes
 * @param low  the last eight bytes
 */
public record IpAddress(long high, long low) implements Comparable<IpAddress> {
    private static final long IPV4_MAPPED_PREFIX = 0x0000_FFFF_0000_0000L;
    private static final int GROUPS = 8;

    /** @param ipv4 32 bits */
    public static IpAddress ofIpv4(int ipv4) {
        return new IpAddress(0, IPV4_MAPPED_PREFIX | Integer.toUnsignedLong(ipv4));
    }

    /** @param bytes 4 or 16, network order; null for any other length */
    public static @Nullable IpAddress ofBytes(byte[] bytes) {
        return switch (bytes.length) {
            case 4 -> ofIpv4((int) number(bytes, 0, 4));
            case 16 -> new IpAddress(number(bytes, 0, 8), number(bytes, 8, 8));
            default -> null;
        };
    }

    /** Reads a numeric address; no name is ever looked up. @return null when the text is none */
    public static @Nullable IpAddress parse(String text) {
        if (text.indexOf(':') < 0) {
            long ipv4 = parseIpv4(text);
            return ipv4 < 0 ? null : ofIpv4((int) ipv4);
        }
        return parseIpv6(text);
    }

    public boolean isIpv4() { return high == 0 && (low & 0xFFFF_FFFF_0000_0000L) == IPV4_MAPPED_PREFIX; }

    /** 4 bytes of an IPv4 address, else 16; network order. */
    public byte[] toBytes() {
        int length = isIpv4() ? 4 : 16;
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            int fromEnd = length - 1 - i;
            bytes[i] = (byte) (fromEnd >= 8 ? high >>> (8 * (fromEnd - 8)) : low >>> (8 * fromEnd));
        }
        return bytes;
    }

    @Override
    public int compareTo(IpAddress other) {
        int byHigh = Long.compareUnsigned(high, other.high);
        return byHigh != 0 ? byHigh : Long.compareUnsigned(low, other.low);
    }

    /** Dotted quads, or RFC 5952. */
    @Override
    public String toString() { return isIpv4() ? ipv4Text((int) low) : ipv6Text(); }

    /** As {@link #toString()}, with a port; IPv6 stands in brackets. */
    public String withPort(int port) {
        return isIpv4() ? this + ":" + port : "[" + this + "]:" + port;
    }

    private static String ipv4Text(int ipv4) {
        return (ipv4 >>> 24) + "." + (ipv4 >>> 16 & 0xFF) + "." + (ipv4 >>> 8 & 0xFF) + "." + (ipv4 & 0xFF);
    }

    private String ipv6Text() {
        int zerosAt = -1;
        int zeros = 1;
        for (int i = 0; i < GROUPS; i++) {
            int run = 0;
            while (i + run < GROUPS && group(i + run) == 0) run++;
            if (run > zeros) {
                zeros = run;
                zerosAt = i;
            }
        }
        StringBuilder text = new StringBuilder(39);
        for (int i = 0; i < GROUPS; i++) {
            if (i == zerosAt) {
                text.append("::");
                i += zeros - 1;
            } else {
                if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') text.append(':');
                text.append(Integer.toHexString(group(i)));
            }
        }
        return text.toString();
    }

    private int group(int index) { return (int) ((index < 4 ? high >>> (48 - 16 * index) : low >>> (48 - 16 * (index - 4))) & 0xFFFF); }

    private static long number(byte[] bytes, int from, int length) {
        long value = 0;
        for (int i = from; i < from + length; i++) value = value << 8 | Byte.toUnsignedLong(bytes[i]);
        return value;
    }

    /** @return 32 bits, or -1 */
    private static long parseIpv4(String text) {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 4) return -1;
        long value = 0;
        for (String part : parts) {
            int octet = parseDigits(part, 10, 3);
            if (octet < 0 || octet > 255 || part.length() > 1 && part.charAt(0) == '0') return -1;
            value = value << 8 | octet;
        }
        return value;
    }

    private static @Nullable IpAddress parseIpv6(String text) {
        int gap = text.indexOf("::");
        if (gap >= 0 && text.indexOf("::", gap + 1) >= 0) return null;
        int[] head = groups(gap < 0 ? text : text.substring(0, gap));
        int[] tail = groups(gap < 0 ? "" : text.substring(gap + 2));
        if (head == null || tail == null) return null;
        int given = head.length + tail.length;
        if (gap < 0 ? given != GROUPS : given >= GROUPS) return null;
        long[] halves = new long[2];
        for (int i = 0; i < head.length; i++) put(halves, i, head[i]);
        for (int i = 0; i < tail.length; i++) put(halves, GROUPS - tail.length + i, tail[i]);
        return new IpAddress(halves[0], halves[1]);
    }

    private static void put(long[] halves, int index, int group) { halves[index / 4] |= (long) group << (48 - 16 * (index % 4)); }

    /** The groups of one side of "::"; a dotted quad at the end counts as two. Null when the text is wrong. */
    private static int @Nullable [] groups(String text) {
        if (text.isEmpty()) return new int[0];
        String[] parts = text.split(":", -1);
        int[] groups = new int[GROUPS + 1];
        int count = 0;
        for (int i = 0; i < parts.length; i++) {
            if (count >= GROUPS) return null;
            if (i == parts.length - 1 && parts[i].indexOf('.') >= 0) {
                long ipv4 = parseIpv4(parts[i]);
                if (ipv4 < 0) return null;
                groups[count++] = (int) (ipv4 >>> 16);
                groups[count++] = (int) (ipv4 & 0xFFFF);
            } else {
                int group = parseDigits(parts[i], 16, 4);
                if (group < 0) return null;
                groups[count++] = group;
            }
        }
        return java.util.Arrays.copyOf(groups, count);
    }

    /** @return the number, or -1 when it is empty, too long or has another character */
    private static int parseDigits(String text, int radix, int longest) {
        if (text.isEmpty() || text.length() > longest) return -1;
        int value = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            int digit = c < 128 ? Character.digit(c, radix) : -1;
            if (digit < 0) return -1;
            value = value * radix + digit;
        }
        return value;
    }
}

package io.ambo.node.packet;

import static io.ambo.node.packet.Wire.put16;
import static io.ambo.node.packet.Wire.u8;

import java.lang.foreign.MemorySegment;

/**
 * Splits an IPv4 packet (or fragment) that is larger than the MTU of its way out (RFC 791, 3.2). IPv6 is never split on the way. The packet itself stays as it
 * is; each fragment is written to a free frame with the packet's Ethernet header, so rewrite the packet first. Usage:
 *
 * <pre>
 *   int count = Fragmenter.count(packet, mtu);
 *   for (int i = 0; i &lt; count; i++) { ... length = Fragmenter.write(packet, mtu, i, umem, frame); }
 * </pre>
 */
public final class Fragmenter {
    /** Every IPv4 link carries packets of this size (RFC 791). */
    public static final int MTU_MIN_BYTES = 68;

    private Fragmenter() {}

    /**
     * How many fragments the packet becomes.
     *
     * @return 1 when it fits, 0 when it must not be split: IPv6, don't fragment, or an MTU below {@link #MTU_MIN_BYTES}
     */
    public static int count(PacketView packet, int mtu) {
        if (packet.ipLength <= mtu) return 1;
        if (packet.dontFragment || packet.ipVersion != 4 || mtu < MTU_MIN_BYTES) return 0;
        int rest = packet.transportLength - capacity(mtu, headerSize(packet));
        int capacity = capacity(mtu, Wire.IPV4_SIZE + copiedOptions(packet, MemorySegment.NULL, -1));
        return 1 + (rest + capacity - 1) / capacity;
    }

    /**
     * Writes one fragment.
     *
     * @param index  0 to count - 1
     * @param offset of the Ethernet header to write; there is room for the Ethernet header and {@code mtu} bytes
     * @return length of the frame
     */
    public static int write(PacketView packet, int mtu, int index, MemorySegment into, long offset) {
        boolean first = index == 0;
        int ethernet = (int) (packet.ip - packet.frame);
        long ip = offset + ethernet;
        MemorySegment.copy(packet.segment, packet.frame, into, offset, ethernet + (first ? headerSize(packet) : Wire.IPV4_SIZE));
        int laterHeaderSize = Wire.IPV4_SIZE + copiedOptions(packet, into, first ? -1 : ip + Wire.IPV4_SIZE);
        int headerSize = first ? headerSize(packet) : laterHeaderSize;
        int capacity = capacity(mtu, headerSize);
        int start = first ? 0 : capacity(mtu, headerSize(packet)) + (index - 1) * capacity;
        int length = Math.min(capacity, packet.transportLength - start);
        boolean more = packet.moreFragments || start + length < packet.transportLength;

        MemorySegment.copy(packet.segment, packet.transport + start, into, ip + headerSize, length);
        Wire.put8(into, ip, 0x40 | headerSize / 4);
        put16(into, ip + Wire.IPV4_LENGTH, headerSize + length);
        put16(into, ip + Wire.IPV4_FRAGMENT, (more ? Wire.IPV4_MORE_FRAGMENTS : 0) | (packet.fragmentOffset + start) / 8);
        put16(into, ip + Wire.IPV4_CHECKSUM, 0);
        put16(into, ip + Wire.IPV4_CHECKSUM, Checksum.finish(Checksum.sum(into, ip, headerSize)));
        return ethernet + headerSize + length;
    }

    private static int headerSize(PacketView packet) { return (int) (packet.transport - packet.ip); }

    /** Offsets count in eights, so every fragment but the last carries a multiple of eight bytes. */
    private static int capacity(int mtu, int headerSize) {
        return (mtu - headerSize) & ~7;
    }

    /**
     * Collects the options that every fragment must have, padded to whole words. The parser has checked that each option ends within the header.
     *
     * @param at where to write them; -1: only tell their size
     * @return bytes
     */
    private static int copiedOptions(PacketView packet, MemorySegment into, long at) {
        int copied = 0;
        long option = packet.ip + Wire.IPV4_SIZE;
        while (option < packet.transport && u8(packet.segment, option) != Wire.OPTION_END) {
            int size = Wire.optionSize(packet.segment, option, packet.transport);
            if (size == 0) break;
            if ((u8(packet.segment, option) & Wire.OPTION_COPIED) != 0) {
                if (at >= 0) MemorySegment.copy(packet.segment, option, into, at + copied, size);
                copied += size;
            }
            option += size;
        }
        int padded = (copied + 3) & ~3;
        for (; at >= 0 && copied < padded; copied++) Wire.put8(into, at + copied, Wire.OPTION_END);
        return padded;
    }
}

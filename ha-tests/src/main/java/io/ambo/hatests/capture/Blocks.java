package io.ambo.hatests.capture;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The blocks of a pcapng file (draft-ietf-opsawg-pcapng, 4): sections, interfaces, packets; all others are passed over. */
final class Blocks {
    private static final int SECTION = 0x0A0D0D0A, INTERFACE = 1, OLD_PACKET = 2, SIMPLE_PACKET = 3, PACKET = 6;
    private static final int ORDER_MAGIC = 0x1A2B3C4D;
    /** Type, length, and the length again at the end. */
    private static final int FRAME = 12;
    private static final int OPTION_RESOLUTION = 9, OPTION_OFFSET = 14;

    /** @param unit of its time stamps: a power of ten, or of two when negative (with the high bit of if_tsresol taken away) */
    private record Interface(LinkType link, int unit, boolean binary, long offsetSeconds) {
        long timeNs(long stamp) {
            long perSecond = binary ? 1L << unit : power(unit);
            long seconds = Long.divideUnsigned(stamp, perSecond);
            long rest = Long.remainderUnsigned(stamp, perSecond);
            return (seconds + offsetSeconds) * 1_000_000_000L + (long) (rest * (1e9 / perSecond));
        }

        private static long power(int exponent) {
            long power = 1;
            for (int i = 0; i < exponent; i++) power *= 10;
            return power;
        }
    }

    private final CaptureReader reader;
    private final ByteBuffer bytes;
    private final List<Interface> interfaces = new ArrayList<>();

    Blocks(CaptureReader reader) {
        this.reader = reader;
        bytes = reader.bytes();
    }

    void read() throws CaptureException {
        int at = 0;
        while (at < bytes.limit()) {
            reader.need(at, FRAME, "a block");
            if (bytes.getInt(at) == SECTION) beginSection(at);
            int length = bytes.getInt(at + 4);
            if (length < FRAME || length % 4 != 0)
                throw reader.damaged(at + 4, "a block of " + Integer.toUnsignedString(length) + " bytes",
                        "lengths are multiples of 4 from 12: the file is damaged here");
            reader.need(at, length, "a block of " + length + " bytes");
            if (bytes.getInt(at + length - 4) != length)
                throw reader.damaged(at + length - 4, "a block that begins with length " + length + " ends with "
                        + Integer.toUnsignedString(bytes.getInt(at + length - 4)), "the file is damaged here");
            block(at, bytes.getInt(at), length);
            at += length;
        }
    }

    private void beginSection(int at) throws CaptureException {
        reader.need(at, 16, "a section header");
        int magic = bytes.order(ByteOrder.BIG_ENDIAN).getInt(at + 8);
        if (magic != ORDER_MAGIC) bytes.order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.getInt(at + 8) != ORDER_MAGIC)
            throw reader.damaged(at + 8, String.format("a section of byte order %08x", magic),
                    "no pcapng file has that: it is damaged here");
        int version = bytes.getShort(at + 12);
        if (version != 1) throw reader.damaged(at + 12, "pcapng version " + version + " is not read", "convert it: editcap -F pcap IN OUT");
        interfaces.clear();
    }

    private void block(int at, int type, int length) throws CaptureException {
        switch (type) {
            case INTERFACE -> addInterface(at, length);
            case PACKET -> {
                need(at, length, 20, "a packet block");
                addPacket(at, length, bytes.getInt(at + 8));
            }
            case OLD_PACKET -> {
                need(at, length, 20, "a packet block");
                addPacket(at, length, bytes.getShort(at + 8) & 0xFFFF);
            }
            case SIMPLE_PACKET ->
                throw reader.damaged(at, "packet " + (reader.count() + 1) + " has no time stamp",
                        "a replay needs them: capture with tcpdump");
            default -> {
            }
        }
    }

    private void addInterface(int at, int length) throws CaptureException {
        need(at, length, 8, "an interface block");
        LinkType link = reader.link(at + 8, bytes.getShort(at + 8) & 0xFFFF);
        int unit = 6;
        boolean binary = false;
        long offset = 0;
        int end = at + length - 4;
        int option = at + 16;
        while (option + 4 <= end) {
            int code = bytes.getShort(option) & 0xFFFF;
            int size = bytes.getShort(option + 2) & 0xFFFF;
            if (code == 0) break;
            if (option + 4 + size > end)
                throw reader.damaged(option, "an option of " + size + " bytes beyond its block", "the file is damaged here");
            if (code == OPTION_RESOLUTION && size >= 1) {
                int resolution = bytes.get(option + 4);
                binary = resolution < 0;
                unit = resolution & 0x7F;
                if (unit > (binary ? 62 : 18))
                    throw reader.damaged(option + 4, "time stamps of resolution " + unit, "none are so fine: the file is damaged here");
            }
            if (code == OPTION_OFFSET && size == 8) offset = bytes.getLong(option + 4);
            option += 4 + (size + 3) / 4 * 4;
        }
        interfaces.add(new Interface(link, unit, binary, offset));
    }

    private void addPacket(int at, int length, int number) throws CaptureException {
        if (number < 0 || number >= interfaces.size())
            throw reader.damaged(at + 8, "packet " + (reader.count() + 1) + " of interface " + Integer.toUnsignedString(number) + ", of "
                    + interfaces.size(), "the file is damaged here");
        Interface on = interfaces.get(number);
        long stamp = (long) bytes.getInt(at + 12) << 32 | Integer.toUnsignedLong(bytes.getInt(at + 16));
        int kept = bytes.getInt(at + 20);
        if (kept < 0 || kept > length - FRAME - 20)
            throw reader.damaged(at + 20,
                    "packet " + (reader.count() + 1) + " of " + Integer.toUnsignedString(kept) + " bytes in a block of " + length,
                    "the file is damaged here");
        reader.add(at, on.link(), on.timeNs(stamp), at + 28, kept, bytes.getInt(at + 24));
    }

    private void need(int at, int length, int body, String what) throws CaptureException {
        if (length < FRAME + body) throw reader.damaged(at, what + " of " + length + " bytes", "it is too short: the file is damaged here");
    }
}

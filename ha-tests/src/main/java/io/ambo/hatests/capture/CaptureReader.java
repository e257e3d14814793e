package io.ambo.hatests.capture;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reads captures of tcpdump, Wireshark and the like: pcap with microseconds or nanoseconds, and pcapng, each in both byte orders; Ethernet and raw IP. A file
 * is read whole; what is damaged is refused with the offset and the remedy.
 *
 * <pre>
 *   pcap    magic(4) version(2+2) zone(4) accuracy(4) longest(4) link(4)     { seconds(4) fraction(4) kept(4) length(4) bytes }*
 *   pcapng  { type(4) length(4) body length(4) }*                            draft-ietf-opsawg-pcapng
 * </pre>
 */
public final class CaptureReader {
    /** Bytes of the largest file. */
    static final int LARGEST_FILE = 256 << 20;
    private static final int MICROSECONDS = 0xA1B2C3D4;
    private static final int NANOSECONDS = 0xA1B23C4D;
    private static final int SECTION = 0x0A0D0D0A;
    private static final int HEADER = 24;
    private static final int RECORD = 16;
    private static final int LONGEST_PACKET = 262_144;
    private static final String CUT_OFF = "the file ends in the middle of it: was the capture still running? tcpdump -U writes whole packets; editcap IN OUT saves"
            + " those that are whole";

    private final String file;
    private final ByteBuffer bytes;
    private final List<CapturedPacket> packets = new ArrayList<>();

    private CaptureReader(String file, byte[] content) {
        this.file = file;
        bytes = ByteBuffer.wrap(content);
    }

    /**
     * Reads a file.
     *
     * @throws CaptureException when it is no capture, a damaged one, or one whose link type or size is not read here
     * @throws IOException      when it cannot be read at all
     */
    public static List<CapturedPacket> read(Path file) throws CaptureException, IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] content = in.readNBytes(LARGEST_FILE + 1);
            if (content.length > LARGEST_FILE)
                throw new CaptureException(file.toString(), LARGEST_FILE, "the file is larger than " + (LARGEST_FILE >> 20) + " MiB",
                        "cut it: tcpdump -r " + file + " -w part.pcap -c 1000000");
            return read(file.toString(), content);
        }
    }

    /** The same for bytes in memory. */
    public static List<CapturedPacket> read(String file, byte[] content) throws CaptureException {
        CaptureReader reader = new CaptureReader(file, content);
        if (content.length < 4) throw reader.damaged(0, "no capture: " + content.length + " bytes", "name a pcap or pcapng file");
        switch (reader.bytes.getInt(0)) {
            case SECTION -> new Blocks(reader).read();
            case MICROSECONDS, NANOSECONDS -> reader.readRecords(ByteOrder.BIG_ENDIAN);
            default -> reader.readRecords(ByteOrder.LITTLE_ENDIAN);
        }
        return List.copyOf(reader.packets);
    }

    private void readRecords(ByteOrder order) throws CaptureException {
        bytes.order(order);
        int magic = bytes.getInt(0);
        if (magic != MICROSECONDS && magic != NANOSECONDS)
            throw damaged(0, String.format("no capture: it begins with %08x", bytes.order(ByteOrder.BIG_ENDIAN).getInt(0)),
                    "name a pcap or pcapng file; a compressed one has to be unpacked first");
        need(0, HEADER, "the file header");
        int version = bytes.getShort(4);
        if (version != 2) throw damaged(4, "pcap version " + version + " is not read", "convert it: editcap -F pcap IN OUT");
        LinkType link = link(20, bytes.getInt(20) & 0xFFFF);
        long unitNs = magic == NANOSECONDS ? 1 : 1000;
        int at = HEADER;
        while (at < bytes.limit()) {
            need(at, RECORD, "a packet's header");
            long timeNs = Integer.toUnsignedLong(bytes.getInt(at)) * 1_000_000_000L + Integer.toUnsignedLong(bytes.getInt(at + 4)) * unitNs;
            int kept = bytes.getInt(at + 8);
            int length = bytes.getInt(at + 12);
            add(at, link, timeNs, at + RECORD, kept, length);
            at += RECORD + kept;
        }
    }

    /** Adds a packet whose header is at the offset and whose bytes are elsewhere. */
    void add(int headerAt, LinkType link, long timeNs, int from, int kept, int length) throws CaptureException {
        int number = packets.size() + 1;
        if (kept < 0 || kept > LONGEST_PACKET)
            throw damaged(headerAt, "packet " + number + " of " + Integer.toUnsignedString(kept) + " bytes",
                    "no packet is so long: the file is damaged here; tcpdump -r IN -w OUT -c " + (number - 1) + " saves what comes before");
        need(from, kept, "packet " + number);
        if (Integer.compareUnsigned(length, kept) > 0)
            throw damaged(headerAt, "packet " + number + " was cut to " + kept + " of " + Integer.toUnsignedString(length) + " bytes",
                    "a packet is judged whole: capture again with tcpdump -s 0");
        packets.add(new CapturedPacket(number, timeNs, link.ethernet(Arrays.copyOfRange(bytes.array(), from, from + kept))));
    }

    LinkType link(int at, int number) throws CaptureException {
        for (LinkType known : LinkType.values()) if (known.is(number)) return known;
        throw damaged(at, "link type " + number + " is not read",
                number == 113 || number == 276
                        ? "this is a capture of all interfaces (tcpdump -i any): capture on one"
                        : "Ethernet and raw IP are: capture on such an interface");
    }

    void need(int at, int length, String what) throws CaptureException {
        if (length < 0 || at < 0 || at > bytes.limit() - length) throw damaged(Math.min(at, bytes.limit()), what, CUT_OFF);
    }

    CaptureException damaged(long at, String what, String remedy) { return new CaptureException(file, at, what, remedy); }

    ByteBuffer bytes() { return bytes; }

    int count() { return packets.size(); }
}

package io.ambo.node.packet;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes frames for tests: correct in every length and checksum, unless told otherwise. Its checksums are computed naively, so that they check the real ones.
 *
 * <pre>
 *   byte[] syn = PacketBuilder.tcp4().from("10.0.0.1", 40000).to("10.1.0.1", 80).flags(PacketView.SYN).seq(7).mss(1460).scale(7).bytes();
 *   PacketView view = PacketBuilder.udp6().vlan(5).payload(100).parsed();
 *   List&lt;byte[]&gt; parts = PacketBuilder.udp4().payload(3000).fragments(1480, 2960);
 * </pre>
 */
public final class PacketBuilder {
    public static final long CLIENT_MAC = 0x02_00_00_00_00_01L;
    public static final long NODE_MAC = 0x02_00_00_00_00_FEL;
    /** Free bytes before the frame in the memory of {@link #view()}. */
    public static final int HEADROOM = 64;

    /** An IPv6 extension header. */
    private static final class Extension {
        final int type;
        final byte[] bytes;

        Extension(int type, byte[] bytes) {
            this.type = type;
            this.bytes = bytes;
        }
    }

    private final int ipVersion;
    private final int protocol;
    private byte[] source;
    private byte[] destination;
    private int sourcePort = 40_000;
    private int destinationPort = 80;
    private long sourceMac = CLIENT_MAC;
    private long destinationMac = NODE_MAC;
    private int tci = -1;
    private int tos;
    private int ttl = 64;
    private int id = 0x1234;
    private boolean dontFragment;
    private byte[] ipOptions = {};
    private final List<Extension> extensions = new ArrayList<>();
    private byte[] payload = {};
    private int flags = PacketView.ACK;
    private int seq = 1000;
    private int ack = 2000;
    private int window = 65_000;
    private final ByteArrayOutputStream tcpOptions = new ByteArrayOutputStream();
    private int icmpType;
    private int icmpCode;
    private int icmpRest;
    private boolean raw;
    private boolean noUdpChecksum;
    private int checksumError;
    private int frameLengthMin;

    private PacketBuilder(int ipVersion, int protocol) {
        this.ipVersion = ipVersion;
        this.protocol = protocol;
        source = address(ipVersion == 4 ? "10.0.0.1" : "2001:db8:1::1");
        destination = address(ipVersion == 4 ? "10.1.0.1" : "2001:db8:2::1");
    }

    /** An ACK from 10.0.0.1:40000 to 10.1.0.1:80. */
    public static PacketBuilder tcp4() { return new PacketBuilder(4, PacketView.TCP); }

    /** An ACK from [2001:db8:1::1]:40000 to [2001:db8:2::1]:80. */
    public static PacketBuilder tcp6() {
        return new PacketBuilder(6, PacketView.TCP);
    }

    public static PacketBuilder udp4() { return new PacketBuilder(4, PacketView.UDP); }

    public static PacketBuilder udp6() { return new PacketBuilder(6, PacketView.UDP); }

    /** Any ICMP message; the rest is the second word of its header. */
    public static PacketBuilder icmp4(int type, int code, int rest) {
        return new PacketBuilder(4, PacketView.ICMP).icmp(type, code, rest);
    }

    public static PacketBuilder icmp6(int type, int code, int rest) {
        return new PacketBuilder(6, PacketView.ICMPV6).icmp(type, code, rest);
    }

    public static PacketBuilder echoRequest4(int echoId, int sequence) { return icmp4(8, 0, echoId << 16 | sequence).payload(56); }

    public static PacketBuilder echoReply4(int echoId, int sequence) { return icmp4(0, 0, echoId << 16 | sequence).payload(56); }

    public static PacketBuilder echoRequest6(int echoId, int sequence) { return icmp6(128, 0, echoId << 16 | sequence).payload(56); }

    public static PacketBuilder echoReply6(int echoId, int sequence) { return icmp6(129, 0, echoId << 16 | sequence).payload(56); }

    /** An ICMP error from a router 10.9.0.1 to the sender of a frame, which is quoted with {@code bytes} of its IP packet. */
    public static PacketBuilder error4(int type, int code, byte[] about, int bytes) {
        return icmp4(type, code, 0).quoting(about, bytes).from("10.9.0.1");
    }

    /** An ICMPv6 error from a router 2001:db8:9::1 to the sender of a frame, which is quoted with {@code bytes} of its IP packet. */
    public static PacketBuilder error6(int type, int code, byte[] about, int bytes) {
        return icmp6(type, code, 0).quoting(about, bytes).from("2001:db8:9::1");
    }

    /** A packet whose payload follows the IP header at once, whatever the protocol says. */
    public static PacketBuilder ip4(int protocol) {
        return new PacketBuilder(4, protocol).raw();
    }

    public static PacketBuilder ip6(int protocol) { return new PacketBuilder(6, protocol).raw(); }

    public PacketBuilder from(String address, int port) {
        sourcePort = port;
        return from(address);
    }

    public PacketBuilder from(String address) {
        source = address(address);
        return this;
    }

    public PacketBuilder to(String address, int port) {
        destinationPort = port;
        return to(address);
    }

    public PacketBuilder to(String address) {
        destination = address(address);
        return this;
    }

    /** Turns the direction: addresses, ports and MACs. */
    public PacketBuilder reply() {
        byte[] address = source;
        source = destination;
        destination = address;
        int port = sourcePort;
        sourcePort = destinationPort;
        destinationPort = port;
        long mac = sourceMac;
        sourceMac = destinationMac;
        destinationMac = mac;
        return this;
    }

    public PacketBuilder macs(long newDestination, long newSource) {
        destinationMac = newDestination;
        sourceMac = newSource;
        return this;
    }

    public PacketBuilder vlan(int vlan) { return vlan(vlan, 0); }

    public PacketBuilder vlan(int vlan, int priority) {
        tci = priority << 13 | vlan;
        return this;
    }

    public PacketBuilder tos(int newTos) {
        tos = newTos;
        return this;
    }

    public PacketBuilder ttl(int newTtl) {
        ttl = newTtl;
        return this;
    }

    public PacketBuilder id(int newId) {
        id = newId;
        return this;
    }

    public PacketBuilder dontFragment() {
        dontFragment = true;
        return this;
    }

    /** IPv4 options, a multiple of four bytes. */
    public PacketBuilder ipOptions(int... options) {
        ipOptions = bytesOf(options);
        return this;
    }

    public PacketBuilder hopByHop() { return extension(0, 0, 0, 1, 4, 0, 0, 0, 0); }

    public PacketBuilder destinationOptions() { return extension(60, 0, 0, 1, 4, 0, 0, 0, 0); }

    /** A routing header with one address. */
    public PacketBuilder routing(int type, int segmentsLeft) {
        int[] bytes = new int[24];
        bytes[1] = 2;
        bytes[2] = type;
        bytes[3] = segmentsLeft;
        return extension(43, bytes);
    }

    /** An IPv6 extension header; its first byte is overwritten by the next header. */
    public PacketBuilder extension(int type, int... bytes) {
        extensions.add(new Extension(type, bytesOf(bytes)));
        return this;
    }

    /** A fragment header that says: all of it is here (RFC 6946). */
    public PacketBuilder atomicFragment() {
        return extension(44, 0, 0, 0, 0, id >>> 24, id >>> 16 & 0xFF, id >>> 8 & 0xFF, id & 0xFF);
    }

    public PacketBuilder payload(byte[] newPayload) {
        payload = newPayload;
        return this;
    }

    /** Bytes that count up. */
    public PacketBuilder payload(int length) {
        payload = new byte[length];
        for (int i = 0; i < length; i++) payload[i] = (byte) (i * 7 + 1);
        return this;
    }

    public PacketBuilder flags(int newFlags) {
        flags = newFlags;
        return this;
    }

    public PacketBuilder seq(int newSeq) {
        seq = newSeq;
        return this;
    }

    public PacketBuilder ack(int newAck) {
        ack = newAck;
        return this;
    }

    public PacketBuilder window(int newWindow) {
        window = newWindow;
        return this;
    }

    public PacketBuilder mss(int mss) { return tcpOptions(2, 4, mss >>> 8, mss & 0xFF); }

    public PacketBuilder scale(int scale) { return tcpOptions(1, 3, 3, scale); }

    public PacketBuilder sackPermitted() { return tcpOptions(1, 1, 4, 2); }

    /** Adds bytes to the TCP options; they are padded with zeros. */
    public PacketBuilder tcpOptions(int... options) {
        tcpOptions.writeBytes(bytesOf(options));
        return this;
    }

    public PacketBuilder noUdpChecksum() {
        noUdpChecksum = true;
        return this;
    }

    /** Adds an error to the transport checksum. */
    public PacketBuilder wrongTransportChecksum() {
        checksumError = 0x55;
        return this;
    }

    /** Pads short frames with noise behind the IP packet, as Ethernet does with zeros. */
    public PacketBuilder padTo(int frameLength) {
        frameLengthMin = frameLength;
        return this;
    }

    /** The frame. */
    public byte[] bytes() {
        byte[] transport = transport();
        byte[] behind = ipVersion == 4 ? transport : concat(chain(extensions, protocol), transport);
        return frame(ip(behind, ipVersion == 4 || extensions.isEmpty() ? protocol : extensions.getFirst().type, 0, false));
    }

    /** The frames of the packet, cut at these offsets (multiples of 8) into its payload; IPv6: destination options count as payload. */
    public List<byte[]> fragments(int... cuts) {
        int length = fragmentable().length;
        List<byte[]> frames = new ArrayList<>();
        for (int i = 0; i <= cuts.length; i++)
            frames.add(fragment(i == 0 ? 0 : cuts[i - 1], i == cuts.length ? length : cuts[i], i < cuts.length));
        return frames;
    }

    /** One fragment with the bytes {@code from} to {@code to} of the payload. */
    public byte[] fragment(int from, int to, boolean more) {
        return fragment(Arrays.copyOfRange(fragmentable(), from, to), from, more);
    }

    /** One fragment with any bytes. */
    public byte[] fragment(byte[] bytes, int offset, boolean more) {
        if (ipVersion == 4) return frame(ip(bytes, protocol, offset, more));
        List<Extension> unfragmentable = extensions.stream().filter(e -> e.type != 60).toList();
        List<Extension> options = extensions.stream().filter(e -> e.type == 60).toList();
        int next = options.isEmpty() ? protocol : options.getFirst().type;
        byte[] header = { (byte) next, 0, (byte) (offset >>> 8), (byte) (offset & 0xF8 | (more ? 1 : 0)), (byte) (id >>> 24),
                (byte) (id >>> 16), (byte) (id >>> 8), (byte) id };
        byte[] chain = chain(unfragmentable, 44);
        return frame(ip(concat(concat(chain, header), bytes), unfragmentable.isEmpty() ? 44 : unfragmentable.getFirst().type, 0, false));
    }

    /** The frame in memory of its own with {@link #HEADROOM} before and nothing behind it; not parsed. */
    public PacketView view() {
        return view(bytes());
    }

    /** A frame in memory of its own with {@link #HEADROOM} before and nothing behind it; not parsed. */
    public static PacketView view(byte[] frame) {
        MemorySegment memory = Arena.ofAuto().allocate(HEADROOM + frame.length, 8);
        MemorySegment.copy(MemorySegment.ofArray(frame), 0, memory, HEADROOM, frame.length);
        return new PacketView().wrap(memory, HEADROOM, frame.length);
    }

    /** The frame, parsed. Fails when the parser refuses it. */
    public PacketView parsed() { return parsed(bytes()); }

    /** A frame, parsed. Fails when the parser refuses it. */
    public static PacketView parsed(byte[] frame) {
        PacketView view = view(frame);
        DropReason refused = Parser.parse(view);
        if (refused != DropReason.NONE) throw new AssertionError("refused: " + refused);
        return view;
    }

    /** Copies the frame into packet memory and returns its length. */
    public int writeTo(MemorySegment memory, long offset) {
        byte[] frame = bytes();
        MemorySegment.copy(MemorySegment.ofArray(frame), 0, memory, offset, frame.length);
        return frame.length;
    }

    /** The frame that a view stands for. */
    public static byte[] bytesOf(PacketView view) {
        return bytesOf(view.segment(), view.frame(), view.frameLength());
    }

    public static byte[] bytesOf(MemorySegment memory, long offset, int length) {
        byte[] bytes = new byte[length];
        MemorySegment.copy(memory, offset, MemorySegment.ofArray(bytes), 0, length);
        return bytes;
    }

    /** First half of an address as in {@link PacketView}: two longs, IPv4 mapped. */
    public static long high(String address) {
        return word(address, 0);
    }

    public static long low(String address) { return word(address, 8); }

    /** The checksum of RFC 1071, two bytes at a time, complemented. */
    static int naiveChecksum(byte[]... parts) {
        long sum = 0;
        int position = 0;
        for (byte[] part : parts) {
            for (byte b : part) sum += (position++ & 1) == 0 ? (b & 0xFF) << 8 : b & 0xFF;
        }
        while (sum >>> 16 != 0) sum = (sum & 0xFFFF) + (sum >>> 16);
        return (int) (~sum & 0xFFFF);
    }

    private PacketBuilder raw() {
        raw = true;
        return this;
    }

    private PacketBuilder icmp(int type, int code, int rest) {
        icmpType = type;
        icmpCode = code;
        icmpRest = rest;
        return this;
    }

    private PacketBuilder quoting(byte[] about, int bytes) {
        int ip = (about[12] & 0xFF) == 0x81 ? 18 : 14;
        payload = Arrays.copyOfRange(about, ip, Math.min(about.length, ip + bytes));
        int at = ipVersion == 4 ? ip + 12 : ip + 8;
        destination = Arrays.copyOfRange(about, at, at + source.length);
        return this;
    }

    /** What fragments carry: of IPv6 the destination options too. */
    private byte[] fragmentable() {
        if (ipVersion == 4) return transport();
        return concat(chain(extensions.stream().filter(e -> e.type == 60).toList(), protocol), transport());
    }

    private byte[] transport() {
        if (raw) return payload.clone();
        byte[] header = switch (protocol) {
            case PacketView.TCP -> tcpHeader();
            case PacketView.UDP -> new Bytes().u16(sourcePort).u16(destinationPort).u16(8 + payload.length).u16(0).get();
            case PacketView.ICMP, PacketView.ICMPV6 -> new Bytes().u8(icmpType).u8(icmpCode).u16(0).u32(icmpRest).get();
            default -> new byte[0];
        };
        int at = switch (protocol) {
            case PacketView.TCP -> 16;
            case PacketView.UDP -> 6;
            case PacketView.ICMP, PacketView.ICMPV6 -> 2;
            default -> -1;
        };
        byte[] transport = concat(header, payload);
        if (at < 0 || protocol == PacketView.UDP && noUdpChecksum) return transport;
        byte[] pseudo = protocol == PacketView.ICMP
                ? new byte[0]
                : new Bytes().add(source).add(destination).u32(transport.length).u32(protocol).get();
        int checksum = naiveChecksum(pseudo, transport);
        if (protocol == PacketView.UDP && checksum == 0) checksum = 0xFFFF;
        checksum ^= checksumError;
        transport[at] = (byte) (checksum >>> 8);
        transport[at + 1] = (byte) checksum;
        return transport;
    }

    private byte[] tcpHeader() {
        byte[] options = Arrays.copyOf(tcpOptions.toByteArray(), (tcpOptions.size() + 3) & ~3);
        return new Bytes().u16(sourcePort).u16(destinationPort).u32(seq).u32(ack).u8((20 + options.length) / 4 << 4).u8(flags).u16(window)
                .u16(0).u16(0).add(options).get();
    }

    private byte[] ip(byte[] behind, int next, int offset, boolean more) {
        if (ipVersion == 6) {
            return new Bytes().u32(6 << 28 | tos << 20).u16(behind.length).u8(next).u8(ttl).add(source).add(destination).add(behind).get();
        }
        int headerSize = 20 + ipOptions.length;
        int fragment = (dontFragment ? 0x4000 : 0) | (more ? 0x2000 : 0) | offset / 8;
        byte[] header = new Bytes().u8(0x40 | headerSize / 4).u8(tos).u16(headerSize + behind.length).u16(id).u16(fragment).u8(ttl).u8(next)
                .u16(0).add(source).add(destination).add(ipOptions).get();
        int checksum = naiveChecksum(header);
        header[10] = (byte) (checksum >>> 8);
        header[11] = (byte) checksum;
        return concat(header, behind);
    }

    private byte[] frame(byte[] ip) {
        Bytes frame = new Bytes().mac(destinationMac).mac(sourceMac);
        if (tci >= 0) frame.u16(0x8100).u16(tci);
        byte[] bytes = frame.u16(ipVersion == 4 ? 0x0800 : 0x86DD).add(ip).get();
        int length = bytes.length;
        if (length >= frameLengthMin) return bytes;
        byte[] padded = Arrays.copyOf(bytes, frameLengthMin);
        Arrays.fill(padded, length, frameLengthMin, (byte) 0xEE);
        return padded;
    }

    private static byte[] chain(List<Extension> extensions, int last) {
        Bytes chain = new Bytes();
        for (int i = 0; i < extensions.size(); i++) {
            byte[] bytes = extensions.get(i).bytes.clone();
            bytes[0] = (byte) (i + 1 < extensions.size() ? extensions.get(i + 1).type : last);
            chain.add(bytes);
        }
        return chain.get();
    }

    private static long word(String address, int at) {
        byte[] bytes = address(address);
        byte[] wide = bytes.length == 16 ? bytes : new Bytes().u32(0).u32(0).u32(0xFFFF).add(bytes).get();
        long word = 0;
        for (int i = at; i < at + 8; i++) word = word << 8 | wide[i] & 0xFF;
        return word;
    }

    private static byte[] address(String address) {
        try {
            // Of ::ffff:a.b.c.d Java makes an IPv4 address: here a string with a colon is IPv6.
            byte[] bytes = InetAddress.ofLiteral(address).getAddress();
            return address.contains(":") && bytes.length == 4 ? new Bytes().u32(0).u32(0).u32(0xFFFF).add(bytes).get() : bytes;
        } catch (IllegalArgumentException e) {
            throw new AssertionError(address, e);
        }
    }

    private static byte[] bytesOf(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) bytes[i] = (byte) values[i];
        return bytes;
    }

    private static byte[] concat(byte[] a, byte[] b) { return new Bytes().add(a).add(b).get(); }

    /** Bytes in network order. */
    private static final class Bytes {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Bytes u8(int value) {
            out.write(value);
            return this;
        }

        Bytes u16(int value) { return u8(value >>> 8).u8(value); }

        Bytes u32(int value) { return u16(value >>> 16).u16(value); }

        Bytes mac(long value) { return u16((int) (value >>> 32)).u32((int) value); }

        Bytes add(byte[] bytes) {
            out.writeBytes(bytes);
            return this;
        }

        byte[] get() { return out.toByteArray(); }
    }
}

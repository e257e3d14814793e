package io.ambo.cluster.cli;

import com.google.protobuf.ByteString;
import io.ambo.cluster.address.IpAddress;
import io.ambo.proto.control.Half;
import io.ambo.proto.control.Network;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.Traffic;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Sessions as an operator writes and reads them. */
final class SessionText {
    private static final int ICMP = 1;
    private static final int TCP = 6;
    private static final int UDP = 17;
    private static final int ICMPV6 = 58;

    private record End(IpAddress address, int port) {}

    private SessionText() {}

    static String protocol(int number) {
        return switch (number) {
            case ICMP -> "icmp";
            case TCP -> "tcp";
            case UDP -> "udp";
            case ICMPV6 -> "icmp6";
            default -> "protocol " + number;
        };
    }

    static int protocolNumber(String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "icmp" -> ICMP;
            case "tcp" -> TCP;
            case "udp" -> UDP;
            case "icmp6", "icmpv6" -> ICMPV6;
            default -> throw new CliException(ExitCode.USAGE, name + " is no protocol", "write tcp, udp or icmp");
        };
    }

    /** 10.0.0.7:51022, [2001:db8::7]:51022; ICMP has its identifier in the port's place. */
    static SessionEnds ends(String protocol, String source, String destination) {
        End from = end(source);
        End to = end(destination);
        if (from.address.isIpv4() != to.address.isIpv4()) {
            throw new CliException(ExitCode.USAGE, source + " and " + destination + " are of different IP versions", "");
        }
        int number = protocolNumber(protocol);
        boolean icmp = number == ICMP || number == ICMPV6;
        int fromPort = icmp ? Math.max(from.port, to.port) : from.port;
        int toPort = icmp ? fromPort : to.port;
        if (fromPort < 0 || toPort < 0) {
            throw new CliException(ExitCode.USAGE, (from.port < 0 ? source : destination) + (icmp ? " has no identifier" : " has no port"),
                    "write 10.0.0.7:51022 or [2001:db8::7]:51022; ambo sessions list shows them so");
        }
        return SessionEnds.newBuilder().setProtocol(icmp ? from.address.isIpv4() ? ICMP : ICMPV6 : number)
                .setSource(ByteString.copyFrom(from.address.toBytes())).setSourcePort(fromPort)
                .setDestination(ByteString.copyFrom(to.address.toBytes())).setDestinationPort(toPort).build();
    }

    /** A network, as 10.0.0.0/8, or one address. */
    static Network network(String text) {
        int slash = text.indexOf('/');
        IpAddress address = IpAddress.parse(slash < 0 ? text : text.substring(0, slash));
        int longest = address != null && address.isIpv4() ? 32 : 128;
        int length = slash < 0 ? longest : number(text.substring(slash + 1), longest);
        if (address == null || length < 0)
            throw new CliException(ExitCode.USAGE, text + " is no address and no network", "write 10.0.0.7, 10.0.0.0/8 or 2001:db8::/32");
        byte[] mapped = new byte[16];
        for (int i = 0; i < 8; i++) {
            mapped[i] = (byte) (address.high() >>> (56 - 8 * i));
            mapped[8 + i] = (byte) (address.low() >>> (56 - 8 * i));
        }
        return Network.newBuilder().setAddress(ByteString.copyFrom(mapped)).setPrefixLength(length + 128 - longest).build();
    }

    static String source(SessionEnds ends) { return end(ends.getSource(), ends.getSourcePort()); }

    static String destination(SessionEnds ends) { return end(ends.getDestination(), ends.getDestinationPort()); }

    static String word(Enum<?> constant) { return constant.name().toLowerCase(Locale.ROOT); }

    static Map<String, @Nullable Object> json(Session session) {
        SessionEnds ends = session.getEnds();
        return Json.object("protocol", protocol(ends.getProtocol()), "source", address(ends.getSource()), "source_port",
                ends.getSourcePort(), "destination",
                address(ends.getDestination()), "destination_port", ends.getDestinationPort(), "state", word(session.getState()), "rule",
                session.getRule(),
                "from_zone", session.getFromZone(), "to_zone", session.getToZone(), "owner", session.getOwner(), "backup",
                session.getBackup(), "creator",
                session.getCreator(), "created",
                Long.toUnsignedString(session.getCreated()), "epoch", Integer.toUnsignedLong(session.getEpoch()), "mid_stream",
                session.getMidStream(),
                "reset_on_timeout", session.getResetOnTimeout(), "timeout_ms", session.getTimeoutMs(), "idle_ms", session.getIdleMs(),
                "expires_in_ms",
                session.getExpiresInMs(), "fast_path", session.getFastPath(), "original",
                half(session.getOriginal(), session.getOriginalTraffic(), session.getOriginalSeenHere()), "reply",
                half(session.getReply(), session.getReplyTraffic(), session.getReplySeenHere()), "translated",
                session.hasTranslated() ? source(session.getTranslated()) + " -> " + destination(session.getTranslated()) : null);
    }

    private static Map<String, @Nullable Object> half(Half half, Traffic traffic, boolean seenHere) {
        return Json.object("state", word(half.getState()), "seq_end", half.hasSeqEnd() ? Integer.toUnsignedLong(half.getSeqEnd()) : null,
                "max_end",
                half.hasMaxEnd() ? Integer.toUnsignedLong(half.getMaxEnd()) : null, "ack",
                half.hasAck() ? Integer.toUnsignedLong(half.getAck()) : null,
                "max_window", Integer.toUnsignedLong(half.getMaxWindow()), "scale", half.hasScale() ? half.getScale() : null, "packets",
                traffic.getPackets(),
                "bytes", traffic.getBytes(), "seen_here", seenHere);
    }

    private static String address(ByteString bytes) {
        IpAddress address = IpAddress.ofBytes(bytes.toByteArray());
        return address == null ? "?" : address.toString();
    }

    private static String end(ByteString bytes, int port) {
        IpAddress address = IpAddress.ofBytes(bytes.toByteArray());
        return address == null ? "?" : address.withPort(port);
    }

    private static End end(String text) {
        String host = text;
        int port = -1;
        int colon = text.lastIndexOf(':');
        boolean bracketed = text.startsWith("[");
        if (bracketed && text.endsWith("]")) host = text.substring(1, text.length() - 1);
        else if (bracketed && colon > 1 && text.charAt(colon - 1) == ']') {
            host = text.substring(1, colon - 1);
            port = number(text.substring(colon + 1), 65_535);
        } else if (colon > 0 && text.indexOf(':') == colon) {
            host = text.substring(0, colon);
            port = number(text.substring(colon + 1), 65_535);
        }
        IpAddress address = IpAddress.parse(host);
        if (address == null)
            throw new CliException(ExitCode.USAGE, text + " is no address and port", "write 10.0.0.7:51022 or [2001:db8::7]:51022");
        return new End(address, port);
    }

    /** The number, or -1. */
    private static int number(String text, int most) {
        if (!text.matches("\\d{1,5}")) return -1;
        int number = Integer.parseInt(text);
        return number <= most ? number : -1;
    }
}
